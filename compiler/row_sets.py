"""Sets of rows: what `compose = partial` asks of fits, and a fit of sets of its laws and its net."""

from __future__ import annotations

from dataclasses import replace

from bsi.compiler import likelihood_laws
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Choice, Net, Options, Train
from bsi.dsl import ast

NET = "set"  # the net that sees rows in no order
_IMPLIED = 4  # rows of a fit that nobody declared: 3 to 6 are best (arXiv 2404.07593, §4.3)


def wanted(options: Options) -> int | str:
    """How many rows of a set a sampler asks for: 1 unless it composes by `partial`; `auto` leaves it to the fits."""
    compose = dict(options)["compose"]
    return dict(compose.options)["n_max"] if isinstance(compose, Choice) else 1


def implied(options: Options) -> int:
    """Rows of a fit that a sampler needs and nobody declared."""
    rows = wanted(options)
    return rows if isinstance(rows, int) else _IMPLIED


def of(fit: Train) -> int:
    """How many rows a fit takes at once."""
    return dict(fit.options).get("rows", 1)


def settled(env: Environment, declaration: ast.Sample, options: Options, fits: list[Train]) -> Options | None:
    """`options` with the rows that `auto` means; None after a report of a fit that takes fewer."""
    rows = wanted(options)
    if rows == 1:
        return options
    most = min((of(fit) for fit in fits if fit.likelihood), default=implied(options))
    least = rows if isinstance(rows, int) else 2
    few = next((fit for fit in fits if fit.likelihood and of(fit) < least), None)
    if few is not None:
        _too_few(env, declaration, few, implied(options))
        return None
    compose = Choice("partial", (("n_max", most if rows == "auto" else rows),))
    return tuple(sorted((dict(options) | {"compose": compose}).items()))


def _too_few(env: Environment, declaration: ast.Sample, fit: Train, rows: int) -> None:
    option = next(item for item in declaration.options.items if item.name.id == "compose")
    takes = f"takes {of(fit)} at most" if of(fit) > 1 else "takes one at a time"
    score = fit.objective == "score"
    env.report.add(
        "E0580",
        f"`compose = partial` combines sets of up to {rows} rows, but `{fit.name}` {takes}",
        option,
        also=[(env.name_of(fit.name), "declared here")] if fit.name in env.declarations else (),
        help=f"train `{fit.name}` on sets, `{{ rows = {rows} }}`"
        if score
        else f"train `score({fit.prior}, {fit.likelihood}) {{ rows = {rows} }}`, or use `compose = gauss`",
    )


def possible(env: Environment, given: ast.Options, asks: str, prior: str, likelihood: str | None, rows: int) -> bool:
    """Whether a fit of these laws can see sets of `rows` rows; reports why not, at the option that `asks` for them."""
    if rows == 1:
        return True
    why = help = ""
    found = likelihood_laws.named(env, likelihood)
    if likelihood is None:
        why, help = f"`{prior}` alone has none", "remove it"
    elif found is not None and found.learned:
        why = f"the pairs of `{likelihood}` have one each"
        help = "remove it; `compose = gauss` combines rows"
    if why:
        option = next(item for item in given.items if item.name.id == asks)
        env.report.add("E0582", f"a simulation cannot have {rows} rows: {why}", option, help=help)
    return not why


def network(env: Environment, likelihood: str, chosen: Net, place: ast.Node, rows: int) -> Net | None:
    """The net of a fit of sets, with the shape of a set; None after a report of one that sees an order."""
    found = likelihood_laws.named(env, likelihood)
    labels = dict(chosen.options).get("labels", False)
    if chosen.kind != NET or labels:
        what = "with labels tells its elements apart" if labels else "sees them in an order"
        env.report.add(
            "E0581",
            f"rows of a set have no order, but a `{chosen.kind}` net {what}",
            place,
            help="remove `labels`" if labels else f"use a `{NET}` net, or leave `network` out",
        )
        return None
    assert found is not None, "the laws of a fit are sound"
    shape = (rows, *found.shape)
    return replace(chosen, options=tuple(sorted((dict(chosen.options) | {"row": shape}).items())))

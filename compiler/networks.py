"""The net of a fit: the one it names, else its prior's, else one for the rows; with what it must know of the laws."""

from __future__ import annotations

from dataclasses import replace

from bsi.compiler import configure, exchangeable, images, likelihood_laws, prior_laws, row_sets, unknowns
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Net, Prior
from bsi.compiler.report import listed
from bsi.compiler.shapes import show
from bsi.dsl import ast


def network(
    env: Environment,
    prior: str,
    likelihood: str | None,
    given: ast.Option | None,
    chosen: Net | None,
    at: ast.Node,
    rows: int = 1,
) -> Net | None:
    """The net of a fit of these laws; None after a report.

    **Arguments:** `chosen` is the net that the fit's option `given` names, if any; `at` is where else to point; `rows`
    are those of a simulation.
    """
    law = env.declarations.get(prior)
    found = prior_laws.prior(env, law) if isinstance(law, ast.Prior) else None
    if chosen is None and found is not None and found.learned and found.learned.network:
        chosen = found.learned.network
        given = _option_of(law)
    place = given or at
    if rows > 1 and likelihood is not None:
        return row_sets.network(env, likelihood, chosen or configure.default_net(row_sets.NET), place, rows)
    chosen = chosen or _default(env, likelihood)
    if chosen.kind == "set":
        return _of_sets(env, likelihood, place, chosen)
    if chosen.kind in images.NETS:
        return None if found is None else _of_images(env, found, likelihood, place, chosen)
    return chosen


def _default(env: Environment, likelihood: str | None) -> Net:
    """A net of sets where the elements of a row are alike."""
    found = likelihood_laws.named(env, likelihood)
    alike = found is not None and exchangeable.is_set(found)
    return configure.default_net(exchangeable.NET if alike else configure.DEFAULT_NET)


def _option_of(prior: ast.Declaration | None) -> ast.Option | None:
    law = prior.law if isinstance(prior, ast.Prior) else None
    items = law.options.items if isinstance(law, ast.Learned) else ()
    return next((item for item in items if item.name.id == "network"), None)


def _of_sets(env: Environment, name: str | None, at: ast.Node, chosen: Net) -> Net | None:
    """`set` with the shape of a row."""
    row = _row(env, name)
    if not row:
        what = "a prior alone has no rows" if row is None else f"a row of `{name}` is a single number"
        env.report.add(
            "E0431",
            f"a `set` net sees the elements of a row, but {what}",
            at,
            help="use `resmlp`; rows of an observation set are combined without a net",
        )
        return None
    return replace(chosen, options=tuple(sorted((dict(chosen.options) | {"row": row}).items())))


def _of_images(env: Environment, prior: Prior, likelihood: str | None, at: ast.Node, chosen: Net) -> Net | None:
    """A net on images with the shape of the one param that is an image, and of rows that are images like it."""
    declarations = [env.declarations[name] for name in prior.params]
    types = [unknowns.param_type(env, d) for d in declarations if isinstance(d, ast.Param)]
    also = [(d.type, "declared here") for d in declarations if isinstance(d, ast.Param)]
    shape = types[0].shape if types and types[0] else ()
    if len(types) > 1 or types[0] is None or types[0].kind != "real" or len(shape) not in (2, 3):
        what = f"draws {listed(prior.params)}" if len(types) > 1 else f"draws `{prior.params[0]}`, which is none"
        env.report.add(
            "E0440",
            f"a `{chosen.kind}` net sees one param that is an image, but `{prior.name}` {what}",
            at,
            also=also,
            help="an image is `real[height, width]` or `real[height, width, channels]`; use `resmlp` for other params",
        )
        return None
    problem = images.wrong_size(chosen.kind, chosen.options, shape)
    if problem:
        option, said, help = problem
        env.report.add("E0441", said, _place(env, chosen, option) or at, also=also, help=f"{help} for {show(shape)}")
        return None
    levels = prior.learned.levels if prior.learned else None
    row = _row(env, likelihood)
    return replace(chosen, options=images.fitted(chosen.kind, chosen.options, shape, levels, row or ()))


def _row(env: Environment, likelihood: str | None) -> tuple[int, ...] | None:
    """The shape of a likelihood's rows."""
    found = likelihood_laws.named(env, likelihood)
    return found.shape if found else None


def _place(env: Environment, chosen: Net, option: str) -> ast.Node | None:
    """Where a declared net sets an option."""
    declaration = env.declarations.get(chosen.name)
    items = declaration.options.items if isinstance(declaration, ast.Net) else ()
    return next((item for item in items if item.name.id == option), None)

"""Params: their types, and the supports that their priors give them."""

from __future__ import annotations

from bsi.compiler import distributions, value_types
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Param, Prior, Support
from bsi.compiler.value_types import ValueType
from bsi.dsl import ast


def param_type(env: Environment, declaration: ast.Param) -> ValueType | None:
    """The declared type of a param; whole-number params are refused."""
    type = value_types.value_type(env, declaration.type)
    if type and type.integer:
        env.report.add(
            "E0405",
            f"`{declaration.name.id}` is a whole number, but params must be continuous",
            declaration.type.base,
            help="declare it `real`, or sum it out by hand: `mixture(weights, ...)` is a sum over a discrete choice",
        )
        return None
    return type


def arguments(env: Environment, names: tuple[ast.Name, ...], owner: ast.Name) -> tuple[ast.Param, ...] | None:
    """The params that a prior, likelihood or posterior is over."""
    found: dict[str, ast.Param | None] = {}
    for name in names:
        if name.id in found:
            env.report.add("E0202", f"`{name.id}` is an argument of `{owner.id}` twice", name)
            continue
        found[name.id] = env.find(name, ast.Param)
    good = tuple(param for param in found.values() if param)
    return good if len(good) == len(names) else None


def params(env: Environment, priors: list[Prior]) -> dict[str, Param]:
    """Every param that a prior draws, with the support of its law."""
    found: dict[str, Param] = {}
    first: dict[str, str] = {}
    for prior in priors:
        for draw in prior.draws:
            declaration = env.declarations[draw.target]
            assert isinstance(declaration, ast.Param)
            type = value_types.value_type(env, declaration.type)
            assert type is not None
            param = Param(draw.target, type.shape, draw.law.support, type.dims)
            if draw.target in found and found[draw.target].support != param.support:
                env.report.add(
                    "E0402",
                    f"`{first[draw.target]}` and `{prior.name}` give `{draw.target}` different supports",
                    env.name_of(prior.name),
                    also=[(env.name_of(first[draw.target]), "the other prior")],
                )
            found.setdefault(draw.target, param)
            first.setdefault(draw.target, prior.name)
    return {d.name.id: found[d.name.id] for d in env.all(ast.Param) if d.name.id in found}


def doubts(env: Environment, known: dict[str, Param]) -> None:
    """Params used as arguments whose domain they may leave: `normal(0, tau)` with a `tau` that can be negative."""
    for at, law, argument, name in env.doubts:
        param = known.get(name)
        if param is None:
            continue
        lower, upper = (
            bound.value if bound and bound.op == "const" and not bound.shape else None
            for bound in (param.support.lower, param.support.upper)
        )
        bounded_below = (lower is not None and lower >= 0) or (lower is None and param.support.lower is not None)
        bounded_above = (
            argument.domain != "unit"
            or (upper is not None and upper <= 1)
            or (upper is None and param.support.upper is not None)
        )
        if not (bounded_below and bounded_above):
            phrase = distributions.PHRASES[argument.domain]
            env.report.add(
                "W0405",
                f"`{argument.name}` of `{law}` must be {phrase}, but `{name}` can leave that range",
                at,
                also=[(env.name_of(name), f"its prior is on {shown(param.support)}")],
                help=f"give `{name}` a law on that range, or transform it",
            )


def shown(support: Support) -> str:
    """`(0, inf)`; bounds that depend on other params are `...`."""
    if support.kind == "real":
        return "the whole line"
    low, high = (
        "..."
        if (bound and bound.op != "const") or (bound and bound.shape)
        else f"{bound.value:g}"
        if bound
        else infinite
        for bound, infinite in ((support.lower, "-inf"), (support.upper, "inf"))
    )
    return f"({low}, {high})"

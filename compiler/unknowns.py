"""Params: their types, and the supports that their priors give them."""

from __future__ import annotations

import math

from bsi.compiler import domains, supports, value_types
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Param, Prior, Support
from bsi.compiler.laws import Domain
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
        drawn = {draw.target: draw.law.support for draw in prior.draws}
        for name in prior.params:
            declaration = env.declarations[name]
            assert isinstance(declaration, ast.Param)
            type = value_types.value_type(env, declaration.type)
            assert type is not None
            # draws from a file have only the declared type to tell where they may lie
            support = drawn.get(name, type.support)
            param = Param(name, type.shape, support, type.dims)
            if name in found and found[name].support != param.support:
                env.report.add(
                    "E0402",
                    f"`{first[name]}` and `{prior.name}` give `{name}` different supports",
                    env.name_of(prior.name),
                    also=[(env.name_of(first[name]), "the other prior")],
                )
            found.setdefault(name, param)
            first.setdefault(name, prior.name)
    return {d.name.id: found[d.name.id] for d in env.all(ast.Param) if d.name.id in found}


def doubts(env: Environment, known: dict[str, Param]) -> None:
    """Params used as arguments whose domain they may leave: `normal(0, tau)` with a `tau` that can be negative."""
    for at, law, argument, name in env.doubts:
        param = known.get(name)
        if param is None or _inside(argument.domain, param.support):
            continue
        phrase = domains.PHRASES[argument.domain]
        env.report.add(
            "W0405",
            f"`{argument.name}` of `{law}` must be {phrase}, but `{name}` can leave that range",
            at,
            also=[(env.name_of(name), f"its prior is on {supports.shown(param.support)}")],
            help=f"give `{name}` a law on that range, or transform it",
        )


def _inside(domain: Domain, support: Support) -> bool:
    """Whether a support lies in the domain of an argument; bounds that are computed get the benefit of the doubt."""
    if domain in domains.INSIDE:
        return support.kind in domains.INSIDE[domain]
    lower, upper = (
        bound.value if bound and bound.op == "const" and not bound.shape else None
        for bound in (support.lower, support.upper)
    )
    if support.kind == "simplex":
        lower, upper = 0.0, 1.0
    bounds = domains.BOUNDS.get(domain)
    if bounds is None:
        return True
    above = (lower is not None and lower >= bounds[0]) or (lower is None and support.lower is not None)
    below = (upper is not None and upper <= bounds[1]) or (upper is None and support.upper is not None)
    return above and (below or math.isinf(bounds[1]))

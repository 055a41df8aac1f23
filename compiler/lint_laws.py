"""Lints of laws, posteriors and data: what a model leaves out, and what is written like something else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from bsi.compiler import posteriors
from bsi.compiler.environment import Environment
from bsi.compiler.fold import references
from bsi.compiler.ir import Expr, Law, Likelihood, Prior, Program, Simulated
from bsi.compiler.laws import LAWS
from bsi.compiler.report import listed
from bsi.compiler.supports import KINDS
from bsi.dsl import ast

# Laws whose `scale` is a standard deviation (or the like), where others write a variance.
SCALED = frozenset({"normal", "lognormal", "half_normal", "truncated_normal", "student_t", "half_student_t"})

# Arguments that move a law to another place and leave the integral of its powers as it is; but not of these laws.
PLACES = ("loc", "mean")
UNMOVED = frozenset({"lognormal", "truncated_normal", "beta_proportion", "projected_normal", "neg_binomial"})


def params_without_prior(env: Environment, program: Program) -> None:
    """W0412."""
    drawn = {name.id for prior in env.all(ast.Prior) for name in prior.params}
    for param in env.all(ast.Param):
        name = param.name.id
        if env.is_own(param) and name in env.used and name not in drawn:
            message = f"no prior draws the param `{name}`"
            env.report.add("W0412", message, param.name, help=f"declare `prior p({name}) = LAW`")


def unused_givens(env: Environment, program: Program) -> None:
    """W0419."""
    for declaration in env.all(ast.Likelihood):
        law = program.likelihoods[declaration.name.id]
        if not env.is_own(declaration) or law.learned:
            continue
        used = _used_by_likelihood(law)
        for name in declaration.given:
            if name.id not in used:
                env.report.add(
                    "W0419",
                    f"`{law.name}` is given `{name.id}`, but does not depend on it",
                    name,
                    help="use it in the law, or leave it out",
                )


def idle_params(env: Environment, program: Program) -> None:
    """W0420."""
    for declaration in env.all(ast.Posterior):
        posterior = program.posteriors[declaration.name.id]
        likelihoods = [program.likelihoods[f.law] for f in posterior.factors if f.kind == "likelihood"]
        if not env.is_own(declaration) or not likelihoods:
            continue
        priors = [program.priors[f.law] for f in posterior.factors if f.kind == "prior"]
        used = set().union(*(law.given for law in likelihoods), *map(_used_by_prior, priors))
        idle = [name for name in declaration.params if name.id not in used and not _joint(priors, name.id)]
        if not idle:
            continue
        it, its = ("it", "its posterior is its prior") if len(idle) == 1 else ("them", "they keep their prior")
        env.report.add(
            "W0420",
            f"no observation tells anything about {listed(name.id for name in idle)}: {its}",
            idle[0],
            help=f"use {it} in a likelihood or in the law of another param, or leave {it} out",
        )


def _joint(priors: list[Prior], name: str) -> bool:
    """Whether a param is learned together with others, on which it may depend."""
    return any(p.learned and len(p.params) > 1 and name in p.params for p in priors)


def _used_by_likelihood(law: Likelihood) -> set[str]:
    used = set().union(*(_references(draw.law) for draw in law.draws))
    return used | (references(law.result) if law.result else set())


def _used_by_prior(prior: Prior) -> set[str]:
    return set().union(*(_references(draw.law) for draw in prior.draws))


def _references(law: Law) -> set[str]:
    bounds = (b for b in (law.support.lower, law.support.upper) if isinstance(b, Expr))
    expressions = [*(value for _, value in law.arguments), *bounds]
    return set().union(*map(references, expressions), *map(_references, law.components))


def squared_scales(env: Environment, program: Program) -> None:
    """W0418."""
    for declaration in (*env.all(ast.Prior), *env.all(ast.Likelihood)):
        for call in _calls(declaration.law) if env.is_own(declaration) else ():
            scale = _scale(call)
            if scale is not None and _is_square(scale):
                env.report.add(
                    "W0418",
                    f"`scale` of `{call.function.id}` is a standard deviation, but this is a square",
                    scale,
                    help="give the standard deviation itself, or `sqrt(...)` of a variance",
                )


def _calls(node: Any) -> Iterator[ast.Call]:
    if isinstance(node, tuple):
        for item in node:
            yield from _calls(item)
    elif isinstance(node, ast.Node):
        if isinstance(node, ast.Call):
            yield node
        for field in fields(node):
            yield from _calls(getattr(node, field.name))


def _scale(call: ast.Call) -> ast.Expr | None:
    """The `scale` of a law that has one."""
    if call.function.id not in SCALED:
        return None
    place = [argument.name for argument in LAWS[call.function.id].arguments].index("scale")
    named = next((a.value for a in call.arguments if a.name and a.name.id == "scale"), None)
    positional = [a.value for a in call.arguments if not a.name]
    return positional[place] if place < len(positional) else named


def _is_square(node: ast.Expr) -> bool:
    match node:
        case ast.Binary(operator="^", right=ast.Number(value=2)):
            return True
        case ast.Call(function=ast.Name(id="square")):
            return True
        case ast.Binary(operator="*", left=ast.Name(id=left), right=ast.Name(id=right)):
            return left == right
    return False


def equal_seeds(env: Environment, program: Program) -> None:
    """W0421."""
    first: dict[tuple[str, int], ast.Observe] = {}
    for declaration in env.all(ast.Observe):
        found = program.observations[declaration.name.id]
        if not env.is_own(declaration) or not isinstance(found.source, Simulated):
            continue
        key = (found.likelihood, found.source.seed)
        if key in first:
            env.report.add(
                "W0421",
                f"`{first[key].name.id}` and `{found.name}` are simulated with one seed: they have the same noise",
                declaration.name,
                also=[(first[key].name, "the other set")],
                help="give them different seeds",
            )
        first.setdefault(key, declaration)


def _number(node: ast.Expr) -> int | float | None:
    return node.value if isinstance(node, ast.Number) else None


def matrices_of_two_sizes(env: Environment, program: Program) -> None:
    """W0435: a matrix is declared by one size, and a size before it counts matrices."""
    for declaration in (*env.all(ast.Param), *env.all(ast.Data), *env.all(ast.Likelihood)):
        type = declaration.type
        kind = KINDS.get(type.base.id)
        if kind is None or kind.axes != 2 or len(type.dims) != 2 or not env.is_own(declaration):
            continue
        count, size = (dim.id if isinstance(dim, ast.Name) else _number(dim) for dim in type.dims)
        if count is not None and count == size:
            name = type.base.id
            env.report.add(
                "W0435",
                f"`{name}[{count}, {size}]` is {count} matrices, each of {size} x {size}",
                type,
                help=f"write `{name}[{size}]` for one matrix",
            )


def powers_of_hierarchies(env: Environment, program: Program) -> None:
    """W0450: the integral of a law's power depends on all that is no mere place, and so do the params that set it."""
    for declaration in env.all(ast.Posterior):
        for factor, written in zip(program.posteriors[declaration.name.id].factors, declaration.factors, strict=True):
            powers = posteriors.power_values(env, factor.power) or ()
            if factor.kind != "prior" or not env.is_own(declaration) or all(power in (0, 1) for power in powers):
                continue
            for name, above in _governed(program.priors[factor.law]):
                env.report.add(
                    "W0450",
                    f"a power of `{factor.law}` also weighs {listed(above)}, by the integral of the law of `{name}`",
                    written.power or written,
                    help=f"draw `{name}` by a law of its own, and bring {listed(above)} in where it is used; or allow "
                    "this, if the power is meant for the whole density",
                )
                break


def _governed(prior: Prior) -> Iterator[tuple[str, list[str]]]:
    """Draws whose laws have other params of the prior in them, but for a place, and which."""
    for draw in prior.draws:
        place = () if draw.law.name in UNMOVED else PLACES
        shape = [value for name, value in draw.law.arguments if name not in place]
        inside = set().union(*map(references, shape), *map(_references, draw.law.components)) & set(prior.params)
        if inside:
            yield draw.target, sorted(inside)


LINTS = (
    params_without_prior,
    unused_givens,
    idle_params,
    squared_scales,
    equal_seeds,
    matrices_of_two_sizes,
    powers_of_hierarchies,
)

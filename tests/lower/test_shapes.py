"""What the checker says of an expression holds of its lowered form: shape and kind, for every expression of every
example and golden model, seen by `jax.eval_shape` without computing anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from bsi.compiler.analyse import compile_source
from bsi.compiler.fold import is_boolean, references
from bsi.compiler.ir import Draw, Expr, Law, Program
from bsi.compiler.lower.expr import evaluate
from tests.bless import GOOD, source_of

MODELS = [*GOOD, *sorted((Path(__file__).parents[2] / "examples").glob("*/*.bsi"))]
Env = dict[str, jax.ShapeDtypeStruct]


def nested(expr: Expr, env: Env) -> Iterator[tuple[Expr, Env]]:
    """An expression and all in it, with the names in reach."""
    yield expr, env
    body, *rest = expr.args or (None,)
    if expr.op == "map":
        env = {**env, expr.value[0]: jax.ShapeDtypeStruct((), jnp.int32)}
    elif expr.op in ("scan", "fold") and body:
        init, *sequences = rest
        kinds = [(init.shape, body.integer), *((x.shape[1:], x.integer) for x in sequences)]
        env = {**env, **{name: struct(*kind) for name, kind in zip(expr.value, kinds, strict=True)}}
    for arg in expr.args:
        yield from nested(arg, env)


def struct(shape: tuple[int, ...], integer: bool) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.int32 if integer else jnp.float32)


def of_law(law: Law) -> Iterator[Expr]:
    yield from (value for _, value in law.arguments)
    yield from (bound for bound in (law.support.lower, law.support.upper) if bound)
    for component in law.components:
        yield from of_law(component)


def of_draws(draws: tuple[Draw, ...], env: Env) -> Iterator[tuple[Expr, Env]]:
    for draw in draws:
        yield from ((expr, env) for expr in of_law(draw.law))
        env[draw.target] = struct(draw.law.shape, draw.law.support.integer)


def expressions(program: Program) -> Iterator[tuple[Expr, Env]]:
    """Every expression of a program, with the shapes of the names that it may refer to."""
    known = {name: struct(param.shape, False) for name, param in program.params.items()}
    known |= {name: struct(data.shape, data.integer) for name, data in program.data.items()}
    known |= {name: struct((), False) for name in program.sweeps}
    for prior in program.priors.values():
        yield from of_draws(prior.draws, dict(known))
    for likelihood in program.likelihoods.values():
        env = dict(known)
        yield from of_draws(likelihood.draws, env)
        if likelihood.result:
            yield likelihood.result, env
    for posterior in program.posteriors.values():
        yield from ((factor.power, known) for factor in posterior.factors)


def same(expr: Expr, found: Any) -> bool:
    kind = jnp.bool_ if is_boolean(expr) else jnp.integer if expr.integer else jnp.floating
    return found.shape == expr.shape and jnp.issubdtype(found.dtype, kind)


def stochastic(expr: Expr) -> bool:
    """Whether it needs a key: its rows are seen in the tests of simulators."""
    return (expr.op == "simulate" and expr.value.draw is not None) or any(map(stochastic, expr.args))


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_lowered_expressions_have_the_shapes_that_were_checked(path: Path) -> None:
    program, _ = compile_source(source_of(path))
    assert program is not None
    seen: set[tuple[Expr, tuple[Any, ...]]] = set()
    for outer, names in expressions(program):
        for expr, env in nested(outer, names):
            needed = {name: env[name] for name in references(expr)}
            key = (expr, tuple(sorted((name, x.shape) for name, x in needed.items())))
            if key in seen or stochastic(expr):
                continue
            seen.add(key)
            found = jax.eval_shape(lambda env, expr=expr: evaluate(expr, env), needed)
            assert same(expr, found), (expr.op, expr.shape, expr.integer, found)
    assert seen

"""Evaluation of expressions, under `jit` and `vmap`: shapes are static and already checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bsi.compiler import functions
from bsi.compiler.fold import is_boolean, references
from bsi.compiler.ir import Expr, Table
from bsi.compiler.lower.functions import FUNCTIONS

Env = Mapping[str, Any]  # arrays of JAX or NumPy, by name


def table_array(table: Table) -> np.ndarray:
    """Values of a table as a NumPy array (float64 or int64)."""
    return np.asarray(table.values, dtype=np.int64 if table.integer else np.float64).reshape(table.shape)


def evaluate(expr: Expr, env: Env) -> Array:
    """Value of an expression; `env` holds the arrays of every name it refers to."""
    match expr.op:
        case "const":
            return jnp.asarray(expr.value, dtype=bool if is_boolean(expr) else int if expr.integer else float)
        case "ref":
            return env[expr.value]
        case "map":
            return _map(expr, env)
        case "index":
            return _index(expr, env)
        case "scan" | "fold":
            return _recurrence(expr, env)
        case "where":
            return _where(expr, env)
        case "simulate":
            from bsi.compiler.lower.simulators import simulate  # here, since equations hold expressions

            return simulate(expr, env)
        case "pow":
            return _power(expr, env)
    return _function(expr, env, evaluate)


def _function(expr: Expr, env: Env, argument: Callable[[Expr, Env], Array]) -> Array:
    row = functions.FUNCTIONS[expr.op]
    count = len(expr.args) if row.sizes is None else row.sizes
    values = [argument(arg, env) for arg in expr.args[:count]]
    sizes = [int(arg.value) for arg in expr.args[count:]]
    if row.kind == "same" and not expr.integer:
        values = [jnp.asarray(value, float) for value in values]  # whole numbers may be too wide together
    options = {} if row.axis is None else {"axis": expr.value}
    return FUNCTIONS[expr.op](*values, *sizes, **options)


def _power(expr: Expr, env: Env) -> Array:
    base, exponent = expr.args
    value = jnp.asarray(evaluate(base, env), int if expr.integer else float)
    if exponent.op == "const" and exponent.integer and not exponent.shape:
        return value ** int(exponent.value)  # repeated products: exact for any sign of the base
    return jnp.power(value, evaluate(exponent, env))


def _map(expr: Expr, env: Env) -> Array:
    name, n = expr.value
    return jax.vmap(lambda i: evaluate(expr.args[0], {**env, name: i}))(jnp.arange(int(n)))


def _recurrence(expr: Expr, env: Env) -> Array:
    """`scan` and `fold`: the body's value is the next state."""
    body, init, *sequences = expr.args
    dtype = int if body.integer else float

    def step(state: Array, entries: tuple[Array, ...]) -> tuple[Array, Array]:
        following = evaluate(body, {**env, **dict(zip(expr.value, (state, *entries), strict=True))})
        following = jnp.broadcast_to(following, init.shape).astype(state.dtype)
        return following, following

    start = evaluate(init, env).astype(jax.dtypes.canonicalize_dtype(dtype))
    last, states = jax.lax.scan(step, start, tuple(evaluate(sequence, env) for sequence in sequences))
    return states if expr.op == "scan" else last


# ---------------------------------------------------------------- conditionals


def _where(expr: Expr, env: Env) -> Array:
    """The chosen branch, with a gradient that never sees the other one.

    `where(x > 0, log(x), 0)` alone has a gradient of 0 * inf = NaN at x = 0. Here every number enters a branch through
    a `where` that stops gradients wherever the branch is not chosen: whole names when the condition is one truth value,
    the operands of elementwise arithmetic when it is an array.
    """
    condition, yes, no = expr.args
    chosen = evaluate(condition, env)
    return jnp.where(chosen, _branch(yes, env, chosen), _branch(no, env, jnp.logical_not(chosen)))


def _branch(expr: Expr, env: Env, chosen: Array) -> Array:
    if chosen.ndim == 0:
        return evaluate(expr, {**env, **{name: _guarded(env[name], chosen) for name in references(expr)}})
    return _entrywise(expr, env, chosen)


def _entrywise(expr: Expr, env: Env, chosen: Array) -> Array:
    if expr.op in functions.FUNCTIONS and functions.FUNCTIONS[expr.op].rule == "elementwise":
        return _function(expr, env, lambda arg, env: _entrywise(arg, env, chosen))
    return _guarded(evaluate(expr, env), chosen)


def _guarded(value: Any, chosen: Array) -> Array:
    """`value`, with gradients only where `chosen`."""
    value = jnp.asarray(value)
    if not jnp.issubdtype(value.dtype, jnp.floating):
        return value
    return jnp.where(chosen, value, jax.lax.stop_gradient(value))


# ---------------------------------------------------------------- indices


def _index(expr: Expr, env: Env) -> Array:
    """`base[spec]`. Constants first, then numbers known at run time, then the one vector there may be: NumPy would move
    the axis of a vector that stands apart from other indices."""
    base, *dynamic = (evaluate(arg, env) for arg in expr.args)
    static: list[Any] = []
    late: list[Array | None] = []  # of the axes that are left: an index, or None for the whole axis
    for item in expr.value:
        match item:
            case ("at", k):
                static.append(k)
            case ("slice", start, stop):
                static.append(slice(start, stop))
                late.append(None)
            case ("dynamic", position):
                static.append(slice(None))
                late.append(dynamic[position - 1])
            case _:
                raise AssertionError(f"index item {item!r}")
    base = jnp.asarray(base)[tuple(static)]
    numbers = tuple(slice(None) if i is None or i.ndim else i for i in late)
    base = base[numbers] if any(not isinstance(i, slice) for i in numbers) else base
    rest = [i for i in late if i is None or i.ndim]
    for axis, vector in enumerate(rest):
        if vector is not None:
            return jnp.take(base, vector, axis=axis, mode="clip")
    return base

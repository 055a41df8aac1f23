"""Evaluation of expressions, under `jit` and `vmap`: shapes are static and already checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bsi.compiler.ir import Expr, Table
from bsi.compiler.lower.functions import CONSTRUCTORS, FUNCTIONS, REDUCTIONS

Env = Mapping[str, Any]  # arrays of JAX or NumPy, by name


def table_array(table: Table) -> np.ndarray:
    """Values of a table as a NumPy array (float64 or int64)."""
    return np.asarray(table.values, dtype=np.int64 if table.integer else np.float64).reshape(table.shape)


def evaluate(expr: Expr, env: Env) -> Array:
    """Value of an expression; `env` holds the arrays of every name it refers to."""
    op, args = expr.op, expr.args
    if op == "const":
        return jnp.asarray(expr.value, dtype=int if expr.integer else float)
    if op == "ref":
        return env[expr.value]
    if op == "map":
        return _map(expr, env)
    if op == "index":
        return _index(expr, env)
    values = [evaluate(arg, env) for arg in args]
    if op == "where":
        return jnp.where(*values)
    if op == "stack":
        return jnp.stack(jnp.broadcast_arrays(*values)) if values else jnp.zeros(expr.shape)
    if op in REDUCTIONS:
        return REDUCTIONS[op](values[0], axis=expr.value)
    if op in CONSTRUCTORS:
        return CONSTRUCTORS[op](*(_static(arg) for arg in args))
    return FUNCTIONS[op](*values)


def _static(expr: Expr) -> Any:
    assert expr.op == "const", f"`{expr.op}` where the checker promised a constant"
    return expr.value


def _map(expr: Expr, env: Env) -> Array:
    name, n = expr.value
    return jax.vmap(lambda i: evaluate(expr.args[0], {**env, name: i}))(jnp.arange(n))


def _index(expr: Expr, env: Env) -> Array:
    values = [evaluate(arg, env) for arg in expr.args]
    items: list[Any] = []
    for item in expr.value:
        match item:
            case ("at", k):
                items.append(k)
            case ("dynamic", position):
                items.append(values[position])
            case ("slice", start, stop):
                items.append(slice(start, stop))
            case _:
                raise AssertionError(f"index item {item!r}")
    return values[0][tuple(items)]

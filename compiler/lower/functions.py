"""Every row of `compiler.functions` as a JAX function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import special

FUNCTIONS: dict[str, Callable[..., Any]] = {
    # operators
    "add": jnp.add,
    "sub": jnp.subtract,
    "mul": jnp.multiply,
    "div": jnp.divide,
    "pow": jnp.power,
    "neg": jnp.negative,
    "matmul": jnp.matmul,
    "lt": jnp.less,
    "le": jnp.less_equal,
    "gt": jnp.greater,
    "ge": jnp.greater_equal,
    "eq": jnp.equal,
    "ne": jnp.not_equal,
    "and": jnp.logical_and,
    "or": jnp.logical_or,
    "not": jnp.logical_not,
    # elementwise
    "exp": jnp.exp,
    "log": jnp.log,
    "log1p": jnp.log1p,
    "expm1": jnp.expm1,
    "log10": jnp.log10,
    "sqrt": jnp.sqrt,
    "square": jnp.square,
    "abs": jnp.abs,
    "sign": jnp.sign,
    "floor": jnp.floor,
    "ceil": jnp.ceil,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "asin": jnp.arcsin,
    "acos": jnp.arccos,
    "atan": jnp.arctan,
    "atan2": jnp.arctan2,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "tanh": jnp.tanh,
    "expit": special.expit,
    "logit": special.logit,
    "softplus": jax.nn.softplus,
    "erf": special.erf,
    "phi": special.ndtr,
    "lgamma": special.gammaln,
    "minimum": jnp.minimum,
    "maximum": jnp.maximum,
    # along an axis
    "cumsum": lambda x: jnp.cumsum(x, axis=0),
    "softmax": lambda x: jax.nn.softmax(x, axis=-1),
    # linear algebra
    "dot": jnp.dot,
    "outer": jnp.outer,
    "transpose": jnp.transpose,
    "diag": jnp.diag,
    "cholesky": jnp.linalg.cholesky,
    "inverse": jnp.linalg.inv,
    "log_det": lambda a: jnp.linalg.slogdet(a)[1],
    "trace": jnp.trace,
    "solve": jnp.linalg.solve,
    # constructors whose arguments are not all static
    "concat": lambda *parts: jnp.concatenate(parts, axis=0),
    "stack": lambda *parts: jnp.stack(jnp.broadcast_arrays(*parts)),
}

REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": jnp.sum,
    "prod": jnp.prod,
    "mean": jnp.mean,
    "min": jnp.min,
    "max": jnp.max,
    "var": jnp.var,
    "sd": jnp.std,
    "norm": lambda x, axis: jnp.sqrt(jnp.sum(jnp.square(x), axis=axis)),
    "log_sum_exp": lambda x, axis: special.logsumexp(x, axis=axis),
}

# Static arguments only, and too large to fold into constants: (shape of the result, values) -> array.
CONSTRUCTORS: dict[str, Callable[..., Any]] = {
    "zeros": lambda *sizes: jnp.zeros(sizes),
    "ones": lambda *sizes: jnp.ones(sizes),
    "eye": jnp.eye,
    "linspace": jnp.linspace,
    "logspace": jnp.logspace,
}

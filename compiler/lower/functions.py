"""Every row of `compiler.functions` as a JAX function: arrays, then sizes as numbers, then `axis`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import linalg, special
from jaxtyping import Array


def _root(square: Array) -> Array:
    """Square root with gradient 0 at 0, where norms and deviations have a kink."""
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)


def _norm(x: Array, axis: int | None) -> Array:
    return _root(jnp.sum(jnp.square(x), axis=axis)).astype(float)


def _sd(x: Array, axis: int | None) -> Array:
    return _root(jnp.var(x, axis=axis))


def _log1m(x: Array) -> Array:
    return jnp.log1p(-x)


def _inv_cloglog(x: Array) -> Array:
    return -jnp.expm1(-jnp.exp(x))


def _cloglog(p: Array) -> Array:
    return jnp.log(-jnp.log1p(-p))


def _xlogy(a: Array, b: Array) -> Array:
    """SciPy's, with gradient 0 at a = b = 0 as well."""
    zero = a == 0
    return jnp.where(zero, 0.0, a * jnp.log(jnp.where(zero, 1.0, b)))


def _log_diff_exp(a: Array, b: Array) -> Array:
    """log(exp(a) - exp(b)), in whichever form keeps its digits (Mächler 2012, `log1mexp`)."""
    gap = jnp.asarray(a - b, float)
    near = gap < 0.6931472
    small = jnp.log(-jnp.expm1(-jnp.where(near, gap, 1.0)))
    large = jnp.log1p(-jnp.exp(-jnp.where(near, 1.0, gap)))
    return a + jnp.where(near, small, large)


def _lchoose(n: Array, k: Array) -> Array:
    return special.gammaln(n + 1.0) - special.gammaln(k + 1.0) - special.gammaln(n - k + 1.0)


def _trace(a: Array) -> Array:
    return jnp.trace(a, axis1=-2, axis2=-1)


def _quad_form(a: Array, x: Array) -> Array:
    return jnp.transpose(x) @ a @ x


def _squared_distance(a: Array, b: Array) -> Array:
    """(n, k) and (m, k) -> (n, m), or (n,) and (m,) -> (n, m): by differences, which lose no digits to cancellation."""
    gaps = jnp.square(a[:, None] - b[None, :])
    return gaps if gaps.ndim == 2 else jnp.sum(gaps, axis=-1)


def _tile(x: Array, n: int) -> Array:
    return jnp.tile(x, (n,) + (1,) * (jnp.ndim(x) - 1))


def _argument(pick: Callable[..., Array]) -> Callable[..., Array]:
    return lambda x, axis: pick(x, axis=axis).astype(int)


def _real(function: Callable[..., Array]) -> Callable[..., Array]:
    """For functions that JAX only defines, or only keeps exact, on real numbers."""
    return lambda *values, **options: function(*(jnp.asarray(value, float) for value in values), **options)


def _concat(*parts: Array, axis: int) -> Array:
    return jnp.concatenate(parts, axis=axis)


def _stack(*parts: Array, axis: int) -> Array:
    return jnp.stack(parts, axis=axis)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    # operators
    "add": jnp.add,
    "sub": jnp.subtract,
    "mul": jnp.multiply,
    "div": jnp.divide,
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
    "log1m": _log1m,
    "expm1": jnp.expm1,
    "log2": jnp.log2,
    "log10": jnp.log10,
    "sqrt": jnp.sqrt,
    "square": jnp.square,
    "abs": jnp.abs,
    "sign": jnp.sign,
    "floor": _real(jnp.floor),
    "ceil": _real(jnp.ceil),
    "round": _real(jnp.round),
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
    "asinh": jnp.arcsinh,
    "acosh": jnp.arccosh,
    "atanh": jnp.arctanh,
    "expit": _real(special.expit),
    "log_expit": _real(jax.nn.log_sigmoid),
    "logit": _real(special.logit),
    "softplus": _real(jax.nn.softplus),
    "cloglog": _cloglog,
    "inv_cloglog": _inv_cloglog,
    "erf": _real(special.erf),
    "erfc": _real(special.erfc),
    "phi": _real(special.ndtr),
    "inv_phi": _real(special.ndtri),
    "lgamma": _real(special.gammaln),
    "tgamma": _real(special.gamma),
    "digamma": _real(special.digamma),
    "trigamma": _real(lambda x: special.polygamma(1, x)),
    "lbeta": _real(special.betaln),
    "lchoose": _lchoose,
    "xlogy": _real(_xlogy),
    "log_add_exp": _real(jnp.logaddexp),
    "log_diff_exp": _log_diff_exp,
    "minimum": jnp.minimum,
    "maximum": jnp.maximum,
    "mod": jnp.mod,
    "floor_divide": jnp.floor_divide,
    # reductions
    "sum": jnp.sum,
    "prod": jnp.prod,
    "mean": jnp.mean,
    "min": jnp.min,
    "max": jnp.max,
    "var": jnp.var,
    "sd": _sd,
    "norm": _norm,
    "log_sum_exp": _real(special.logsumexp),
    "any": jnp.any,
    "all": jnp.all,
    "argmin": _argument(jnp.argmin),
    "argmax": _argument(jnp.argmax),
    # along an axis
    "cumsum": jnp.cumsum,
    "cumprod": jnp.cumprod,
    "sort": jnp.sort,
    "reverse": jnp.flip,
    "diff": jnp.diff,
    "softmax": _real(jax.nn.softmax),
    "log_softmax": _real(jax.nn.log_softmax),
    # linear algebra
    "dot": jnp.dot,
    "outer": jnp.outer,
    "kron": jnp.kron,
    "transpose": lambda a: jnp.swapaxes(a, -1, -2),
    "diag": jnp.diag,
    "cholesky": _real(jnp.linalg.cholesky),
    "inverse": _real(jnp.linalg.inv),
    "matrix_exp": _real(linalg.expm),
    "matrix_power": lambda a, n: jnp.linalg.matrix_power(jnp.asarray(a, float), n),
    "det": _real(jnp.linalg.det),
    "log_det": _real(lambda a: jnp.linalg.slogdet(a)[1]),
    "trace": _trace,
    "solve": _real(jnp.linalg.solve),
    "triangular_solve": _real(lambda a, b: linalg.solve_triangular(a, b, lower=True)),
    "cholesky_solve": _real(lambda a, b: linalg.cho_solve((a, True), b)),
    "quad_form": _real(_quad_form),
    "squared_distance": _squared_distance,
    "interp": _real(jnp.interp),
    # constructors
    "zeros": lambda *sizes: jnp.zeros(sizes),
    "ones": lambda *sizes: jnp.ones(sizes),
    "eye": jnp.eye,
    "linspace": jnp.linspace,
    "logspace": jnp.logspace,
    "concat": _concat,
    "stack": _stack,
    "repeat": lambda x, n: jnp.repeat(x, n, axis=0 if jnp.ndim(x) else None),
    "tile": _tile,
    "reshape": lambda x, *sizes: jnp.reshape(x, sizes),
    "flatten": jnp.ravel,
}

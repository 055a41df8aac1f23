"""Every row of `compiler.functions` as Python text: operators, which know how tightly they bind, and templates."""

from __future__ import annotations

from dataclasses import dataclass

# How tightly Python binds: an expression in a place that needs more gets brackets.
LOOSE, COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(7)


@dataclass(frozen=True)
class Operator:
    """`left symbol right`, whose sides need these levels."""

    symbol: str
    level: int
    left: int
    right: int


def _left(symbol: str, level: int) -> Operator:
    return Operator(symbol, level, level, level + 1)


def _comparison(symbol: str) -> Operator:
    return Operator(symbol, COMPARISON, SUM, SUM)


OPERATORS = {
    "add": _left("+", SUM),
    "sub": _left("-", SUM),
    "mul": _left("*", PRODUCT),
    "div": _left("/", PRODUCT),
    "matmul": _left("@", PRODUCT),
    "pow": Operator("**", POWER, ATOM, SIGN),
    "lt": _comparison("<"),
    "le": _comparison("<="),
    "gt": _comparison(">"),
    "ge": _comparison(">="),
    "eq": _comparison("=="),
    "ne": _comparison("!="),
}

# Arguments and sizes as `{0}`, `{1}`, ..., or all of them as `{args}`; `{axis}` is `, axis=k` or nothing.
TEMPLATES = {
    "and": "jnp.logical_and({0}, {1})",
    "or": "jnp.logical_or({0}, {1})",
    "not": "jnp.logical_not({0})",
    # elementwise
    "log1m": "jnp.log1p(-({0}))",
    "square": "jnp.square({0})",
    "atan2": "jnp.arctan2({0}, {1})",
    "log_expit": "jax.nn.log_sigmoid({0})",
    "softplus": "jax.nn.softplus({0})",
    "cloglog": "jnp.log(-jnp.log1p(-({0})))",
    "inv_cloglog": "-jnp.expm1(-jnp.exp({0}))",
    "trigamma": "special.polygamma(1, {0})",
    "lbeta": "special.betaln({0}, {1})",
    "lchoose": "log_choose({0}, {1})",
    "xlogy": "special.xlogy({0}, {1})",
    "log_add_exp": "jnp.logaddexp({0}, {1})",
    "log_diff_exp": "log_diff_exp({0}, {1})",
    "minimum": "jnp.minimum({0}, {1})",
    "maximum": "jnp.maximum({0}, {1})",
    "mod": "jnp.mod({0}, {1})",
    "floor_divide": "jnp.floor_divide({0}, {1})",
    # reductions and what goes along an axis
    "sd": "jnp.std({0}{axis})",
    "norm": "jnp.linalg.norm({0}{axis})",
    "log_sum_exp": "special.logsumexp({0}{axis})",
    "reverse": "jnp.flip({0}{axis})",
    "softmax": "jax.nn.softmax({0}{axis})",
    "log_softmax": "jax.nn.log_softmax({0}{axis})",
    # linear algebra
    "dot": "jnp.dot({0}, {1})",
    "outer": "jnp.outer({0}, {1})",
    "kron": "jnp.kron({0}, {1})",
    "transpose": "jnp.swapaxes({0}, -1, -2)",
    "diag": "jnp.diag({0})",
    "cholesky": "jnp.linalg.cholesky({0})",
    "inverse": "jnp.linalg.inv({0})",
    "matrix_exp": "jax.scipy.linalg.expm({0})",
    "matrix_power": "jnp.linalg.matrix_power({0}, {1})",
    "det": "jnp.linalg.det({0})",
    "log_det": "jnp.linalg.slogdet({0})[1]",
    "trace": "jnp.trace({0}, axis1=-2, axis2=-1)",
    "solve": "jnp.linalg.solve({0}, {1})",
    "triangular_solve": "jax.scipy.linalg.solve_triangular({0}, {1}, lower=True)",
    "cholesky_solve": "jax.scipy.linalg.cho_solve(({0}, True), {1})",
    "quad_form": "quadratic_form({0}, {1})",
    "squared_distance": "squared_distance({0}, {1})",
    "interp": "jnp.interp({0}, {1}, {2})",
    # constructors
    "zeros": "jnp.zeros([{args}])",
    "ones": "jnp.ones([{args}])",
    "eye": "jnp.eye({0})",
    "linspace": "jnp.linspace({0}, {1}, {2})",
    "logspace": "jnp.logspace({0}, {1}, {2})",
    "concat": "jnp.concatenate([{args}]{axis})",
    "stack": "jnp.stack([{args}]{axis})",
    "repeat": "jnp.repeat({0}, {1}, axis=0)",
    "tile": "tiled({0}, {1})",
    "reshape": "jnp.reshape({first}, [{rest}])",
    "flatten": "jnp.ravel({0})",
}
TEMPLATES |= {  # the same name, or nearly so, in jax.numpy and jax.scipy.special
    **{name: f"jnp.{name}({{0}})" for name in ("exp", "log", "log1p", "expm1", "log2", "log10", "sqrt", "abs", "sign")},
    **{name: f"jnp.{name}({{0}})" for name in ("floor", "ceil", "round", "sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{name: f"jnp.arc{name[1:]}({{0}})" for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")},
    **{name: f"special.{name}({{0}})" for name in ("expit", "logit", "erf", "erfc", "digamma")},
    **{
        f"{ours}": f"special.{theirs}({{0}})"
        for ours, theirs in (("phi", "ndtr"), ("inv_phi", "ndtri"), ("lgamma", "gammaln"), ("tgamma", "gamma"))
    },
    **{name: f"jnp.{name}({{0}}{{axis}})" for name in ("sum", "prod", "mean", "min", "max", "var", "any", "all")},
    **{name: f"jnp.{name}({{0}}{{axis}})" for name in ("argmin", "argmax", "cumsum", "cumprod", "sort", "diff")},
}

# Written by `expressions` (or, being constant, always folded), so that no template is needed.
BUILT_IN = frozenset({"neg", "size", "range", "scan", "fold"})
# Without a value on part of the line: inside a conditional they need a guarded gradient.
RISKY = frozenset({"div", "pow", "floor_divide", "mod", "xlogy", "log_diff_exp", "lchoose", "norm", "sd"})

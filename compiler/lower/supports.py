"""Supports as NumPyro constraints, and the bijectors that unconstrained coordinates and NUTS use for them."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array
from numpyro.distributions import biject_to, constraints
from numpyro.distributions.transforms import (
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    OrderedTransform,
    ParameterFreeTransform,
    SigmoidTransform,
    Transform,
)

from bsi.compiler.ir import Support
from bsi.compiler.lower.expr import Env, evaluate
from bsi.compiler.supports import KINDS

CONSTRAINTS: dict[str, constraints.Constraint] = {
    "simplex": constraints.simplex,
    "sum_to_zero": constraints.zero_sum(1),
    "corr_matrix": constraints.corr_matrix,
    "cholesky_corr": constraints.corr_cholesky,
    "covariance": constraints.positive_definite,
    "cholesky_cov": constraints.lower_cholesky,
}


def constraint(support: Support, env: Env, axes: int = 0) -> constraints.Constraint:
    """A support as NumPyro knows it; `axes` is the number of event axes of a law of unconstrained vectors."""
    lower, upper = (None if bound is None else evaluate(bound, env) for bound in (support.lower, support.upper))
    if support.kind == "counts":
        assert upper is not None
        return constraints.multinomial(upper)
    if support.kind == "unit_vector":
        return _UnitVector()
    if support.kind in ("ordered", "positive_ordered"):
        return _OrderedWithin(lower, upper)
    if support.kind in CONSTRAINTS:
        return CONSTRAINTS[support.kind]
    if support.integer:
        low = jnp.zeros((), int) if lower is None else lower
        return constraints.integer_greater_than(low) if upper is None else constraints.integer_interval(low, upper)
    scalar = _interval(lower, upper)
    return constraints.independent(scalar, axes) if axes else scalar


def _interval(lower: Array | None, upper: Array | None) -> constraints.Constraint:
    if lower is None:
        return constraints.real if upper is None else constraints.less_than(upper)
    return constraints.greater_than(lower) if upper is None else constraints.interval(lower, upper)


def free_shape(support: Support, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the working coordinates of a value of `shape`: a row of coordinates for each vector or matrix."""
    kind = KINDS.get(support.kind)
    return (*shape[: len(shape) - kind.axes], kind.free(shape[-1])) if kind else shape


class _UnitVector(constraints._SingletonConstraint):
    """Vectors of length 1 (NumPyro's `sphere` has no bijector)."""

    event_dim = 1

    def __call__(self, x: Array) -> Array:
        return jnp.abs(jnp.linalg.norm(x, axis=-1) - 1) < 1e-4

    def feasible_like(self, prototype: Array) -> Array:
        return jnp.zeros_like(prototype).at[..., 0].set(1.0)


class _OrderedWithin(constraints.Constraint):
    """Vectors in increasing order between bounds, which broadcast against the leading axes."""

    event_dim = 1

    def __init__(self, lower: Array | None, upper: Array | None):
        self.lower, self.upper = lower, upper

    def __call__(self, x: Array) -> Array:
        good = jnp.all(jnp.diff(x, axis=-1) >= 0, axis=-1)
        good = good if self.lower is None else good & (x[..., 0] >= self.lower)
        return good if self.upper is None else good & (x[..., -1] <= self.upper)

    def feasible_like(self, prototype: Array) -> Array:
        return biject_to(self)(jnp.zeros_like(prototype))

    def tree_flatten(self) -> tuple[tuple[Any, ...], Any]:
        return (self.lower, self.upper), (("lower", "upper"), {})

    def eq(self, other: object, static: bool = False) -> bool:
        return isinstance(other, _OrderedWithin)


class Stereographic(ParameterFreeTransform):
    """R^(k-1) -> vectors of length 1: `y -> ((1 - |y|²), 2 y) / (1 + |y|²)`, onto all but the point opposite to the
    first axis. It stretches every direction by `2 / (1 + |y|²)`, so areas by the (k - 1)st power of that."""

    domain = constraints.real_vector  # type: ignore[assignment]
    codomain = _UnitVector()  # type: ignore[assignment]

    def __call__(self, x: Array) -> Array:
        square = jnp.sum(x**2, axis=-1, keepdims=True)
        return jnp.concatenate([1 - square, 2 * x], axis=-1) / (1 + square)

    def _inverse(self, y: Array) -> Array:
        return y[..., 1:] / jnp.maximum(1 + y[..., :1], jnp.finfo(y.dtype).tiny)

    def log_abs_det_jacobian(self, x: Array, y: Array, intermediates: Any = None) -> Array:
        return x.shape[-1] * (math.log(2) - jnp.log1p(jnp.sum(x**2, axis=-1)))

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] - 1)


@biject_to.register(_UnitVector)
def _unit_vector(_: _UnitVector) -> Transform:
    return Stereographic()


@biject_to.register(_OrderedWithin)
def _ordered(constraint: _OrderedWithin) -> Transform:
    """An increasing map of every entry keeps the order."""
    return ComposeTransform([OrderedTransform(), *_increasing(constraint.lower, constraint.upper)])


def _increasing(lower: Array | None, upper: Array | None) -> list[Transform]:
    lower, upper = (None if bound is None else bound[..., None] for bound in (lower, upper))
    if lower is not None and upper is not None:
        return [SigmoidTransform(), AffineTransform(lower, upper - lower, domain=constraints.unit_interval)]
    if lower is not None:
        return [ExpTransform(), AffineTransform(lower, 1.0, domain=constraints.positive)]
    if upper is not None:
        flip = AffineTransform(0.0, -1.0)
        return [flip, ExpTransform(), AffineTransform(upper, -1.0, domain=constraints.positive)]
    return []

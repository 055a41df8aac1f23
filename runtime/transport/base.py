"""Monotone maps between a standard normal variable and a scalar law: `x = F⁻¹(Φ(z))` and back.

These are the pieces of the Rosenblatt map (METHODS §0; Rosenblatt 1952): applied scalar by scalar along a prior's
draws they turn the whole prior into N(0, I). Both tails are carried separately, since `Φ(z)` rounds to one in float32
beyond z = 5.3: a map that only knew the lower tail would send every such draw to infinity.

Every law is a `Transport`: `tails(x, *args) -> (F(x), 1 - F(x))` and `from_normal(z, *args) -> x`. Shapes broadcast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr, ndtr, ndtri
from jaxtyping import Array, Float, Real

Value = Real[Array, "..."] | float | int
Tails = tuple[Float[Array, "..."], Float[Array, "..."]]

TINY = 1e-37  # smallest probability that `ndtri` is asked for: z stays within ±12.7 in float32
_FARTHEST = 12.5
_DIFFERENCE = 5e-3  # of a shape, relative: rounding of tails in float32 and curvature cost as much
_HALVINGS = 10  # of a bracket of width 176, on top of one for every bit: below the resolution of its values

# Brackets of a search: x as a function of y, and the range of y.
SINH_RANGE = (jnp.sinh, -88.0, 88.0)
EXP_RANGE = (jnp.exp, -87.0, 87.0)


@dataclass(frozen=True)
class Transport:
    """A scalar law as a map of N(0, 1). `closed` is False where `from_normal` has to search: then drawing from the
    law and mapping the draw to `z` is the cheaper way to get both."""

    tails: Callable[..., Tails]
    from_normal: Callable[..., Float[Array, "..."]]
    closed: bool = True

    def to_normal(self, x: Value, *args: Value) -> Float[Array, "..."]:
        """`Φ⁻¹(F(x))`, from whichever tail is the smaller."""
        lower, upper = self.tails(x, *args)
        return jnp.where(
            lower < upper, ndtri(jnp.maximum(lower, TINY)), -ndtri(jnp.maximum(jnp.minimum(upper, 0.5), TINY))
        )


@dataclass(frozen=True)
class VectorTransport:
    """A law of vectors or matrices as a map of N(0, I). `closed` is False where `from_normal` has to search: then
    drawing from the law and mapping the draw to `z` is the cheaper way to get both."""

    from_normal: Callable[..., Array]
    to_normal: Callable[..., Array]
    closed: bool = True


def differentiable(tails: Callable[..., Tails], log_density: Callable[..., Array]) -> Callable[..., Tails]:
    """`tails(x, *shapes)` with derivatives: by its density in x, and by central differences in the shapes, in which
    nobody has them in closed form."""
    known = jax.custom_jvp(tails)

    def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Tails, Tails]:
        lower, upper = known(*primals)
        slope = jnp.zeros_like(lower)
        for k, (value, tangent) in enumerate(zip(primals, tangents, strict=True)):
            if isinstance(tangent, jax.custom_derivatives.SymbolicZero):
                continue
            if k == 0:
                slope += jnp.exp(log_density(*primals)) * tangent
                continue
            step = _DIFFERENCE * jnp.abs(value)
            more = known(*primals[:k], value + step, *primals[k + 1 :])
            less = known(*primals[:k], value - step, *primals[k + 1 :])
            change = jnp.where(lower < upper, more[0] - less[0], less[1] - more[1])
            slope += change / (2 * step) * tangent
        return (lower, upper), (slope, -slope)

    known.defjvp(rule, symbolic_zeros=True)
    return known


def _search(
    tails: Callable[[Array], Tails], z: Array, to_x: Callable[[Array], Array], low: float, high: float
) -> Array:
    """`x = to_x(y)` with `F(x) = Φ(z)` by bisection over y in [low, high], on the scale of the smaller tail.

    Its derivatives are those of the implicit function: a search of its own has none.
    """

    def gap(y: Array) -> Array:
        lower, upper = tails(to_x(y))
        return jnp.where(z < 0, lower - ndtr(z), ndtr(-z) - upper)

    def bisect(gap: Callable[[Array], Array], start: Array) -> Array:
        def halve(_: Any, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
            a, b = bracket
            middle = 0.5 * (a + b)
            below = gap(middle) < 0
            return jnp.where(below, middle, a), jnp.where(below, b, middle)

        ends = (jnp.full_like(start, low), jnp.full_like(start, high))
        a, b = jax.lax.fori_loop(0, _HALVINGS + jnp.finfo(start.dtype).nmant, halve, ends)
        return 0.5 * (a + b)

    def divide(slope: Callable[[Array], Array], y: Array) -> Array:
        density = slope(jnp.ones_like(y))
        return jnp.where(density > 0, y / jnp.where(density > 0, density, 1.0), 0.0)

    return to_x(jax.lax.custom_root(gap, jnp.zeros_like(z), bisect, divide))


def searched(tails: Callable[..., Tails], to_x: Callable[[Array], Array], low: float, high: float) -> Transport:
    def from_normal(z: Value, *args: Value) -> Array:
        z = jnp.broadcast_to(z, jnp.broadcast_shapes(*(jnp.shape(a) for a in (z, *args))))
        # Beyond, Φ underflows in float32 and the search would jump to the end of its bracket.
        z = jnp.clip(z, -_FARTHEST, _FARTHEST)
        return _search(lambda x: tails(x, *args), z, to_x, low, high)

    return Transport(tails, from_normal, closed=False)


def positive(tails: Callable[..., Tails]) -> Callable[..., Tails]:
    """Tails of a law on (0, ∞), continued to negative x."""

    def continued(x: Value, *args: Value) -> Tails:
        return tails(jnp.maximum(x, 0.0), *args)

    return continued


def hazard(z: Value) -> Array:
    """`-log Φ(-z)`, with full relative precision in both tails (`log_ndtr` rounds between them)."""
    z = jnp.asarray(z)
    # not minimum and maximum, whose derivatives at 0 are halves
    return jnp.where(z < 0, -jnp.log1p(-ndtr(jnp.where(z < 0, z, 0.0))), -log_ndtr(-jnp.where(z < 0, 0.0, z)))


def location_scale(tails: Callable[[Array], Tails], from_normal: Callable[[Array], Array]) -> Transport:
    return Transport(lambda x, loc, scale: tails((x - loc) / scale), lambda z, loc, scale: loc + scale * from_normal(z))


def from_survival(cumulative: Callable[..., Array], quantile: Callable[..., Array]) -> Transport:
    """A law on (0, ∞) with `1 - F(x) = exp(-cumulative(x))`; `quantile` inverts that hazard."""

    def tails(x: Value, *args: Value) -> Tails:
        h = cumulative(jnp.maximum(x, 0.0), *args)
        return -jnp.expm1(-h), jnp.exp(-h)

    return Transport(tails, lambda z, *args: quantile(hazard(z), *args))

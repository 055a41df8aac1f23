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


def _search(
    tails: Callable[[Array], Tails], z: Array, to_x: Callable[[Array], Array], low: float, high: float
) -> Array:
    """`x = to_x(y)` with `F(x) = Φ(z)` by bisection over y in [low, high], on the scale of the smaller tail."""

    def halve(_: Any, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        a, b = bracket
        middle = 0.5 * (a + b)
        lower, upper = tails(to_x(middle))
        below = jnp.where(z < 0, lower < ndtr(z), upper > ndtr(-z))
        return jnp.where(below, middle, a), jnp.where(below, b, middle)

    start = (jnp.full_like(z, low), jnp.full_like(z, high))
    a, b = jax.lax.fori_loop(0, _HALVINGS + jnp.finfo(z.dtype).nmant, halve, start)
    return to_x(0.5 * (a + b))


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
    return jnp.where(z < 0, -jnp.log1p(-ndtr(jnp.minimum(z, 0.0))), -log_ndtr(-jnp.maximum(z, 0.0)))


def location_scale(tails: Callable[[Array], Tails], from_normal: Callable[[Array], Array]) -> Transport:
    return Transport(lambda x, loc, scale: tails((x - loc) / scale), lambda z, loc, scale: loc + scale * from_normal(z))


def from_survival(cumulative: Callable[..., Array], quantile: Callable[..., Array]) -> Transport:
    """A law on (0, ∞) with `1 - F(x) = exp(-cumulative(x))`; `quantile` inverts that hazard."""

    def tails(x: Value, *args: Value) -> Tails:
        h = cumulative(jnp.maximum(x, 0.0), *args)
        return -jnp.expm1(-h), jnp.exp(-h)

    return Transport(tails, lambda z, *args: quantile(hazard(z), *args))

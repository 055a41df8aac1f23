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
from jax.scipy.special import betainc, erf, erfinv, gammainc, gammaincc, log_ndtr, ndtr, ndtri
from jaxtyping import Array, Float, Real

Value = Real[Array, "..."] | float | int
Tails = tuple[Float[Array, "..."], Float[Array, "..."]]

_TINY = 1e-37  # smallest probability that `ndtri` is asked for: z stays within ±12.7 in float32
_FARTHEST = 12.5
_BISECTIONS = 60  # halvings of a bracket of width 176: below float32 resolution everywhere


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
            lower < upper, ndtri(jnp.maximum(lower, _TINY)), -ndtri(jnp.maximum(jnp.minimum(upper, 0.5), _TINY))
        )


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
    a, b = jax.lax.fori_loop(0, _BISECTIONS, halve, start)
    return to_x(0.5 * (a + b))


def _searched(tails: Callable[..., Tails], to_x: Callable[[Array], Array], low: float, high: float) -> Transport:
    def from_normal(z: Value, *args: Value) -> Array:
        z = jnp.broadcast_to(z, jnp.broadcast_shapes(*(jnp.shape(a) for a in (z, *args))))
        # Beyond, Φ underflows in float32 and the search would jump to the end of its bracket.
        z = jnp.clip(z, -_FARTHEST, _FARTHEST)
        return _search(lambda x: tails(x, *args), z, to_x, low, high)

    return Transport(tails, from_normal, closed=False)


def _positive(tails: Callable[..., Tails]) -> Callable[..., Tails]:
    """Tails of a law on (0, ∞), continued to negative x."""

    def continued(x: Value, *args: Value) -> Tails:
        return tails(jnp.maximum(x, 0.0), *args)

    return continued


def _hazard(z: Value) -> Array:
    """`-log Φ(-z)`, with full relative precision in both tails (`log_ndtr` rounds between them)."""
    z = jnp.asarray(z)
    return jnp.where(z < 0, -jnp.log1p(-ndtr(jnp.minimum(z, 0.0))), -log_ndtr(-jnp.maximum(z, 0.0)))


def _location_scale(tails: Callable[[Array], Tails], from_normal: Callable[[Array], Array]) -> Transport:
    return Transport(lambda x, loc, scale: tails((x - loc) / scale), lambda z, loc, scale: loc + scale * from_normal(z))


def _from_survival(hazard: Callable[..., Array], quantile: Callable[..., Array]) -> Transport:
    """A law on (0, ∞) with `1 - F(x) = exp(-hazard(x))`; `quantile` inverts the hazard."""

    def tails(x: Value, *args: Value) -> Tails:
        h = hazard(jnp.maximum(x, 0.0), *args)
        return -jnp.expm1(-h), jnp.exp(-h)

    return Transport(tails, lambda z, *args: quantile(_hazard(z), *args))


# ------------------------------------------------------------------ tails


def _cauchy_tails(x: Array) -> Tails:
    return jnp.arctan2(1.0, -x) / jnp.pi, jnp.arctan2(1.0, x) / jnp.pi


def _cauchy_from_normal(z: Array) -> Array:
    tail = jnp.pi * ndtr(-jnp.abs(z))
    return jnp.sign(z) / jnp.tan(jnp.maximum(tail, _TINY))


def _laplace_tails(x: Array) -> Tails:
    tail = 0.5 * jnp.exp(-jnp.abs(x))
    return jnp.where(x < 0, tail, 1 - tail), jnp.where(x < 0, 1 - tail, tail)


def _gumbel_tails(x: Array) -> Tails:
    return jnp.exp(-jnp.exp(-x)), -jnp.expm1(-jnp.exp(-x))


def _student_tails(x: Value, df: Value) -> Tails:
    square = jnp.square(x)
    far = betainc(0.5 * df, 0.5, df / (df + square))
    near = 1 - betainc(0.5, 0.5 * df, square / (df + square))  # `far` sees no x² below rounding of df
    tail = 0.5 * jnp.where(square < df, near, far)
    return jnp.where(x < 0, tail, 1 - tail), jnp.where(x < 0, 1 - tail, tail)


def _half_student_tails(x: Value, df: Value, scale: Value) -> Tails:
    square = jnp.square(jnp.maximum(x, 0.0) / scale)
    return betainc(0.5, 0.5 * df, square / (df + square)), betainc(0.5 * df, 0.5, df / (df + square))


def _beta_tails(x: Value, a: Value, b: Value) -> Tails:
    x = jnp.clip(x, 0.0, 1.0)
    return betainc(a, b, x), betainc(b, a, 1 - x)


def _uniform_tails(x: Value, low: Value, high: Value) -> Tails:
    fraction = jnp.clip((x - low) / (high - low), 0.0, 1.0)
    return fraction, 1 - fraction


def _gamma_tails(x: Value, shape: Value, rate: Value) -> Tails:
    x = jnp.maximum(x, 0.0) * rate
    return gammainc(shape, x), gammaincc(shape, x)


def _inverse_gamma_tails(x: Value, shape: Value, scale: Value) -> Tails:
    x = scale / jnp.maximum(x, _TINY)
    return gammaincc(shape, x), gammainc(shape, x)


def _pareto_tails(x: Value, lower: Value, shape: Value) -> Tails:
    survival = (lower / jnp.maximum(x, lower)) ** shape
    return 1 - survival, survival


def _truncated_normal_from_normal(z: Value, loc: Value, scale: Value, lower: Value, upper: Value) -> Array:
    a, b, z = (lower - loc) / scale, (upper - loc) / scale, jnp.asarray(z)
    # Reflect so that the interval leans to the left, where ndtr keeps its relative precision.
    flip = jnp.where(a + b > 0, -1.0, 1.0)
    a, b, z = jnp.where(flip < 0, -b, a), jnp.where(flip < 0, -a, b), flip * z
    mass = ndtr(b) - ndtr(a)
    from_left = ndtri(jnp.maximum(ndtr(a) + ndtr(z) * mass, _TINY))
    from_right = -ndtri(jnp.maximum(ndtr(-b) + ndtr(-z) * mass, _TINY))
    x = loc + scale * flip * jnp.where(z + a < 0, from_left, from_right)
    return jnp.clip(x, lower, upper)


_sinh_range = (jnp.sinh, -88.0, 88.0)
_exp_range = (jnp.exp, -87.0, 87.0)

NORMAL = _location_scale(lambda x: (ndtr(x), ndtr(-x)), lambda z: jnp.asarray(z))
CAUCHY = _location_scale(_cauchy_tails, lambda z: _cauchy_from_normal(jnp.asarray(z)))
LAPLACE = _location_scale(_laplace_tails, lambda z: -jnp.sign(z) * (jnp.log(2.0) + log_ndtr(-jnp.abs(jnp.asarray(z)))))
LOGISTIC = _location_scale(lambda x: (jax.nn.sigmoid(x), jax.nn.sigmoid(-x)), lambda z: _hazard(z) - _hazard(-z))
GUMBEL = _location_scale(_gumbel_tails, lambda z: -jnp.log(_hazard(-z)))
UNIFORM = Transport(_uniform_tails, lambda z, low, high: low + (high - low) * ndtr(jnp.asarray(z)))
TRUNCATED_NORMAL = Transport(
    lambda x, loc, scale, lower, upper: truncate(NORMAL.tails, lower, upper)(x, loc, scale),
    _truncated_normal_from_normal,
)
LOGNORMAL = Transport(
    lambda x, loc, scale: NORMAL.tails(jnp.log(jnp.maximum(x, _TINY)), loc, scale),
    lambda z, loc, scale: jnp.exp(loc + scale * jnp.asarray(z)),
)
HALF_NORMAL = Transport(
    _positive(lambda x, scale: (erf(x / scale / jnp.sqrt(2.0)), 2 * ndtr(-x / scale))),
    lambda z, scale: jnp.where(
        z < 0, scale * jnp.sqrt(2.0) * erfinv(ndtr(jnp.asarray(z))), -scale * ndtri(0.5 * ndtr(-jnp.asarray(z)))
    ),
)
HALF_CAUCHY = Transport(
    _positive(lambda x, scale: (2 / jnp.pi * jnp.arctan2(x, scale), 2 / jnp.pi * jnp.arctan2(scale, x))),
    lambda z, scale: jnp.where(
        z < 0,
        scale * jnp.tan(0.5 * jnp.pi * ndtr(jnp.asarray(z))),
        scale / jnp.tan(jnp.maximum(0.5 * jnp.pi * ndtr(-jnp.asarray(z)), _TINY)),
    ),
)
EXPONENTIAL = _from_survival(lambda x, rate: x * rate, lambda h, rate: h / rate)
WEIBULL = _from_survival(lambda x, shape, scale: (x / scale) ** shape, lambda h, shape, scale: scale * h ** (1 / shape))
PARETO = Transport(_pareto_tails, lambda z, lower, shape: lower * jnp.exp(_hazard(z) / shape))
STUDENT_T = _searched(lambda x, df, loc, scale: _student_tails((x - loc) / scale, df), *_sinh_range)
HALF_STUDENT_T = _searched(_half_student_tails, *_exp_range)
BETA = _searched(_beta_tails, jax.nn.sigmoid, -80.0, 80.0)
GAMMA = _searched(_gamma_tails, *_exp_range)
INVERSE_GAMMA = _searched(_inverse_gamma_tails, *_exp_range)
CHI_SQUARE = Transport(
    lambda x, df: GAMMA.tails(x, 0.5 * df, 0.5), lambda z, df: GAMMA.from_normal(z, 0.5 * df, 0.5), closed=False
)


# ------------------------------------------------------------------ laws of laws


def truncate(tails: Callable[..., Tails], lower: Value, upper: Value) -> Callable[..., Tails]:
    """Tails of a law restricted to [lower, upper]."""

    def restricted(x: Value, *args: Value) -> Tails:
        below, above = tails(jnp.clip(x, lower, upper), *args)
        below_low, above_low = tails(lower, *args)
        below_high, above_high = tails(upper, *args)
        # The difference of the smaller tails keeps its digits far out.
        left = jnp.where(below_low < 0.5, below - below_low, above_low - above)
        right = jnp.where(above_high < 0.5, above - above_high, below_high - below)
        mass = left + right
        return left / mass, right / mass

    return restricted


def truncated(tails: Callable[[Array], Tails], lower: Value, upper: Value) -> Transport:
    """A scalar law, given by its tails, restricted to [lower, upper]."""
    restricted = truncate(tails, lower, upper)
    search = _searched(restricted, *_sinh_range)
    return Transport(restricted, lambda z: jnp.clip(search.from_normal(z), lower, upper), closed=False)


def mixture(weights: Float[Array, "... k"], components: tuple[Callable[[Array], Tails], ...]) -> Transport:
    """A mixture of scalar laws, each given by its tails; the weights' last axis runs over the components."""

    def tails(x: Value) -> Tails:
        parts = [component(jnp.asarray(x)) for component in components]
        lower = sum(weights[..., k] * part[0] for k, part in enumerate(parts))
        upper = sum(weights[..., k] * part[1] for k, part in enumerate(parts))
        return jnp.asarray(lower), jnp.asarray(upper)

    return _searched(tails, *_sinh_range)

"""Continuous laws of one number, one `Transport` each; their arguments are those of `compiler.laws`, in that order."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc, betaln, erf, erfinv, gammainc, gammaincc, gammaln, log_ndtr, ndtr, ndtri
from jaxtyping import Array

from bsi.runtime.transport.base import (
    EXP_RANGE,
    SINH_RANGE,
    TINY,
    Tails,
    Transport,
    Value,
    differentiable,
    from_survival,
    hazard,
    location_scale,
    positive,
    searched,
)
from bsi.runtime.transport.compound import truncate

# ------------------------------------------------------------------ tails


def _cauchy_tails(x: Array) -> Tails:
    return jnp.arctan2(1.0, -x) / jnp.pi, jnp.arctan2(1.0, x) / jnp.pi


def _sided(z: Array) -> tuple[Array, Array]:
    """The sign of z and how far it lies from 0, of derivative 1 at 0 too, where `abs` has none."""
    side = jnp.where(z < 0, -1.0, 1.0)
    return side, side * z


def _cauchy_from_normal(z: Array) -> Array:
    side, far = _sided(z)
    return side / jnp.tan(jnp.maximum(jnp.pi * ndtr(-far), TINY))


def _laplace_from_normal(z: Array) -> Array:
    side, far = _sided(z)
    return -side * (jnp.log(2.0) + log_ndtr(-far))


def _laplace_tails(x: Array) -> Tails:
    tail = 0.5 * jnp.exp(-jnp.abs(x))
    return jnp.where(x < 0, tail, 1 - tail), jnp.where(x < 0, 1 - tail, tail)


def _gumbel_tails(x: Array) -> Tails:
    return jnp.exp(-jnp.exp(-x)), -jnp.expm1(-jnp.exp(-x))


def _standard_student_tails(x: Array, df: Value) -> Tails:
    square = jnp.square(x)
    far = betainc(0.5 * df, 0.5, df / (df + square))
    near = 1 - betainc(0.5, 0.5 * df, square / (df + square))  # `far` sees no x² below rounding of df
    tail = 0.5 * jnp.where(square < df, near, far)
    return jnp.where(x < 0, tail, 1 - tail), jnp.where(x < 0, 1 - tail, tail)


def _standard_half_student_tails(x: Array, df: Value) -> Tails:
    square = jnp.square(x)
    return betainc(0.5, 0.5 * df, square / (df + square)), betainc(0.5 * df, 0.5, df / (df + square))


def _student_log_density(x: Array, df: Value) -> Array:
    return -0.5 * (df + 1) * jnp.log1p(jnp.square(x) / df) - 0.5 * jnp.log(df) - betaln(0.5, 0.5 * df)


def _log_odds_density(y: Array, a: Value, b: Value) -> Array:
    return a * jax.nn.log_sigmoid(y) + b * jax.nn.log_sigmoid(-y) - betaln(a, b)


_STUDENT = differentiable(_standard_student_tails, _student_log_density)
_HALF_STUDENT = differentiable(_standard_half_student_tails, lambda x, df: math.log(2) + _student_log_density(x, df))
_LOG_ODDS = differentiable(
    lambda y, a, b: (betainc(a, b, jax.nn.sigmoid(y)), betainc(b, a, jax.nn.sigmoid(-y))), _log_odds_density
)
_BETA = differentiable(
    lambda x, a, b: (betainc(a, b, x), betainc(b, a, 1 - x)),
    lambda x, a, b: (
        (a - 1) * jnp.log(jnp.maximum(x, TINY)) + (b - 1) * jnp.log(jnp.maximum(1 - x, TINY)) - betaln(a, b)
    ),
)
_GAMMA = differentiable(
    lambda x, shape: (gammainc(shape, x), gammaincc(shape, x)),
    lambda x, shape: (shape - 1) * jnp.log(jnp.maximum(x, TINY)) - x - gammaln(shape),
)


def _student_tails(x: Value, df: Value) -> Tails:
    return _STUDENT(jnp.asarray(x), df)


def _half_student_tails(x: Value, df: Value, scale: Value) -> Tails:
    return _HALF_STUDENT(jnp.maximum(x, 0.0) / scale, df)


def _beta_tails(x: Value, a: Value, b: Value) -> Tails:
    return _BETA(jnp.clip(x, 0.0, 1.0), a, b)


def _uniform_tails(x: Value, low: Value, high: Value) -> Tails:
    fraction = jnp.clip((x - low) / (high - low), 0.0, 1.0)
    return fraction, 1 - fraction


def _gamma_tails(x: Value, shape: Value, rate: Value) -> Tails:
    return _GAMMA(jnp.maximum(x, 0.0) * rate, shape)


def _inverse_gamma_tails(x: Value, shape: Value, scale: Value) -> Tails:
    below, above = _GAMMA(scale / jnp.maximum(x, TINY), shape)
    return above, below


def _pareto_tails(x: Value, lower: Value, shape: Value) -> Tails:
    survival = (lower / jnp.maximum(x, lower)) ** shape
    return 1 - survival, survival


def _asymmetric_tails(x: Array, loc: Value, scale: Value, asymmetry: Value) -> Tails:
    left, y = asymmetry**2 / (1 + asymmetry**2), (x - loc) / scale
    below = left * jnp.exp(jnp.minimum(y, 0.0) / asymmetry)
    above = (1 - left) * jnp.exp(-jnp.maximum(y, 0.0) * asymmetry)
    return jnp.where(y < 0, below, 1 - above), jnp.where(y < 0, 1 - below, above)


def _asymmetric_from_normal(z: Value, loc: Value, scale: Value, asymmetry: Value) -> Array:
    left = asymmetry**2 / (1 + asymmetry**2)
    below = jnp.log(left) + hazard(-jnp.asarray(z))  # log(left / Φ(z)): how far to the left, if at all
    above = jnp.log1p(-left) + hazard(z)
    return loc + scale * jnp.where(below > 0, -below * asymmetry, jnp.maximum(above, 0.0) / asymmetry)


def _soft_laplace_from_normal(z: Array) -> Array:
    side, far = _sided(z)
    return -side * jnp.log(jnp.tan(jnp.maximum(0.5 * jnp.pi * ndtr(-far), TINY)))


def _from_distribution(minus_log: Callable[..., Array], quantile: Callable[..., Array]) -> Transport:
    """A law on (0, ∞) with `F(x) = exp(-minus_log(x))`; `quantile` inverts `minus_log`."""

    def tails(x: Value, *args: Value) -> Tails:
        h = minus_log(jnp.maximum(x, TINY), *args)
        return jnp.exp(-h), -jnp.expm1(-h)

    return Transport(tails, lambda z, *args: quantile(hazard(-jnp.asarray(z)), *args))


def _of(law: Transport, arguments: Callable[..., tuple[Value, ...]]) -> Transport:
    """A law that is another one with other arguments."""
    return Transport(
        lambda x, *args: law.tails(x, *arguments(*args)),
        lambda z, *args: law.from_normal(z, *arguments(*args)),
        law.closed,
    )


def _levy_tails(x: Value, loc: Value, scale: Value) -> Tails:
    root = jnp.sqrt(scale / jnp.maximum(x - loc, TINY))
    return 2 * ndtr(-root), erf(root / math.sqrt(2))


def _truncated_normal_from_normal(z: Value, loc: Value, scale: Value, lower: Value, upper: Value) -> Array:
    a, b, z = (lower - loc) / scale, (upper - loc) / scale, jnp.asarray(z)
    # Reflect so that the interval leans to the left, where ndtr keeps its relative precision.
    flip = jnp.where(a + b > 0, -1.0, 1.0)
    a, b, z = jnp.where(flip < 0, -b, a), jnp.where(flip < 0, -a, b), flip * z
    mass = ndtr(b) - ndtr(a)
    from_left = ndtri(jnp.maximum(ndtr(a) + ndtr(z) * mass, TINY))
    from_right = -ndtri(jnp.maximum(ndtr(-b) + ndtr(-z) * mass, TINY))
    x = loc + scale * flip * jnp.where(z + a < 0, from_left, from_right)
    return jnp.clip(x, lower, upper)


NORMAL = location_scale(lambda x: (ndtr(x), ndtr(-x)), lambda z: jnp.asarray(z))
CAUCHY = location_scale(_cauchy_tails, lambda z: _cauchy_from_normal(jnp.asarray(z)))
LAPLACE = location_scale(_laplace_tails, lambda z: _laplace_from_normal(jnp.asarray(z)))
LOGISTIC = location_scale(lambda x: (jax.nn.sigmoid(x), jax.nn.sigmoid(-x)), lambda z: hazard(z) - hazard(-z))
GUMBEL = location_scale(_gumbel_tails, lambda z: -jnp.log(hazard(-z)))
UNIFORM = Transport(_uniform_tails, lambda z, low, high: low + (high - low) * ndtr(jnp.asarray(z)))
TRUNCATED_NORMAL = Transport(
    lambda x, loc, scale, lower, upper: truncate(NORMAL.tails, lower, upper)(x, loc, scale),
    _truncated_normal_from_normal,
)
LOGNORMAL = Transport(
    lambda x, loc, scale: NORMAL.tails(jnp.log(jnp.maximum(x, TINY)), loc, scale),
    lambda z, loc, scale: jnp.exp(loc + scale * jnp.asarray(z)),
)
HALF_NORMAL = Transport(
    positive(lambda x, scale: (erf(x / scale / jnp.sqrt(2.0)), 2 * ndtr(-x / scale))),
    lambda z, scale: jnp.where(
        z < 0, scale * jnp.sqrt(2.0) * erfinv(ndtr(jnp.minimum(z, 0.0))), -scale * ndtri(0.5 * ndtr(-jnp.asarray(z)))
    ),
)
HALF_CAUCHY = Transport(
    positive(lambda x, scale: (2 / jnp.pi * jnp.arctan2(x, scale), 2 / jnp.pi * jnp.arctan2(scale, x))),
    lambda z, scale: jnp.where(
        z < 0,
        scale * jnp.tan(0.5 * jnp.pi * ndtr(jnp.asarray(z))),
        scale / jnp.tan(jnp.maximum(0.5 * jnp.pi * ndtr(-jnp.asarray(z)), TINY)),
    ),
)
EXPONENTIAL = from_survival(lambda x, rate: x * rate, lambda h, rate: h / rate)
WEIBULL = from_survival(lambda x, shape, scale: (x / scale) ** shape, lambda h, shape, scale: scale * h ** (1 / shape))
PARETO = Transport(_pareto_tails, lambda z, lower, shape: lower * jnp.exp(hazard(z) / shape))
STUDENT_T = searched(lambda x, df, loc, scale: _student_tails((x - loc) / scale, df), *SINH_RANGE)
HALF_STUDENT_T = searched(_half_student_tails, *EXP_RANGE)
BETA = searched(_beta_tails, jax.nn.sigmoid, -80.0, 80.0)
GAMMA = searched(_gamma_tails, *EXP_RANGE)
INVERSE_GAMMA = searched(_inverse_gamma_tails, *EXP_RANGE)
CHI_SQUARE = _of(GAMMA, lambda df: (0.5 * df, 0.5))
INVERSE_CHI_SQUARE = _of(INVERSE_GAMMA, lambda df: (0.5 * df, 0.5))
SCALED_INVERSE_CHI_SQUARE = _of(INVERSE_GAMMA, lambda df, scale: (0.5 * df, 0.5 * df * scale**2))
BETA_PROPORTION = _of(BETA, lambda mean, concentration: (mean * concentration, (1 - mean) * concentration))
RAYLEIGH = _of(WEIBULL, lambda scale: (2.0, scale * math.sqrt(2)))
ASYMMETRIC_LAPLACE = Transport(_asymmetric_tails, _asymmetric_from_normal)
SOFT_LAPLACE = location_scale(
    lambda x: (2 / jnp.pi * jnp.arctan(jnp.exp(x)), 2 / jnp.pi * jnp.arctan(jnp.exp(-x))),
    lambda z: _soft_laplace_from_normal(jnp.asarray(z)),
)
LOG_UNIFORM = Transport(
    lambda x, low, high: _uniform_tails(jnp.log(jnp.clip(x, low, high)), jnp.log(low), jnp.log(high)),
    lambda z, low, high: jnp.clip(low * jnp.exp(jnp.log(high / low) * ndtr(jnp.asarray(z))), low, high),
)
KUMARASWAMY = from_survival(
    lambda x, a, b: -b * jnp.log1p(-(jnp.clip(x, 0.0, 1.0) ** a)), lambda h, a, b: (-jnp.expm1(-h / b)) ** (1 / a)
)
FRECHET = _from_distribution(
    lambda x, shape, scale: (x / scale) ** -shape, lambda h, shape, scale: scale * h ** (-1 / shape)
)
DAGUM = _from_distribution(
    lambda x, p, shape, scale: p * jnp.log1p((x / scale) ** -shape),
    lambda h, p, shape, scale: scale * jnp.expm1(h / p) ** (-1 / shape),
)
GOMPERTZ = from_survival(
    lambda x, shape, rate: shape * jnp.expm1(rate * x), lambda h, shape, rate: jnp.log1p(h / shape) / rate
)
LOMAX = from_survival(
    lambda x, scale, shape: shape * jnp.log1p(x / scale), lambda h, scale, shape: scale * jnp.expm1(h / shape)
)
LOGLOGISTIC = Transport(
    lambda x, scale, shape: LOGISTIC.tails(jnp.log(jnp.maximum(x, TINY) / scale), 0.0, 1 / shape),
    lambda z, scale, shape: scale * jnp.exp(LOGISTIC.from_normal(z, 0.0, 1 / shape)),
)
LEVY = Transport(
    _levy_tails,
    lambda z, loc, scale: loc + scale / HALF_NORMAL.from_normal(-jnp.asarray(z), 1.0) ** 2,
)

# The log odds of a beta law, which keep their digits beside one as beside zero.
LOG_ODDS_OF_BETA = searched(_LOG_ODDS, lambda y: y, -80.0, 80.0)

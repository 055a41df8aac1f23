"""The prior as a factor: N(0, I) in working coordinates, and N(0, I) tilted by a power of the declared prior.

A power is on the density in the declared parameters' own coordinates (METHODS §0), so in working coordinates the prior
is `q(z) ∝ N(z) p(θ(z))^(α-1)`. Most declared priors make `ln p(θ(z))` a sum over coordinates (a hierarchy of scale
families does); then everything is one-dimensional and quadrature is exact. Otherwise see `tilted.py`.
"""

from __future__ import annotations

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from bsi.runtime.process import signal_noise

LogPrior = Callable[[Float[Array, "*b m"]], Float[Array, "*b"]]
"""`z -> ln p(θ(z))`, the declared density without Jacobian."""

_REACH = 40.0  # prior sds within which a tempered prior must have its mass
_TABLE = 8001  # nodes of the table of ln q, in each coordinate
_KNOTS = 257  # of the denoiser, interpolated between
_NODES = 513  # of the integral at each knot
_SPAN = 9.0  # sds covered by knots and nodes
_SLOPE = 0.02  # least fall of ln q over half a prior sd, 8 sds out
_DROP = 10.0  # ln q at the edge of the reach must lie this far below its top, or the law is improper


class AbstractPrior(eqx.Module):
    """The first factor of a composition, of weight 1."""

    size: eqx.AbstractVar[int]

    @abc.abstractmethod
    def precision(self) -> Float[Array, "m m"]:
        """Of the factor, at no noise."""

    @abc.abstractmethod
    def plain(self, u: Float[Array, "b m"], log_snr: Float[Array, ""]) -> Float[Array, "b m"]:
        """`θ̂ - a u`."""

    @abc.abstractmethod
    def weighted(self, u: Float[Array, "b m"], log_snr: Float[Array, ""], r: Float[Array, ""]) -> Float[Array, "b m"]:
        """`(C⁻¹ + rI)(θ̂ - a u)`."""

    @abc.abstractmethod
    def log_density(self, z: Float[Array, "b m"]) -> Float[Array, " b"]:
        """At no noise, up to a constant."""


class NormalPrior(AbstractPrior):
    """N(0, I/α): a power of N(0, I) where `ln |∂θ/∂z|` is constant, so that no table of it is needed."""

    size: int = eqx.field(static=True)
    power: Float[Array, ""] | float = 1.0

    @property
    def proper(self) -> Bool[Array, ""]:
        return jnp.asarray(self.power > 0)

    def precision(self) -> Float[Array, "m m"]:
        return self.power * jnp.eye(self.size)

    def plain(self, u: Float[Array, "b m"], log_snr: Float[Array, ""]) -> Float[Array, "b m"]:
        a, s = signal_noise(log_snr)
        return a * s**2 * (1.0 - self.power) / (a**2 + self.power * s**2) * u

    def weighted(self, u: Float[Array, "b m"], log_snr: Float[Array, ""], r: Float[Array, ""]) -> Float[Array, "b m"]:
        return (self.power + r) * self.plain(u, log_snr)

    def log_density(self, z: Float[Array, "b m"]) -> Float[Array, " b"]:
        return -0.5 * self.power * jnp.sum(z**2, -1)


class SeparablePrior(AbstractPrior):
    """`q(z) = ∏ q_i(z_i)`, each a table of `ln q_i` on `[lower_i, upper_i]`; not `proper` if its tails do not fall."""

    size: int = eqx.field(static=True)
    table: Float[Array, "m k"]
    lower: Float[Array, " m"]
    upper: Float[Array, " m"]
    mean: Float[Array, " m"]
    variance: Float[Array, " m"]
    proper: Bool[Array, " m"]

    def precision(self) -> Float[Array, "m m"]:
        return jnp.diag(1.0 / self.variance)

    def plain(self, u: Float[Array, "b m"], log_snr: Float[Array, ""]) -> Float[Array, "b m"]:
        """Tabulated over `w = (u - a μ)/d` once a noise level, then interpolated: many draws cost no more."""
        a, s = signal_noise(log_snr)
        scale = jnp.sqrt(a**2 * self.variance + s**2)
        knots = jnp.linspace(-_SPAN, _SPAN, _KNOTS).astype(u.dtype)
        at = a * self.mean[:, None] + scale[:, None] * knots
        table = jax.vmap(self._denoise, in_axes=(0, 0, 0, 0, None, None))(self.table, self.lower, self.upper, at, a, s)
        # what the Gaussian of the same moments does not say: flat in the tails, so the ends may be held
        gain = (a * self.variance / scale)[:, None]
        rest = table - self.mean[:, None] - gain * knots
        w = (u - a * self.mean) / scale
        curve = jax.vmap(_cubic, in_axes=(0, 1), out_axes=1)(rest, (w + _SPAN) * ((_KNOTS - 1) / (2 * _SPAN)))
        return self.mean + gain[:, 0] * w + curve - a * u

    def weighted(self, u: Float[Array, "b m"], log_snr: Float[Array, ""], r: Float[Array, ""]) -> Float[Array, "b m"]:
        return (1.0 / self.variance + r) * self.plain(u, log_snr)

    def log_density(self, z: Float[Array, "b m"]) -> Float[Array, " b"]:
        last = self.table.shape[-1] - 1
        position = (z - self.lower) * (last / (self.upper - self.lower))
        return jnp.sum(jax.vmap(_linear, in_axes=(0, 1))(self.table, position), 0)

    @staticmethod
    def _denoise(table: Array, lower: Array, upper: Array, u: Array, a: Array, s: Array) -> Array:
        """`E[z | u]` by the trapezoid rule where likelihood and prior overlap; spectrally accurate for smooth laws."""
        signal = jnp.maximum(a, 1e-6)  # a belief starts without any
        left = jnp.clip((u - _SPAN * s) / signal, lower, upper - 1e-3 * (upper - lower))
        right = jnp.clip((u + _SPAN * s) / signal, lower + 1e-3 * (upper - lower), upper)
        z = left[:, None] + (right - left)[:, None] * jnp.linspace(0.0, 1.0, _NODES).astype(u.dtype)
        position = (z - lower) * ((table.shape[0] - 1) / (upper - lower))
        log_weight = _linear(table, position) - 0.5 * ((u[:, None] - a * z) / s) ** 2
        weight = jax.nn.softmax(log_weight, axis=-1)
        # the deviation from the middle of the interval keeps its digits at high signal
        middle = 0.5 * (left + right)
        return middle + jnp.sum(weight * (z - middle[:, None]), axis=-1)


def temper(log_prior: LogPrior, m: int, power: Float[Array, ""] | float) -> SeparablePrior:
    """`N(z) p(θ(z))^(α-1)` for a separable `ln p(θ(z))`; `α = power` may be traced. See `is_separable`."""

    def coordinate(index: Array) -> tuple[Array, ...]:
        grid = jnp.linspace(-_REACH, _REACH, _TABLE)

        def log_q(points: Array) -> Array:
            along = jnp.zeros((len(points), m)).at[:, index].set(points)
            value = (power - 1.0) * (log_prior(along) - log_prior(jnp.zeros(m))) - 0.5 * points**2
            return jnp.where(jnp.isfinite(value), value, -jnp.inf)

        coarse = log_q(grid)
        top = jnp.max(coarse)
        inside = coarse > top - 5 * _DROP
        lower = jnp.min(jnp.where(inside, grid, jnp.inf))
        upper = jnp.max(jnp.where(inside, grid, -jnp.inf))
        table = log_q(jnp.linspace(lower, upper, _TABLE))
        floor = jnp.max(table) - 10 * _DROP
        table = jnp.maximum(table, floor)
        points = jnp.linspace(lower, upper, _TABLE)
        weight = jax.nn.softmax(table)
        mean = jnp.sum(weight * points)
        # A heavy tail climbs until ln p(θ(z)) overflows float32, some 9 sds out: `coarse` cannot tell it from an edge.
        ends = log_q(jnp.array([-8.0, -7.5, 7.5, 8.0]))
        # Written so that an end without density, -inf beside -inf, counts as fallen.
        falls = ~(ends[0] > ends[1] - _SLOPE) & ~(ends[3] > ends[2] - _SLOPE)
        proper = falls & (jnp.maximum(coarse[0], coarse[-1]) < top - _DROP) & jnp.isfinite(top)
        return table, lower, upper, mean, jnp.sum(weight * (points - mean) ** 2), proper

    return SeparablePrior(m, *jax.lax.map(coordinate, jnp.arange(m)))


def is_separable(log_prior: LogPrior, m: int, tolerance: float = 1e-3) -> bool:
    """Whether `ln p(θ(z)) - ln p(θ(0))` is the sum of its values along the axes, at 64 points of N(0, I)."""
    z = jnp.asarray(np.random.default_rng(0).standard_normal((64, m)), jnp.float32)

    @jax.jit
    def gap(z: Array) -> Array:
        base = log_prior(jnp.zeros(m))
        joint = log_prior(z) - base
        alone = jax.vmap(lambda row: jnp.sum(log_prior(jnp.diag(row)) - base))(z)
        return jnp.max(jnp.abs(joint - alone) / (1.0 + jnp.abs(joint)))

    return bool(gap(z) < tolerance)


def _linear(table: Array, position: Array) -> Array:
    index = jnp.clip(position.astype(jnp.int32), 0, table.shape[0] - 2)
    part = position - index
    return table[index] * (1.0 - part) + table[index + 1] * part


def _cubic(table: Array, position: Array) -> Array:
    """Catmull-Rom; held constant beyond the ends."""
    position = jnp.clip(position, 0.0, table.shape[0] - 1.0)
    index = jnp.clip(position.astype(jnp.int32), 0, table.shape[0] - 2)
    t = position - index
    p0, p1, p2, p3 = (table[jnp.clip(index + k, 0, table.shape[0] - 1)] for k in (-1, 0, 1, 2))
    return p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))

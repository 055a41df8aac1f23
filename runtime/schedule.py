"""Grids of `ln η` from noise to data on which samplers step."""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

NOISE = -10.0  # ln η at which a draw starts: a = 0.007
CLEAN = 15.0  # ln η at which it ends: s = 5e-4 of the prior's sd, returned as θ̂
SETTLED = 30.0  # η, in units of the largest precision of a law, at which noise widens it by a thirtieth: beyond it
# errors of learned scores go on adding up, and little is gained


class AbstractSchedule(eqx.Module):
    """`points` values of `ln η`, increasing."""

    @abc.abstractmethod
    def grid(self, points: int) -> Float[Array, " points"]: ...


class LogLinear(AbstractSchedule):
    """Equal steps of `ln η`."""

    lower: float = NOISE
    upper: float = CLEAN

    def grid(self, points: int) -> Float[Array, " points"]:
        return jnp.linspace(self.lower, self.upper, points)


class Karras(AbstractSchedule):
    """The EDM grid, equal steps of `σ^(1/ρ)` with `σ = η^(-1/2)` (Karras et al. 2022, eq. 5)."""

    rho: float = 7.0
    lower: float = NOISE
    upper: float = CLEAN

    def grid(self, points: int) -> Float[Array, " points"]:
        first, last = jnp.exp(-0.5 * self.lower / self.rho), jnp.exp(-0.5 * self.upper / self.rho)
        return -2.0 * self.rho * jnp.log(jnp.linspace(first, last, points))


class LogPrecision(AbstractSchedule):
    """Equal steps of `ln λ` of a belief, from λ₀, where `ln η = -inf`, to λ_M (BSI, arXiv 2502.07580, §3)."""

    initial: float = 1e-2
    final: float = 1e6

    def log_precision(self, points: int) -> Float[Array, " points"]:
        """`ln λ`."""
        return jnp.linspace(jnp.log(self.initial), jnp.log(self.final), points)

    def grid(self, points: int) -> Float[Array, " points"]:
        passed = jnp.linspace(0.0, jnp.log(self.final / self.initial), points)
        return 2.0 * jnp.log(self.initial * jnp.expm1(passed)) - passed - jnp.log(self.initial)


class LogAccuracy(AbstractSchedule):
    """Equal steps of `ln ρ` of a Bayesian flow network, from ρ = 1, where `ln η = -inf`, to ρ_1 (arXiv 2308.07037)."""

    final: float = 1e6

    def grid(self, points: int) -> Float[Array, " points"]:
        return jnp.log(jnp.expm1(jnp.linspace(0.0, jnp.log(self.final), points)))

"""Grids of `ln η` from noise to data on which samplers step."""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

NOISE = -10.0  # ln η at which a draw starts: a = 0.007
CLEAN = 15.0  # ln η at which it ends: s = 5e-4 of the prior's sd, returned as θ̂


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

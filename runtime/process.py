"""Noising processes: all are instances of one description, `z = c θ + W_τ` (Brownian motion with clock τ).

Everything is indexed by the logarithm of the effective signal-to-noise `η = c²/τ`, so a network, a sampler or a
composition never asks which process it serves. Networks live in VP coordinates, `u = z / √(τ(1 + η)) = a θ + s ε`.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray


def signal_noise(log_snr: Float[Array, "*t"]) -> tuple[Float[Array, "*t"], Float[Array, "*t"]]:
    """The VP coefficients `a = √(η/(1+η))` and `s = 1/√(1+η)` of `u = a θ + s ε`, from `ln η`."""
    return jnp.sqrt(jax.nn.sigmoid(log_snr)), jnp.sqrt(jax.nn.sigmoid(-log_snr))


class AbstractProcess(eqx.Module):
    """A signal `c` and a clock `τ`, functions of `ln η`; the recursion `z' = z + Δc θ̂ + √Δτ ξ` samples them all."""

    @abc.abstractmethod
    def signal(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        """`c` of `z = c θ + W_τ`."""

    @abc.abstractmethod
    def clock(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        """`τ` of `z = c θ + W_τ`."""

    def to_vp(self, z: Float[Array, "*b m"], log_snr: Float[Array, ""]) -> Float[Array, "*b m"]:
        """`u = z / √(τ(1 + η))`, what a network sees."""
        return z * jnp.sqrt(jax.nn.sigmoid(-log_snr) / self.clock(log_snr))

    def from_vp(self, u: Float[Array, "*b m"], log_snr: Float[Array, ""]) -> Float[Array, "*b m"]:
        """Inverse of `to_vp`."""
        return u * jnp.sqrt(self.clock(log_snr) / jax.nn.sigmoid(-log_snr))

    def noise(self, key: PRNGKeyArray, theta: Float[Array, "*b m"], log_snr: Float[Array, ""]) -> Float[Array, "*b m"]:
        """A draw of `z` given `θ`."""
        noise = jr.normal(key, theta.shape, theta.dtype)
        return self.signal(log_snr) * theta + jnp.sqrt(self.clock(log_snr)) * noise


class VP(AbstractProcess):
    """Variance preserving (and VE, EDM, up to scale): `c = τ = η`."""

    def signal(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        return jnp.exp(log_snr)

    def clock(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        return jnp.exp(log_snr)

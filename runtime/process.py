"""Noising processes: all are instances of one description, `z = c θ + W_τ` (Brownian motion with clock τ).

Everything is indexed by the logarithm of the effective signal-to-noise `η = c²/τ`, so a network, a sampler or a
composition never asks which process it serves. Networks live in VP coordinates, `u = z / √(τ(1 + η)) = a θ + s ε`; the
papers write their processes in coordinates and times of their own, which `state` and `time` translate (METHODS §1).
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
    """A signal `c`, a clock `τ`, a state and a time, all functions of `ln η`."""

    @abc.abstractmethod
    def signal(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        """`c` of `z = c θ + W_τ`."""

    @abc.abstractmethod
    def clock(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        """`τ` of `z = c θ + W_τ`."""

    @abc.abstractmethod
    def scale(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        """`z / state`, where `state` is what the process's own paper writes."""

    @abc.abstractmethod
    def time(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        """The paper's own time."""

    @abc.abstractmethod
    def log_snr(self, time: Float[Array, "*t"]) -> Float[Array, "*t"]:
        """`ln η` at the paper's own time: the inverse of `time`."""

    def to_vp(self, state: Float[Array, "*b m"], log_snr: Float[Array, ""]) -> Float[Array, "*b m"]:
        """What a network sees, from the process's own state."""
        return state * self._factor(log_snr)

    def from_vp(self, u: Float[Array, "*b m"], log_snr: Float[Array, ""]) -> Float[Array, "*b m"]:
        """Inverse of `to_vp`."""
        return u / self._factor(log_snr)

    def _factor(self, log_snr: Float[Array, ""]) -> Float[Array, ""]:
        return self.scale(log_snr) * jnp.sqrt(jax.nn.sigmoid(-log_snr) / self.clock(log_snr))

    def advance(
        self,
        z: Float[Array, "*b m"],
        theta: Float[Array, "*b m"],
        now: Float[Array, ""],
        then: Float[Array, ""],
        noise: Float[Array, "*b m"],
    ) -> Float[Array, "*b m"]:
        """`z' = z + Δc θ̂ + √Δτ ξ`: for BSI the belief update, for BFN the flow of its network, for VP ancestral VDM."""
        signal = self.signal(then) - self.signal(now)
        return z + signal * theta + jnp.sqrt(self.clock(then) - self.clock(now)) * noise

    def noise(self, key: PRNGKeyArray, theta: Float[Array, "*b m"], log_snr: Float[Array, ""]) -> Float[Array, "*b m"]:
        """A draw of `z` given `θ`."""
        noise = jr.normal(key, theta.shape, theta.dtype)
        return self.signal(log_snr) * theta + jnp.sqrt(self.clock(log_snr)) * noise


class AbstractDiffusion(AbstractProcess):
    """`c = τ = η`; its processes differ in what their papers write."""

    def signal(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        return jnp.exp(log_snr)

    def clock(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        return jnp.exp(log_snr)


class VP(AbstractDiffusion):
    """Variance preserving: `c = τ = η`; state `u = a θ + s ε`, time `ln η`."""

    def scale(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        eta = jnp.exp(log_snr)
        return jnp.sqrt(eta * (1.0 + eta))

    def time(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        return log_snr

    def log_snr(self, time: Float[Array, "*t"]) -> Float[Array, "*t"]:
        return time


class VE(AbstractDiffusion):
    """Variance exploding, and EDM (Karras et al. 2022): `c = τ = η`; state `y = θ + σ ε`, time `σ = η^(-1/2)`."""

    def scale(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        return jnp.exp(log_snr)

    def time(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        return jnp.exp(-0.5 * log_snr)

    def log_snr(self, time: Float[Array, "*t"]) -> Float[Array, "*t"]:
        return -2.0 * jnp.log(time)


class Belief(AbstractProcess):
    """Bayesian Sample Inference (arXiv 2502.07580): a Gaussian belief with mean `μ` and precision `λ`, from N(0, 1/λ₀).

    `c = λ - λ₀`, `τ = λ`; state `μ = z/λ`, time `λ`. It starts at `η = 0` with an exact law.
    """

    initial: float = 1e-2  # λ₀

    def precision(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        """`λ(η) = λ₀ + η/2 + √(η(λ₀ + η/4))`."""
        return self.initial + self.signal(log_snr)

    def signal(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        eta = jnp.exp(log_snr)
        return 0.5 * eta + jnp.sqrt(eta * (self.initial + 0.25 * eta))  # λ - λ₀ without cancellation

    def clock(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        return self.precision(log_snr)

    def scale(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        return self.precision(log_snr)

    def time(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        return self.precision(log_snr)

    def log_snr(self, time: Float[Array, "*t"]) -> Float[Array, "*t"]:
        """`η(λ) = (λ - λ₀)²/λ`."""
        return 2.0 * jnp.log(self.initial * jnp.expm1(jnp.log(time / self.initial))) - jnp.log(time)


class BFN(AbstractDiffusion):
    """Bayesian flow networks (arXiv 2308.07037) for continuous data: mean `μ`, precision `ρ` from 1.

    `c = τ = ρ - 1 = η`; state `μ = z/ρ`, time `ρ`. Unlike a belief with λ₀ = 1 it starts at exactly `μ = 0`.
    """

    def scale(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        return 1.0 + jnp.exp(log_snr)

    def time(self, log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
        return 1.0 + jnp.exp(log_snr)

    def log_snr(self, time: Float[Array, "*t"]) -> Float[Array, "*t"]:
        return jnp.log(jnp.expm1(jnp.log(time)))

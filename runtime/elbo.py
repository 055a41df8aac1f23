"""The evidence lower bound of Bayesian Sample Inference (arXiv 2502.07580): what its networks are judged by.

A belief about θ starts as N(0, 1/λ₀), known to both ends of a channel, so there is no prior term. Sending noisy
measurements of θ up to precision λ_M costs `½ α ‖θ - θ̂‖²` nats each, and then θ itself is decoded from the last belief:

    -ln p(θ) ≤ L + R,   L_∞ = ½ ∫ ‖θ - θ̂(μ_λ)‖² dλ,   L^k = ½ Σ (λ_{i+1} - λ_i) ‖θ - θ̂(μ_{λ_i})‖².
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jax.scipy.special import log_ndtr
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.process import signal_noise

BatchDenoiser = Callable[[Float[Array, "n m"], Float[Array, " n"]], Float[Array, "n m"]]
"""`(u, ln η) -> E[θ | u]`, every row at a noise level of its own."""

BIN_PRECISION = 61.5  # λ_M Δ² at which bins of width Δ are as good as decoded (METHODS §2)


class Elbo(eqx.Module):
    """Bounds on `-ln p(θ)` in nats, one unbiased estimate a row; rows share a low-discrepancy set of noise levels."""

    initial: float = 1e-2  # λ₀
    final: float = 1e6  # λ_M, also the precision of the reconstruction

    @staticmethod
    def for_bins(width: float, initial: float = 1e-2) -> Elbo:
        """The bound for data quantised to bins of `width`."""
        return Elbo(initial, BIN_PRECISION / width**2)

    @property
    def span(self) -> float:
        """`ln(λ_M/λ₀)`."""
        return math.log(self.final / self.initial)

    def infinite(
        self,
        denoiser: BatchDenoiser,
        key: PRNGKeyArray,
        theta: Float[Array, "n m"],
        proposal: Literal["log_uniform", "uniform"] = "log_uniform",
    ) -> Float[Array, " n"]:
        """`L_∞`, by λ drawn log-uniformly (or, for comparison, uniformly) on [λ₀, λ_M]."""
        which, noise = jr.split(key)
        share = low_discrepancy(which, len(theta), theta.dtype)
        if proposal == "log_uniform":
            passed = self.span * share
            weight = self.initial * jnp.exp(passed) * self.span
        else:
            passed = jnp.log1p(share * math.expm1(self.span))
            weight = jnp.full_like(share, self.final - self.initial)
        return 0.5 * weight * self._squared_error(denoiser, noise, theta, passed)

    def finite(
        self, denoiser: BatchDenoiser, key: PRNGKeyArray, theta: Float[Array, "n m"], steps: int
    ) -> Float[Array, " n"]:
        """`L^k` for k log-linear steps at their left end points; it falls to `L_∞` under nested refinement."""
        which, noise = jr.split(key)
        index = jnp.floor(low_discrepancy(which, len(theta), theta.dtype) * steps)
        passed = self.span * index / steps
        weight = steps * self.initial * jnp.exp(passed) * math.expm1(self.span / steps)
        return 0.5 * weight * self._squared_error(denoiser, noise, theta, passed)

    def reconstruction(
        self, denoiser: BatchDenoiser, key: PRNGKeyArray, theta: Float[Array, "n m"], bins: Bins | None = None
    ) -> Float[Array, " n"]:
        """`R`: nats to decode θ from a Gaussian of precision λ_M at the last guess; with `bins`, its probability of the
        bin that holds θ."""
        guess = self._guess(denoiser, key, theta, jnp.full(len(theta), self.span, theta.dtype))
        if bins is not None:
            return -jnp.sum(bins.log_probability(theta, guess, math.sqrt(self.final)), -1)
        squares = self.final * jnp.sum((theta - guess) ** 2, -1)
        return 0.5 * squares + 0.5 * theta.shape[-1] * math.log(2 * math.pi / self.final)

    def _squared_error(self, denoiser: BatchDenoiser, key: PRNGKeyArray, theta: Array, passed: Array) -> Array:
        return jnp.sum((theta - self._guess(denoiser, key, theta, passed)) ** 2, -1)

    def _guess(self, denoiser: BatchDenoiser, key: PRNGKeyArray, theta: Array, passed: Array) -> Array:
        """θ̂ of a belief that has reached `ln λ = ln λ₀ + passed`."""
        log_snr = 2.0 * jnp.log(self.initial * jnp.expm1(passed)) - passed - math.log(self.initial)
        a, s = signal_noise(log_snr[:, None])
        return denoiser(a * theta + s * jr.normal(key, theta.shape, theta.dtype), log_snr)


class Bins(eqx.Module):
    """Equal bins that quantised data fall into: `count` of them, the first one centred on `first`.

    The outermost reach to infinity."""

    first: float
    width: float
    count: int

    def log_probability(
        self, theta: Float[Array, "n m"], mean: Float[Array, "n m"], root_precision: float
    ) -> Float[Array, "n m"]:
        """Log of the mass that a Gaussian gives to the bin of each entry of `theta` (a bin's centre)."""
        half = 0.5 * self.width
        lower, upper = root_precision * (theta - half - mean), root_precision * (theta + half - mean)
        lower = jnp.where(theta < self.first + half, -jnp.inf, lower)
        upper = jnp.where(theta > self.first + (self.count - 1) * self.width - half, jnp.inf, upper)
        # both ends on the side where the tail is small
        flip = lower > 0
        low, high = jnp.where(flip, -upper, lower), jnp.where(flip, -lower, upper)
        log_high, log_low = log_ndtr(high), log_ndtr(low)
        return log_high + jnp.log1p(-jnp.exp(jnp.minimum(log_low - log_high, -1e-7)))


def low_discrepancy(key: PRNGKeyArray, n: int, dtype: DTypeLike = jnp.float32) -> Float[Array, " n"]:
    """n points in (0, 1): an evenly spaced set with one random shift, shuffled (VDM, arXiv 2107.00630, app. I.1)."""
    shift, order = jr.split(key)
    points = (jnp.arange(n) + jr.uniform(shift, (), dtype)) / n
    return jr.permutation(order, points.astype(dtype))


def bits_per_dim(nats: Float[Array, " n"], m: int) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """`nats/(m ln 2)` of negative log likelihoods or their bounds: mean over rows and its standard error."""
    bits = nats / (m * math.log(2.0))
    return jnp.mean(bits), jnp.std(bits) / jnp.sqrt(len(bits))

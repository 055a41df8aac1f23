"""Evidence lower bounds: what a denoiser is worth as a generative model, in nats.

Noisy measurements of θ raise the precision p of what is known of it from p₀ to p_M; each costs `½ dp ‖θ - θ̂‖²` nats,
and then θ itself is decoded from the last guess:

    -ln p(θ) ≤ K + L + R,   L_∞ = ½ ∫ ‖θ - θ̂_p‖² dp,   L^k = ½ Σ (p_{i+1} - p_i) ‖θ - θ̂_{p_i}‖².

A `clock` says which precision: of a belief (Bayesian Sample Inference, arXiv 2502.07580), the signal-to-noise ratio of
a diffusion (VDM, arXiv 2107.00630), or the accuracy of a Bayesian flow network (arXiv 2308.07037). K is what the start
costs: nothing where its law is known to both ends.
"""

from __future__ import annotations

import abc
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
Proposal = Literal["log_uniform", "uniform"]

BIN_PRECISION = 61.5  # p_M Δ² at which bins of width Δ are as good as decoded (METHODS §2)
INITIAL, FINAL = 1e-2, 1e6


class AbstractClock(eqx.Module):
    """The precision in which a bound counts."""

    @abc.abstractmethod
    def log_snr(self, initial: float, passed: Float[Array, " n"]) -> Float[Array, " n"]:
        """`ln η` where `ln p = ln p₀ + passed`."""

    @abc.abstractmethod
    def start(self, initial: float, theta: Float[Array, "n m"]) -> Float[Array, " n"]:
        """`K`: nats to tell the receiver where the process starts."""


class BeliefClock(AbstractClock):
    """`p = λ`, the precision of a belief that starts as N(0, 1/λ₀), for free: `η = (λ - λ₀)²/λ` is 0 there."""

    def log_snr(self, initial: float, passed: Float[Array, " n"]) -> Float[Array, " n"]:
        return 2.0 * jnp.log(initial * jnp.expm1(passed)) - passed - math.log(initial)

    def start(self, initial: float, theta: Float[Array, "n m"]) -> Float[Array, " n"]:
        return jnp.zeros(len(theta), theta.dtype)


class DiffusionClock(AbstractClock):
    """`p = η` of a diffusion (VDM); it starts noisy but not blind: `K = KL(N(a θ, s²) ‖ N(0, 1))` at `η₀`."""

    def log_snr(self, initial: float, passed: Float[Array, " n"]) -> Float[Array, " n"]:
        return math.log(initial) + passed

    def start(self, initial: float, theta: Float[Array, "n m"]) -> Float[Array, " n"]:
        entropy = math.log1p(initial) - initial / (1.0 + initial)
        squares = initial / (1.0 + initial) * jnp.sum(theta**2, -1)
        return 0.5 * (squares + theta.shape[-1] * entropy)


class FlowClock(AbstractClock):
    """`p = ρ = 1 + η`, the accuracy of a Bayesian flow network: it starts at ρ = 1 knowing nothing, for free."""

    def log_snr(self, initial: float, passed: Float[Array, " n"]) -> Float[Array, " n"]:
        return jnp.log(jnp.expm1(passed))

    def start(self, initial: float, theta: Float[Array, "n m"]) -> Float[Array, " n"]:
        return jnp.zeros(len(theta), theta.dtype)


class Elbo(eqx.Module):
    """Bounds on `-ln p(θ)` in nats, one unbiased estimate a row; rows share a low-discrepancy set of noise levels."""

    initial: float = INITIAL  # p₀; 1 of a Bayesian flow network
    final: float = FINAL  # p_M, also the precision of the reconstruction
    clock: AbstractClock = BeliefClock()

    @staticmethod
    def for_bins(width: float, initial: float = INITIAL, clock: AbstractClock | None = None) -> Elbo:
        """The bound for data quantised to bins of `width`."""
        return Elbo(initial, BIN_PRECISION / width**2, clock or BeliefClock())

    @property
    def span(self) -> float:
        """`ln(p_M/p₀)`."""
        return math.log(self.final / self.initial)

    def levels(
        self, share: Float[Array, " n"], proposal: Proposal = "log_uniform"
    ) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """Where to estimate `L_∞`, by numbers uniform in [0, 1): `ln(p/p₀)`, and the weight of `½ ‖θ - θ̂‖²` there.

        p is log-uniform or, for comparison, uniform on [p₀, p_M].
        """
        if proposal == "log_uniform":
            passed = self.span * share
            return passed, self.initial * jnp.exp(passed) * self.span
        return jnp.log1p(share * math.expm1(self.span)), jnp.full_like(share, self.final - self.initial)

    def left_ends(
        self, share: Float[Array, " n"], steps: int | Float[Array, ""]
    ) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """The same of `L^k`: k log-linear steps, at their left end points."""
        passed = self.span * jnp.floor(share * steps) / steps
        return passed, steps * self.initial * jnp.exp(passed) * jnp.expm1(self.span / steps)

    def infinite(
        self,
        denoiser: BatchDenoiser,
        key: PRNGKeyArray,
        theta: Float[Array, "n m"],
        proposal: Proposal = "log_uniform",
    ) -> Float[Array, " n"]:
        """`L_∞`."""
        which, noise = jr.split(key)
        passed, weight = self.levels(low_discrepancy(which, len(theta), theta.dtype), proposal)
        return 0.5 * weight * self.squared_error(denoiser, noise, theta, passed)

    def finite(
        self, denoiser: BatchDenoiser, key: PRNGKeyArray, theta: Float[Array, "n m"], steps: int
    ) -> Float[Array, " n"]:
        """`L^k` for k steps; it falls to `L_∞` under nested refinement."""
        which, noise = jr.split(key)
        passed, weight = self.left_ends(low_discrepancy(which, len(theta), theta.dtype), steps)
        return 0.5 * weight * self.squared_error(denoiser, noise, theta, passed)

    def start(self, theta: Float[Array, "n m"]) -> Float[Array, " n"]:
        """`K`."""
        return self.clock.start(self.initial, theta)

    def reconstruction(
        self,
        denoiser: BatchDenoiser,
        key: PRNGKeyArray,
        theta: Float[Array, "n m"],
        bins: Bins | None = None,
        control: bool = False,
    ) -> Float[Array, " n"]:
        """`R`: nats to decode θ from a Gaussian of precision p_M at the last guess; with `bins`, its probability of the
        bin that holds θ. `control` as of `squared_error`."""
        passed = jnp.full(len(theta), self.span, theta.dtype)
        if bins is not None:
            guess, _, _ = self._guess(denoiser, key, theta, passed)
            return -jnp.sum(bins.log_probability(theta, guess, math.sqrt(self.final)), -1)
        squares = self.final * self.squared_error(denoiser, key, theta, passed, control)
        return 0.5 * squares + 0.5 * theta.shape[-1] * math.log(2 * math.pi / self.final)

    def squared_error(
        self,
        denoiser: BatchDenoiser,
        key: PRNGKeyArray,
        theta: Float[Array, "n m"],
        passed: Float[Array, " n"],
        control: bool = False,
    ) -> Float[Array, " n"]:
        """`‖θ - θ̂‖²` where `ln p = ln p₀ + passed`.

        With `control` less `a² s² (‖ε‖² - m)`, of mean 0: at low noise the error is the noise, and that much of its
        variance is known.
        """
        guess, noise, spread = self._guess(denoiser, key, theta, passed)
        error = jnp.sum((theta - guess) ** 2, -1)
        return error - spread * (jnp.sum(noise**2, -1) - theta.shape[-1]) if control else error

    def _guess(
        self, denoiser: BatchDenoiser, key: PRNGKeyArray, theta: Array, passed: Array
    ) -> tuple[Array, Array, Array]:
        """θ̂, the noise ε of its `u`, and `a² s²`."""
        log_snr = self.clock.log_snr(self.initial, passed)
        a, s = signal_noise(log_snr)
        noise = jr.normal(key, theta.shape, theta.dtype)
        return denoiser(a[:, None] * theta + s[:, None] * noise, log_snr), noise, (a * s) ** 2


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

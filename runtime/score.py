"""The score network: a Gaussian denoiser, exact for a linear-Gaussian model, plus a learned residual of unit scale."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.gaussian import Gaussian, PartialGaussian
from bsi.runtime.nets.base import AbstractNetwork
from bsi.runtime.process import signal_noise
from bsi.runtime.schedule import CLEAN, NOISE
from bsi.runtime.standardise import PartialStandardiser, Standardiser

Denoiser = Callable[[Float[Array, "*b m"], Float[Array, ""]], Float[Array, "*b m"]]
"""`(u, ln η) -> E[θ | u]` for a batch of VP states at one noise level: all that samplers and compositions ask for."""


class Bounded(eqx.Module):
    """A denoiser whose guesses stay within `±limit`, as means of data there must: a network asked at a noise level that
    it hardly saw would leave them. Derivatives are the denoiser's own."""

    denoiser: Denoiser
    limit: float

    def __call__(self, u: Float[Array, "*b m"], log_snr: Float[Array, ""]) -> Float[Array, "*b m"]:
        guess = self.denoiser(u, log_snr)
        return guess + jax.lax.stop_gradient(jnp.clip(guess, -self.limit, self.limit) - guess)


class Residual(eqx.Module):
    """What is trained: the network and the embedding that stands for "no condition" (learned: zero is the mean row)."""

    network: AbstractNetwork
    null: Float[Array, " p"]


class ScoreNetwork(eqx.Module):
    """`θ̂ = m + Q(g w + gate · sd · F(w, t, e(x)))`, see `gaussian.Gaussian.coefficients`.

    With `m = 0, Q diag(c) Qᵀ = I` this is v-prediction. `gate` is 0 when the residual failed to beat the Gaussian on
    held-out simulations, 1 otherwise. With `gaussian_prior` the working coordinates are N(0, I) and the prior's
    denoiser is `a u`; otherwise it is the network under the null condition.
    """

    standardise: Standardiser | PartialStandardiser
    posterior: Gaussian | PartialGaussian
    prior: Gaussian
    residual: Residual
    gate: Float[Array, ""]
    gaussian_prior: bool = eqx.field(static=True)

    def denoise(
        self, u: Float[Array, "*b m"], log_snr: Float[Array, "*t"], x: Float[Array, "*c p"]
    ) -> Float[Array, "*o m"]:
        """`E[θ | u, x]`; batch axes broadcast: (rows, draws, m) with (rows, 1, p)."""
        features = self.standardise(x)
        return self._denoise(u, log_snr, features, self.posterior.given(features))

    def denoise_prior(self, u: Float[Array, "*b m"], log_snr: Float[Array, "*t"]) -> Float[Array, "*b m"]:
        """`E[θ | u]` under the prior."""
        if self.gaussian_prior:
            return signal_noise(log_snr)[0][..., None] * u
        return self._denoise(u, log_snr, self.residual.null, self.prior)

    def condition(self, x: Float[Array, " p"]) -> Denoiser:
        """The denoiser of the posterior given one row."""
        return eqx.Partial(self.denoise, x=x)

    def _denoise(self, u: Array, log_snr: Array, features: Array, gaussian: Gaussian) -> Array:
        a, _ = signal_noise(log_snr)
        scale, gain, sd = gaussian.coefficients(log_snr)
        w = gaussian.whiten(u - a[..., None] * gaussian.mean) / scale

        def residual() -> Array:
            return self.residual.network(w, network_time(log_snr), features)

        # A linear-Gaussian model leaves nothing to learn: then the network is not evaluated.
        abstract = eqx.filter_eval_shape(residual)
        learned = jax.lax.cond(self.gate > 0, residual, lambda: jnp.zeros(abstract.shape, abstract.dtype))
        return gaussian.mean + gaussian.unwhiten(gain * w + sd * learned)

    def loss(
        self,
        z: Float[Array, "n m"],
        x: Float[Array, "n p"],
        noise: Float[Array, "n m"],
        log_snr: Float[Array, " n"],
        drop: Float[Array, " n"] | None = None,
        precision: Float[Array, " n"] | None = None,
        *,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """Squared error of θ̂, a row, averaged over coordinates; and that of no residual at all.

        **Arguments:** `drop` 1 where the condition is withheld; `precision` that errors are measured in (None: of the
        Gaussian's posterior, so that the residual has unit scale at every level); `key` for dropout.
        """
        features = self.standardise(x)
        w, target, sd = _whitened(self.posterior.given(features), z, noise, log_snr)
        if drop is not None:
            drop = drop[:, None]
            w, target, sd = (
                jnp.where(drop, of_prior, own)
                for of_prior, own in zip(_whitened(self.prior, z, noise, log_snr), (w, target, sd), strict=True)
            )
            features = jnp.where(drop, self.residual.null, features)
        learned = self.residual.network(w, network_time(log_snr), features, key=key)
        weight = 1.0 if precision is None else precision[:, None] * sd**2
        return jnp.mean(weight * (learned - target) ** 2, -1), jnp.mean(weight * target**2, -1)


def network_time(log_snr: Float[Array, "*t"]) -> Float[Array, "*t"]:
    """`ln η` scaled to [0, 1]."""
    return jnp.clip((log_snr - NOISE) / (CLEAN - NOISE), 0.0, 1.0)


def _whitened(gaussian: Gaussian, z: Array, noise: Array, log_snr: Array) -> tuple[Array, Array, Array]:
    """The network's input, its target `(s y/√c - a √c ε)/d` (formed without the cancellation of `y - g w`), and the sd
    in whose units it is."""
    a, s = signal_noise(log_snr)
    a, s = a[:, None], s[:, None]
    scale, _, sd = gaussian.coefficients(log_snr)
    y, e = gaussian.whiten(z - gaussian.mean), gaussian.whiten(noise)
    root = jnp.sqrt(gaussian.variance)
    return (a * y + s * e) / scale, (s * y / root - a * root * e) / scale, sd

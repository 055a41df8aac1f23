"""The EDM sampler (Karras et al. 2022, algorithms 1 and 2): Heun steps in σ, with optional churn."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.process import signal_noise
from bsi.runtime.samplers.base import AbstractSampler, Stats, noise_of, start, stats
from bsi.runtime.schedule import AbstractSchedule, Karras
from bsi.runtime.score import Denoiser


class Heun(AbstractSampler):
    """Second order, two evaluations a step. `churn` adds noise before a step: `S_churn`, spread over all steps."""

    steps: int = 25
    churn: float = 0.0
    schedule: AbstractSchedule = Karras()

    def sample(
        self, denoiser: Denoiser, key: PRNGKeyArray, shape: tuple[int, int], dtype: DTypeLike = jnp.float32
    ) -> tuple[Float[Array, "draws m"], Stats]:
        sigma = jnp.exp(-0.5 * self.schedule.grid(self.steps).astype(dtype))
        begin, walk = jr.split(key)
        raised = min(self.churn / self.steps, 2**0.5 - 1.0)  # algorithm 2, line 5

        def slope(y: Array, sigma: Array) -> Array:
            return (y - _denoised(denoiser, y, sigma)) / sigma

        def step(y: Array, ends: tuple[Array, Array, Array]) -> tuple[Array, None]:
            now, then, index = ends
            if raised > 0:
                up = now * (1.0 + raised)
                noise = noise_of(denoiser, jr.fold_in(walk, index), shape, dtype)
                y = y + jnp.sqrt(up**2 - now**2) * noise
                now = up
            first = slope(y, now)
            ahead = y + (then - now) * first
            return y + (then - now) * 0.5 * (first + slope(ahead, then)), None

        a, _ = signal_noise(-2.0 * jnp.log(sigma[0]))
        y = start(denoiser, begin, shape, -2.0 * jnp.log(sigma[0]), dtype) / a
        y, _ = jax.lax.scan(step, y, (sigma[:-1], sigma[1:], jnp.arange(self.steps - 1)))
        z = _denoised(denoiser, y, sigma[-1])
        return z, stats(z, 2 * self.steps)


def _denoised(denoiser: Denoiser, y: Float[Array, "n m"], sigma: Float[Array, ""]) -> Float[Array, "n m"]:
    log_snr = -2.0 * jnp.log(sigma)
    return denoiser(signal_noise(log_snr)[0] * y, log_snr)

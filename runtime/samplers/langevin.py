"""Langevin steps at a fixed noise level: on their own (annealed, Song & Ermon 2019), or after every predictor step
(Song et al. 2021, algorithm 4).

A step is `u ← u + ε S + √(2ε) ξ` with the score `S = (a θ̂ - u)/s²` and `ε = δ s²`: in units of the noise it has
the same size at every level.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.composition import temperature
from bsi.runtime.process import signal_noise
from bsi.runtime.samplers.base import AbstractSampler, Stats, start, stats
from bsi.runtime.samplers.frozen import ddim_step
from bsi.runtime.schedule import AbstractSchedule, LogLinear
from bsi.runtime.score import Denoiser


def langevin_steps(
    denoiser: Denoiser,
    key: PRNGKeyArray,
    u: Float[Array, "n m"],
    log_snr: Float[Array, ""],
    steps: int,
    delta: float | Float[Array, ""],
) -> Float[Array, "n m"]:
    """`steps` unadjusted Langevin steps at one level."""
    a, s = signal_noise(log_snr)
    power = 1.0 / temperature(denoiser)  # of the score that θ̂ implies

    def step(u: Array, index: Array) -> tuple[Array, None]:
        noise = jr.normal(jr.fold_in(key, index), u.shape, u.dtype)
        return u + delta * power * (a * denoiser(u, log_snr) - u) + jnp.sqrt(2.0 * delta) * s * noise, None

    return jax.lax.scan(step, u, jnp.arange(steps))[0]


class PredictorCorrector(AbstractSampler):
    """A DDIM or ancestral step (`eta`), then `corrections` Langevin steps, at every level but the first."""

    steps: int = 50
    corrections: int = 1
    delta: float | Float[Array, ""] = 0.1
    eta: float | Float[Array, ""] = 0.0
    schedule: AbstractSchedule = LogLinear()

    def sample(
        self, denoiser: Denoiser, key: PRNGKeyArray, shape: tuple[int, int], dtype: DTypeLike = jnp.float32
    ) -> tuple[Float[Array, "draws m"], Stats]:
        grid = self.schedule.grid(self.steps).astype(dtype)
        begin, walk, correct = jr.split(key, 3)

        def step(u: Array, ends: tuple[Array, Array, Array]) -> tuple[Array, None]:
            now, then, index = ends
            u = ddim_step(denoiser, jr.fold_in(walk, index), u, now, then, self.eta)
            return langevin_steps(denoiser, jr.fold_in(correct, index), u, then, self.corrections, self.delta), None

        u = start(denoiser, begin, shape, grid[0], dtype)
        u, _ = jax.lax.scan(step, u, (grid[:-1], grid[1:], jnp.arange(self.steps - 1)))
        z = denoiser(u, grid[-1])
        return z, stats(z, 2 + (self.steps - 1) * (1 + self.corrections))


class Langevin(AbstractSampler):
    """Annealed Langevin dynamics: `corrections` steps at each of `steps` levels, the VP state carried from one to the
    next. A baseline: it forgets an early mistake slowly, and its steps bias the spread by O(δ)."""

    steps: int = 100
    corrections: int = 5
    delta: float | Float[Array, ""] = 0.1
    schedule: AbstractSchedule = LogLinear()

    def sample(
        self, denoiser: Denoiser, key: PRNGKeyArray, shape: tuple[int, int], dtype: DTypeLike = jnp.float32
    ) -> tuple[Float[Array, "draws m"], Stats]:
        grid = self.schedule.grid(self.steps).astype(dtype)
        begin, walk = jr.split(key)

        def level(u: Array, at: tuple[Array, Array]) -> tuple[Array, None]:
            log_snr, index = at
            return langevin_steps(denoiser, jr.fold_in(walk, index), u, log_snr, self.corrections, self.delta), None

        u = start(denoiser, begin, shape, grid[0], dtype)
        u, _ = jax.lax.scan(level, u, (grid, jnp.arange(self.steps)))
        z = denoiser(u, grid[-1])
        return z, stats(z, 2 + self.steps * self.corrections)

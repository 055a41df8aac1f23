"""DPM-Solver++(2M) (Lu et al. 2022, alg. 2): second order, multistep, in half log-SNR."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.process import signal_noise
from bsi.runtime.samplers.base import AbstractSampler, Stats, start, stats
from bsi.runtime.schedule import AbstractSchedule, LogLinear
from bsi.runtime.score import Denoiser


class DpmSolverPP(AbstractSampler):
    """`steps` evaluations after the starting one; the last returns θ̂ itself."""

    steps: int = 30
    schedule: AbstractSchedule = LogLinear()

    def sample(
        self, denoiser: Denoiser, key: PRNGKeyArray, shape: tuple[int, int], dtype: DTypeLike = jnp.float32
    ) -> tuple[Float[Array, "draws m"], Stats]:
        grid = self.schedule.grid(self.steps).astype(dtype)
        h = 0.5 * jnp.diff(grid)
        # h_now / (2 h_before): 0 in the first step, which is therefore a DDIM step
        slope = jnp.concatenate([jnp.zeros(1, dtype), 0.5 * h[1:] / h[:-1]])
        u = start(denoiser, key, shape, grid[0], dtype)

        def step(
            state: tuple[Array, Array], ends: tuple[Array, Array, Array, Array]
        ) -> tuple[tuple[Array, Array], None]:
            u, before = state
            now, then, h, slope = ends
            _, s = signal_noise(now)
            a1, s1 = signal_noise(then)
            theta = denoiser(u, now)
            ahead = theta + slope * (theta - before)
            return ((s1 / s) * u - a1 * jnp.expm1(-h) * ahead, theta), None

        (u, _), _ = jax.lax.scan(step, (u, jnp.zeros_like(u)), (grid[:-1], grid[1:], h, slope))
        z = denoiser(u, grid[-1])
        return z, stats(z, self.steps + 1)

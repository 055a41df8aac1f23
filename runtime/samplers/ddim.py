"""DDIM (Song et al. 2021, eq. 12): the exact step of the flow (`eta = 0`) or ancestral sampling (1) for a frozen θ̂."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.samplers.base import AbstractSampler, Stats, start, stats
from bsi.runtime.samplers.frozen import ddim_step
from bsi.runtime.schedule import AbstractSchedule, LogLinear
from bsi.runtime.score import Denoiser


class Ddim(AbstractSampler):
    """First order in the step. `steps` evaluations after the starting one; the last returns θ̂ itself."""

    steps: int = 50
    eta: float | Float[Array, ""] = 0.0
    schedule: AbstractSchedule = LogLinear()

    def sample(
        self, denoiser: Denoiser, key: PRNGKeyArray, shape: tuple[int, int], dtype: DTypeLike = jnp.float32
    ) -> tuple[Float[Array, "draws m"], Stats]:
        grid = self.schedule.grid(self.steps).astype(dtype)
        begin, walk = jr.split(key)

        def step(u: Array, ends: tuple[Array, Array, Array]) -> tuple[Array, None]:
            now, then, index = ends
            return ddim_step(denoiser, jr.fold_in(walk, index), u, now, then, self.eta), None

        u = start(denoiser, begin, shape, grid[0], dtype)
        u, _ = jax.lax.scan(step, u, (grid[:-1], grid[1:], jnp.arange(self.steps - 1)))
        z = denoiser(u, grid[-1])
        return z, stats(z, self.steps + 1)

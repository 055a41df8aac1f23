"""Bayesian Sample Inference as a sampler (arXiv 2502.07580, alg. 1), and its γ-family with the same marginals.

A belief N(μ, 1/λ) about θ starts as N(0, 1/λ₀) and is updated with noisy measurements of its own guess θ̂. In VP
coordinates an update renews the share `1 - (λ/λ')^γ` of the noise: γ = 1 is the paper's sampler, γ = 0 the flow
(METHODS §1).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.samplers.base import AbstractSampler, Stats, noise_of, stats
from bsi.runtime.samplers.frozen import frozen_step
from bsi.runtime.schedule import LogPrecision
from bsi.runtime.score import Denoiser


class BeliefUpdates(AbstractSampler):
    """`steps` evaluations, the last of which is the draw. It starts at `η = 0`, where `u ~ N(0, I)` is exact."""

    steps: int = 100
    gamma: float | Float[Array, ""] = 1.0
    schedule: LogPrecision = LogPrecision()

    def sample(
        self, denoiser: Denoiser, key: PRNGKeyArray, shape: tuple[int, int], dtype: DTypeLike = jnp.float32
    ) -> tuple[Float[Array, "draws m"], Stats]:
        grid = self.schedule.grid(self.steps).astype(dtype)
        fresh = -jnp.expm1(-self.gamma * jnp.diff(self.schedule.log_precision(self.steps))).astype(dtype)
        begin, walk = jr.split(key)

        def step(u: Array, ends: tuple[Array, Array, Array, Array]) -> tuple[Array, None]:
            now, then, fresh, index = ends
            noise = noise_of(denoiser, jr.fold_in(walk, index), shape, dtype)
            return frozen_step(u, denoiser(u, now), now, then, fresh, noise), None

        u = noise_of(denoiser, begin, shape, dtype)
        u, _ = jax.lax.scan(step, u, (grid[:-1], grid[1:], fresh, jnp.arange(self.steps - 1)))
        z = denoiser(u, grid[-1])
        return z, stats(z, self.steps)

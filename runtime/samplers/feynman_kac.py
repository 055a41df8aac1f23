"""Feynman-Kac correctors: weighted particles on the bridge of a composition (METHODS §4; Skreta et al. 2025,
arXiv 2503.02819).

The scores of factors j with weights w_j, `Σ w_j = 1`, add up to that of the bridge `π_t ∝ ∏ (q_t^j)^{w_j}`, which is
not the noised product but ends in it. In VP state and `t = ln η` the flow along the bridge's score, `du/dt = a D/2`,
moves particles whose weights obey

    d ln ω = ½ r (|D|² - Σ w_j |δ_j|²) dt,    D = Σ w_j δ_j,    δ_j = θ̂_j - a u,    r = a²/s²,

in which N(0, I), having `δ = 0`, does not occur: one factor of power 1 leaves all weights equal. Langevin moves after
every step leave the bridge's law as it is and keep particles apart; without them few ancestors are left in many
dimensions.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.composition import Composed
from bsi.runtime.particles import effective_share, resample, systematic
from bsi.runtime.process import signal_noise
from bsi.runtime.samplers.base import AbstractSampler, Stats, stats
from bsi.runtime.samplers.frozen import frozen_step
from bsi.runtime.schedule import SETTLED, AbstractSchedule, LogLinear
from bsi.runtime.score import Denoiser


class FeynmanKac(AbstractSampler):
    """The draws are the particles, resampled when their effective share falls below `ess`, and at the end.

    `moves` Langevin steps a level, of size `delta` in units of `s²/max(Σ β⁺, 1)`. Weights follow the bridge with an
    error of second order in the step. Stats: `effective_share`, the least on the way.
    """

    steps: int = 100
    moves: int = 10
    delta: float | Float[Array, ""] = 0.5
    ess: float = 0.5
    schedule: AbstractSchedule = LogLinear(upper=12.0)

    def sample(
        self, denoiser: Denoiser, key: PRNGKeyArray, shape: tuple[int, int], dtype: DTypeLike = jnp.float32
    ) -> tuple[Float[Array, "draws m"], Stats]:
        grid = self.schedule.grid(self.steps).astype(dtype)
        begin, walk, choose, last = jr.split(key, 4)
        size = self.delta / (denoiser.stiffness() if isinstance(denoiser, Composed) else 1.0)

        def total(u: Array, log_snr: Array) -> tuple[Array, Array]:
            """`D`, and what the weights grow by in a unit of `ln η`."""
            if not isinstance(denoiser, Composed):
                a, _ = signal_noise(log_snr)
                return denoiser(u, log_snr) - a * u, jnp.zeros(len(u), u.dtype)
            shift, squares = denoiser.total(u, log_snr)
            r = jnp.exp(log_snr)
            weighs = r < SETTLED * jnp.max(denoiser.values)  # from there on particles keep their weights
            return shift, jnp.where(weighs, 0.5 * r * (jnp.sum(shift**2, -1) - squares), 0.0)

        def step(state: State, ends: tuple[Array, Array, Array]) -> tuple[State, None]:
            u, shift, rate, log_weights, share = state
            now, then, index = ends
            a, _ = signal_noise(now)
            u = frozen_step(u, a * u + shift, now, then, 0.0, 0.0)
            shift, after = total(u, then)
            # a particle that is lost weighs nothing
            log_weights = log_weights + 0.5 * (then - now) * (rate + after)
            log_weights = jnp.where(jnp.isfinite(log_weights), log_weights, -jnp.inf)
            share = jnp.minimum(share, effective_share(log_weights))
            ancestors, log_weights, _ = resample(jr.fold_in(choose, index), log_weights, self.ess)
            u, shift, after = u[ancestors], shift[ancestors], after[ancestors]
            a, s = signal_noise(then)

            def move(state: tuple[Array, Array, Array], number: Array) -> tuple[tuple[Array, Array, Array], None]:
                u, shift, _ = state
                noise = jr.normal(jr.fold_in(jr.fold_in(walk, index), number), u.shape, u.dtype)
                u = u + size * (a * shift - s**2 * u) + jnp.sqrt(2.0 * size) * s * noise
                return (u, *total(u, then)), None

            (u, shift, after), _ = jax.lax.scan(move, (u, shift, after), jnp.arange(self.moves))
            return (u, shift, after, log_weights, share), None

        u = jr.normal(begin, shape, dtype)
        state = (u, *total(u, grid[0]), jnp.zeros(shape[0], dtype), jnp.ones((), dtype))
        state, _ = jax.lax.scan(step, state, (grid[:-1], grid[1:], jnp.arange(self.steps - 1)))
        u, shift, _, log_weights, share = state
        a, _ = signal_noise(grid[-1])
        z = (a * u + shift)[systematic(last, log_weights)]
        return z, {**stats(z, 1 + (self.steps - 1) * (1 + self.moves)), "effective_share": share}


State = tuple[Array, Array, Array, Array, Array]

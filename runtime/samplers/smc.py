"""Sequential Monte Carlo under guidance: the twisted diffusion sampler (Wu et al. 2023, arXiv 2306.17775).

Particles take ancestral steps of the guided denoiser, and are weighted by what the prior's own step would have said
and by the twist `p̃(x | u)`, guidance's guess at the likelihood of the noisy state. At the clean end the twist is the
likelihood itself. The limit of many particles is the posterior under the prior's ancestral sampler, however wrong the
guesses on the way; what is wrong costs effective particles.

Where θ given u has a covariance C (`Guided`, few coordinates) a step is `θ ~ N(θ̂, C)`, then the state given θ: with it
nothing is lost to long steps, and for a Gaussian prior and a linear-Gaussian likelihood all weights are equal.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
from jax.scipy.linalg import solve_triangular
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.guidance import Guess, Guided
from bsi.runtime.particles import effective_share, log_mean, resample, systematic
from bsi.runtime.process import signal_noise
from bsi.runtime.samplers.base import AbstractSampler, Stats, start, stats
from bsi.runtime.schedule import AbstractSchedule, LogLinear
from bsi.runtime.score import Denoiser


class TwistedSmc(AbstractSampler):
    """The draws are the particles, resampled when their effective share falls below `ess`, and at the end.

    Stats: `effective_share`, the least on the way, and `log_evidence`, the estimate of `ln p(x)` under the prior that
    is sampled.
    """

    steps: int = 100
    ess: float = 0.5
    schedule: AbstractSchedule = LogLinear()

    def sample(
        self, denoiser: Denoiser, key: PRNGKeyArray, shape: tuple[int, int], dtype: DTypeLike = jnp.float32
    ) -> tuple[Float[Array, "draws m"], Stats]:
        assert isinstance(denoiser, Guided), "weights need the likelihood: the route `guided`"
        guided = denoiser
        grid = self.schedule.grid(self.steps).astype(dtype)
        begin, walk, choose, last, shuffle = jr.split(key, 5)
        u = start(guided.prior, begin, shape, grid[0], dtype)
        guess = guided.guess(u, grid[0])

        def step(
            state: tuple[Array, Guess, Array, Array, Array], ends: tuple[Array, Array, Array]
        ) -> tuple[tuple[Array, Guess, Array, Array, Array], None]:
            u, guess, log_weights, evidence, share = state
            now, then, index = ends
            u, log_ratio = _propose(jr.fold_in(walk, index), u, guess, now, then)
            ahead = guided.guess(u, then)
            log_weights = _known(log_weights + log_ratio + ahead.log_twist - guess.log_twist)
            evidence, share = evidence + log_mean(log_weights), jnp.minimum(share, effective_share(log_weights))
            ancestors, log_weights, _ = resample(jr.fold_in(choose, index), log_weights, self.ess)
            u, ahead = jax.tree.map(lambda leaf: leaf[ancestors], (u, ahead))
            return (u, ahead, log_weights, evidence, share), None

        log_weights = _known(guess.log_twist)
        first = log_mean(log_weights)
        state = (u, guess, log_weights - first, first, effective_share(log_weights))
        state, _ = jax.lax.scan(step, state, (grid[:-1], grid[1:], jnp.arange(self.steps - 1)))
        _, guess, log_weights, evidence, share = state
        z = guess.prior
        log_weights = _known(log_weights + guided.evidence(z) - guess.log_twist)
        share = jnp.minimum(share, effective_share(log_weights))
        # Copies of a particle are neighbours after resampling, and draws must not be.
        z = jr.permutation(shuffle, z[systematic(last, log_weights)])
        z = jnp.where(jnp.isfinite(share), z, jnp.nan)  # no particle could have made the data
        return z, {
            **stats(z, self.steps + 1),
            "effective_share": share,
            "log_evidence": evidence + log_mean(log_weights),
        }


def _propose(key: PRNGKeyArray, u: Array, guess: Guess, now: Array, then: Array) -> tuple[Array, Array]:
    """A guided ancestral step, and the log of the prior's step over it."""
    a, s = signal_noise(now)
    a1, s1 = signal_noise(then)
    kept = jnp.exp(0.5 * (now - then))  # of the noise that θ̂ implies
    fresh = s1**2 * -jnp.expm1(now - then)
    gain = a1 - s1 * kept * a / s  # of θ
    move = gain * guess.shift
    mean = gain * guess.prior + s1 * kept / s * u + move
    noise = jr.normal(key, u.shape, u.dtype)
    if guess.covariance is None or guess.posterior_covariance is None:
        log_ratio = -jnp.sum(move * noise, -1) / jnp.sqrt(fresh) - 0.5 * jnp.sum(move**2, -1) / fresh
        return mean + jnp.sqrt(fresh) * noise, log_ratio
    unit = fresh * jnp.eye(u.shape[-1], dtype=u.dtype)
    own, guided = (
        jnp.linalg.cholesky(unit + gain**2 * 0.5 * (c + jnp.swapaxes(c, -1, -2)))
        for c in (guess.covariance, guess.posterior_covariance)
    )
    jump = jnp.einsum("nij,nj->ni", guided, noise)
    white = solve_triangular(own, (jump + move)[..., None], lower=True)[..., 0]
    log_scale = jnp.sum(jnp.log(_diagonal(guided)) - jnp.log(_diagonal(own)), -1)
    return mean + jump, log_scale + 0.5 * jnp.sum(noise**2 - white**2, -1)


def _diagonal(matrix: Array) -> Array:
    return jnp.diagonal(matrix, axis1=-2, axis2=-1)


def _known(log_weights: Array) -> Array:
    """A weight that is not a number is none."""
    return jnp.where(jnp.isnan(log_weights), -jnp.inf, log_weights)

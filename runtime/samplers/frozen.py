"""The step that every ancestral sampler shares: exact for a denoised mean θ̂ that stays as it is."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.process import signal_noise
from bsi.runtime.samplers.base import noise_of
from bsi.runtime.score import Denoiser


def frozen_step(
    u: Float[Array, "n m"],
    theta: Float[Array, "n m"],
    now: Float[Array, ""],
    then: Float[Array, ""],
    fresh: Float[Array, ""] | float,
    noise: Float[Array, "n m"] | float,
) -> Float[Array, "n m"]:
    """`u' = a' θ̂ + s' (√(1 - f) ε̂ + √f ξ)` with the noise that θ̂ implies, `ε̂ = (u - a θ̂)/s`.

    `fresh` is the share f of the noise's variance that is drawn anew: 0 is DDIM, `1 - η/η'` ancestral sampling (VDM),
    `1 - λ/λ'` Bayesian Sample Inference, 1 a new start at every level.
    """
    a, s = signal_noise(now)
    a1, s1 = signal_noise(then)
    return a1 * theta + s1 * (jnp.sqrt(1.0 - fresh) * (u - a * theta) / s + jnp.sqrt(fresh) * noise)


def ddim_step(
    denoiser: Denoiser,
    key: PRNGKeyArray,
    u: Float[Array, "n m"],
    now: Float[Array, ""],
    then: Float[Array, ""],
    eta: float | Float[Array, ""],
) -> Float[Array, "n m"]:
    """The frozen step that renews `eta²` of what an ancestral one does; no noise is drawn for `eta = 0.0`."""
    deterministic = isinstance(eta, float) and eta == 0  # an array: a sweep, compiled once
    noise = 0.0 if deterministic else noise_of(denoiser, key, u.shape, u.dtype)
    return frozen_step(u, denoiser(u, now), now, then, -(eta**2) * jnp.expm1(now - then), noise)

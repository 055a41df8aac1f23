"""The step that every ancestral sampler shares: exact for a denoised mean θ̂ that stays as it is."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsi.runtime.process import signal_noise


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

"""Draws in one pass of a distilled network, or a few."""

from __future__ import annotations

import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.distill import FlowMap
from bsi.runtime.samplers.base import Stats, stats


def one_step(
    flow_map: FlowMap, x: Float[Array, " p"], key: PRNGKeyArray, draws: int, steps: int = 1
) -> tuple[Float[Array, "draws m"], Stats]:
    """Draws given one row; several steps only of a map that learned them."""
    noise = jr.normal(key, (draws, flow_map.gaussian.size))
    z = flow_map(noise, jnp.broadcast_to(x, (draws, len(x))), steps)
    return z, stats(z, steps)

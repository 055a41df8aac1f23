"""Draws in one pass of a distilled network, or a few."""

from __future__ import annotations

from typing import Any

import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.distill import FlowMap
from bsi.runtime.samplers.base import Stats, stats


def one_step(
    flow_map: FlowMap, x: Any, key: PRNGKeyArray, draws: int, steps: int = 1
) -> tuple[Float[Array, "draws m"], Stats]:
    """Draws given one row (or whatever its frame sees); several steps only of a map that learned them."""
    z = flow_map(jr.normal(key, (draws, flow_map.size)), x, steps)
    return z, stats(z, steps)

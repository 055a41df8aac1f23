"""Composition `partial`: few factors of several rows each (arXiv 2404.07593, §4.3).

A network that is conditioned on sets of up to `n_max` rows leaves `n/n_max` factors to compose instead of n, each
closer to a Gaussian. Sets stand in a row of their own: the rows one after the other, then which of them are there.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, Float


def grouped(x: Float[Array, "n p"], n_max: int) -> Float[Array, "k q"]:
    """Rows in as few sets of `n_max` as hold them, (⌈n/n_max⌉, n_max (p + 1)), in order; sizes differ by one at most.

    All rows of a set have one power: sets with other powers are grouped alone.
    """
    n, p = x.shape
    count = math.ceil(n / n_max)
    at = [range(n * k // count, n * (k + 1) // count) for k in range(count)]
    there = jnp.asarray([[float(i < len(own)) for i in range(n_max)] for own in at], x.dtype)
    index = jnp.asarray([[own[min(i, len(own) - 1)] for i in range(n_max)] for own in at])
    return jnp.concatenate([(x[index] * there[..., None]).reshape(count, n_max * p), there], axis=-1)


def ungrouped(sets: Float[Array, "*k q"], n_max: int) -> tuple[Float[Array, "*k n_max p"], Float[Array, "*k n_max"]]:
    """Inverse of `grouped`, for what looks into a set: rows, 0 where there is none, and which of them are there."""
    there = sets[..., -n_max:]
    return sets[..., :-n_max].reshape(*sets.shape[:-1], n_max, -1), there

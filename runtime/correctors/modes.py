"""Whether places of many chains fall into two groups that lie apart: modes between which nobody moved."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

_STARTS, _ROUNDS = 8, 10
_SD = math.sqrt(math.pi / 2)  # of a Gaussian, over its mean absolute deviation
_SMALLEST = 0.01  # share of the smaller group: fewer are outliers


def separation(y: Float[Array, "n m"], key: PRNGKeyArray) -> Float[Array, ""]:
    """Largest distance of the means of two groups, over the sum of their spreads along the line between them; 0 if the
    smaller one is hardly any. Spreads are mean absolute deviations, in which outliers count little, as sds of a
    Gaussian. Halves of a Gaussian have 1.3, of a uniform law 1.6, two Gaussians 2k sds apart k.

    Two means (Lloyd 1982) from several starts: a place at random, and one by its squared distance from it (Arthur &
    Vassilvitskii 2007). `y` is in units in which every group is about round.
    """

    def one(key: PRNGKeyArray) -> Array:
        any, far = jr.split(key)
        first = y[jr.randint(any, (), 0, len(y))]
        second = y[jr.categorical(far, jnp.log(jnp.sum((y - first) ** 2, -1)))]

        def step(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            near = _nearer(y, *ends)
            return _mean(y, near), _mean(y, ~near)

        ends = jax.lax.fori_loop(0, _ROUNDS, step, (first, second))
        near = _nearer(y, *ends)
        axis = ends[1] - ends[0]
        length = jnp.linalg.norm(axis)
        along = y @ axis / jnp.maximum(length, 1e-30)
        spreads = sum(_SD * _mean(jnp.abs(along - _mean(along, part)), part) for part in (near, ~near))
        share = jnp.mean(near)
        few = jnp.minimum(share, 1.0 - share) < _SMALLEST
        return jnp.where(few, 0.0, length / jnp.maximum(spreads, 1e-6))

    return jnp.max(jax.vmap(one)(jr.split(key, _STARTS)))


def _nearer(y: Array, first: Array, second: Array) -> Array:
    return jnp.sum((y - first) ** 2, -1) <= jnp.sum((y - second) ** 2, -1)


def _mean(y: Array, part: Array) -> Array:
    weight = part.astype(y.dtype)
    return weight @ y / jnp.maximum(jnp.sum(weight), 1.0)

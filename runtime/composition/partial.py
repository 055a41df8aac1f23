"""Composition `partial`: few factors of several rows each (arXiv 2404.07593, §4.3).

A network that is conditioned on sets of up to `n_max` rows leaves `n/n_max` factors to compose instead of n, each
closer to a Gaussian. A set is a row of its own, wide enough for the most rows that a network takes: what is not there
is not seen.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int


def grouped(
    rows: Float[Array, "n q"], apart: Float[np.ndarray, "c n"], n_max: int, width: int
) -> tuple[Float[Array, "k w"], Int[np.ndarray, " k"]]:
    """Rows in as few sets of `n_max` as hold them, in order; and the first row of each set.

    All rows of a set have one power. Sizes of sets of one kind differ by one at most.

    **Arguments:** `rows` are `(x, seen)`, of p entries each; rows that differ in `apart`, for instance in their powers,
    are in different sets; `width >= n_max` rows is what a network takes.

    **Returns:** `(x, seen)` of `width * p` entries each.
    """
    index, there = [], []
    for kind in np.unique(apart, axis=1).T:
        own = np.flatnonzero((apart == kind[:, None]).all(0))
        count = -(-len(own) // n_max)
        edges = len(own) * np.arange(count + 1) // count
        at = edges[:-1, None] + np.arange(width)
        index.append(own[np.minimum(at, len(own) - 1)])
        there.append(at < edges[1:, None])
    x, seen = jnp.split(rows, 2, axis=-1)
    known = jnp.asarray(np.concatenate(there), rows.dtype)[..., None]
    where = np.concatenate(index)
    wide = [(part[where] * known).reshape(len(where), -1) for part in (x, seen)]
    return jnp.concatenate(wide, axis=-1), where[:, 0]

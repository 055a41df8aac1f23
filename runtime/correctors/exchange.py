"""Moves of many draws by differences of others, which cross from mode to mode (ter Braak 2006, Stat. Comput. 16:239).

Half of the draws, picked at random, propose `z' = z + z_a - z_b` with a and b of the other half, which stays. Given
that half the proposal is symmetric, so that the density alone decides, and the law of all draws together stays as it
is. Two draws of two modes differ by what leads from one to the other, and modes get the weights that the density gives.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

_FEWEST = 4  # draws: with fewer there are no two others

Known = tuple[Float[Array, "n m"], Float[Array, " n"], Float[Array, "n m"]]
"""Draws, `ln π` of each, and its gradient."""


def exchange(known: Callable[[Array], tuple[Array, Array]], state: Known, key: PRNGKeyArray) -> Known:
    """One proposal for half of the draws. `known(z)` gives `ln π` and its gradient, of which none is a nan."""
    n = len(state[0])
    if n < _FEWEST:
        return state
    split, one, other, choose = jr.split(key, 4)
    order = jr.permutation(split, n)
    own, rest = order[: n // 2], order[n // 2 :]
    a, b = (rest[jr.randint(k, (len(own),), 0, len(rest))] for k in (one, other))
    z, value, gradient = state
    ahead = z[own] + z[a] - z[b]
    there, slope = known(ahead)
    yes = jnp.log(jr.uniform(choose, (len(own),), z.dtype)) < there - value[own]
    return (
        z.at[own].set(jnp.where(yes[:, None], ahead, z[own])),
        value.at[own].set(jnp.where(yes, there, value[own])),
        gradient.at[own].set(jnp.where(yes[:, None], slope, gradient[own])),
    )

"""Tests of accuracy with random points (Lemos et al. 2023, arXiv 2302.03026): balls around a reference point hold as
much of the draws as they should.

The share of draws nearer to the reference than the params that made the data is uniform if the sampler is right, for
references that know nothing of these params but by the data. Only references that do depend on the data tell a sampler
that ignores them from a right one: draws of the prior pass, with references of the prior. So they are here params of
other simulations with data alike.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from bsi.runtime.metrics.ranks import Calibration, calibration


def references(params: Float[np.ndarray, "n m"], data: Float[np.ndarray, "n q"]) -> Float[np.ndarray, "n-1 m"]:
    """For every simulation but the first, the params of the one before it whose data are nearest.

    Given all data and what came before, its own params and draws are as exchangeable as ever: ranks are independent of
    one another, too, which no reference from a later simulation leaves them. Columns count by their ranks, whatever
    their units and tails.
    """
    x = np.apply_along_axis(rankdata, 0, data) if data.size else data
    nearest = [int(np.argmin(np.sum((x[:i] - x[i]) ** 2, axis=1))) for i in range(1, len(x))]
    return params[nearest]


def tarp(
    params: Float[np.ndarray, "n m"],
    draws: Float[np.ndarray, "n l m"],
    at: Float[np.ndarray, "n m"],
    *,
    seed: int = 1,
) -> Calibration:
    """Ranks of the distance of params from `at`, of all coordinates together: give them in units of the prior.

    Raises:
        ValueError: some draws are not finite, or there are fewer than 20 simulations.
    """
    own, others = (np.linalg.norm(x, axis=-1) for x in (params - at, draws - at[:, None]))
    return calibration(own[:, None], others[..., None], np.random.default_rng(seed))

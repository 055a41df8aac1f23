"""Simulation-based calibration (Talts et al. 2018, arXiv 1804.06788): the rank of a param, drawn from the prior, among
draws of the sampler given data simulated from it is uniform if the sampler is right.

A sampler that ignores its data and draws from the prior has uniform ranks as well: `tarp` sees it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bsi.runtime.metrics.ranks import Calibration, calibration


def sbc(params: Float[np.ndarray, "n m"], draws: Float[np.ndarray, "n l m"], *, seed: int = 1) -> Calibration:
    """Ranks of every coordinate: small where draws are shifted, too wide or too narrow.

    Arguments:
        params: of simulations, drawn from the prior; draws: of the sampler given the data of each.

    Raises:
        ValueError: some draws are not finite, or there are fewer than 20 simulations.
    """
    return calibration(params, draws, np.random.default_rng(seed))

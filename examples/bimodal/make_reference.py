"""Draws of the posterior of bimodal.bsi by quadrature: quantiles of its distribution function, shuffled."""

from pathlib import Path

import numpy as np

DRAWS, OBSERVED, ERROR = 10_000, 1.0, 0.1

grid = np.linspace(-3.0, 3.0, 200_001)
below = np.cumsum(np.exp(-0.5 * grid**2 - 0.5 * ((OBSERVED - grid**2) / ERROR) ** 2))
shares = (np.arange(DRAWS) + 0.5) / DRAWS
theta = np.random.default_rng(0).permutation(np.interp(shares, below / below[-1], grid))
np.savez_compressed(Path(__file__).with_name("reference.npz"), draws=theta[:, None].astype(np.float32))

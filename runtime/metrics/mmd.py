"""Maximum mean discrepancy (Gretton et al., A kernel two-sample test, JMLR 13, 2012)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bsi.runtime.metrics.base import Estimate, equal_sizes, standardised

BLOCK = 500  # rows a block: three blocks of 500 x 10 000 doubles are 120 MB


def mmd2(
    draws: Float[np.ndarray, "a m"],
    reference: Float[np.ndarray, "b m"],
    *,
    seed: int = 1,
    bandwidth: float | None = None,
) -> Estimate:
    """Unbiased squared maximum mean discrepancy with a Gaussian kernel; 0 is agreement, below 0 is noise.

    Both samples are z-scored by the reference; the larger is thinned to the size of the smaller.

    Arguments:
        bandwidth: h of `exp(-|x - y|² / 2h²)`; by default the median distance of 1 000 pooled draws.

    Returns:
        The paired U-statistic (lemma 6 there) and its standard error, first and second order (Serfling, 1980, 5.2.1).

    Raises:
        ValueError: draws are not finite, or the reference does not vary in some coordinate.
    """
    rng = np.random.default_rng(seed)
    a, b = equal_sizes(*standardised(draws, reference), rng)
    n = len(a)
    h = bandwidth or _median_distance(np.concatenate([a[:500], b[:500]]))
    sums, squares = np.zeros(n), 0.0
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        block = _kernel(a[rows], a, h) + _kernel(b[rows], b, h) - _kernel(a[rows], b, h) - _kernel(b[rows], a, h)
        block[np.arange(rows.stop - start), np.arange(start, rows.stop)] = 0
        sums[rows] = block.sum(axis=1)
        squares += float((block**2).sum())
    pairs = n * (n - 1)
    variance = 4 * (n - 2) / pairs * np.var(sums / (n - 1)) + 2 / pairs * squares / pairs
    return Estimate(float(sums.sum() / pairs), float(np.sqrt(variance)))


def _squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum((x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T, 0)


def _kernel(x: np.ndarray, y: np.ndarray, h: float) -> np.ndarray:
    return np.exp(_squared_distances(x, y) / (-2 * h**2))


def _median_distance(x: np.ndarray) -> float:
    return float(np.sqrt(np.median(_squared_distances(x, x)[np.triu_indices(len(x), 1)])))

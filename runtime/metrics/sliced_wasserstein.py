"""Sliced Wasserstein distance (Bonneel et al., 2015) in units of the reference's standard deviation."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bsi.runtime.metrics.base import Estimate, equal_sizes, standardised


def sliced_wasserstein(
    draws: Float[np.ndarray, "a m"],
    reference: Float[np.ndarray, "b m"],
    *,
    seed: int = 1,
    projections: int = 100,
    resamples: int = 20,
) -> Estimate:
    """Root mean squared 2-Wasserstein distance over random directions, in posterior standard deviations.

    Every coordinate is divided by the reference's standard deviation first: raw units hide errors of narrow ones. Two
    samples of n draws from one law read about `1/√n`, not 0. The larger sample is thinned to the size of the smaller.

    Returns:
        The distance, and its standard error by bootstrap over draws.

    Raises:
        ValueError: draws are not finite, or the reference does not vary in some coordinate.
    """
    rng = np.random.default_rng(seed)
    a, b = equal_sizes(*standardised(draws, reference), rng)
    directions = rng.normal(size=(a.shape[1], projections))
    directions /= np.linalg.norm(directions, axis=0)
    lines = [(x @ directions).T for x in (a, b)]
    orders = [np.argsort(line, axis=1) for line in lines]
    lines = [np.take_along_axis(line, order, axis=1) for line, order in zip(lines, orders, strict=True)]

    def resampled(line: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Draws repeated as often as a draw with replacement says: they stay sorted in every direction."""
        times = np.bincount(rng.integers(0, len(a), len(a)), minlength=len(a))
        return np.stack([np.repeat(row, times[ranks]) for row, ranks in zip(line, order, strict=True)])

    spread = [_distance(*map(resampled, lines, orders)) for _ in range(resamples)]
    return Estimate(_distance(*lines), float(np.std(spread, ddof=1)))


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2)))

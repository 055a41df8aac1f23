"""What a metric returns, and what metrics of two samples share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Estimate:
    """A value and its Monte-Carlo standard error (None: not estimated). `coordinate` is where a maximum was found."""

    value: float
    standard_error: float | None = None
    coordinate: int | None = None


def standardised(
    draws: Float[np.ndarray, "a m"], reference: Float[np.ndarray, "b m"]
) -> tuple[Float[np.ndarray, "a m"], Float[np.ndarray, "b m"]]:
    """Both samples in units of the reference: zero mean, unit standard deviation a coordinate, in float64.

    Raises:
        ValueError: draws are not finite, or the reference does not vary in some coordinate.
    """
    if not (np.isfinite(draws).all() and np.isfinite(reference).all()):
        raise ValueError("some draws are not finite")
    draws, reference = draws.astype(float), reference.astype(float)
    mean, sd = reference.mean(axis=0), reference.std(axis=0, ddof=1)
    if (sd == 0).any():
        raise ValueError("the reference does not vary in some coordinate")
    return (draws - mean) / sd, (reference - mean) / sd


def equal_sizes(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random rows of both, without replacement: as many as the smaller one has."""
    size = min(len(a), len(b))
    first, second = (x[rng.permutation(len(x))[:size]] for x in (a, b))
    return first, second

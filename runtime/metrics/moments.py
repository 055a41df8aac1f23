"""Errors of the first two marginal moments, in units of the reference's standard deviation."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bsi.runtime.metrics.base import Estimate, standardised

Size = Float[np.ndarray, " m"] | float | int | None


def mean_error(
    draws: Float[np.ndarray, "a m"],
    reference: Float[np.ndarray, "b m"],
    *,
    ess: Size = None,
    reference_ess: Size = None,
) -> Estimate:
    """Largest difference of means over coordinates, in reference standard deviations.

    Arguments:
        ess, reference_ess: effective sample sizes, one or one a coordinate; by default the numbers of draws.

    Raises:
        ValueError: draws are not finite, or the reference does not vary in some coordinate.
    """
    a, b = standardised(draws, reference)
    variance = np.var(a, axis=0, ddof=1) / (len(a) if ess is None else ess)
    variance = variance + 1 / (np.full(b.shape[1], len(b)) if reference_ess is None else reference_ess)
    return _largest(np.abs(a.mean(axis=0)), variance)


def sd_error(
    draws: Float[np.ndarray, "a m"],
    reference: Float[np.ndarray, "b m"],
    *,
    ess: Size = None,
    reference_ess: Size = None,
) -> Estimate:
    """Largest |ln (sd of draws / sd of reference)| over coordinates: 0.05 is 5 per cent.

    Arguments:
        ess, reference_ess: effective sizes for the scale, one or one a coordinate; by default the numbers of draws.

    Raises:
        ValueError: draws are not finite, or the reference does not vary in some coordinate.
    """
    a, b = standardised(draws, reference)
    variance = _log_sd_variance(a, ess) + _log_sd_variance(b, reference_ess)
    return _largest(np.abs(np.log(a.std(axis=0, ddof=1))), variance)


def _log_sd_variance(x: np.ndarray, ess: Size) -> np.ndarray:
    """Delta method: Var ln s = (kurtosis - 1) / 4n, which is 1/2n for a normal law."""
    kurtosis = np.mean((x - x.mean(axis=0)) ** 4, axis=0) / np.var(x, axis=0) ** 2
    return (kurtosis - 1) / (4 * (len(x) if ess is None else ess))


def _largest(values: np.ndarray, variance: np.ndarray) -> Estimate:
    worst = int(np.argmax(values))
    return Estimate(float(values[worst]), float(np.sqrt(np.broadcast_to(variance, values.shape)[worst])), worst)

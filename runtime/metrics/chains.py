"""How well a reference's chains mixed: the worst over parameters and their coordinates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bsi.runtime.metrics.base import Estimate
from bsi.runtime.reference.result import Reference


def rhat(reference: Reference) -> Estimate:
    """Largest rank-normalised split R-hat over parameters: below 1.01 the chains agree."""
    return Estimate(float(_pooled(reference.rhat).max()))


def ess(reference: Reference) -> Estimate:
    """Smallest effective sample size over parameters, of bulk or tail."""
    return Estimate(float(min(_pooled(reference.ess_bulk).min(), _pooled(reference.ess_tail).min())))


def divergences(reference: Reference) -> Estimate:
    """Number of draws at which the integrator diverged."""
    return Estimate(float(reference.divergences))


def _pooled(values: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([np.ravel(value) for value in values.values()])

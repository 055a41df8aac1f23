"""What checks tell of ranks at simulated data, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Calibration:
    """At one point of the sweeps, `at`. `of` is sbc, with ranks of coordinates, or tarp, with those of one distance.

    Arguments:
    counts: how many simulations have each rank, from 0 to l.
    failed: simulations that were left out.
    """

    of: str
    text: str  # of the check
    at: str
    labels: tuple[str, ...]
    p_values: Float[np.ndarray, " m"]
    counts: Int[np.ndarray, "m values"]
    failed: int = 0

    @property
    def simulations(self) -> int:
        """How many have a rank."""
        return int(self.counts[0].sum())

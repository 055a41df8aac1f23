"""What checks tell of other powers, as plain data: sensitivities of marginals, and the curve above an evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Way:
    """How far marginals move, as seen by weights (`psis`) or by new draws (`resample`).

    Arguments:
    sensitivity: distance per doubling of the power, [m]; None where nothing could be drawn next to it.
    powers, distance: [k] and [k, m].
    pareto_k: k̂ of weights next to the power 1; None of draws.
    shapes: k̂ at every power, [k].
    """

    sensitivity: np.ndarray | None
    powers: np.ndarray
    distance: np.ndarray
    pareto_k: float | None = None
    shapes: np.ndarray | None = None


@dataclass(frozen=True)
class Scaled:
    """A component of a posterior that was raised to powers. `ways` by name, `best` names the one that counts."""

    name: str
    kind: str  # prior or likelihood
    ways: Mapping[str, Way]
    best: str | None


@dataclass(frozen=True)
class Sensitivity:
    """At one point of the sweeps, `at`; labels and diagnoses of m coordinates."""

    text: str  # of the check
    at: str
    labels: tuple[str, ...]
    components: tuple[Scaled, ...]
    diagnosis: tuple[str, ...]
    threshold: float


@dataclass(frozen=True)
class Evidence:
    """`ln Z` at one point of other sweeps, `at`: the integral of `means` over `powers`, with `variances` as slopes."""

    text: str
    at: str
    value: float
    standard_error: float
    trapezoid: float
    powers: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    sweep: str

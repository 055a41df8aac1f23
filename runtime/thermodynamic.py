"""Evidence by thermodynamic integration: `ln Z = ∫₀¹ E_λ[ln f] dλ`, `E_λ` over `p(θ) f(θ)^λ`, normalised.

Friel & Pettitt (2008), JRSS B 70; the corrected trapezoid rule is that of Friel, Hurn & Wyse (2014), "Improving power
posterior estimation of statistical evidence", Statistics and Computing 24, arXiv 1209.3198.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bsi.runtime.reference.diagnostics import ess_mean


@dataclass(frozen=True)
class LogEvidence:
    """Arguments:
    value: `ln Z` by the corrected rule. Its `standard_error` has two parts, as roots of a sum of squares: of the draws,
        and `grid`, what the rule may leave between the powers.
    trapezoid: without the correction.
    means, variances: of `ln f` at every λ: the curve that is integrated, and its slope.
    """

    value: float
    standard_error: float
    grid: float
    trapezoid: float
    powers: tuple[float, ...]
    means: tuple[float, ...]
    variances: tuple[float, ...]


def log_evidence(powers: Sequence[float], log_likelihoods: Sequence[Float[np.ndarray, "_chain _draw"]]) -> LogEvidence:
    """`ln Z` from `ln f` at the draws of every power on a grid from 0 to 1.

    On an interval of width h, `h (E₀ + E₁) / 2 - h² (V₁ - V₀) / 12`, as the slope of `E_λ` is the variance `V_λ`:
    the error falls from O(h²) to O(h⁴). What is left is told by the next rule, which knows the slope of `V_λ` as well,
    the third central moment `K_λ`: they differ by `h³ (K₀ + K₁) / 120 - h² (V₁ - V₀) / 60`, which counts on every
    interval without its sign. On coarse grids the next rule is the worse one, so it only judges.

    Raises:
        ValueError: `ln f` is not finite at some draw.
    """
    grid = np.asarray(powers, np.float64)
    tables = [np.asarray(table, np.float64) for table in log_likelihoods]
    if not all(np.isfinite(table).all() for table in tables):
        raise ValueError("the likelihood is zero at some draws: the mean of its logarithm is not finite")
    means, variances, thirds = (np.array([of(table) for table in tables]) for of in (np.mean, np.var, _third))
    h = np.diff(grid)
    along = (np.append(h, 0.0) + np.insert(h, 0, 0.0)) / 2  # what the rule takes of every mean
    across = (np.append(h**2, 0.0) - np.insert(h**2, 0, 0.0)) / 12  # and of every variance
    error = [_error(table, a, b) for table, a, b in zip(tables, along, across, strict=True)]
    trapezoid = float(along @ means)
    coarse = float(np.sum(np.abs(h**3 * (thirds[1:] + thirds[:-1]) / 120 - h**2 * np.diff(variances) / 60)))
    return LogEvidence(
        trapezoid + float(across @ variances),
        math.sqrt(sum(error) + coarse**2),
        coarse,
        trapezoid,
        tuple(grid.tolist()),
        tuple(means.tolist()),
        tuple(variances.tolist()),
    )


def _third(table: np.ndarray) -> float:
    return float(np.mean((table - table.mean()) ** 3))


def _error(table: np.ndarray, along: float, across: float) -> float:
    """Variance of `along · mean + across · variance` of one table, by the influence of every draw on it."""
    gap = table - table.mean()
    influence = along * gap + across * (gap**2 - table.var())
    return float(influence.var() / min(ess_mean(influence), table.size))

"""Power-scaling sensitivity: how a marginal moves when the prior, or a likelihood, is raised to a power.

Kallioinen, Paananen, Bürkner & Vehtari (2024), "Detecting and diagnosing prior and likelihood sensitivity with
power-scaling", Statistics and Computing 34, arXiv 2107.14054. A component `c` of the posterior becomes `c^s`; the
sensitivity is the distance between marginals per unit of `log₂ s` at `s = 1`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from bsi.runtime.correctors.pareto import GOOD as GOOD
from bsi.runtime.correctors.pareto import pareto_smooth

CONFLICT = "prior-data conflict"
STRONG = "strong prior or weak likelihood"
BATCHES = 16  # parts of the draws whose spread tells a standard error


def distance(
    x: Float[np.ndarray, "a m"],
    y: Float[np.ndarray, "b m"],
    x_weights: Float[np.ndarray, " a"] | None = None,
    y_weights: Float[np.ndarray, " b"] | None = None,
) -> Float[np.ndarray, " m"]:
    """Cumulative Jensen-Shannon distance of every marginal, between 0 and 1 (Nguyen & Vreeken 2015).

    `√(∫ P log₂(2P / (P + Q)) + Q log₂(2Q / (P + Q)) dx / ∫ P + Q dx)` of the distribution functions P and Q over the
    range of all draws; the larger of it and of that of `-x`. Weights need not sum to one.
    """
    values = np.concatenate([x, y]).astype(np.float64)
    order = np.argsort(values, axis=0, kind="stable")
    widths = np.diff(np.take_along_axis(values, order, 0), axis=0)
    p = _cumulative(x_weights, len(x), order, first=True)
    q = _cumulative(y_weights, len(y), order, first=False)
    return np.maximum(_divergence(p, q, widths), _divergence(1 - p, 1 - q, widths))


def _cumulative(weights: np.ndarray | None, n: int, order: np.ndarray, *, first: bool) -> np.ndarray:
    """Distribution function of one of two samples between the sorted values of both."""
    own = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    other = np.zeros(len(order) - n)
    both = np.concatenate([own, other] if first else [other, own]) / own.sum()
    return np.clip(np.cumsum(both[order], axis=0)[:-1], 0.0, 1.0)


def _divergence(p: np.ndarray, q: np.ndarray, widths: np.ndarray) -> np.ndarray:
    middle = (p + q) / 2
    each = _term(p, middle) + _term(q, middle)
    total = np.sum((p + q) * widths, axis=0)
    return np.sqrt(np.clip(np.sum(each * widths, axis=0), 0.0, None) / np.where(total > 0, total, 1.0))


def _term(p: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """`p log₂(p / middle)`, 0 where p is. The linear terms of the divergences of P and of Q cancel in their sum."""
    there = p > 0
    return np.where(there, p * np.log2(np.where(there, p, 1.0) / np.where(there, middle, 1.0)), 0.0)


def weights(log_component: Float[np.ndarray, " n"], power: float) -> tuple[Float[np.ndarray, " n"], float]:
    """Weights that turn draws of a posterior into draws of that with `component^power`, and their Pareto shape k̂.

    `log_component` is what the component adds to the log posterior at every draw, its own power included. Pareto
    smoothed; where all weights agree, `k̂` is minus infinity.
    """
    log_weights, shape = pareto_smooth((power - 1) * np.asarray(log_component, np.float64))
    return np.exp(log_weights), shape


def slope(powers: Float[np.ndarray, " k"], distances: Float[np.ndarray, "k m"]) -> Float[np.ndarray, " m"]:
    """Distance per unit of `log₂ power` at 1: the mean over powers near 1, those on both sides of it
    best."""
    return np.mean(distances / np.abs(np.log2(powers))[:, None], axis=0)


def weighted_slope(
    draws: Float[np.ndarray, "n m"], log_component: Float[np.ndarray, " n"], near: float
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"], float]:
    """Sensitivities by importance weights at the powers `1 - near` and `1 + near`, their standard errors, and the
    larger of both k̂."""
    powers = np.array([1 - near, 1 + near])
    both = [weights(log_component, power) for power in powers]

    def of(rows: np.ndarray) -> np.ndarray:
        moved = [distance(draws[rows], draws[rows], y_weights=w[rows]) for w, _ in both]
        return slope(powers, np.stack(moved))

    return of(np.arange(len(draws))), _spread(of, len(draws)), max(shape for _, shape in both)


def moved_slope(
    draws: Float[np.ndarray, "n m"], moved: Float[np.ndarray, "k n m"], powers: Float[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Sensitivities by draws at other powers, made of the same noise as `draws` row by row; their standard errors."""

    def of(rows: np.ndarray) -> np.ndarray:
        return slope(powers, np.stack([distance(draws[rows], there[rows]) for there in moved]))

    return of(np.arange(len(draws))), _spread(of, len(draws))


def _spread(of: Callable[[np.ndarray], np.ndarray], n: int) -> np.ndarray:
    """Standard error of a statistic of all rows, from its values on blocks of neighbouring ones (batch means)."""
    values = np.stack([of(rows) for rows in np.array_split(np.arange(n), min(BATCHES, n // 2))])
    return np.std(values, axis=0, ddof=1) / math.sqrt(len(values))


def diagnosis(prior: float, likelihood: float, threshold: float) -> str:
    """What a param's sensitivities say (as in priorsense): both large, prior and data pull different ways; the prior's
    alone, the data say little beside it."""
    if prior < threshold:
        return ""
    return CONFLICT if likelihood >= threshold else STRONG

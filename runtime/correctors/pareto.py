"""Pareto-smoothed importance sampling (Vehtari, Simpson, Gelman, Yao & Gabry 2024, JMLR 25, arXiv 1507.02646)."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

FEWEST = 25  # draws, below which no tail is fitted
GOOD = 0.7  # k̂ above which weights are not to be trusted


def pareto_smooth(log_weights: Float[np.ndarray, " n"]) -> tuple[Float[np.ndarray, " n"], float]:
    """Log weights of sum one, the largest replaced by quantiles of the Pareto law fitted to them, and its shape `k̂`.

    Weights that are not finite count as none. `k̂` is infinite when there are too few weights for a tail, or none.
    """
    x = np.where(np.isfinite(log_weights), np.asarray(log_weights, np.float64), -np.inf)
    n = len(x)
    if n < FEWEST or np.isneginf(x).all():
        return np.full(n, -math.log(n)), math.inf
    x = x - x.max()
    size = math.floor(min(0.2 * n, 3 * math.sqrt(n)))
    order = np.argsort(x)
    tail, cut = order[-size:], max(x[order[-size - 1]], math.log(np.finfo(float).tiny))
    excess = np.exp(x[tail]) - math.exp(cut)
    k = math.inf
    if np.ptp(x[tail]) < 1e-12:
        k = -math.inf  # equal weights have no tail
    elif np.sum(excess > 0) > 4:
        shape, scale = _fit(excess)
        k = shape * size / (size + 10) + 5 / (size + 10)  # drawn to ½, as much as ten draws would
        p = (np.arange(size) + 0.5) / size
        smooth = -scale * np.log1p(-p) if abs(k) < 1e-12 else scale * np.expm1(-k * np.log1p(-p)) / k
        x[tail] = np.minimum(np.log(smooth + math.exp(cut)), 0.0)
    return x - np.log(np.sum(np.exp(x))), k


def _fit(x: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto law of increasing excesses (Zhang & Stephens 2009)."""
    n = len(x)
    count = 30 + int(math.sqrt(n))
    quartile = x[int(n / 4 + 0.5) - 1]
    grid = 1 / x[-1] + (1 - np.sqrt(count / (np.arange(count) + 0.5))) / (3 * max(quartile, 1e-300))
    shapes = np.mean(np.log1p(-grid[:, None] * x), axis=1)
    profile = n * (np.log(-grid / shapes) - shapes - 1)
    weight = np.exp(profile - profile.max())
    at = float(weight @ grid / weight.sum())
    shape = float(np.mean(np.log1p(-at * x)))
    return shape, -shape / at

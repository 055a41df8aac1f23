"""R-hat and effective sample sizes of Vehtari et al., "Rank-normalization, folding, and localization: an improved
R-hat", Bayesian Analysis 16 (2021), arXiv 1903.08008. Chains come as arrays [chain, draw]."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri
from scipy.stats import rankdata

Chains = Float[np.ndarray, "_chain _draw"]  # underscored: halves have other sizes


def rhat(x: Chains) -> float:
    """The larger of rank-normalised split R-hat of location and of scale (equation 14); NaN for a constant."""
    halves = _split(x)
    return max(_rhat(_normal_scores(halves)), _rhat(_normal_scores(np.abs(halves - np.median(halves)))))


def ess_mean(x: Chains) -> float:
    """Effective sample size for the mean of x, from split chains (equation 10)."""
    return _ess(_split(x))


def ess_bulk(x: Chains) -> float:
    """Effective sample size for the location of the bulk: that of the rank-normalised draws."""
    return _ess(_normal_scores(_split(x)))


def ess_tail(x: Chains) -> float:
    """The smaller of the effective sample sizes for the 5 % and 95 % quantiles."""
    return min(_ess(_split((x <= quantile).astype(float))) for quantile in np.quantile(x, [0.05, 0.95]))


def _split(x: Chains) -> Chains:
    """Every chain as two halves: a chain that drifts then disagrees with itself. An odd middle draw is left out."""
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, -half:]])


def _normal_scores(x: Chains) -> Chains:
    """Normal quantiles of the ranks over all chains, ties averaged (equation 14)."""
    return ndtri((rankdata(x).reshape(x.shape) - 3 / 8) / (x.size + 1 / 4))


def _rhat(x: Chains) -> float:
    within = np.var(x, axis=1, ddof=1).mean()
    if within == 0:
        return float("nan")
    between = np.var(x.mean(axis=1), ddof=1)
    return float(np.sqrt((x.shape[1] - 1) / x.shape[1] + between / within))


def _ess(x: Chains) -> float:
    """Geyer's initial monotone positive sequence over averaged autocovariances, as Stan computes it."""
    n = x.shape[1]
    if np.ptp(x) < np.finfo(float).resolution:
        return float(x.size)
    covariance = _autocovariance(x).mean(axis=0)
    within = covariance[0] * n / (n - 1)
    total = covariance[0] + np.var(x.mean(axis=1), ddof=1)
    correlation = 1 - (within - covariance) / total
    correlation[0] = 1
    pairs = correlation[: n - n % 2].reshape(-1, 2)[: max((n - 1) // 2, 1)]
    sums = pairs.sum(axis=1)
    negative = np.flatnonzero(sums <= 0)
    stop = negative[0] if len(negative) else len(sums) - 1
    tau = 2 * np.minimum.accumulate(sums[:stop]).sum() - 1 + max(pairs[stop, 0], 0)
    return float(x.size / max(tau, 1 / np.log10(x.size)))  # antithetic chains may beat independent draws, to a point


def _autocovariance(x: Chains) -> Chains:
    """Biased (divided by n) autocovariance at lags 0 ... n-1, by a zero-padded FFT."""
    n = x.shape[1]
    spectrum = np.fft.rfft(x - x.mean(axis=1, keepdims=True), 2 * n, axis=1)
    return np.fft.irfft(np.abs(spectrum) ** 2, 2 * n, axis=1)[:, :n] / n

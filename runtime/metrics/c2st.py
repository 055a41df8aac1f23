"""Classifier two-sample test (Lopez-Paz & Oquab, arXiv 1610.06545) in the protocol of sbibm (arXiv 2101.04653)."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import jax.random as jr
import numpy as np
from jaxtyping import Float

from bsi.runtime.metrics.base import Estimate, equal_sizes, standardised
from bsi.runtime.metrics.classifier import accuracy

_WIDEST = 1000  # units of a layer: at 10 m, the classifier of an image of 32 by 32 would have a billion weights


def c2st(
    draws: Float[np.ndarray, "a m"], reference: Float[np.ndarray, "b m"], *, seed: int = 1, folds: int = 5
) -> Estimate:
    """Accuracy of a classifier that tells draws from reference: 0.5 is perfect agreement, 1 none.

    sbibm's protocol: scikit-learn's MLP (here `classifier`) with two hidden layers of 10 m, ReLU and Adam, on both
    samples z-scored by the reference, mean accuracy over shuffled folds. Compare values at equal numbers of draws only,
    10 000 by custom: fewer hide errors. The larger sample is thinned at random to the size of the smaller.

    Returns:
        The mean, and the standard error of that mean over folds (their training sets overlap, so it is a little small).

    Raises:
        ValueError: draws are not finite, or the reference does not vary in some coordinate.
    """
    rng = np.random.default_rng(seed)
    a, b = equal_sizes(*standardised(draws, reference), rng)
    rows = np.concatenate([b, a]).astype(np.float32)
    labels = np.repeat(np.array([0, 1], np.float32), len(a))
    parts: list[np.ndarray] = np.array_split(rng.permutation(len(rows)), folds)

    def score(fold: int) -> float:
        test = parts[fold]
        train = np.concatenate(parts[:fold] + parts[fold + 1 :])
        key = jr.fold_in(jr.key(seed), fold)
        width = min(10 * rows.shape[1], _WIDEST)
        return float(accuracy(key, (rows[train], labels[train]), (rows[test], labels[test]), width))

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # matrices of 200 rows do not fill a core; folds do
        scores = np.array(list(pool.map(score, range(folds))))
    return Estimate(float(scores.mean()), float(scores.std(ddof=1) / np.sqrt(folds)))

"""Classifier two-sample test (Lopez-Paz & Oquab, arXiv 1610.06545) in the protocol of sbibm (arXiv 2101.04653)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float

from bsi.runtime.metrics.base import Estimate, equal_sizes, standardised


def c2st(
    draws: Float[np.ndarray, "a m"], reference: Float[np.ndarray, "b m"], *, seed: int = 1, folds: int = 5
) -> Estimate:
    """Accuracy of a classifier that tells draws from reference: 0.5 is perfect agreement, 1 none.

    sbibm's protocol: scikit-learn's MLP with two hidden layers of 10 m, ReLU and Adam, on both samples z-scored by the
    reference, mean accuracy over shuffled folds. Compare values at equal numbers of draws only, 10 000 by custom:
    fewer hide errors. The larger sample is thinned at random to the size of the smaller.

    Returns:
        The mean, and the standard error of that mean over folds (their training sets overlap, so it is a little small).

    Raises:
        ValueError: draws are not finite, or the reference does not vary in some coordinate.
    """
    from sklearn.model_selection import KFold
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    a, b = equal_sizes(*standardised(draws, reference), np.random.default_rng(seed))
    rows = np.concatenate([b, a]).astype(np.float32)  # twice as fast; the classifier keeps the dtype
    labels = np.repeat([0, 1], len(a))
    hidden = (10 * rows.shape[1],) * 2

    def accuracy(split: tuple[np.ndarray, np.ndarray]) -> float:
        train, test = split
        classifier = MLPClassifier(hidden, activation="relu", solver="adam", max_iter=10_000, random_state=seed)
        return float(classifier.fit(rows[train], labels[train]).score(rows[test], labels[test]))

    splits = KFold(folds, shuffle=True, random_state=seed).split(rows)
    # Matrices of 200 rows are too small to share between cores; folds are not.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor() as pool:
        scores = np.array(list(pool.map(accuracy, splits)))
    return Estimate(float(scores.mean()), float(scores.std(ddof=1) / np.sqrt(folds)))

"""Domains of laws' arguments: what may stand there, and which entry of a known value may not."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from bsi.compiler import fold, supports
from bsi.compiler.laws import Domain

PHRASES: dict[Domain, str] = {
    "real": "a number",
    "positive": "positive",
    "nonnegative": "non-negative",
    "unit": "between 0 and 1",
    "correlation": "between -1 and 1",
    "whole": "a whole number",
    "natural": "a whole number, 0 or more",
    "probabilities": "non-negative and sum to 1",
    "increasing": "in increasing order",
    "positive_definite": "symmetric and positive definite",
    "cholesky": "lower triangular with a positive diagonal",
    "adjacency": "symmetric, of zeros and ones, with a neighbour for every entry",
}
WHOLE: frozenset[Domain] = frozenset({"whole", "natural"})

# Supports of params that lie in a domain, where it is one of whole vectors or matrices.
INSIDE: dict[Domain, frozenset[str]] = {
    "probabilities": frozenset({"simplex"}),
    "increasing": frozenset({"ordered", "positive_ordered"}),
    "positive_definite": frozenset({"covariance", "corr_matrix"}),
    "cholesky": frozenset({"cholesky_cov", "cholesky_corr"}),
}

# Intervals that a param's support may leave.
BOUNDS: dict[Domain, tuple[float, float]] = {
    "positive": (0.0, math.inf),
    "nonnegative": (0.0, math.inf),
    "unit": (0.0, 1.0),
    "correlation": (-1.0, 1.0),
}

_ENTRIES: dict[Domain, Callable[[float], bool]] = {
    "real": lambda x: not math.isnan(x),
    "positive": lambda x: x > 0,
    "nonnegative": lambda x: x >= 0,
    "natural": lambda x: x >= 0,
    "unit": lambda x: 0 <= x <= 1,
    "correlation": lambda x: -1 < x < 1,
    "whole": lambda x: True,
}


def _probabilities(vector: Any) -> bool:
    return supports.KINDS["simplex"].wrong(vector) is None


def _increasing(vector: Any) -> bool:
    return all(a < b for a, b in pairwise(vector))


def _adjacency(matrix: Any) -> bool:
    n = len(matrix)
    symmetric = all(matrix[i][j] == matrix[j][i] for i in range(n) for j in range(i))
    return symmetric and all(set(row) <= {0, 1} and any(row) for row in matrix)


# Domains of whole vectors and matrices: how many trailing axes they look at, and whether all is well.
_ARRAYS: dict[Domain, tuple[int, Callable[[Any], bool]]] = {
    "probabilities": (1, _probabilities),
    "increasing": (1, _increasing),
    "positive_definite": (2, lambda matrix: supports.not_positive_definite(matrix) is None),
    "cholesky": (2, lambda matrix: supports.not_cholesky(matrix) is None),
    "adjacency": (2, _adjacency),
}


def outside(domain: Domain, known: Any) -> Any:
    """The first entry (or, for domains of whole arrays, the array) outside `domain`; None when all is well."""
    if domain in _ARRAYS:
        axes, good = _ARRAYS[domain]
        return next((value for _, value in supports.values(known, axes) if not good(value)), None)
    return next((x for x in fold.flat(known) if not _ENTRIES[domain](x)), None)

"""Where values live: intervals, and the constrained vectors and matrices that are types, supports of laws, or both.

Each kind is one row: how many working coordinates a value has, what to say of a value that is none, which law draws it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bsi.compiler import fold, shapes
from bsi.compiler.ir import Expr, Support

TOLERANCE = 1e-6  # of sums and products of data that were rounded when they were written


@dataclass(frozen=True)
class Kind:
    """`axes` is the number of axes of one value: a vector of k entries, or a k x k matrix.

    `free(k)` counts its working coordinates. `wrong(value)` says, as the end of a sentence, why a nested tuple of
    numbers is no such value, or gives None. `law` is a call that draws one, for messages.
    """

    name: str
    axes: int
    plural: str
    free: Callable[[int], int]
    wrong: Callable[[Any], str | None]
    law: str
    doc: str
    least: int = 1


def _not_simplex(vector: Any) -> str | None:
    low, total = min(vector), math.fsum(vector)
    if low < 0:
        return f"has the negative entry {low:g}"
    return None if abs(total - 1) <= TOLERANCE else f"sums to {total:g}, not 1"


def _not_ordered(vector: Any) -> str | None:
    bad = next(((a, b) for a, b in itertools.pairwise(vector) if not a < b), None)
    return f"has {bad[1]:g} after {bad[0]:g}" if bad else None


def _not_positive_ordered(vector: Any) -> str | None:
    return f"starts with {vector[0]:g}, which is not positive" if not vector[0] > 0 else _not_ordered(vector)


def _not_unit(vector: Any) -> str | None:
    length = math.hypot(*vector)
    return None if abs(length - 1) <= TOLERANCE else f"has length {length:g}, not 1"


def _not_centred(vector: Any) -> str | None:
    total = math.fsum(vector)
    scale = max(map(abs, vector), default=0.0)
    return None if abs(total) <= TOLERANCE * max(scale, 1.0) else f"sums to {total:g}, not 0"


def not_positive_definite(matrix: Any) -> str | None:
    """By Cholesky factorisation."""
    n = len(matrix)
    pairs = ((i, j) for i in range(n) for j in range(i))
    if any(abs(matrix[i][j] - matrix[j][i]) > TOLERANCE * (abs(matrix[i][j]) + 1) for i, j in pairs):
        return "is not symmetric"
    factor: list[list[float]] = []
    for i in range(n):
        row: list[float] = []
        for j in range(i + 1):
            rest = matrix[i][j] - sum(row[k] * (factor[j] if j < i else row)[k] for k in range(j))
            if i == j and not rest > 0:
                return "is not positive definite"
            row.append(math.sqrt(rest) if i == j else rest / factor[j][j])
        factor.append(row)
    return None


def _not_correlation(matrix: Any) -> str | None:
    bad = next((row[i] for i, row in enumerate(matrix) if abs(row[i] - 1) > TOLERANCE), None)
    return f"has {bad:g} on its diagonal, not 1" if bad is not None else not_positive_definite(matrix)


def not_cholesky(matrix: Any) -> str | None:
    """Lower triangular with a positive diagonal."""
    for i, row in enumerate(matrix):
        if any(row[i + 1 :]):
            return "is not lower triangular"
        if not row[i] > 0:
            return f"has {row[i]:g} on its diagonal, which is not positive"
    return None


def _not_cholesky_corr(matrix: Any) -> str | None:
    return not_cholesky(matrix) or next(filter(None, map(_not_unit, matrix)), None)


def _pairs(k: int) -> int:
    return k * (k - 1) // 2


_ROWS = (
    Kind(
        "simplex",
        1,
        "vectors that sum to 1",
        lambda k: k - 1,
        _not_simplex,
        "dirichlet(1)",
        "k non-negative numbers that sum to 1",
        2,
    ),
    Kind(
        "ordered",
        1,
        "ordered vectors",
        lambda k: k,
        _not_ordered,
        "normal(0, 5)",
        "k increasing numbers",
    ),
    Kind(
        "positive_ordered",
        1,
        "positive ordered vectors",
        lambda k: k,
        _not_positive_ordered,
        "exponential(1)",
        "k increasing positive numbers",
    ),
    Kind(
        "unit_vector",
        1,
        "vectors of length 1",
        lambda k: k - 1,
        _not_unit,
        "uniform_sphere()",
        "k numbers whose squares sum to 1",
        2,
    ),
    Kind(
        "sum_to_zero",
        1,
        "vectors that sum to 0",
        lambda k: k - 1,
        _not_centred,
        "zero_sum_normal(1)",
        "k numbers that sum to 0",
        2,
    ),
    Kind(
        "corr_matrix",
        2,
        "correlation matrices",
        _pairs,
        _not_correlation,
        "lkj(2)",
        "a k x k correlation matrix",
        2,
    ),
    Kind(
        "cholesky_corr",
        2,
        "Cholesky factors of correlation matrices",
        _pairs,
        _not_cholesky_corr,
        "lkj_cholesky(2)",
        "the lower Cholesky factor of a k x k correlation matrix",
        2,
    ),
    Kind(
        "covariance",
        2,
        "covariance matrices",
        lambda k: k * (k + 1) // 2,
        not_positive_definite,
        "inverse_wishart(k + 1, eye(k))",
        "a k x k symmetric positive definite matrix",
    ),
    Kind(
        "cholesky_cov",
        2,
        "Cholesky factors of covariance matrices",
        lambda k: k * (k + 1) // 2,
        not_cholesky,
        "inverse_wishart_cholesky(k + 1, eye(k))",
        "a k x k lower triangular matrix with a positive diagonal",
    ),
)

KINDS = {row.name: row for row in _ROWS}

# What users of other tools write -> the type here.
ALIASES = {
    "float": "real",
    "vector": "real",
    "matrix": "real",
    "integer": "int",
    "cov_matrix": "covariance",
    "cholesky_factor_corr": "cholesky_corr",
    "cholesky_factor_cov": "cholesky_cov",
    "correlation": "corr_matrix",
    "sum_to_zero_vector": "sum_to_zero",
}


def values(array: Any, axes: int) -> list[tuple[tuple[int, ...], Any]]:
    """The trailing arrays of `axes` axes of a nested tuple, each with its place in the leading ones."""
    if len(fold.shape_of(array)) == axes:
        return [((), array)]
    return [((i, *place), value) for i, part in enumerate(array) for place, value in values(part, axes)]


def first_wrong(kind: str, array: Any) -> tuple[tuple[int, ...], str] | None:
    """Place of the first value that is no `kind` (a name of `KINDS`), and what is wrong with it."""
    row = KINDS[kind]
    for place, value in values(array, row.axes):
        wrong = row.wrong(value)
        if wrong:
            return place, wrong
    return None


def contains(declared: str, kind: str) -> bool:
    """Whether every value of `kind` is one of `declared`."""
    return declared == kind or (declared, kind) == ("ordered", "positive_ordered")


def shown(support: Support) -> str:
    """`(0, inf)`, `correlation matrices`; bounds that depend on other params are `...`."""
    if support.kind in KINDS:
        return KINDS[support.kind].plural
    if support.kind == "counts":
        return "counts with a given sum"
    if support.kind == "real":
        return "the whole line"
    low, high = (
        "..."
        if (bound and bound.op != "const") or (bound and bound.shape)
        else f"{bound.value:g}"
        if bound
        else infinite
        for bound, infinite in ((support.lower, "-inf"), (support.upper, "inf"))
    )
    return f"({low}, {high})"


# ---------------------------------------------------------------- intervals


def interval(lower: Expr | None, upper: Expr | None, integer: bool = False) -> Support:
    """Infinite bounds are no bounds; constants are floats."""
    lower, upper = (_tidy(bound) for bound in (lower, upper))
    return Support("interval" if lower or upper else "real", lower, upper, integer)


def _tidy(bound: Expr | None) -> Expr | None:
    if bound is None or bound.op != "const":
        return bound
    entries = fold.flat(bound.value)
    if all(math.isinf(x) for x in entries):
        return None
    return bound if bound.shape else fold.constant(float(bound.value))


def narrowed(support: Support, lower: Expr, upper: Expr) -> Support:
    """A support cut at `lower` and `upper`, where they are finite."""
    cut = interval(lower, upper, support.integer)
    return interval(_tighter(cut.lower, support.lower, max), _tighter(cut.upper, support.upper, min), support.integer)


def _tighter(cut: Expr | None, own: Expr | None, pick: Callable[[float, float], float]) -> Expr | None:
    """Of a cut and a law's own bound the one that holds. One that is computed is `maximum` or `minimum` of both."""
    if cut is None or own is None:
        return cut or own
    if cut.op == own.op == "const" and not cut.shape and not own.shape:
        return fold.constant(pick(cut.value, own.value))
    shape = shapes.broadcast(cut.shape, own.shape)
    return Expr("maximum" if pick is max else "minimum", (cut, own), None, shape)


def united(supports: list[Support]) -> Support:
    """Where a mixture of laws with these supports lives: the smallest interval around them; a bound that cannot be
    compared is dropped. Constrained vectors and matrices are of one kind (the caller's promise)."""
    first = supports[0]
    if first.kind not in ("real", "interval"):
        return first
    bounds: list[Expr | None] = []
    for side, pick in (("lower", min), ("upper", max)):
        own = [getattr(support, side) for support in supports]
        if any(bound is None for bound in own):
            bounds.append(None)
        elif all(bound == own[0] for bound in own):
            bounds.append(own[0])
        elif all(bound.op == "const" and not bound.shape for bound in own):
            bounds.append(pick(own, key=lambda bound: bound.value))
        else:
            bounds.append(None)
    return interval(bounds[0], bounds[1], first.integer)

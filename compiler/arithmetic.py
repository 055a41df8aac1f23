"""Values of functions on constants, in plain Python: what `compiler.functions` folds with.

Arrays are nested tuples; reductions and functions along an axis get the entries of one line as a list.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

Numbers = Sequence[Any]


def power(base: float, exponent: float) -> float:
    """`base ^ exponent`. Raises: ValueError where the result is not real."""
    if isinstance(base, int) and isinstance(exponent, int) and exponent < 0:
        return float(base) ** exponent
    result = base**exponent
    if isinstance(result, complex):
        raise ValueError("a negative number to a fractional power")
    return result


def total(entries: Numbers) -> float:
    return sum(entries) if all(isinstance(x, int) for x in entries) else math.fsum(entries)


def mean(entries: Numbers) -> float:
    return math.fsum(entries) / len(entries)


def variance(entries: Numbers) -> float:
    """Divides by the number of entries."""
    middle = mean(entries)
    return math.fsum((x - middle) ** 2 for x in entries) / len(entries)


def sd(entries: Numbers) -> float:
    return math.sqrt(variance(entries))


def log_sum_exp(entries: Numbers) -> float:
    top = max(entries)
    return top if math.isinf(top) else top + math.log(math.fsum(math.exp(x - top) for x in entries))


def argmax(entries: Numbers) -> int:
    return max(range(len(entries)), key=lambda i: (entries[i], -i))


def argmin(entries: Numbers) -> int:
    return min(range(len(entries)), key=lambda i: (entries[i], i))


def cumsum(entries: Numbers) -> Numbers:
    return list(itertools.accumulate(entries))


def cumprod(entries: Numbers) -> Numbers:
    return list(itertools.accumulate(entries, lambda a, b: a * b))


def diff(entries: Numbers) -> Numbers:
    return [b - a for a, b in itertools.pairwise(entries)]


def log_softmax(entries: Numbers) -> Numbers:
    norm = log_sum_exp(entries)
    return [x - norm for x in entries]


def softmax(entries: Numbers) -> Numbers:
    return [math.exp(x) for x in log_softmax(entries)]


def expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else 1 - 1 / (1 + math.exp(x))


def log_expit(x: float) -> float:
    return -softplus(-x)


def logit(p: float) -> float:
    return math.log(p) - math.log1p(-p)


def softplus(x: float) -> float:
    return math.log1p(math.exp(-abs(x))) + max(x, 0)


def inv_cloglog(x: float) -> float:
    return -math.expm1(-math.exp(x))


def cloglog(p: float) -> float:
    return math.log(-math.log1p(-p))


def phi(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


def inv_phi(p: float) -> float:
    """Raises: ValueError outside (0, 1)."""
    from statistics import NormalDist  # slow to import, and seldom needed while checking

    if not 0 < p < 1:
        raise ValueError("math domain error")
    return NormalDist().inv_cdf(p)


def log_add_exp(a: float, b: float) -> float:
    return log_sum_exp([a, b])


def log_diff_exp(a: float, b: float) -> float:
    return a + math.log(-math.expm1(b - a))


def lbeta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def lchoose(n: float, k: float) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def xlogy(x: float, y: float) -> float:
    return 0.0 if x == 0 else x * math.log(y)


def dot(a: Any, b: Any) -> Any:
    return sum(x * y for x, y in zip(a, b, strict=True))


def outer(a: Any, b: Any) -> Any:
    return tuple(tuple(x * y for y in b) for x in a)


def transpose(matrix: Any) -> Any:
    """Rows as columns. Of a stack of matrices, each."""
    if isinstance(matrix[0][0], tuple):
        return tuple(map(transpose, matrix))
    return tuple(zip(*matrix, strict=True))


def kron(a: Any, b: Any) -> Any:
    return tuple(tuple(x * y for x in row for y in other) for row in a for other in b)


def squared_distance(a: Any, b: Any) -> Any:
    def between(p: Any, q: Any) -> Any:
        return sum((x - y) ** 2 for x, y in zip(p, q, strict=True)) if isinstance(p, tuple) else (p - q) ** 2

    return tuple(tuple(between(p, q) for q in b) for p in a)


def filled(entry: float) -> Callable[..., Any]:
    """An array of the given sizes, with `entry` everywhere."""

    def fill(*sizes: int) -> Any:
        value: Any = entry
        for n in reversed(sizes):
            value = (value,) * n
        return value

    return fill


def eye(n: int) -> Any:
    return tuple(tuple(1.0 if i == j else 0.0 for j in range(n)) for i in range(n))


def linspace(low: float, high: float, n: int) -> Any:
    return tuple(low + (high - low) * i / (n - 1) for i in range(n)) if n > 1 else (float(low),)


def logspace(low: float, high: float, n: int) -> Any:
    return tuple(10.0**x for x in linspace(low, high, n))


def repeat(value: Any, n: int) -> Any:
    return tuple(x for x in value for _ in range(n)) if isinstance(value, tuple) else (value,) * n


def tile(value: Any, n: int) -> Any:
    return value * n if isinstance(value, tuple) else (value,) * n

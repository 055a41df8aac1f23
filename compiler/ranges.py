"""Ranges: between which numbers the entries of an expression lie, by interval arithmetic.

Moore, Kearfott and Cloud (2009), *Introduction to Interval Analysis*, chapters 2 and 5: the range is exact when every
name occurs once, and otherwise too wide. Ends count as inside, whether they are reached or not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping

from bsi.compiler import fold
from bsi.compiler.ir import Expr, Param, Support

Range = tuple[float, float]

LINE = (-math.inf, math.inf)
HALF = (0.0, math.inf)
UNIT = (0.0, 1.0)
KINDS: dict[str, Range] = {  # entries of params whose supports are no intervals
    "simplex": UNIT,
    "positive_ordered": HALF,
    "unit_vector": (-1.0, 1.0),
    "cholesky_corr": (-1.0, 1.0),
    "corr_matrix": (-1.0, 1.0),
}


def of(expr: Expr, known: Mapping[str, Range]) -> Range | None:
    """The range of `expr`, given those of the names in it; None when nothing can be said."""
    match expr.op:
        case "const":
            return around(expr.value)
        case "ref":
            return known.get(expr.value)
        case "map":
            name, n = expr.value
            return of(expr.args[0], {**known, name: (0.0, n - 1.0)})
        case "where":
            return _hull(*(of(arg, known) for arg in expr.args[1:]))
        case "index":
            return of(expr.args[0], known)
        case "simulate":  # the bounds that its result is declared with
            low, high = expr.value.bounds
            return None if low is high is None else (LINE[0] if low is None else low, LINE[1] if high is None else high)
        case "mul" | "dot" | "matmul" if expr.args[0] == expr.args[1] and (expr.op != "matmul" or not expr.shape):
            return _of_square(expr, of(expr.args[0], known))
    if expr.op in FIXED:
        return FIXED[expr.op]
    args = [of(arg, known) for arg in expr.args]
    if expr.op in SAME:
        return args[0]
    if expr.op in MONOTONE and args[0] is not None:
        return _image(MONOTONE[expr.op], args[0])
    if expr.op not in RULES or any(arg is None for arg in args):
        return DEFAULTS.get(expr.op)
    found = RULES[expr.op](expr, *(arg for arg in args if arg is not None))
    return None if found is None or any(map(math.isnan, found)) else found


def of_params(params: Mapping[str, Param], data: Mapping[str, object]) -> dict[str, Range]:
    """Ranges of params, by their supports, and of data, by their values. Supports may refer to other params."""
    known: dict[str, Range] = {name: around(value) for name, value in data.items()}
    for _ in range(len(params) + 1):
        found = {name: of_support(param.support, known) for name, param in params.items()}
        if all(known.get(name) == found[name] for name in found):
            break
        known.update(found)
    return known


def is_narrow(expr: Expr, data: Mapping[str, object], loops: Mapping[str, int]) -> bool:
    """Whether whole numbers stay within 32 bits, as far as data, constants and the lengths of loops tell. Those that
    may not are computed as real numbers: they lose digits, where whole ones would wrap around."""
    names = fold.references(expr)
    known = {name: around(data[name]) for name in names & data.keys()}
    known |= {name: (0.0, n - 1.0) for name, n in loops.items() if name in names}
    found = of(expr, known)
    return found is None or not any(math.isfinite(end) and abs(end) >= fold.WIDEST for end in found)


def of_support(support: Support, known: Mapping[str, Range]) -> Range:
    """The range of a param, from the ranges of the names that its bounds refer to."""
    low = of(support.lower, known) if support.lower else None
    high = of(support.upper, known) if support.upper else None
    lowest, highest = KINDS.get(support.kind, LINE)
    return (low[0] if low else lowest, high[1] if high else highest)


def exact(expr: Expr, params: Mapping[str, Param]) -> bool:
    """Whether the range of `expr` is one that it can really reach: no name comes in twice, be it in a condition or by
    the bounds of the support of another."""
    return all(count == 1 for count in _occurrences(expr, params).values())


def _occurrences(expr: Expr, params: Mapping[str, Param]) -> Counter[str]:
    if expr.op == "ref":
        support = params[expr.value].support if expr.value in params else Support()
        inside = [_occurrences(bound, params) for bound in (support.lower, support.upper) if bound]
        return sum(inside, Counter({expr.value: 1}))
    args = expr.args[:1] if expr.op == "index" else expr.args  # which entry it is does not matter
    return sum((_occurrences(arg, params) for arg in args), Counter())


# ---------------------------------------------------------------- intervals


def around(value: object) -> Range:
    """The smallest range of a nested tuple of numbers."""
    entries = fold.flat(value)
    return (float(min(entries)), float(max(entries)))


def _hull(*ranges: Range | None) -> Range | None:
    known = [r for r in ranges if r is not None]
    return (min(r[0] for r in known), max(r[1] for r in known)) if len(known) == len(ranges) else None


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else a * b  # an infinite end is never reached, so 0 times it is 0


def _product(a: Range, b: Range) -> Range:
    ends = [_times(x, y) for x in a for y in b]
    return (min(ends), max(ends))


def _inverse(a: Range) -> Range:
    if a[0] < 0 < a[1]:
        return LINE
    low = -math.inf if a[1] == 0 else 1 / a[1]
    high = math.inf if a[0] == 0 else 1 / a[0]
    return (low, high)


def _image(function: Callable[[float], float], a: Range) -> Range:
    """Under an increasing function; where it has no value, its limit, from inside its domain."""
    return (_limit(function, a[0], -math.inf), _limit(function, a[1], math.inf))


def _limit(function: Callable[[float], float], x: float, beyond: float) -> float:
    try:
        return function(x)
    except (ValueError, OverflowError, ZeroDivisionError):
        return beyond


def _abs(a: Range) -> Range:
    low, high = sorted((abs(a[0]), abs(a[1])))
    return (0.0 if a[0] <= 0 <= a[1] else low, high)


def _scaled(a: Range, n: int) -> Range:
    return (_times(n, a[0]), _times(n, a[1]))


def _entries(expr: Expr) -> int:
    """How many entries of the argument come together in one of a reduction."""
    return math.prod(expr.args[0].shape) // max(math.prod(expr.shape), 1)


def _power(expr: Expr, base: Range, exponent: Range) -> Range | None:
    if exponent[0] != exponent[1]:
        return HALF if base[0] >= 0 else None
    n = exponent[0]
    if n == 0:
        return (1.0, 1.0)
    if base[0] < 0 and n % 2 == 0 and n > 0:
        base = _abs(base)
    elif base[0] < 0 and (n % 2 != 1 or n < 0):
        return None
    ends = sorted(_limit(lambda x: x**n, x, math.inf) for x in base)
    return (ends[0], ends[1])


def _of_square(expr: Expr, a: Range | None) -> Range:
    """Of a number by itself, or of a vector by itself."""
    square = None if a is None else _power(expr, a, (2.0, 2.0))
    return HALF if square is None else _scaled(square, expr.args[0].shape[-1] if expr.op != "mul" else 1)


def _product_of_entries(expr: Expr, a: Range) -> Range | None:
    n = _entries(expr)
    return _power(expr, a, (float(n), float(n))) if a[0] >= 0 else None


# ---------------------------------------------------------------- functions

FIXED: dict[str, Range] = {
    "zeros": (0.0, 0.0),
    "ones": (1.0, 1.0),
    "eye": UNIT,
    "squared_distance": HALF,
    "var": HALF,
    "sd": HALF,
    "norm": HALF,
    "softmax": UNIT,
    "log_softmax": (-math.inf, 0.0),
    "sin": (-1.0, 1.0),
    "cos": (-1.0, 1.0),
    "cosh": (1.0, math.inf),
    "atan": (-math.pi / 2, math.pi / 2),
    "atan2": (-math.pi, math.pi),
    "trigamma": HALF,
}
# Of any argument: what holds where nothing is known of it.
DEFAULTS: dict[str, Range] = {
    "exp": HALF,
    "square": HALF,
    "abs": HALF,
    "sqrt": HALF,
    "expit": UNIT,
    "phi": UNIT,
    "inv_cloglog": UNIT,
    "log_expit": (-math.inf, 0.0),
    "softplus": HALF,
    "erf": (-1.0, 1.0),
    "erfc": (0.0, 2.0),
    "tanh": (-1.0, 1.0),
    "sign": (-1.0, 1.0),
    "expm1": (-1.0, math.inf),
}
SAME = frozenset({"mean", "min", "max", "sort", "reverse", "transpose", "flatten", "reshape", "repeat", "tile"})
MONOTONE: dict[str, Callable[[float], float]] = {
    "exp": math.exp,
    "log": math.log,
    "log1p": math.log1p,
    "log2": math.log2,
    "log10": math.log10,
    "expm1": math.expm1,
    "sqrt": math.sqrt,
    "floor": lambda x: x if math.isinf(x) else math.floor(x),
    "ceil": lambda x: x if math.isinf(x) else math.ceil(x),
    "round": lambda x: x if math.isinf(x) else round(x),
    "asin": math.asin,
    "sinh": math.sinh,
    "asinh": math.asinh,
    "acosh": math.acosh,
    "atanh": math.atanh,
    "tanh": math.tanh,
    "erf": math.erf,
}
RULES: dict[str, Callable[..., Range | None]] = {
    "neg": lambda _, a: (-a[1], -a[0]),
    "add": lambda _, a, b: (a[0] + b[0], a[1] + b[1]),
    "sub": lambda _, a, b: (a[0] - b[1], a[1] - b[0]),
    "mul": lambda _, a, b: _product(a, b),
    "div": lambda _, a, b: _product(a, _inverse(b)),
    "outer": lambda _, a, b: _product(a, b),
    "kron": lambda _, a, b: _product(a, b),
    "pow": _power,
    "square": lambda expr, a: _power(expr, a, (2.0, 2.0)),
    "abs": lambda _, a: _abs(a),
    "log1m": lambda _, a: _image(math.log1p, (-a[1], -a[0])),
    "minimum": lambda _, a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "maximum": lambda _, a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "stack": lambda _, *args: _hull(*args),
    "concat": lambda _, *args: _hull(*args),
    "linspace": lambda _, a, b, n: _hull(a, b),
    "interp": lambda _, a, xs, ys: ys,
    "diag": lambda _, a: _hull(a, (0.0, 0.0)),
    "sum": lambda expr, a: _scaled(a, _entries(expr)),
    "prod": _product_of_entries,
    "cumsum": lambda expr, a: _hull(a, _scaled(a, expr.shape[expr.value])),
    "dot": lambda expr, a, b: _scaled(_product(a, b), expr.args[0].shape[-1]),
    "matmul": lambda expr, a, b: _scaled(_product(a, b), expr.args[0].shape[-1]),
    "mod": lambda _, a, b: (0.0, b[1]) if b[0] > 0 else None,
    "log_sum_exp": lambda expr, a: (a[0], a[1] + math.log(_entries(expr))),
}

"""The functions and operators of expressions, one row each: arity, shape rule, and a Python value for constants.

`rule` names a function of `compiler.shapes`. `python` folds constants: for an `elementwise` row it takes numbers, for
every other row nested tuples. Rows without it stay symbolic until they are lowered.

In the intermediate representation a reduction (`sum prod min max mean var sd log_sum_exp norm`) has `value` None when
it goes over all entries, or 0 when it goes over the leading axis (a comprehension with a reducer).
Constructors have only static arguments: `zeros(n, m)`, `eye(n)`, `linspace(low, high, n)`; `size` is always folded.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Rule = Literal[
    "elementwise",  # broadcast all arguments
    "reduce",  # any shape -> scalar
    "along",  # a vector or more, same shape out: cumsum, softmax
    "matmul",
    "dot",
    "outer",
    "transpose",
    "diag",  # vector -> matrix, matrix -> vector
    "square",  # square matrix -> same shape
    "square_to_scalar",
    "solve",
    "fill",  # sizes -> that shape
    "eye",
    "linspace",
    "concat",
    "stack",
    "size",
]
Kind = Literal["real", "int", "bool", "same"]  # same: int if all arguments are


@dataclass(frozen=True)
class Function:
    """`arity` is (fewest, most); most is None for any number."""

    name: str
    arity: tuple[int, int | None]
    rule: Rule
    kind: Kind
    python: Callable[..., Any] | None
    doc: str


def _numbers(value: Any) -> list[Any]:
    """Entries of a nested tuple, row-major."""
    return [entry for item in value for entry in _numbers(item)] if isinstance(value, tuple) else [value]


def _power(base: float, exponent: float) -> float:
    if isinstance(base, int) and isinstance(exponent, int) and exponent < 0:
        return float(base) ** exponent
    result = base**exponent
    if isinstance(result, complex):
        raise ValueError("a negative number to a fractional power")
    return result


def _sd(value: Any) -> float:
    return math.sqrt(_variance(value))


def _variance(value: Any) -> float:
    entries = _numbers(value)
    mean = math.fsum(entries) / len(entries)
    return math.fsum((x - mean) ** 2 for x in entries) / len(entries)


def _total(value: Any) -> float:
    entries = _numbers(value)
    return sum(entries) if all(isinstance(x, int) for x in entries) else math.fsum(entries)


def _filled(entry: float) -> Callable[..., Any]:
    def fill(*sizes: int) -> Any:
        value: Any = entry
        for n in reversed(sizes):
            value = (value,) * n
        return value

    return fill


def _eye(n: int) -> Any:
    return tuple(tuple(1.0 if i == j else 0.0 for j in range(n)) for i in range(n))


def _linspace(low: float, high: float, n: int) -> Any:
    return tuple(low + (high - low) * i / (n - 1) for i in range(n)) if n > 1 else (float(low),)


def _logspace(low: float, high: float, n: int) -> Any:
    return tuple(10.0**x for x in _linspace(low, high, n))


def _cumsum(vector: Any) -> Any:
    total, out = 0, []
    for entry in vector:
        total += entry
        out.append(total)
    return tuple(out)


def _unary(name: str, python: Callable[..., Any], doc: str, kind: Kind = "real") -> Function:
    return Function(name, (1, 1), "elementwise", kind, python, doc)


def _binary(name: str, python: Callable[..., Any], doc: str, kind: Kind = "same") -> Function:
    return Function(name, (2, 2), "elementwise", kind, python, doc)


_ROWS = (
    # operators
    _binary("add", operator.add, "a + b"),
    _binary("sub", operator.sub, "a - b"),
    _binary("mul", operator.mul, "a * b"),
    _binary("div", operator.truediv, "a / b", "real"),
    _binary("pow", _power, "a ^ b"),
    _unary("neg", operator.neg, "-a", "same"),
    Function("matmul", (2, 2), "matmul", "same", None, "a @ b"),
    _binary("lt", operator.lt, "a < b", "bool"),
    _binary("le", operator.le, "a <= b", "bool"),
    _binary("gt", operator.gt, "a > b", "bool"),
    _binary("ge", operator.ge, "a >= b", "bool"),
    _binary("eq", operator.eq, "a == b", "bool"),
    _binary("ne", operator.ne, "a != b", "bool"),
    _binary("and", lambda a, b: bool(a and b), "a and b", "bool"),
    _binary("or", lambda a, b: bool(a or b), "a or b", "bool"),
    _unary("not", operator.not_, "not a", "bool"),
    # elementwise
    _unary("exp", math.exp, "exponential"),
    _unary("log", math.log, "natural logarithm"),
    _unary("log1p", math.log1p, "log(1 + x)"),
    _unary("expm1", math.expm1, "exp(x) - 1"),
    _unary("log10", math.log10, "logarithm to base 10"),
    _unary("sqrt", math.sqrt, "square root"),
    _unary("square", lambda x: x * x, "x^2", "same"),
    _unary("abs", abs, "absolute value", "same"),
    _unary("sign", lambda x: (x > 0) - (x < 0), "-1, 0 or 1", "same"),
    _unary("floor", lambda x: float(math.floor(x)), "largest whole number not above x"),
    _unary("ceil", lambda x: float(math.ceil(x)), "smallest whole number not below x"),
    _unary("sin", math.sin, "sine"),
    _unary("cos", math.cos, "cosine"),
    _unary("tan", math.tan, "tangent"),
    _unary("asin", math.asin, "arc sine"),
    _unary("acos", math.acos, "arc cosine"),
    _unary("atan", math.atan, "arc tangent"),
    _binary("atan2", math.atan2, "angle of the point (second, first)", "real"),
    _unary("sinh", math.sinh, "hyperbolic sine"),
    _unary("cosh", math.cosh, "hyperbolic cosine"),
    _unary("tanh", math.tanh, "hyperbolic tangent"),
    _unary("expit", lambda x: 1 / (1 + math.exp(-x)) if x > 0 else 1 - 1 / (1 + math.exp(x)), "1 / (1 + exp(-x))"),
    _unary("logit", lambda p: math.log(p) - math.log1p(-p), "log(p / (1 - p))"),
    _unary("softplus", lambda x: math.log1p(math.exp(-abs(x))) + max(x, 0), "log(1 + exp(x))"),
    _unary("erf", math.erf, "error function"),
    _unary("phi", lambda x: math.erfc(-x / math.sqrt(2)) / 2, "distribution function of normal(0, 1)"),
    _unary("lgamma", math.lgamma, "log of the gamma function"),
    _binary("minimum", min, "smaller of two"),
    _binary("maximum", max, "larger of two"),
    # reductions over all entries
    Function("sum", (1, 1), "reduce", "same", _total, "sum of all entries"),
    Function("prod", (1, 1), "reduce", "same", lambda v: math.prod(_numbers(v)), "product of all entries"),
    Function("mean", (1, 1), "reduce", "real", lambda v: _total(v) / len(_numbers(v)), "mean of all entries"),
    Function("min", (1, 1), "reduce", "same", lambda v: min(_numbers(v)), "smallest entry"),
    Function("max", (1, 1), "reduce", "same", lambda v: max(_numbers(v)), "largest entry"),
    Function("var", (1, 1), "reduce", "real", _variance, "variance (divides by n)"),
    Function("sd", (1, 1), "reduce", "real", _sd, "standard deviation (divides by n)"),
    Function("norm", (1, 1), "reduce", "real", lambda v: math.hypot(*_numbers(v)), "Euclidean norm"),
    Function("log_sum_exp", (1, 1), "reduce", "real", None, "log(sum(exp(x)))"),
    # along the leading axis (softmax: the last)
    Function("cumsum", (1, 1), "along", "same", None, "cumulative sum along the leading axis"),
    Function("softmax", (1, 1), "along", "real", None, "exp(x) / sum(exp(x)) over the last axis"),
    # linear algebra
    Function("dot", (2, 2), "dot", "same", None, "inner product of two vectors"),
    Function("outer", (2, 2), "outer", "same", None, "matrix of products of two vectors"),
    Function("transpose", (1, 1), "transpose", "same", lambda m: tuple(zip(*m, strict=True)), "rows as columns"),
    Function("diag", (1, 1), "diag", "same", None, "matrix with this diagonal, or a matrix's diagonal"),
    Function("cholesky", (1, 1), "square", "real", None, "lower triangular L with L @ transpose(L) = a"),
    Function("inverse", (1, 1), "square", "real", None, "matrix inverse"),
    Function("log_det", (1, 1), "square_to_scalar", "real", None, "log of |determinant|"),
    Function("trace", (1, 1), "square_to_scalar", "same", None, "sum of the diagonal"),
    Function("solve", (2, 2), "solve", "real", None, "x with a @ x = b"),
    # constructors
    Function("zeros", (1, None), "fill", "real", _filled(0.0), "array of zeros of the given sizes"),
    Function("ones", (1, None), "fill", "real", _filled(1.0), "array of ones of the given sizes"),
    Function("eye", (1, 1), "eye", "real", _eye, "identity matrix"),
    Function("linspace", (3, 3), "linspace", "real", _linspace, "n evenly spaced numbers, both ends included"),
    Function("logspace", (3, 3), "linspace", "real", _logspace, "10 ^ linspace(low, high, n)"),
    Function("concat", (1, None), "concat", "same", lambda *v: sum(v, ()), "arrays joined along the leading axis"),
    Function("stack", (1, None), "stack", "same", lambda *v: v, "arrays of one shape as rows of a new leading axis"),
    Function("size", (1, 1), "size", "int", None, "number of entries of the leading axis"),
)

FUNCTIONS = {row.name: row for row in _ROWS}

OPERATORS = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "@": "matmul",
    "^": "pow",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "==": "eq",
    "!=": "ne",
    "and": "and",
    "or": "or",
}
SYMBOLS = {name: symbol for symbol, name in OPERATORS.items()} | {"neg": "-", "not": "not"}

CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf}

# What users of other tools write -> the name here.
ALIASES = {
    "ln": "log",
    "inv_logit": "expit",
    "sigmoid": "expit",
    "fabs": "abs",
    "pow": "a ^ b",
    "std": "sd",
    "logsumexp": "log_sum_exp",
    "arange": "linspace",
    "identity": "eye",
    "inv": "inverse",
    "concatenate": "concat",
    "len": "size",
    "where": "if c then a else b",
}
# Operators have symbols, not names: these are the functions that an expression can call.
CALLABLE = frozenset(FUNCTIONS) - frozenset(SYMBOLS)

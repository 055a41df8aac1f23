"""The functions and operators of expressions, one row each: arity, shape rule, and a Python value for constants.

`rule` names a function of `compiler.shapes`. `python` folds constants: for an `elementwise` row it takes numbers, for a
row along an axis the entries of one line, for every other row nested tuples and sizes. Rows without it stay symbolic
until they are lowered.

In the intermediate representation a function with an axis has the axis, counted from the front, as its `value`; None
stands for all entries at once. Sizes (`zeros(n, m)`, `repeat(x, n)`) are constant arguments. `size` and `range` are
always folded.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from bsi.compiler import arithmetic as py

Rule = Literal[
    "elementwise",  # broadcast all arguments
    "reduce",  # drops one axis, or all of them
    "along",  # same shape, worked along one axis: cumsum, softmax
    "diff",  # one entry less along an axis
    "matmul",
    "dot",
    "outer",
    "transpose",
    "diag",  # vector -> matrix, matrix -> vector
    "square",  # square matrix -> same shape
    "square_to_scalar",
    "solve",
    "quad_form",
    "kron",
    "squared_distance",
    "interp",
    "concat",
    "stack",
    "repeat",
    "reshape",
    "flatten",
    "fill",  # sizes -> that shape
    "eye",
    "linspace",
    "size",
    "range",
    "scan",
]
Kind = Literal["real", "int", "bool", "same"]  # same: int if all arguments are


@dataclass(frozen=True)
class Function:
    """`arity` is (fewest, most); most is None for any number. `sizes` is the place of the first argument that is a
    size, a positive whole constant, as are all after it. `axis` is what a missing `axis = k` means. `domain` is the
    closed interval outside which the first argument of an elementwise function has no value."""

    name: str
    arity: tuple[int, int | None]
    rule: Rule
    kind: Kind
    python: Callable[..., Any] | None
    doc: str
    sizes: int | None = None
    axis: Literal["all", "first", "last"] | None = None
    domain: tuple[float, float] | None = None


def _unary(
    name: str,
    python: Callable[..., Any] | None,
    doc: str,
    kind: Kind = "real",
    domain: tuple[float, float] | None = None,
) -> Function:
    return Function(name, (1, 1), "elementwise", kind, python, doc, domain=domain)


def _binary(name: str, python: Callable[..., Any] | None, doc: str, kind: Kind = "same") -> Function:
    return Function(name, (2, 2), "elementwise", kind, python, doc)


def _reduction(name: str, python: Callable[..., Any] | None, doc: str, kind: Kind = "real") -> Function:
    return Function(name, (1, 1), "reduce", kind, python, doc, axis="all")


def _along(name: str, python: Callable[..., Any] | None, doc: str, kind: Kind = "same") -> Function:
    return Function(name, (1, 1), "along", kind, python, doc, axis="first")


ABOVE_ZERO = (0.0, math.inf)
UNIT = (0.0, 1.0)

_ROWS = (
    # operators
    _binary("add", operator.add, "a + b"),
    _binary("sub", operator.sub, "a - b"),
    _binary("mul", operator.mul, "a * b"),
    _binary("div", operator.truediv, "a / b", "real"),
    _binary("pow", py.power, "a ^ b"),
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
    _unary("log", math.log, "natural logarithm", domain=ABOVE_ZERO),
    _unary("log1p", math.log1p, "log(1 + x)", domain=(-1.0, math.inf)),
    _unary("log1m", lambda x: math.log1p(-x), "log(1 - x)", domain=(-math.inf, 1.0)),
    _unary("expm1", math.expm1, "exp(x) - 1"),
    _unary("log2", math.log2, "logarithm to base 2", domain=ABOVE_ZERO),
    _unary("log10", math.log10, "logarithm to base 10", domain=ABOVE_ZERO),
    _unary("sqrt", math.sqrt, "square root", domain=ABOVE_ZERO),
    _unary("square", lambda x: x * x, "x^2", "same"),
    _unary("abs", abs, "absolute value", "same"),
    _unary("sign", lambda x: (x > 0) - (x < 0), "-1, 0 or 1", "same"),
    _unary("floor", lambda x: float(math.floor(x)), "largest whole number not above x"),
    _unary("ceil", lambda x: float(math.ceil(x)), "smallest whole number not below x"),
    _unary("round", lambda x: float(round(x)), "nearest whole number, halves to the even one"),
    _unary("sin", math.sin, "sine"),
    _unary("cos", math.cos, "cosine"),
    _unary("tan", math.tan, "tangent"),
    _unary("asin", math.asin, "arc sine", domain=(-1.0, 1.0)),
    _unary("acos", math.acos, "arc cosine", domain=(-1.0, 1.0)),
    _unary("atan", math.atan, "arc tangent"),
    _binary("atan2", math.atan2, "angle of the point (second, first)", "real"),
    _unary("sinh", math.sinh, "hyperbolic sine"),
    _unary("cosh", math.cosh, "hyperbolic cosine"),
    _unary("tanh", math.tanh, "hyperbolic tangent"),
    _unary("asinh", math.asinh, "inverse of sinh"),
    _unary("acosh", math.acosh, "inverse of cosh", domain=(1.0, math.inf)),
    _unary("atanh", math.atanh, "inverse of tanh", domain=(-1.0, 1.0)),
    _unary("expit", py.expit, "1 / (1 + exp(-x))"),
    _unary("log_expit", py.log_expit, "log(expit(x))"),
    _unary("logit", py.logit, "log(p / (1 - p))", domain=UNIT),
    _unary("softplus", py.softplus, "log(1 + exp(x))"),
    _unary("cloglog", py.cloglog, "log(-log(1 - p))", domain=UNIT),
    _unary("inv_cloglog", py.inv_cloglog, "1 - exp(-exp(x))"),
    _unary("erf", math.erf, "error function"),
    _unary("erfc", math.erfc, "1 - erf(x)"),
    _unary("phi", py.phi, "distribution function of normal(0, 1)"),
    _unary("inv_phi", py.inv_phi, "quantile function of normal(0, 1)", domain=UNIT),
    _unary("lgamma", math.lgamma, "log of |gamma function|"),
    _unary("tgamma", math.gamma, "gamma function"),
    _unary("digamma", None, "derivative of lgamma"),
    _unary("trigamma", None, "second derivative of lgamma"),
    _binary("lbeta", py.lbeta, "log of the beta function", "real"),
    _binary("lchoose", py.lchoose, "log of the binomial coefficient, a over b", "real"),
    _binary("xlogy", py.xlogy, "a * log(b), and 0 where a is 0", "real"),
    _binary("log_add_exp", py.log_add_exp, "log(exp(a) + exp(b))", "real"),
    _binary("log_diff_exp", py.log_diff_exp, "log(exp(a) - exp(b)), for a > b", "real"),
    _binary("minimum", min, "smaller of two"),
    _binary("maximum", max, "larger of two"),
    _binary("mod", operator.mod, "remainder of a / b, with the sign of b"),
    _binary("floor_divide", operator.floordiv, "floor(a / b), whole for whole numbers"),
    # reductions
    _reduction("sum", py.total, "sum", "same"),
    _reduction("prod", math.prod, "product", "same"),
    _reduction("mean", py.mean, "mean"),
    _reduction("min", min, "smallest entry", "same"),
    _reduction("max", max, "largest entry", "same"),
    _reduction("var", py.variance, "variance (divides by n)"),
    _reduction("sd", py.sd, "standard deviation (divides by n)"),
    _reduction("norm", lambda entries: math.hypot(*entries), "Euclidean norm"),
    _reduction("log_sum_exp", py.log_sum_exp, "log(sum(exp(x)))"),
    _reduction("any", any, "whether one entry is true", "bool"),
    _reduction("all", all, "whether all entries are true", "bool"),
    Function("argmin", (1, 1), "reduce", "int", py.argmin, "index of the smallest entry", axis="first"),
    Function("argmax", (1, 1), "reduce", "int", py.argmax, "index of the largest entry", axis="first"),
    # along an axis
    _along("cumsum", py.cumsum, "cumulative sum"),
    _along("cumprod", py.cumprod, "cumulative product"),
    _along("sort", sorted, "entries in ascending order"),
    _along("reverse", lambda entries: entries[::-1], "entries in reverse order"),
    Function("diff", (1, 1), "diff", "same", py.diff, "differences of neighbours", axis="first"),
    Function("softmax", (1, 1), "along", "real", py.softmax, "exp(x) / sum(exp(x))", axis="last"),
    Function("log_softmax", (1, 1), "along", "real", py.log_softmax, "log(softmax(x))", axis="last"),
    # linear algebra
    Function("dot", (2, 2), "dot", "same", py.dot, "inner product of two vectors"),
    Function("outer", (2, 2), "outer", "same", py.outer, "matrix of products of two vectors"),
    Function("kron", (2, 2), "kron", "same", py.kron, "Kronecker product of two matrices"),
    Function("transpose", (1, 1), "transpose", "same", py.transpose, "rows as columns"),
    Function("diag", (1, 1), "diag", "same", None, "matrix with this diagonal, or a matrix's diagonal"),
    Function("cholesky", (1, 1), "square", "real", None, "lower triangular L with L @ transpose(L) = a"),
    Function("inverse", (1, 1), "square", "real", None, "matrix inverse"),
    Function("matrix_exp", (1, 1), "square", "real", None, "matrix exponential"),
    Function("matrix_power", (2, 2), "square", "real", None, "a @ a @ ..., b times", sizes=1),
    Function("det", (1, 1), "square_to_scalar", "real", None, "determinant"),
    Function("log_det", (1, 1), "square_to_scalar", "real", None, "log of |determinant|"),
    Function("trace", (1, 1), "square_to_scalar", "same", None, "sum of the diagonal"),
    Function("solve", (2, 2), "solve", "real", None, "x with a @ x = b"),
    Function("triangular_solve", (2, 2), "solve", "real", None, "x with a @ x = b, for lower triangular a"),
    Function("cholesky_solve", (2, 2), "solve", "real", None, "x with a @ transpose(a) @ x = b, for a = cholesky(...)"),
    Function("quad_form", (2, 2), "quad_form", "real", None, "transpose(b) @ a @ b"),
    Function(
        "squared_distance",
        (2, 2),
        "squared_distance",
        "same",
        py.squared_distance,
        "matrix of squared distances between the points (numbers or rows) of a and of b",
    ),
    Function(
        "interp", (3, 3), "interp", "real", None, "at a, the line through the points (b, c); b ascends, ends are flat"
    ),
    # constructors
    Function("zeros", (1, None), "fill", "real", py.filled(0.0), "array of zeros of the given sizes", sizes=0),
    Function("ones", (1, None), "fill", "real", py.filled(1.0), "array of ones of the given sizes", sizes=0),
    Function("eye", (1, 1), "eye", "real", py.eye, "identity matrix", sizes=0),
    Function(
        "linspace", (3, 3), "linspace", "real", py.linspace, "n evenly spaced numbers, both ends included", sizes=2
    ),
    Function("logspace", (3, 3), "linspace", "real", py.logspace, "10 ^ linspace(low, high, n)", sizes=2),
    Function("concat", (1, None), "concat", "same", None, "arrays joined along an axis", axis="first"),
    Function("stack", (1, None), "stack", "same", None, "arrays of one shape along a new axis", axis="first"),
    Function(
        "repeat", (2, 2), "repeat", "same", py.repeat, "every entry of the leading axis n times in a row", sizes=1
    ),
    Function("tile", (2, 2), "repeat", "same", py.tile, "the whole n times in a row", sizes=1),
    Function(
        "reshape", (2, None), "reshape", "same", None, "the same entries, last axis fastest, in another shape", sizes=1
    ),
    Function("flatten", (1, 1), "flatten", "same", None, "all entries as one vector, last axis fastest"),
    Function("size", (1, 1), "size", "int", None, "number of entries", axis="first"),
    Function("range", (1, 2), "range", "int", None, "whole numbers from a (0 if left out) up to and without b"),
    # recurrences
    Function("scan", (3, None), "scan", "real", None, "all states of state = f(state, x), over the leading axis of x"),
    Function("fold", (3, None), "scan", "real", None, "the last state of scan"),
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
    "probit": "inv_phi",
    "log_inv_logit": "log_expit",
    "log1p_exp": "softplus",
    "log_sigmoid": "log_expit",
    "multiply_log": "xlogy",
    "lmultiply": "xlogy",
    "logaddexp": "log_add_exp",
    "gammaln": "lgamma",
    "betaln": "lbeta",
    "ndtr": "phi",
    "ndtri": "inv_phi",
    "choose": "exp(lchoose(n, k))",
    "fmod": "mod",
    "to_vector": "flatten",
    "ravel": "flatten",
    "rep_vector": "repeat",
    "rep_array": "repeat",
    "append_row": "concat",
    "tcrossprod": "a @ transpose(a)",
    "crossprod": "transpose(a) @ a",
    "mdivide_left": "solve",
    "mdivide_left_tri_low": "triangular_solve",
    "log_determinant": "log_det",
    "variance": "var",
    "cumulative_sum": "cumsum",
    "cumulate": "cumsum",
    "flip": "reverse",
    "expm": "matrix_exp",
    "cdist": "squared_distance",
    "num_elements": "size",
    "inv_logit": "expit",
    "sigmoid": "expit",
    "clip": "minimum(maximum(x, lower), upper)",
    "clamp": "minimum(maximum(x, lower), upper)",
    "fmin": "minimum",
    "fmax": "maximum",
    "fabs": "abs",
    "pow": "a ^ b",
    "std": "sd",
    "logsumexp": "log_sum_exp",
    "arange": "range",
    "identity": "eye",
    "inv": "inverse",
    "concatenate": "concat",
    "len": "size",
    "where": "if c then a else b",
}
# Operators have symbols, not names: these are the functions that an expression can call.
CALLABLE = frozenset(FUNCTIONS) - frozenset(SYMBOLS)

"""Every function of the language, by one table: its value against NumPy and SciPy (lowered, and folded where it folds),
its shape and kind against what the checker said, and gradients."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.special as sp

from bsi.compiler.functions import FUNCTIONS, SYMBOLS
from bsi.compiler.ir import Expr
from bsi.compiler.lower.expr import evaluate
from tests.compiler.helpers import compiled

V = np.array([0.2, 0.9, 0.5])
W = np.array([1.5, -0.7, 2.25])
M = np.array([[0.3, -1.2, 0.8], [2.0, 0.4, -0.6]])
N = np.array([[1.0, 0.5], [-0.3, 2.0], [0.7, 0.1]])
P = np.array([[2.0, 0.3, 0.1], [0.3, 1.5, -0.2], [0.1, -0.2, 1.0]])
L = np.linalg.cholesky(P)
B = np.stack([P, 2 * P])
K = np.array([7, -2, 3])
J = np.array([3, 3, 2])
REAL = {"s": np.array(0.7), "v": V, "w": W, "m": M, "n": N, "p": P, "l": L, "b": B}
WHOLE = {"k": K, "j": J}

CASES: dict[str, Any] = {
    # operators
    "v + w": V + W,
    "m - v": M - V,
    "k * j": K * J,
    "k / j": K / J,
    "w ^ 2": W**2,
    "w ^ 3": W**3,
    "v ^ w": V**W,
    "k ^ j": (K**J).astype(float),
    "2 ^ w": 2**W,
    "v ^ -2": V**-2.0,
    "-k": -K,
    "m @ n": M @ N,
    "m @ v": M @ V,
    "v @ n": V @ N,
    "v @ w": V @ W,
    "b @ v": B @ V,
    "b @ p": B @ P,
    "b @ b": B @ B,
    "v < w": V < W,
    "v <= 0.5": V <= 0.5,
    "v > w": V > W,
    "k >= j": K >= J,
    "k == j": K == J,
    "k != 3": K != 3,
    "v > 0.3 and w > 0": (V > 0.3) & (W > 0),
    "v > 0.3 or w > 0": (V > 0.3) | (W > 0),
    "not (v > 0.3)": ~(V > 0.3),
    # elementwise
    "exp(w)": np.exp(W),
    "exp(k)": np.exp(K),
    "log(v)": np.log(V),
    "log1p(v)": np.log1p(V),
    "log1m(v)": np.log1p(-V),
    "expm1(v)": np.expm1(V),
    "log2(v)": np.log2(V),
    "log10(v)": np.log10(V),
    "sqrt(v)": np.sqrt(V),
    "square(k)": K**2,
    "abs(w)": np.abs(W),
    "abs(k)": np.abs(K),
    "sign(w)": np.sign(W),
    "sign(k)": np.sign(K),
    "floor(w)": np.floor(W),
    "ceil(w)": np.ceil(W),
    "ceil(k)": K.astype(float),
    "round(2 * w)": np.round(2 * W),
    "sin(w)": np.sin(W),
    "cos(w)": np.cos(W),
    "tan(w)": np.tan(W),
    "asin(v)": np.arcsin(V),
    "acos(v)": np.arccos(V),
    "atan(w)": np.arctan(W),
    "atan2(v, w)": np.arctan2(V, W),
    "sinh(w)": np.sinh(W),
    "cosh(w)": np.cosh(W),
    "tanh(w)": np.tanh(W),
    "asinh(w)": np.arcsinh(W),
    "acosh(1 + v)": np.arccosh(1 + V),
    "atanh(v)": np.arctanh(V),
    "expit(w)": sp.expit(W),
    "expit(k)": sp.expit(K),
    "log_expit(w)": sp.log_expit(W),
    "logit(v)": sp.logit(V),
    "softplus(w)": np.logaddexp(W, 0),
    "cloglog(v)": np.log(-np.log1p(-V)),
    "inv_cloglog(w)": -np.expm1(-np.exp(W)),
    "erf(w)": sp.erf(W),
    "erfc(w)": sp.erfc(W),
    "phi(w)": sp.ndtr(W),
    "inv_phi(v)": sp.ndtri(V),
    "lgamma(v)": sp.gammaln(V),
    "lgamma(j)": sp.gammaln(J),
    "tgamma(v)": sp.gamma(V),
    "digamma(v)": sp.digamma(V),
    "trigamma(v)": sp.polygamma(1, V),
    "lbeta(v, 2)": sp.betaln(V, 2),
    "lchoose(5, j)": np.log(sp.comb(5, J)),
    "xlogy(k, v)": sp.xlogy(K, V),
    "xlogy(0, v)": np.zeros(3),
    "log_add_exp(v, w)": np.logaddexp(V, W),
    "log_diff_exp(1 + v, 0.1 * w)": np.log(np.exp(1 + V) - np.exp(0.1 * W)),
    "minimum(v, w)": np.minimum(V, W),
    "maximum(k, j)": np.maximum(K, J),
    "mod(k, j)": K % J,
    "mod(w, 0.4)": np.mod(W, 0.4),
    "floor_divide(k, j)": K // J,
    "floor_divide(w, 0.4)": W // 0.4,
    # reductions
    "sum(m)": M.sum(),
    "sum(m, axis = 1)": M.sum(1),
    "sum(k)": K.sum(),
    "prod(v)": V.prod(),
    "prod(k, axis = 0)": K.prod(),
    "mean(m, axis = 0)": M.mean(0),
    "mean(k)": K.mean(),
    "min(m, axis = 1)": M.min(1),
    "max(k)": K.max(),
    "max(b, axis = 1)": B.max(1),
    "var(m, axis = 1)": M.var(1),
    "sd(m, axis = 0)": M.std(0),
    "sd(w)": W.std(),
    "norm(m, axis = 1)": np.linalg.norm(M, axis=1),
    "norm(w)": np.linalg.norm(W),
    "norm(k)": np.linalg.norm(K),
    "log_sum_exp(m, axis = 1)": sp.logsumexp(M, axis=1),
    "log_sum_exp(w)": sp.logsumexp(W),
    "any(w > 0)": np.any(W > 0),
    "all(m > 0, axis = 1)": np.all(M > 0, axis=1),
    "argmin(w)": W.argmin(),
    "argmax(m, axis = 1)": M.argmax(1),
    # along an axis
    "cumsum(v)": V.cumsum(),
    "cumsum(m, axis = 1)": M.cumsum(1),
    "cumsum(k)": K.cumsum(),
    "cumprod(w)": W.cumprod(),
    "sort(w)": np.sort(W),
    "sort(m, axis = 1)": np.sort(M, 1),
    "reverse(k)": K[::-1],
    "reverse(m, axis = 1)": M[:, ::-1],
    "diff(w)": np.diff(W),
    "diff(m, axis = 1)": np.diff(M, axis=1),
    "softmax(m)": sp.softmax(M, axis=-1),
    "softmax(m, axis = 0)": sp.softmax(M, axis=0),
    "log_softmax(w)": sp.log_softmax(W),
    # linear algebra
    "dot(v, w)": V @ W,
    "dot(k, j)": K @ J,
    "outer(v, w)": np.outer(V, W),
    "kron(m, n)": np.kron(M, N),
    "transpose(m)": M.T,
    "transpose(b[:, :, 0:2])": B[:, :, :2].swapaxes(1, 2),
    "diag(v)": np.diag(V),
    "diag(p)": np.diag(P),
    "cholesky(p)": L,
    "cholesky(b)": np.linalg.cholesky(B),
    "inverse(p)": np.linalg.inv(P),
    "matrix_exp(p)": scipy.linalg.expm(P),
    "matrix_power(p, 3)": P @ P @ P,
    "det(p)": np.linalg.det(P),
    "log_det(b)": np.linalg.slogdet(B)[1],
    "trace(p)": np.trace(P),
    "trace(b)": np.trace(B, axis1=1, axis2=2),
    "solve(p, v)": np.linalg.solve(P, V),
    "triangular_solve(l, n)": scipy.linalg.solve_triangular(L, N, lower=True),
    "cholesky_solve(l, v)": np.linalg.solve(P, V),
    "quad_form(p, v)": V @ P @ V,
    "quad_form(p, n)": N.T @ P @ N,
    "squared_distance(v, w)": (V[:, None] - W) ** 2,
    "squared_distance(n, n)": ((N[:, None] - N) ** 2).sum(-1),
    "squared_distance(k, j)": (K[:, None] - J) ** 2,
    "interp(0.4 * w, v[0:1], v[0:1])": np.full(3, 0.2),
    "interp(v, [0, 0.5, 1], [1, 3, 2])": np.interp(V, [0, 0.5, 1], [1, 3, 2]),
    # constructors
    "s * zeros(2, 3)": np.zeros((2, 3)),
    "s * ones(2)": np.full(2, 0.7),
    "s * eye(2)": 0.7 * np.eye(2),
    "linspace(0, s, 3)": np.linspace(0, 0.7, 3),
    "logspace(0, s, 3)": np.logspace(0, 0.7, 3),
    "concat(v, w)": np.concatenate([V, W]),
    "concat(m, transpose(n), axis = 1)": np.concatenate([M, N.T], 1),
    "concat(k, j)": np.concatenate([K, J]),
    "stack(v, w)": np.stack([V, W]),
    "stack(v, w, axis = 1)": np.stack([V, W], 1),
    "repeat(m, 2)": np.repeat(M, 2, 0),
    "repeat(s, 3)": np.repeat(0.7, 3),
    "tile(m, 2)": np.tile(M, (2, 1)),
    "tile(k, 2)": np.tile(K, 2),
    "reshape(m, 3, 2)": M.reshape(3, 2),
    "flatten(m)": M.ravel(),
    "s * size(m) + size(m, axis = 1)": np.array(0.7 * 2 + 3),
    "s * range(1, 4)": 0.7 * np.arange(1, 4),
    # indices, conditionals and loops
    "m[:, 1]": M[:, 1],
    "b[1, :, 0:2]": B[1, :, :2],
    "b[:, 0, argmax(v)]": B[:, 0, 1],
    "b[argmax(v), :, [2, 0]]": B[1][:, [2, 0]],
    "b[:, [2, 0], 1]": B[:, [2, 0], 1],
    "if v > 0.4 then w else 0": np.where(V > 0.4, W, 0),
    "if s > 0 then v else w": V,
    "if s > 0 then k else j": K,
    "[[v[i] * w[a] for a in range(1, 3)] for i in 3]": V[:, None] * W[1:],
    "[v[i - 1] for i in range(1, 3)]": V[:2],
    "[if i > 0 then v[i - 1] else 0 for i in 3]": np.array([0, 0.2, 0.9]),
    "[k[i] for i in [2, 0]]": K[[2, 0]],
    "sum over i in 3 : v[i] * i": (V * np.arange(3)).sum(),
    "prod over i in 3 : k[i]": K.prod(),
    "max over i in 2 : m[i]": M.max(0),
    # recurrences
    "scan(decay, 0, w)": np.array([1.5, 0.05, 2.275]),
    "fold(decay, s, w)": np.array(0.5 * (0.5 * (0.35 + 1.5) - 0.7) + 2.25),
    "scan(count, 0, k)": np.array([1, 1, 2]),
    "fold(push, zeros(3), w)": W[::-1],
    "scan(weigh, s, w, m[0])": np.array([1.35, 1.35 * -0.7 - 1.2, (1.35 * -0.7 - 1.2) * 2.25 + 0.8]),
}
STEPS = """let decay(level, shock) = 0.5 * level + shock
let count(n, x) = if x > 0 then n + 1 else n
let push(window, x) = concat([x], window[0:2])
let weigh(state, a, b) = state * a + b
"""


def literal(value: Any) -> str:
    value = np.asarray(value)
    if not value.ndim:
        return f"({value.item()!r})"
    return f"[{', '.join(literal(entry) for entry in value)}]"


def model(expression: str, constants: bool) -> Expr:
    """The expression `[EXPRESSION][0]`, with names as params and data or as constants."""
    shapes = {name: f"[{', '.join(map(str, x.shape))}]" if x.ndim else "" for name, x in {**REAL, **WHOLE}.items()}
    lines = ["bsi 1", STEPS, "param theta : real"]
    for name, value in {**REAL, **WHOLE}.items():
        if constants:
            lines.append(f"let {name} = {literal(value)}")
        elif name in REAL:
            lines.append(f"param {name} : real{shapes[name]}")
        else:
            lines.append(f"data {name} : int{shapes[name]} = {literal(value)}")
    given = "theta" if constants else f"theta, {', '.join(REAL)}"
    shape = np.shape(CASES[expression])
    kind = "real" if np.asarray(CASES[expression]).dtype.kind == "f" else "int"
    wanted = f"{kind}[{', '.join(map(str, shape))}]" if shape else kind
    result = f"if {expression} then 1 else 0" if np.asarray(CASES[expression]).dtype.kind == "b" else expression
    lines.append(f"likelihood f(x : {wanted} | {given}) = {{ x = {result} }}")
    program = compiled("\n".join(lines) + "\n")
    found = program.likelihoods["f"].result
    assert found is not None
    return found


ENV = {name: jnp.asarray(value, jnp.float32) for name, value in REAL.items()} | {
    name: jnp.asarray(value, jnp.int32) for name, value in WHOLE.items()
}


@pytest.fixture(scope="module")
def lowered() -> dict[str, tuple[Expr, jax.Array, dict[str, jax.Array]]]:
    """Every case with its value and the gradient of its sum, in one compiled program."""
    exprs = {expression: model(expression, constants=False) for expression in CASES}

    def gradient(expr: Expr, env: dict[str, Any]) -> Any:
        return jax.grad(lambda reals: jnp.sum(evaluate(expr, {**env, **reals})))({name: env[name] for name in REAL})

    def everything(env: dict[str, Any]) -> Any:
        return {
            text: (evaluate(expr, env), {} if expr.integer else gradient(expr, env)) for text, expr in exprs.items()
        }

    return {text: (exprs[text], *found) for text, found in jax.jit(everything)(ENV).items()}


@pytest.mark.parametrize("expression", CASES)
def test_values_shapes_and_gradients(expression: str, lowered: Any) -> None:
    wanted = np.asarray(CASES[expression])
    expr, value, gradients = lowered[expression]
    assert value.shape == expr.shape == wanted.shape
    assert jnp.issubdtype(value.dtype, jnp.integer) == expr.integer
    np.testing.assert_allclose(value, wanted, rtol=2e-5, atol=2e-6)
    assert all(bool(np.all(np.isfinite(gradient))) for gradient in gradients.values())


@pytest.mark.parametrize("expression", CASES)
def test_constants_fold_to_the_same(expression: str) -> None:
    wanted = np.asarray(CASES[expression])
    expr = model(expression, constants=True)
    used = {name for name in FUNCTIONS if f"{name}(" in expression}
    folds = not any(FUNCTIONS[name].python is None and name not in ALWAYS for name in used) and "@" not in expression
    assert expr.op == "const" or not folds
    if expr.op == "const":
        assert expr.shape == wanted.shape and np.shape(expr.value) == wanted.shape
        np.testing.assert_allclose(np.asarray(expr.value, float), wanted, rtol=1e-9, atol=1e-12)
    else:
        assert not expr.args or "const" in {arg.op for arg in expr.args}


ALWAYS = {"concat", "stack", "reshape", "flatten", "size", "range"}  # folded without a function of numbers


def test_every_function_has_a_case() -> None:
    text = " ".join(CASES)
    missing = [name for name in FUNCTIONS if name not in SYMBOLS and f"{name}(" not in text]
    assert not missing
    operators = [symbol for symbol in SYMBOLS.values() if f"{symbol} " not in text and f"{symbol}k" not in text]
    assert not operators


SAFE = {
    "if x > 0 then log(x) else 0": [0.0, -1.0],
    "if x > 0 then sqrt(x) else x": [0.0],
    "if x < 50 then exp(x) else x": [200.0],
    "if x == 0 then 1 else sin(x) / x": [0.0],
    "if x > 0 then x ^ 0.5 else 0": [0.0],
    "if x > 0 then sum(log([x, x])) else 0": [0.0],
    "sum(if [x, 1] > 0 then log([x, 1]) else 0)": [0.0, -1.0],
    "sum([if i > 0 then 1 / (x * i) else x for i in 3])": [0.5],
    "norm([x, 0 * x])": [0.0],
    "sd([x, x])": [0.3],
    "xlogy(0, x)": [0.0],
    "softplus(x)": [200.0, -200.0],
    "log_expit(x)": [200.0, -200.0],
    "log_add_exp(x, x)": [300.0],
    "log_sum_exp([x, -x])": [300.0],
    "x ^ 2": [0.0, -1.0],
    "abs(x)": [0.0],
}


@pytest.mark.parametrize("expression", SAFE)
def test_gradients_at_the_edge_are_finite(expression: str) -> None:
    text = f"bsi 1\nparam x : real\nlikelihood f(y : real | x) = {{ y = {expression} }}\n"
    expr = compiled(text).likelihoods["f"].result
    assert expr is not None
    slope = jax.grad(lambda x: evaluate(expr, {"x": x}))
    for x in SAFE[expression]:
        assert np.isfinite(evaluate(expr, {"x": jnp.float32(x)})) and np.isfinite(slope(jnp.float32(x)))


def test_a_recurrence_is_one_loop_with_the_gradient_of_its_unrolled_form() -> None:
    text = (
        f"bsi 1\n{STEPS}param x : real\nlikelihood f(y : real[50] | x) = {{ y = scan(decay, x, linspace(0, 1, 50)) }}\n"
    )
    expr = compiled(text).likelihoods["f"].result
    assert expr is not None
    slope = jax.jacfwd(lambda x: evaluate(expr, {"x": x}))(jnp.float32(0.3))
    np.testing.assert_allclose(slope, 0.5 ** np.arange(1, 51), rtol=1e-5, atol=1e-12)
    assert str(jax.make_jaxpr(lambda x: evaluate(expr, {"x": x}))(0.3)).count("scan[") == 1

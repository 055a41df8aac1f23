"""Ranges of expressions: sound against random evaluation, as wide as they should be; and what W0405 and W0409 make of
them."""

from __future__ import annotations

import random

import pytest

from bsi.compiler import fold, ranges
from bsi.compiler.analyse import compile_source
from bsi.compiler.ir import Expr
from bsi.dsl.span import Source
from tests.compiler.helpers import compiled

KNOWN = {"a": (-2.0, 3.0), "p": (0.0, 1.0), "t": (0.5, 4.0), "v": (-1.0, 2.0)}
EXPRESSIONS = {
    "a": (-2, 3),
    "a + t": (-1.5, 7),
    "a - t": (-6, 2.5),
    "a * t": (-8, 12),
    "a / t": (-4, 6),
    "t / p": (0.5, float("inf")),
    "-a": (-3, 2),
    "a ^ 2": (0, 9),
    "a ^ 3": (-8, 27),
    "t ^ -1": (0.25, 2),
    "t ^ a": (0, float("inf")),
    "a * a": (0, 9),
    "square(a) + 1": (1, 10),
    "abs(a)": (0, 3),
    "exp(p)": (1, 2.718281828459045),
    "log(t)": (-0.6931471805599453, 1.3862943611198906),
    "sqrt(t * 4)": (2**0.5, 4),
    "expit(a)": (0, 1),
    "1 - p": (0, 1),
    "log1m(p)": (-float("inf"), 0),
    "minimum(a, p)": (-2, 1),
    "maximum(a, p)": (0, 3),
    "if a > 0 then p else t": (0, 4),
    "[a, p, 7]": (-2, 7),
    "sum(v)": (-3, 6),
    "mean(v)": (-1, 2),
    "max(v) - p": (-2, 2),
    "prod(exp(0 * v))": (1, 1),
    "norm(v)": (0, float("inf")),
    "softmax(v)": (0, 1),
    "cumsum(v)": (-3, 6),
    "dot(v, [1, 1, -1])": (-6, 6),
    "v @ v": (0, 12),
    "[v[i] * i for i in 3]": (-2, 4),
    "floor(a)": (-2, 3),
    "diag(t * ones(3))": (0, 4),
    "log_sum_exp([p, p])": (0, 1 + 0.6931471805599453),
    "linspace(0, t, 3)": (0, 4),
    "concat(v, [p])": (-1, 2),
    "kron([[t]], [[p]])": (0, 4),
}


def result(expression: str) -> Expr:
    params = "param a : real\nparam p : real\nparam t : real\nparam v : real[3]\n"
    for shape in ("", "[3]", "[4]", "[3, 3]", "[1, 1]"):
        text = f"bsi 1\n{params}likelihood f(x : real{shape} | a, p, t, v) = {{ x = {expression} }}\n"
        program, _ = compile_source(Source("m.bsi", text))
        if program:
            found = compiled(text).likelihoods["f"].result
            assert found is not None
            return found
    raise AssertionError(expression)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_ranges_hold_and_are_as_stated(expression: str) -> None:
    """200 random points; the stated range is the whole image wherever each name comes in once."""
    expr = result(expression)
    found = ranges.of(expr, KNOWN)
    assert found is not None and found == pytest.approx(EXPRESSIONS[expression], rel=1e-12)
    rng = random.Random(0)
    for _ in range(200):
        point = {name: rng.uniform(*KNOWN[name]) for name in "apt"}
        value = fold.evaluate(expr, {**point, "v": tuple(rng.uniform(*KNOWN["v"]) for _ in range(3))})
        if value is not None:
            assert all(found[0] - 1e-9 <= entry <= found[1] + 1e-9 for entry in fold.flat(value))


def test_whole_numbers_too_wide_for_the_runtime_are_real() -> None:
    head = "bsi 1\ndata k : int[2] = [100_000, 3]\nparam a : real\nlikelihood f(x : real | a) = "
    for expression, whole in {"k": True, "k + 1": True, "k * k": False, "k ^ 2": False, "7 * k[1]": True}.items():
        law = compiled(f"{head}normal(a + sum({expression}), 1)\n").likelihoods["f"].draws[0].law
        total = dict(law.arguments)["loc"].args[1]
        assert total.args[0].integer == whole, expression
    assert compiled(f"{head}normal(a * 10_000_000_000, 1)\n")
    compiled(f"{head}normal(a + [k[i * i] for i in 2][0], 1)\n")


def test_nothing_is_said_of_the_unknown() -> None:
    assert ranges.of(result("a + p"), {"p": (0, 1)}) is None
    assert ranges.of(result("exp(a)"), {}) == (0, float("inf"))
    assert ranges.of(result("det(outer(v, v))"), KNOWN) is None


MODEL = """bsi 1
dim n = 4
param a : real
param b : real
param t : real
param v : real[n]
data k : int[n] = [0, 1, 2, 3]
data r : real[n] = [0.5, 1, -2, 3]
prior p(a, b, t, v) = { a ~ normal(0, 1); t ~ half_normal(1); b ~ uniform(t, 10); v ~ normal(0, t) }
posterior post(a, b, t, v) = p(a, b, t, v)
sample s = nuts(post)
"""
OPERANDS = {
    "log(a)": "W0409",
    "sqrt(1 - a)": "W0409",
    "sqrt(sum(v))": "W0409",
    "a ^ 0.5": "W0409",
    "a ^ t": "W0409",
    "logit(t)": "W0409",
    "log1m(t)": "W0409",
    "a + sum(1 / (k + 0 * floor_divide(1, 1)))": "E0309",
    "sum([a / i for i in n])": "W0409",
    "sum([a * log(i) for i in n])": "E0309",
    "log(r[0] * a)": "W0409",
    "log(t)": None,
    "t ^ 0.5": None,
    "a ^ 2": None,
    "a ^ -1": None,
    "sqrt(b - t)": None,
    "sqrt(a * a + 1)": None,
    "sqrt(v @ v)": None,
    "sqrt(mean(square(v)) - mean(v) ^ 2)": None,
    "log(exp(a) + 1)": None,
    "logit(expit(a))": None,
    "asin(tanh(a))": None,
    "log1m(expit(a))": None,
    "if a > 0 then log(a) else 0": None,
    "log(if a > 0 then a else 1)": None,
    "sum([a / i for i in range(1, n)])": None,
    "sum([a * log(i + 1) for i in n])": None,
    "sum([if i > 0 then a / i else a for i in n])": None,
    "t / a": None,
}
SCALES = {
    "exp(a)": None,
    "sqrt(square(t) + exp(a))": None,
    "abs(a) + 1": None,
    "softplus(a * r)": None,
    "if a > 0 then a else 1": None,
    "a + 1": "W0405",
    "t * r": "W0405",
    "t + a": "W0405",
    "-t": "W0405",
}


def doubts(law: str) -> list[str]:
    text = f"{MODEL}likelihood f(x : real[n] | a, b, t, v) = {law}\n"
    found = compile_source(Source("m.bsi", text))[1]
    return [d.code for d in found if d.code[0] == "E" or d.code in ("W0405", "W0409")]


@pytest.mark.parametrize("expression", OPERANDS)
def test_operands_that_leave_their_domain(expression: str) -> None:
    assert doubts(f"normal({expression}, 1)") == [OPERANDS[expression]] * (OPERANDS[expression] is not None)


@pytest.mark.parametrize("expression", SCALES)
def test_arguments_that_leave_their_domain(expression: str) -> None:
    assert doubts(f"normal(a, {expression})") == [SCALES[expression]] * (SCALES[expression] is not None)

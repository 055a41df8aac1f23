"""Expressions: constants against NumPy, shapes of everything that stays symbolic, laws and their supports."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bsi.compiler.functions import FUNCTIONS
from bsi.compiler.ir import Expr
from bsi.compiler.laws import LAWS
from tests.compiler.helpers import codes, compiled

CONSTANTS = {
    "1 + 2 * 3": 7,
    "2 ^ 3 ^ 2": 512,
    "-2 ^ 2": -4,
    "7 / 2": 3.5,
    "[1, 2] + [[10], [20]]": [[11, 12], [21, 22]],
    "exp([0, 1])": np.exp([0, 1]),
    "sum([1, 2, 3.5])": 6.5,
    "sd([1, 2, 4])": np.std([1, 2, 4]),
    "norm([3, 4])": 5,
    "cumsum_of": None,
    "linspace(0, 1, 3)": [0, 0.5, 1],
    "logspace(-1, 1, 3)": [0.1, 1, 10],
    "0.5 * eye(2)": [[0.5, 0], [0, 0.5]],
    "transpose([[1, 2, 3], [4, 5, 6]])": [[1, 4], [2, 5], [3, 6]],
    "concat([1, 2], [3])": [1, 2, 3],
    "[[1, 2], [3, 4]][1, :]": [3, 4],
    "[[1, 2], [3, 4]][:, 0]": [1, 3],
    "[1, 2, 3, 4][1:3]": [2, 3],
    "size([1, 2, 3])": 3,
    "if 2 > 1 and not false then 5 else 6": 5,
    "phi(0)": 0.5,
    "expit(-800)": 0,
    "logit(0.5)": 0,
    "lgamma(5)": math.log(24),
    "pi": math.pi,
    "twice(twice(3))": 12,
    "minimum(2, 3) + maximum([1, 5], 3)": [5, 7],
}
del CONSTANTS["cumsum_of"]


def value_of(expression: str) -> Expr:
    """The argument of a law, as normalised."""
    text = f"bsi 1\nlet twice(x) = 2 * x\nparam a : real\nprior p(a) = normal(sum({expression}), 1)\n"
    return dict(compiled(text).priors["p"].draws[0].law.arguments)["loc"]


@pytest.mark.parametrize("expression", CONSTANTS)
def test_constants(expression: str) -> None:
    found = value_of(expression)
    assert found.op == "const"
    np.testing.assert_allclose(found.value, np.sum(CONSTANTS[expression]), rtol=1e-12, atol=1e-300)


SHAPES = {
    "a + 1": (3,),
    "A @ a": (2,),
    "A @ transpose(A)": (2, 2),
    "dot(a, a)": (),
    "outer(a, a)": (3, 3),
    "diag(a)": (3, 3),
    "solve(outer(a, a), a)": (3,),
    "cholesky(outer(a, a))": (3, 3),
    "log_det(outer(a, a))": (),
    "A[0]": (3,),
    "A[:, 1:3]": (2, 2),
    "a[index]": (2,),
    "[a[i] * 2 for i in 3]": (3,),
    "[[a[i] * a[j] for j in 2] for i in 3]": (3, 2),
    "sum over i in 2 : A[i]": (3,),
    "stack(a, a)": (2, 3),
    "concat(a, a)": (6,),
    "softmax(a)": (3,),
    "if a > 0 then a else 0": (3,),
    "mean(a)": (),
}


@pytest.mark.parametrize("expression", SHAPES)
def test_shapes(expression: str) -> None:
    dims = "".join(f"[{', '.join(map(str, SHAPES[expression]))}]" if SHAPES[expression] else "")
    text = f"""bsi 1
data A : real[2, 3] = [[1, 2, 3], [4, 5, 6]]
data index : int[2] = [2, 0]
param a : real[3]
likelihood f(x : real{dims} | a) = {{ x = {expression} }}
"""
    found = compiled(text).likelihoods["f"].result
    assert found is not None and found.shape == SHAPES[expression]


BAD = {
    "a[3]": "E0303",
    "a[-1]": "E0303",
    "a[index + 1]": "E0303",
    "[a[i] for i in 4]": "E0303",
    "a[0, 0]": "E0311",
    "a[0.5]": "E0304",
    "a[2:1]": "E0303",
    "A @ A": "E0301",
    "cholesky(A)": "E0301",
    "diag(A)": "E0301",
    "1 / 0": "E0309",
    "exp(1000)": "E0309",
    "(-1) ^ 0.5": "E0309",
    "a and true": "E0304",
    "(1 < 2) < 3": "E0304",
    "norml(0, 1)": "E0201",
    "normal(0, 1)": "E0204",
    "exp(1, 2)": "E0209",
    "exp(x = 1)": "E0208",
    "min(1, 2)": "E0209",
    "zeros(a[0])": "E0314",
    "eye(0)": "E0305",
    "g(1)": "E0209",
    "g(1, z = 2)": "E0208",
    "[]": "E0310",
    '"text"': "E0304",
}


@pytest.mark.parametrize("expression", BAD)
def test_mistakes(expression: str) -> None:
    text = f"""bsi 1
data A : real[2, 3] = [[1, 2, 3], [4, 5, 6]]
data index : int[2] = [2, 0]
let g(x, y) = x + y
param a : real[3]
likelihood f(x : real | a) = {{ x = sum({expression}) }}
"""
    assert codes(text) == [BAD[expression]]


SAMPLE_ARGUMENTS = {
    "positive": "1.5",
    "nonnegative": "1",
    "unit": "0.5",
    "natural": "4",
    "real": "0.5",
    "probabilities": "[0.5, 0.5]",
    "positive_definite": "[[2, 1], [1, 2]]",
    "cholesky": "[[1, 0], [1, 2]]",
}
OUTSIDE = {
    "positive": "0",
    "nonnegative": "-1",
    "unit": "1.5",
    "natural": "-1",
    "probabilities": "[0.5, 0.6]",
    "positive_definite": "[[1, 2], [2, 1]]",
    "cholesky": "[[1, 1], [0, 1]]",
}
ROWS = [row for row in LAWS.values() if row.components == (0, 0)]


def call(name: str, bad: str = "") -> str:
    row = LAWS[name]
    values = {a.name: SAMPLE_ARGUMENTS[a.domain] for a in row.arguments}
    values |= {"high": "2", "upper": "2"} if {"high", "upper"} & values.keys() else {}
    values = {a.name: values[a.name] for a in row.arguments}
    if bad:
        values[bad] = OUTSIDE[row.argument(bad).domain]
    return f"{name}({', '.join(f'{key} = {value}' for key, value in values.items())})"


def likelihood(law: str, row_name: str) -> str:
    row = LAWS[row_name]
    return f"bsi 1\nparam a : real\nlikelihood f(x : {'int' if row.integer else 'real'}[2] | a) = {law}\n"


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_every_law_is_accepted(name: str) -> None:
    law = compiled(likelihood(call(name), name)).likelihoods["f"].draws[0].law
    assert law.name == name and law.shape == (2,) and law.support.integer == LAWS[name].integer
    assert [argument for argument, _ in law.arguments] == [a.name for a in LAWS[name].arguments]


CASES = [(row.name, a.name) for row in ROWS for a in row.arguments if a.domain in OUTSIDE]


@pytest.mark.parametrize(("name", "argument"), CASES)
def test_every_domain_is_checked(name: str, argument: str) -> None:
    assert codes(likelihood(call(name, argument), name)) == ["E0401"]


def test_tables_are_consistent() -> None:
    for row in LAWS.values():
        for bound in (row.lower, row.upper):
            assert not isinstance(bound, str) or row.argument(bound)
    for name, function in FUNCTIONS.items():
        assert name == function.name and function.doc and function.arity[0] >= 1

"""Expressions: constants against NumPy, shapes of everything that stays symbolic, laws and their supports."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from bsi.compiler.analyse import compile_source
from bsi.compiler.functions import FUNCTIONS
from bsi.compiler.ir import Expr, digest
from bsi.compiler.laws import LAWS
from bsi.compiler.shapes import Axis
from bsi.compiler.tables_markdown import README
from bsi.dsl.span import Source
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
    "[1 > 0, 2]": "E0304",
    "a[7 / 2]": "E0304",
    "a[1:-1]": "E0303",
    "[a[i + 1] for i in 3]": "E0303",
    "[a[i - 1] for i in 3]": "E0303",
    "[if i > 1 then a[i - 1] else a[i + 2] for i in 3]": "E0303",
    "[a[i] for i in range(2, 4)]": "E0303",
    "[a[i] for i in [0, 3]]": "E0303",
    "[zeros(i) for i in 3]": "E0314",
    "range(3, 1)": "E0305",
    "range(a[0])": "E0314",
    "sum(a, axis = 1)": "E0301",
    "sum(a, axis = -1)": "E0304",
    "sum(a, 0)": "E0209",
    "sum(a, along = 0)": "E0208",
    "exp(a, axis = 0)": "E0208",
    "sum over i in 3 : a[i] > 0": "E0304",
    "any(a)": "E0304",
    "diff(a[0:1])": "E0301",
    "reshape(a, 2, 2)": "E0301",
    "scan(g, 0, a[0])": "E0301",
    "scan(g, 0, a, A)": "E0315",
    "scan(exp, 0, a)": "E0315",
    "scan(h, 0, a)": "E0201",
    "scan(pair, 0, a)": "E0316",
    "scan(g, 0, A[0], a[0:2])": "E0315",
    "fold(third, 0, a, index)": "E0301",
    "if 1 > 2 then 1 else a + index": "E0301",
    "if a > 0 then true else 1": "E0304",
    '"text"': "E0304",
}


@pytest.mark.parametrize("expression", BAD)
def test_mistakes(expression: str) -> None:
    text = f"""bsi 1
data A : real[2, 3] = [[1, 2, 3], [4, 5, 6]]
data index : int[2] = [2, 0]
let g(x, y) = x + y
let pair(x, y) = [x, y]
let third(x, y, z) = x + y + z
param a : real[3]
likelihood f(x : real | a) = {{ x = sum({expression}) }}
"""
    assert codes(text) == [BAD[expression]]


GOOD = [
    "[if i > 0 then a[i - 1] else 0 for i in 3]",
    "[if i > 0 and i < 2 then a[i - 1] + a[i + 1] else 0 for i in 3]",
    "[a[2 - i] for i in 3]",
    "[[if j < i then a[i - j - 1] else 0 for j in 3] for i in 3]",
    "[a[index[i]] for i in 2]",
    "zeros(size(a))",
    "zeros(floor_divide(size(a), 2))",
    "if 1 < 2 then a else a + index",
    "a[floor_divide(3, 2)]",
]


@pytest.mark.parametrize("expression", GOOD)
def test_what_is_right_is_accepted(expression: str) -> None:
    head = "bsi 1\ndata index : int[2] = [2, 0]\nparam a : real[3]\n"
    compiled(f"{head}likelihood f(x : real | a) = {{ x = sum({expression}) }}\n")


DIMS = """bsi 1
dim school = 3, year = 3
dim n
data y : real[n] = [1.0, 2.0, 4.0]
data visited : int[year] = [2, 0, 1]
let half(x) = 0.5 * x
let count = school
param a : real[school]
param b : real[year]
param m : real[school, year]
param c : real[3]
"""
MEET = {
    "a + b": "E0312",
    "a + half(b)": "E0312",
    "a * y": "E0312",
    "dot(a, b)": "E0312",
    "a @ m @ a": "E0312",
    "[a, b]": "E0312",
    "stack(a, b)": "E0312",
    "concat(m, transpose(m))": "E0312",
    "cholesky(m)": "E0312",
    "if a > 0 then a else b": "E0312",
    "a + zeros(year)": "E0312",
    "zeros(count) + b": "E0312",
    "[a[i] for i in school] + b": "E0312",
    "[b[i] for i in school]": "W0408",
    "a + c": None,
    "m @ b + a": None,
    "a[visited] + b": None,
    "a[0:3] + c": None,
    "a[0:2] + b[1:3]": None,
    "[a[i] + sum(m[i]) for i in school] + a": None,
    "m + b": None,
    "sum(m, axis = 0) + b": None,
    "sum(m, axis = 1) + b": "E0312",
    "sort(a) + a": None,
    "outer(a, b) + m": None,
    "eye(school) @ a": None,
}


@pytest.mark.parametrize("expression", MEET)
def test_dims_are_nominal(expression: str) -> None:
    text = f"{DIMS}likelihood f(x : real | a, b, m, c) = {{ x = sum({expression}) }}\n"
    found = [code for code in codes(text) if not code.startswith("W04") or code == "W0408"]
    assert found == ([MEET[expression]] if MEET[expression] else [])


def test_laws_see_dims() -> None:
    law = "likelihood f(x : real[school] | a, b) = "
    assert "E0312" in codes(f"{DIMS}{law}normal(b, 1)\n")
    assert "E0312" in codes(f"{DIMS}{law}mv_normal(b, eye(school))\n")
    assert "E0312" in codes(f"{DIMS}{law}mv_normal(a, eye(year))\n")
    assert "E0312" in codes(f"{DIMS}{law}{{ x = b }}\n")
    assert "E0302" in codes(f"{DIMS.replace('year = 3', 'year = 4')}{law}{{ x = b }}\n")
    assert not any(code[0] == "E" for code in codes(f"{DIMS}{law}mv_normal(a, eye(3))\n"))


def test_an_axis_is_its_number() -> None:
    axis = Axis(3, "school")
    assert axis == 3 and hash(axis) == hash(3) and f"{axis}" == "3" and axis + 1 == 4
    assert type(axis + 1) is int
    with_dim, without = (Expr("ref", value="a", shape=shape) for shape in ((axis,), (3,)))
    assert with_dim == without and hash(with_dim) == hash(without) and digest(with_dim) == digest(without)
    text = DIMS.replace("school", "pupil")
    law = "likelihood f(x : real[{}] | a, m) = {{ x = a + sum(m, axis = 1) }}\n"
    first, second = (compiled(t + law.format(d)) for t, d in ((DIMS, "school"), (text, "pupil")))
    assert digest(first.likelihoods["f"]) == digest(second.likelihoods["f"])


def test_names_inside_loops_change_no_key() -> None:
    text = """bsi 1
let step(state, x) = 0.5 * state + x
param a : real[4]
likelihood f(x : real[4] | a) = normal([sum over j in 4 : a[i] * a[j] for i in 4] + scan(step, 0, a), 1)
"""
    renamed = text.replace("state", "level").replace("step", "next").replace("[i]", "[k]").replace("for i", "for k")
    first, second = (compiled(t).likelihoods["f"] for t in (text, renamed))
    assert renamed != text and digest(first) == digest(second)


STAGES = {
    "dim k = s": "the dim `k` cannot depend on the param `s`",
    "dim k = t": "the dim `k` cannot depend on the sweep `t`",
    "param z : real[s]": "a size cannot depend on the param `s`",
    "param z : real<lower = s>": "a bound cannot depend on the param `s`",
    "data z : real = s": "`z` cannot depend on the param `s`",
    "let z = ones(3)[0:t]": "the end of a slice cannot depend on the sweep `t`",
    "likelihood f(x : real | s) = { e ~ normal(0, 1); x = sum(ones(e)) }": "a size cannot depend on `e`",
}


@pytest.mark.parametrize("line", STAGES)
def test_what_is_fixed_too_early_is_said_so(line: str) -> None:
    text = f"bsi 1\nparam s : real\nsweep t in [0.5, 1]\n{line}\n"
    found = [d for d in compile_source(Source("model.bsi", text))[1] if d.severity == "error"]
    assert [d.code for d in found] == ["E0314"] and found[0].message.startswith(STAGES[line])


def test_tables_are_consistent() -> None:
    for row in LAWS.values():
        for bound in (row.lower, row.upper):
            assert not isinstance(bound, str) or row.argument(bound)
    for name, function in FUNCTIONS.items():
        assert name == function.name and function.doc and function.arity[0] >= 1


def test_the_reference_shows_a_right_recurrence() -> None:
    section = README.read_text(encoding="utf-8").split("## What an expression means\n")[1].split("\n## ")[0]
    (example,) = re.findall(r"```bsi\n(.*?)```", section, re.DOTALL)
    assert codes(example) == []
    law = compiled(example).likelihoods["f"].draws[0].law
    assert dict(law.arguments)["loc"].op == "scan"

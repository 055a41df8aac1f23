"""Calls of laws: every row of the table is accepted with arguments in their domains, and refused outside them."""

from __future__ import annotations

import pytest

from bsi.compiler.laws import LAWS
from tests.compiler.helpers import codes, compiled

INSIDE = {
    "positive": "4.5",
    "nonnegative": "1",
    "unit": "0.5",
    "correlation": "0.5",
    "whole": "1",
    "natural": "4",
    "real": "0.5",
    "probabilities": "[0.5, 0.5]",
    "increasing": "[0, 1]",
    "positive_definite": "[[2, 1], [1, 2]]",
    "cholesky": "[[1, 0], [1, 2]]",
    "adjacency": "[[0, 1], [1, 0]]",
}
OUTSIDE = {
    "positive": "0",
    "nonnegative": "-1",
    "unit": "1.5",
    "correlation": "1.5",
    "natural": "-1",
    "probabilities": "[0.5, 0.6]",
    "increasing": "[1, 0]",
    "positive_definite": "[[1, 2], [2, 1]]",
    "cholesky": "[[1, 1], [0, 1]]",
    "adjacency": "[[0, 2], [1, 0]]",
}
ROWS = [row for row in LAWS.values() if row.components == (0, 0)]


def value(text: str, axes: int) -> str:
    """`text` repeated until it has as many axes, each of two entries."""
    depth = len(text) - len(text.lstrip("["))
    return text if depth >= axes else value(f"[{text}, {text}]", axes)


def call(name: str, bad: str = "") -> str:
    row = LAWS[name]
    given = {a.name: value(INSIDE[a.domain], len(a.axes)) for a in row.arguments}
    given |= {"high": "6"} if "high" in given else {"upper": "6"} if "upper" in given else {}
    if bad:
        argument = row.argument(bad)
        given[bad] = value(OUTSIDE[argument.domain], len(argument.axes))
    return f"{name}({', '.join(f'{key} = {text}' for key, text in given.items())})"


def likelihood(law: str, name: str) -> str:
    row = LAWS[name]
    axes = ", ".join(["2"] * max(len(row.axes), 1))
    return f"bsi 1\nparam a : real\nlikelihood f(x : {'int' if row.integer else 'real'}[{axes}] | a) = {law}\n"


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_every_law_is_accepted(name: str) -> None:
    law = compiled(likelihood(call(name), name)).likelihoods["f"].draws[0].law
    assert law.name == name and law.shape == (2,) * max(len(LAWS[name].axes), 1)
    assert law.support.integer == LAWS[name].integer
    assert [argument for argument, _ in law.arguments] == [a.name for a in LAWS[name].arguments]


CASES = [(row.name, a.name) for row in ROWS for a in row.arguments if a.domain in OUTSIDE]


@pytest.mark.parametrize(("name", "argument"), CASES)
def test_every_domain_is_checked(name: str, argument: str) -> None:
    assert codes(likelihood(call(name, argument), name)) == ["E0401"]

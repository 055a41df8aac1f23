"""What fills the place of a missing entry, and what it asks of fits."""

import math
from array import array

import pytest

from bsi.compiler.ir import Table
from bsi.compiler.missing import split
from tests.compiler.helpers import compiled

NAN = math.nan


@pytest.mark.parametrize(
    "rows, filled",
    [
        ([[1, NAN], [NAN, 4], [5, NAN]], [[1, 4], [1, 4], [5, 4]]),
        ([[NAN, NAN], [3, NAN]], [[3, 3], [3, 3]]),
        ([[NAN, 2], [NAN, 1]], [[1, 2], [1, 1]]),
    ],
)
def test_a_hole_takes_an_observed_value(rows, filled):
    table = Table((len(rows), 2), array("d", [x for row in rows for x in row]), False)
    values, holes = split(table)
    assert holes is not None and holes.integer and holes.shape == table.shape
    assert list(values.values) == [x for row in filled for x in row]
    assert list(holes.values) == [int(math.isnan(x)) for row in rows for x in row]


def test_whole_numbers_stay_whole():
    program = compiled(
        "bsi 1\nparam r : real\nprior p(r) = lognormal(0, 1)\n"
        "likelihood f(x : int[2] | r) = poisson(r)\n"
        "observe obs : f[2] = [[3, -1], [2, 4]] { missing = -1 }\n"
        "posterior post(r) = p(r) * f(obs | r)\nsample ref = nuts(post)\n"
    )
    table = program.tables[program.observations["obs"].source]
    assert table.integer and list(table.values) == [3, 4, 2, 4]


ONE = """bsi 1
param m : real
prior p(m) = normal(0, 1)
{}
posterior post(m) = p(m) * f(obs | m)
sample s = ddim(post)
"""


@pytest.mark.parametrize(
    "rest, decided",
    [
        ("likelihood f(x : real[2] | m) = normal(m, 1)\nobserve obs : f = [1, -9] { missing = -9 }", "random"),
        ("likelihood f(x : real | m) = normal(m, 1)\nobserve obs : f[2] = [1, -9] { missing = -9 }", None),
        ("likelihood f(x : real[2] | m) = normal(m, 1)\nobserve obs : f = [1, -9]", None),
    ],
)
def test_a_fit_hides_entries_where_a_set_may_lose_a_part_of_a_row(rest, decided):
    assert dict(compiled(ONE.format(rest)).trains["fit_f"].options)["missing"] == decided

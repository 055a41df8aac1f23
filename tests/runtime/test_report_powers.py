"""Sections of a report on other powers: what they show, and that nothing odd breaks them."""

from dataclasses import replace

import numpy as np
import pytest

from bsi.runtime.report import Check, Report, render
from bsi.runtime.report.powers import Evidence, Scaled, Sensitivity, Way

POWERS = np.array([0.5, 0.8, 1.25, 2.0])
WEIGHTS = Way(np.array([0.21, 0.02]), POWERS, np.full((4, 2), 0.1), 0.13, np.array([0.2, 0.1, 0.3, 0.9]))
DRAWS = Way(np.array([0.22, 0.03]), POWERS, np.full((4, 2), 0.1))
NOTHING = Way(None, np.array([]), np.array([]))
FOUND = Sensitivity(
    "sensitivity(ode)",
    "lambda = 2",
    ("mu", "x<b>"),
    (
        Scaled("p", "prior", {"psis": WEIGHTS, "resample": DRAWS}, "psis"),
        Scaled("obs", "likelihood", {"resample": DRAWS}, "resample"),
    ),
    ("prior-data conflict", ""),
    0.05,
)
CURVE = np.linspace(-20, -3, 5)
AREA = Evidence("evidence(s)", "", -8.25, 0.04, -8.9, np.linspace(0, 1, 5), CURVE, CURVE**2, "lambda")


def test_both_ways_are_shown_and_the_one_that_counts_stands_out():
    page = render(Report("m", "", sensitivities=(FOUND,)))
    assert "sensitivity(ode) at lambda = 2" in page and "prior-data conflict" in page
    assert "<b>0.21</b>" in page and "<b>0.22</b>" not in page and "0.22" in page
    assert "by weights" in page and "by draws" in page and "k̂ of weights next to the power 1: p 0.13." in page
    assert "x&lt;b&gt;" in page and "x<b>" not in page and "NaN" not in page
    assert page.count('aria-label="distances at other powers: sensitivity(ode) at lambda = 2"') == 1


@pytest.mark.parametrize(
    "components",
    [
        (Scaled("obs", "likelihood", {"resample": NOTHING}, None),),
        (Scaled("p", "prior", {"psis": WEIGHTS}, "psis"), Scaled("obs", "likelihood", {"resample": NOTHING}, None)),
    ],
)
def test_what_could_not_be_drawn_is_a_dash(components):
    page = render(Report("m", "", sensitivities=(replace(FOUND, components=components, diagnosis=("", "")),)))
    assert "<td class=n>–</td>" in page and "nan" not in page


def test_an_evidence_is_told_with_its_curve():
    page = render(Report("m", "", evidences=(AREA,)))
    assert "ln Z = −8.25 ± 0.04" in page and "0.65 corrects the trapezoid rule on 5 powers" in page
    assert 'aria-label="mean log likelihood: evidence(s)"' in page


def test_a_check_without_a_bound_is_told_and_neither_passes_nor_fails():
    checks = (Check("evidence(s)", -8.25, 0.04, None, None), Check("rhat(s) < 1.01", None, None, 1.01, None))
    page = render(Report("m", "", checks=checks))
    assert "– told" in page and "– not evaluated" in page and "1 told" in page and "1 not evaluated" in page
    assert "passed" not in page.partition("</header>")[0]

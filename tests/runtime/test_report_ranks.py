"""The section of a report on ranks at simulated data."""

import numpy as np
import pytest

from bsi.runtime.report import Report, render
from bsi.runtime.report.calibration import Calibration

EVEN = np.full(21, 20)
LOW = np.repeat([10, 20, 30], 7)  # ranks are high: draws too low
FOUND = Calibration(
    "sbc", "sbc(s) > 0.05", "lambda = 2", ("mu", "x<b>"), np.array([1.0, 1e-9]), np.stack([EVEN, LOW]), 3
)
BALLS = Calibration("tarp", "tarp(s) > 0.05", "", ("",), np.array([0.5]), EVEN[None])


def test_ranks_of_coordinates():
    page = render(Report("m", "", calibrations=(FOUND,)))
    assert "sbc(s) &gt; 0.05 at lambda = 2" in page and page.count("too low") == 2  # in the table and in the caption
    assert "420 simulations, 20 draws given each; 3 more failed, and were left out." in page
    assert "x&lt;b&gt;" in page and "x<b>" not in page and "NaN" not in page and "bands together" in page
    assert page.count('aria-label="ranks of sbc(s) &gt; 0.05 at lambda = 2"') == 1


def test_coverage_of_balls():
    page = render(Report("m", "", calibrations=(BALLS,)))
    assert "coverage - share" in page and "failed" not in page and "bands with a probability of 95%" in page


@pytest.mark.parametrize(("count", "said"), [(12, False), (60, True)])
def test_many_coordinates_have_a_row_each_and_the_least_even_a_figure(count, said):
    labels = tuple(f"theta[{k}]" for k in range(count))
    many = Calibration("sbc", "sbc(s) > 0.05", "", labels, np.linspace(0.01, 1, count), np.tile(EVEN, (count, 1)))
    page = render(Report("m", "", calibrations=(many,)))
    assert page.count("<tr>") == 1 + min(count, 40) and ("20 more have larger p-values" in page) == said
    assert page.count("rank / draws") == 12
    assert ("The 12 of 60 parameters with the smallest p-values" in page) == said

"""The examples of the language reference that belong to running a model."""

import re
from pathlib import Path

import pytest

from bsi.compiler.ir import SweepRef
from tests.compiler.helpers import codes, compiled

REFERENCE = (Path(__file__).parents[2] / "grammar" / "README.md").read_text(encoding="utf-8")


def example(section: str) -> str:
    (text,) = re.findall(r"```bsi\n(.*?)```", REFERENCE.split(f"\n## {section}\n")[1].split("\n## ")[0], re.S)
    return text


CLEAN = ["Observation sets", "Sweeps", "Types", "Laws of laws", "Bayesian Sample Inference", "Sensitivity and evidence"]


@pytest.mark.parametrize("section", CLEAN)
def test_examples_are_clean(section):
    assert codes(example(section)) == []


def test_observation_sets():
    program = compiled(example("Observation sets"))
    assert program.observations["pairs"].missing and program.observations["single"].missing is None
    hidden = {fit.likelihood: dict(fit.options)["missing"] for fit in program.trains.values()}
    assert hidden == {"f": "random", "g": None}
    (check,) = program.checks
    assert dict(check.options)["params"] == ("phi",) and check.text == "mean_error(ode, ref, params = [phi]) < 0.1"


def test_sweeps():
    program = compiled(example("Sweeps"))
    assert [len(sweep.values) for sweep in program.sweeps.values()] == [4, 3]
    assert dict(program.samples["ode"].options)["rtol"] == SweepRef("tolerance")

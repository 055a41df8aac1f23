"""`import bsi`: check, load, run."""

import subprocess
import sys

import pytest

import bsi
from tests.bsi.helpers import TINY, edit, write


def test_check_returns_diagnostics():
    assert bsi.check(TINY) == []
    (found,) = bsi.check(edit(TINY, ("normal(0, 1)", "normal(0, -1)")), file="model.bsi")
    assert found.code.startswith("E04") and found.severity == "error"
    assert found.primary is not None and found.primary.span.file == "model.bsi"


def test_load_raises_what_is_wrong(folder):
    with pytest.raises(bsi.BsiError, match=r"E0001.*missing\.bsi") as missing:
        bsi.load("missing.bsi")
    assert [d.code for d in missing.value.diagnostics] == ["E0001"]
    with pytest.raises(bsi.BsiError, match="nomal"):
        bsi.load(write("wrong.bsi", edit(TINY, ("normal(0, 1)", "nomal(0, 1)"))))


def test_load_takes_values(folder):
    path = write("sized.bsi", edit(TINY, ("param mu", "let s = 0.5\nparam mu"), ("(mu, 0.5)", "(mu, s)")))
    keys = [bsi.load(path, **values).plan()[0].key for values in ({}, {"s": 0.5}, {"s": 0.25})]
    assert keys[0] == keys[1] != keys[2]


def test_run_gives_trees_and_checks(ran):
    model = bsi.load("tiny.bsi")
    run = model.run("elsewhere")
    assert run.passed and run.checks[0].value is not None and all(job.reused for job in run.jobs)
    assert run["ode"].posterior.mu.sizes == {"chain": 1, "draw": 200}
    assert run["ode"].attrs["sample"] == "ode"


def test_a_job_that_fails_raises_its_diagnostic(folder):
    from bsi.failure import JobFailure

    path = write(
        "tiny.bsi", edit(TINY, ("ddim(post, fit) { draws = 200, steps = 10", "flow_ode(post) { max_steps = 2"))
    )
    with pytest.raises(JobFailure, match="R103") as failure:
        bsi.load(path).run()
    assert failure.value.diagnostic.primary is not None


def test_importing_is_light():
    code = "import sys, bsi; bsi.check; assert not {'jax', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="frobnicate"):
        bsi.frobnicate  # noqa: B018

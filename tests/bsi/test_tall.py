"""What is wrong with rows is said: before a run where it can be known, else beside the draws."""

from pathlib import Path

import pytest

import bsi
from bsi.cost import costs
from bsi.dsl.diagnostic import BsiError
from bsi.jobs.composition import warnings
from bsi.runtime.store import Store

TEXT = """bsi 1
param theta : real[2]
prior p(theta) = normal(0, 1)
likelihood f(x : real | theta) = normal(theta[0], 0.5)
observe obs : f[4] = [0.1, 30, -40, 0.2]
posterior post(theta) = p(theta) * f(obs | theta)
net tiny = mlp { width = 8, depth = 1 }
train fit = score(p, f) { network = tiny, steps = 20, batch = 32, seed = 1 }
sample s = ddim(post, fit) { draws = 50, steps = 10, seed = 2 }
"""


def test_rows_that_no_simulation_looks_like(folder):
    """Two of four rows lie 25 and 35 prior predictive sds out."""
    Path("model.bsi").write_text(TEXT)
    run = bsi.load("model.bsi").run(folder / "out")
    said = [warning.message for warning in run.warnings if warning.code == "W0448"]
    assert said == ["2 of 4 rows of `obs` lie farther out than any simulation that was seen"]


@pytest.mark.parametrize(
    ("rows", "code"),
    [("[0]", "E0305"), ("[3]", "E0606"), ("[2]", "E0606")],
)
def test_sets_that_are_no_sets(rows, code):
    source = {"[0]": "simulate(theta = [0, 0])", "[3]": "[0.1, 0.2]", "[2]": "[[0.1, 0.2], [0.3, 0.4]]"}[rows]
    text = TEXT.replace("f[4] = [0.1, 30, -40, 0.2]", f"f{rows} = {source}")
    assert [d.code for d in bsi.check(text)] == [code]


def test_a_set_larger_than_memory_is_foreseen(folder):
    """Two thousand million rows of one number, with three matrices of two params each: 100 GB and more."""
    text = TEXT.replace("f[4] = [0.1, 30, -40, 0.2]", "f[2_000_000_000] = simulate(theta = [0, 0]) { seed = 1 }")
    Path("model.bsi").write_text(text)
    with pytest.raises(BsiError) as error:
        bsi.load("model.bsi").run(folder / "out")
    assert [d.code for d in error.value.diagnostics] == ["E0514"]


def test_covariances_from_draws_are_foreseen_and_shared(folder):
    """Two samplers of other powers and draws: the covariances of four rows are estimated once, and the plan counts
    them."""
    asked = "{ covariance = sampled, draws = 50, steps = 10, seed = 2 }"
    text = TEXT.partition("sample s")[0].replace("30, -40", "0.3, -0.4")
    text += "posterior twice(theta) = p(theta) * f(obs | theta)^2\n"
    text += f"sample s = ddim(post, fit) {asked}\nsample t = ddim(twice, fit) {asked} # bsi: allow W0447\n"
    Path("model.bsi").write_text(text)
    model, store = bsi.load("model.bsi"), Store(folder / "store")
    found, _ = costs(model.program, model.plan(store=store), store)
    assert "1_024 draws of each row × 30 steps for covariances" in found["s"].words
    assert found["s"].evaluations == 50 * 4 * 10 + 1_024 * 4 * 30
    run = model.run(folder / "out", store=store)
    assert [row.kind for row in store.ls()].count("covariances") == 1
    assert all(run[name].posterior.theta.shape == (1, 50, 2) for name in ("s", "t"))


def test_what_had_to_be_repaired_is_told_by_how_much(folder):
    """Statistics as compositions tell them: see `test_composition.py` for those."""
    Path("model.bsi").write_text(TEXT)
    program = bsi.load("model.bsi").program
    node, sound = program.samples["s"], {"directions": 8.0, "projected": 0.0, "shortfall": 0.0, "repaired": 0.0}
    assert warnings(program, node, sound) == []
    (few,) = warnings(program, node, sound | {"projected": 1.0, "shortfall": 0.031})
    assert few.code == "W0453" and "1 of 8 precisions" in few.message and few.message.endswith("3.1% of the largest")
    (lost,) = warnings(program, node, sound | {"repaired": 2.0, "deficit": 2e-8})
    assert lost.code == "W0458" and "leave 2 directions" in lost.message and "-2e-08 of the largest" in lost.notes[0]

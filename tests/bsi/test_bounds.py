"""Training by a bound, from the model's text to checks.json: a Gaussian posterior and data on levels, both known."""

import json
from pathlib import Path

import numpy as np
import pytest
from xarray import open_datatree

from bsi.compiler.lower.bounds import bins, elbo, objective
from bsi.runtime.elbo import DiffusionClock, Elbo
from bsi.runtime.training import SCORE
from tests.bsi.helpers import cli, results, write
from tests.compiler.helpers import compiled

WEIGHTS = [0.1, 0.4, 0.2, 0.05, 0.25]
TEXT = """bsi 1

param theta : real[2]
param img : real<lower = 0, upper = 8>[3]
prior p(theta) = normal(0, 2)
prior q(img) = learned file("images.json", key = "img") { levels = 5 }
likelihood f(x : real[2] | theta) = normal(theta, 0.5)
observe obs : f[3] = simulate(theta = [0.5, -1.0]) { seed = 7 }
posterior post(theta) = p(theta) * f(obs | theta)
net tiny = mlp { width = 16, depth = 1 }
net two = resmlp { width = 64 }
train fit = bsi(p, f) { network = tiny, steps = 40, batch = 64, seed = 1 }
train alone = bsi(q) { process = vdm, network = two, steps = 500, batch = 128, learning_rate = 0.01, seed = 1 }
sample s = belief(post, fit) { draws = 2_000, seed = 2 }
check bits_per_dim(fit) < 2
check bits_per_dim(fit, steps = 25) < 2
check bits_per_dim(alone) < 3.1
"""


@pytest.fixture
def images(folder):
    """4 000 rows of three independent numbers on 0, 2, ..., 8."""
    levels = np.random.default_rng(0).choice(5, (4_000, 3), p=WEIGHTS)
    Path("images.json").write_text(json.dumps({"img": (2 * levels).tolist()}))
    return folder


def test_bits_of_what_is_known(images):
    done = cli("run", write("m.bsi", TEXT), "--out", "out")
    assert done.status == 1, done.err  # the second check is not to be kept
    found = results("out")
    whole, steps, code = found["checks"]
    assert [check["passed"] for check in found["checks"]] == [True, False, True]
    truth = 0.5 * np.log2(2 * np.pi * np.e / (1 / 4 + 1 / 0.25))
    assert abs(whole["value"] - truth) < 4 * whole["standard_error"] + 0.01
    with open_datatree("out/s.nc") as tree:
        drawn = tree["posterior"]["theta"].values.reshape(-1, 2)
    sd = np.sqrt(1 / (1 / 4 + 3 / 0.25))  # of three rows; a composition of Gaussians is exact
    assert np.all(np.abs(drawn.std(0) / sd - 1) < 4.5 / np.sqrt(2 * len(drawn)) + 0.02)
    assert whole["standard_error"] < 0.06 and steps["value"] > whole["value"] + 1
    entropy = -np.sum(WEIGHTS * np.log2(WEIGHTS))
    assert -4 * code["standard_error"] < code["value"] - entropy < 1.1  # 500 steps do not see every level yet
    fit, alone = ({job["name"]: job["info"] for job in found["jobs"]}[name] for name in ("fit", "alone"))
    for info in (fit, alone):
        assert info["unit"] == info["bound"]["unit"] == "bits/dim"
        assert np.all(np.diff(info["bound"]["finite"]["values"]) < 0)
        assert info["losses"]["held-out"]["values"][-1] == pytest.approx(info["bound"]["value"], abs=0.3)
    assert fit["bound"]["terms"]["log_jacobian"] == pytest.approx(1.0)  # params of sd 2
    assert alone["bound"]["rows"] == 400 and alone["bound"]["terms"]["log_jacobian"] == 0.0
    assert alone["bound"]["terms"]["start"] > 0.0
    assert "bits/dim" in Path("out/report.html").read_text()


def test_precisions_that_follow_from_the_data(images):
    """`auto` in the compiler and in the runtime are one rule; a fit by `score` is judged by the same bound."""
    program = compiled(
        TEXT.replace("train alone = bsi(q) { process = vdm, ", "train other = score(q)\ntrain alone = bsi(q) { ")
    )
    alone, other, fit = (program.trains[name] for name in ("alone", "other", "fit"))
    own = bins(program.priors["q"])
    assert own is not None and own.count == 5
    for train in (alone, other):
        assert elbo(train, program.priors["q"]) == Elbo.for_bins(own.width)
    assert elbo(fit, program.priors["p"]) == Elbo() and objective(other) is SCORE
    diffusion = compiled(TEXT).trains["alone"]
    assert elbo(diffusion, program.priors["q"]).clock == DiffusionClock()

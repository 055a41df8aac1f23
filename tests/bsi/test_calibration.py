"""`check sbc` and `check tarp` through the language: what they are told, what is kept, and samplers right and wrong."""

import json
from pathlib import Path

import numpy as np
import pytest

import bsi
from bsi.check_tables import lines
from tests.bsi.helpers import cli, results, reused, write

ROUGH = """bsi 1
param mu : real
param tau : real<lower = 0>
prior p(mu, tau) = { mu ~ normal(0, 1); tau ~ lognormal(0, 0.5) }
likelihood f(x : real | mu, tau) = {
  e ~ normal(0, tau)
  x = sqrt(mu + 0.7) + e  # no number for a mu below -0.7: 24 %
}
observe obs : f = 1.3
posterior post(mu, tau) = p(mu, tau) * f(obs | mu, tau)
net tiny = mlp { width = 8, depth = 1 }
train fit = score(p, f) { network = tiny, steps = 20, batch = 32, seed = 1 }
sample s = ddim(post, fit) { draws = 20, steps = 5, seed = 2 }
check sbc(s, simulations = 400, draws = 20, seed = 3) > 0.05
check tarp(s, simulations = 20, draws = 20, params = mu, seed = 3) > 0.05
"""


def test_a_network_that_has_learned_nothing_fails(folder):
    """What is kept of it suffices for the report, and nothing is computed again."""
    plan = json.loads(cli("plan", write("m.bsi", ROUGH), "--format", "json").out)["jobs"]
    ranked = next(job for job in plan if job["name"].startswith("sbc"))
    assert (ranked["simulations"], ranked["draws"], ranked["evaluations"]) == (400, 8_000, 8_000 * 5)
    assert "20 draws of `s` at each of 400 simulations" in cli("plan", "m.bsi").out
    done = cli("run", "m.bsi", "--out", "out")
    assert done.status == 1, done.err
    found, few = results("out")["checks"]
    assert not found["passed"] and found["value"] < 1e-6 and found["at"] in ("mu", "tau")
    (point,) = found["detail"]["points"]
    counts = np.array(point["counts"])
    assert found["detail"]["draws"] == 20 and point["labels"] == ["mu", "tau"] and counts.shape == (2, 21)
    assert (counts.sum(1) == point["simulations"]).all() and point["simulations"] + point["failed"] == 400
    assert abs(point["failed"] - 400 * 0.242) < 4 * np.sqrt(400 * 0.242 * 0.758)
    assert "more that failed" in done.err
    assert few["value"] is None and not few["passed"] and "sound simulations of 20 are too few" in few["note"]
    page = (Path("out") / "report.html").read_text()
    assert "<h2>Calibration</h2>" in page and page.count('aria-label="ranks of sbc(s') == 1
    assert "more failed, and were left out" in page
    assert cli("run", "m.bsi", "--out", "out").status == 1 and all(reused("out").values())
    assert cli("report", "out").status == 0 and "<h2>Calibration</h2>" in (Path("out") / "report.html").read_text()


def test_tables_of_any_width():
    point = {"at": "lambda = 0.5", "simulations": 990, "failed": 10, "labels": [f"theta[{k}]" for k in range(30)]}
    point |= {"p_values": list(np.linspace(1e-9, 1, 30)), "said": ["too low"] + [""] * 29}
    whole, narrow = (list(lines({"kind": "sbc", "points": [point] * 6}, width)) for width in (None, 50))
    assert any("theta[0]: p = 1e-09, draws are too low" in line for line in whole)
    assert any("18 more params" in line for line in whole) and "2 more points" in whole[-1]
    assert "at lambda = 0.5: 990 simulations, and 10 more that failed" in whole[0]
    assert max(map(len, narrow)) <= 50
    (_, told) = lines({"kind": "tarp", "points": [{**point, "covered": [(0.5, 0.48), (0.9, 0.93)]}]}, None)
    assert "balls with 50% of the draws hold the params in 48% of the simulations, with 90% in 93%" in told


CONJUGATE = """bsi 1
param mu : real
param nu : real
prior p(mu, nu) = { mu ~ normal(0, 1); nu ~ normal(0, 2) }
likelihood f(x : real[2] | mu, nu) = normal([mu, nu], 0.5)
observe obs : f[2] = [[0.1, 0.4], [0.3, 0.2]]
sweep lambda in [1, 3]
sweep alpha in [1, 0.25]
posterior post(mu, nu) = p(mu, nu) * f(obs | mu, nu)
posterior powered(mu, nu) = p(mu, nu)^alpha * f(obs | mu, nu)^lambda  # bsi: allow W0454
net small = mlp { width = 64, depth = 2 }
train fit = score(p, f) { network = small, steps = 3_000, batch = 512, seed = 1 }
sample good = ddim(post, fit) { draws = 200, steps = 60, seed = 2 }
sample short = ddim(post, fit) { draws = 200, steps = 6, seed = 2 }
sample twice = ddim(post, fit) { draws = 200, steps = 60, compose = sum, seed = 2 }
sample sharp = ddim(powered, fit) { draws = 200, steps = 60, seed = 2 }
check sbc(good, simulations = 500, draws = 40, seed = 1) > 0.01
check tarp(good, simulations = 500, draws = 40, seed = 1) > 0.01
check sbc(short, simulations = 500, draws = 40, seed = 1) > 0.01
check tarp(short, simulations = 500, draws = 40, seed = 1) > 0.01
check sbc(sharp, simulations = 500, draws = 40, seed = 1) > 0.01
check tarp(sharp, simulations = 500, draws = 40, seed = 1) > 0.01
"""


@pytest.mark.slow
def test_a_right_sampler_passes_and_wrong_ones_do_not(folder):
    """500 simulations. Six first-order steps draw too narrow, and so does a power of 3."""
    run = bsi.load(write("m.bsi", CONJUGATE)).run(folder / "out")
    assert [check.passed for check in run.checks] == [True, True, False, False, False, False], run.checks
    detail = run.checks[4].detail or {}
    powers = {point["at"]: min(point["p_values"]) for point in detail["points"]}
    right = powers.pop("lambda = 1, alpha = 1")
    assert right > 0.01 > 1e-6 > max(value for at, value in powers.items() if "lambda = 3" in at)
    assert "lambda = 3" in run.checks[4].at

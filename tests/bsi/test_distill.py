"""Distilled fits in a whole run: draws in one pass against closed forms, what is planned, reused, told and refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

import bsi
from bsi.runtime.distill import DistillInfo
from tests.bsi.helpers import cli, edit, results, reused, write

SQUARE = """bsi 1
param theta : real
prior p(theta) = normal(0, 1)
likelihood f(x : real | theta) = normal(theta^2, 0.3)
observe obs : f = 1.0
posterior post(theta) = p(theta) * f(obs | theta)
net small = mlp { width = 64, depth = 2 }
train fast = distill(est) { network = small, steps = 1_000, batch = 256, pairs = 3_000, flow_steps = 16, seed = 3 }
train est = exact(p, f) { simulations = 5_000, neighbours = 512, seed = 1 }
sample quick = one_step(post, fast) { draws = 4_000, seed = 4 }
"""

TINY = "network = mlp { width = 32, depth = 2 }, simulations = 2_000, steps = 400, batch = 128"
SHORT = "method = flow_map, steps = 10, batch = 64, pairs = 200, flow_steps = 4"
TALL = """bsi 1
dim d = 2
param theta : real[d]
prior p(theta) = normal(0, 2)
likelihood f(x : real[d] | theta) = mv_normal(theta, [[0.5, 0.2], [0.2, 0.5]])
observe obs : f[4] = [[0.4, -1.0], [0.1, 0.2], [0.3, -0.5], [0.7, -0.9]]
observe other : f[2] = [[1.4, 1.0], [1.1, 0.2]]
sweep lambda in [0.5, 2]
sweep alpha in [0.5, 1]
posterior post(theta) = p(theta)^alpha * f(obs | theta)^lambda
posterior two(theta) = p(theta) * f(other | theta)
train est = exact(p, f) { simulations = 40_000, seed = 1 }
train fast = distill(est, post) { pairs = 500, flow_steps = 8, seed = 3 }
sample quick = one_step(post, fast) { draws = 4_000, seed = 4 }
sample again = one_step(two, fast) { draws = 4_000, seed = 5 }
"""


def closed_form(rows, alpha, power):
    """Mean and covariance of the posterior of `TALL`."""
    noise = np.linalg.inv([[0.5, 0.2], [0.2, 0.5]])
    covariance = np.linalg.inv(alpha / 4 * np.eye(2) + power * len(rows) * noise)
    return covariance @ (power * noise @ np.sum(rows, 0)), covariance


def test_one_pass_has_two_modes(folder):
    """Draws against quadrature: |theta| within .15 sds in the mean (4 000 draws: .03 at 3 sigma; the rest is a table of
    5 000 and a small net), as many of each sign within .06, and no more than 15 % of them between the modes, where the
    truth has 3 % and a Gaussian 30 %. Then a new number of draws trains nothing again."""
    done = cli("run", write("m.bsi", SQUARE), "--out", "out")
    assert done.status == 0, done.err
    theta = bsi.load("m.bsi").run(out="out")["quick"].posterior.theta.values.ravel()
    grid = np.linspace(-4, 4, 4_001)
    density = norm.pdf(grid) * norm.pdf(1.0, grid**2, 0.3)
    density /= density.sum()
    centre = np.sum(density * np.abs(grid))
    assert abs(np.abs(theta).mean() - centre) < 0.15 * np.sqrt(np.sum(density * grid**2))
    assert np.mean(np.abs(theta) < 0.4) < 0.15 and abs(np.mean(theta > 0) - 0.5) < 0.06
    info = next(job["info"] for job in results("out")["jobs"] if job["name"] == "fast")
    assert info["error"] < 0.6 * info["baseline"] and info["median"] < info["error"] and info["steps"] == 1_000
    assert "one pass misses its teacher's flow" in done.err
    assert "One pass misses its teacher" in Path("out/report.html").read_text()
    write("m.bsi", edit(SQUARE, ("draws = 4_000", "draws = 100"), ("distill(est) {", "distill(est, post) {")))
    planned = cli("plan", "m.bsi").out
    assert "1_000 steps × 256 of 3_000 draws of `est`" in planned and "100 draws × 1 pass" in planned
    write("again.bsi", cli("expand", "m.bsi").out)
    assert all(
        job["action"] == "reuse" for job in json.loads(cli("plan", "again.bsi", "--format", "json").out)["jobs"][:3]
    )
    assert cli("run", "m.bsi", "--out", "out").status == 0
    assert reused("out") == {"est.simulations": True, "est": True, "fast": True, "quick": False}


@pytest.mark.slow
def test_powers_and_rows_of_a_gaussian_are_exact(folder):
    """A linear-Gaussian model leaves nothing to train: every (alpha, lambda), and other rows than the posterior's that
    the fit was told of, within 5 sigma of 4 000 draws and .15 sds for the regression on 40 000 simulations."""
    done = cli("run", write("m.bsi", TALL), "--out", "out")
    assert done.status == 0, done.err
    info = next(job["info"] for job in results("out")["jobs"] if job["name"] == "fast")
    assert info["steps"] == 0 and info["error"] < 5e-3
    run = bsi.load("m.bsi").run(out="out")
    rows = np.array([[0.4, -1.0], [0.1, 0.2], [0.3, -0.5], [0.7, -0.9]])
    quick = run["quick"].posterior.theta
    found = {(a, b): quick.sel({"alpha": a, "lambda": b}).values[0] for a in (0.5, 1.0) for b in (0.5, 2.0)}
    cases = [(draws, closed_form(rows, *point)) for point, draws in found.items()]
    cases.append((run["again"].posterior.theta.values[0], closed_form([[1.4, 1.0], [1.1, 0.2]], 1, 1)))
    for draws, (mean, covariance) in cases:
        sd = np.sqrt(np.diag(covariance))
        assert np.all(np.abs(draws.mean(0) - mean) / sd < 0.15 + 5 / np.sqrt(4_000))
        assert np.all(np.abs(draws.std(0) / sd - 1) < 0.03 + 5 / np.sqrt(8_000))
        correlation = covariance[0, 1] / sd.prod()
        assert abs(np.corrcoef(draws.T)[0, 1] - correlation) < 0.03 + 5 / np.sqrt(4_000)


def test_a_trained_network_is_a_teacher_and_what_is_said_of_a_bad_student(folder):
    """A score on a table teaches rows of that table; ten steps teach nothing, which is said."""
    text = edit(
        SQUARE,
        ("exact(p, f) { simulations = 5_000, neighbours = 512,", f"score(p, f) {{ {TINY},"),
        ("small, steps = 1_000, batch = 256, pairs = 3_000, flow_steps = 16", f"small, {SHORT}"),
        ("draws = 4_000", "draws = 100, steps = 2"),
    )
    done = cli("run", write("m.bsi", text), "--out", "out")
    assert done.status == 0 and "W0443" in done.err, done.err
    again = json.loads(cli("plan", "m.bsi", "--format", "json").out)["jobs"]
    assert {job["name"]: job["needs"] for job in again}["fast"] == ["est", "est.simulations"]


def test_a_failure_of_distilling_points_at_the_fit(folder, monkeypatch):
    failed = DistillInfo(0, np.inf, np.inf, np.inf, np.zeros((0, 1)), np.zeros((0, 1)), "the loss is not finite")
    monkeypatch.setattr("bsi.jobs.distill.distill", lambda *_, **__: (None, failed))
    text = edit(SQUARE, ("simulations = 5_000, neighbours = 512", "simulations = 300, neighbours = 20"))
    done = cli("run", write("m.bsi", text), "--out", "out")
    assert done.status == 3 and "R126" in done.err and "distilling `fast` failed: the loss" in done.err, done.err
    assert [job["status"] for job in results("out")["jobs"]] == ["done", "done", "failed", "skipped"]


def test_a_power_of_a_prior_that_has_no_closed_form_is_refused_in_the_plan(folder):
    text = edit(
        SQUARE,
        ("param theta : real", "param theta : real<lower = 0>"),
        ("= normal(0, 1)", "= gamma(2, 1)"),
        ("p(theta) * f", "p(theta)^0.5 * f"),
        ("distill(est) {", "distill(est, post) {"),
    )
    done = cli("plan", write("m.bsi", text))
    assert done.status == 2 and "R127" in done.err, done.err


@pytest.mark.slow
def test_powers_of_a_law_with_two_modes(folder):
    """One fit at λ = ¼ … 4, |theta| by quadrature: W1 within .12 sds, of which the table of 50 000 has .07."""
    text = edit(
        SQUARE,
        ("posterior post", "sweep lambda in [0.25, 1, 4]\nposterior post"),
        ("f(obs | theta)\n", "f(obs | theta)^lambda\n"),
        (
            "distill(est) { network = small, steps = 1_000, batch = 256, pairs = 3_000",
            "distill(est, post) { steps = 4_000",
        ),
        ("simulations = 5_000, neighbours = 512", "simulations = 50_000"),
    )
    theta = bsi.load(write("m.bsi", text)).run(out="out")["quick"].posterior.theta.values[:, 0]
    grid = np.linspace(-4, 4, 8_001)
    for draws, power in zip(theta, (0.25, 1, 4), strict=True):
        below = np.cumsum(norm.pdf(grid) * norm.pdf(1.0, grid**2, 0.3) ** power)
        truth = np.interp((np.arange(len(draws)) + 0.5) / len(draws), below / below[-1], grid)
        assert np.abs(np.sort(draws) - truth).mean() < 0.12 * truth.std()

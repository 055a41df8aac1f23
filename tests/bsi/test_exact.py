"""Fits without training in a whole run: a table of simulations or pairs, several rows, what is said of a bad table."""

import json
from pathlib import Path

import numpy as np
import pytest

import bsi
from tests.bsi.helpers import cli, edit, results, reused, write

SQUARE = """bsi 1
param theta : real
prior p(theta) = normal(0, 1)
likelihood f(x : real[2] | theta) = normal([theta^2, 0], [0.1, 1])
observe obs : f[2] = [[1, 0], [1.1, 0.3]]
posterior post(theta) = p(theta) * f(obs | theta)
train est = exact(p, f) { simulations = 3_000, neighbours = 128, seed = 1 }
sample ode = ddim(post, est) { draws = 500, steps = 40, seed = 2 }
"""


def test_a_table_is_sampled_and_reused(folder):
    """Two rows of two modes: |theta| near 1.02, both signs; a new number of steps simulates and fits nothing again."""
    done = cli("run", write("m.bsi", SQUARE), "--out", "out")
    assert done.status == 0, done.err
    theta = bsi.load("m.bsi").run(out="again")["ode"].posterior.theta.values.ravel()
    assert abs(np.abs(theta).mean() - 1.02) < 0.05 and 0.25 < np.mean(theta > 0) < 0.75
    info = next(job["info"] for job in results("out")["jobs"] if job["name"] == "est")
    assert info["effective"][1] > 20 and info["neighbours"] == 128 and info["duplicates"] == 0
    write("m.bsi", edit(SQUARE, ("steps = 40", "steps = 30")))
    assert cli("run", "m.bsi", "--out", "out").status == 0
    assert reused("out") == {"est.simulations": True, "est": True, "ode": False}
    assert "no training" in cli("plan", "m.bsi").out


def test_pairs_and_what_they_lack(folder):
    """Pairs of a file, of which a tenth is repeated and one number is constant: both are said."""
    rng = np.random.default_rng(0)
    theta = np.repeat(rng.normal(0, 1, 900), 1 + (np.arange(900) < 100))
    x = np.stack([theta + np.repeat(rng.normal(0, 0.5, 900), 1 + (np.arange(900) < 100)), np.full(1_000, 2.0)], 1)
    Path("pairs.json").write_text(json.dumps({"theta": theta.tolist(), "x": x.tolist()}))
    text = edit(
        SQUARE,
        ("normal([theta^2, 0], [0.1, 1])", 'learned pairs("pairs.json")'),
        ("simulations = 3_000, neighbours = 128, ", ""),
        ("[[1, 0], [1.1, 0.3]]", "[[1, 2], [0.5, 2]]"),
    )
    done = cli("run", write("m.bsi", text), "--out", "out")
    assert done.status == 0 and "W0441" in done.err and "W0442" in done.err, done.err


def test_simulations_that_are_not_finite(folder):
    """Of 120 simulations the root leaves every other one: too few for three numbers is an error, not a fit."""
    text = edit(
        SQUARE,
        ("normal([theta^2, 0], [0.1, 1])", "{\n  a ~ normal(0, 1)\n  x = [sqrt(theta - 1.5), a]\n}"),
        ("simulations = 3_000, neighbours = 128", "simulations = 120"),
    )
    done = cli("run", write("m.bsi", text), "--out", "out")
    assert done.status == 3 and "R125" in done.err, done.err


@pytest.mark.slow
def test_a_prior_alone(folder):
    """Draws of a learned law with two modes: as many in each, 4.5 sigma of 400 draws and 1 000 simulations."""
    text = """bsi 1
param theta : real[2]
prior p(theta) = learned mixture([0.5, 0.5], mv_normal([0, 0], 0.1 * eye(2)), mv_normal([3, 3], 0.1 * eye(2)))
posterior alone(theta) = p(theta)
train est = exact(p) { simulations = 1_000, neighbours = 999, seed = 1 }
sample draws = ddim(alone, est) { draws = 400, steps = 40, seed = 2 }
"""
    done = cli("run", write("m.bsi", text), "--out", "out")
    assert done.status == 0, done.err
    theta = bsi.load("m.bsi").run(out="out")["draws"].posterior.theta.values[0]
    upper = theta[:, 0] > 1.5
    assert abs(upper.mean() - 0.5) < 4.5 * 0.5 * np.sqrt(1 / 400 + 1 / 1_000)
    assert np.all(np.abs(theta - np.where(upper, 3, 0)[:, None]) < 2.0)

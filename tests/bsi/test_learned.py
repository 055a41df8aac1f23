"""What only a run can say of learned laws: pairs of another prior, a prior alone that nothing has learned."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.bsi.helpers import cli, results, write

PAIRS = """bsi 1
param theta : real
prior p(theta) = normal(0, 1)
likelihood f(x : real | theta) = learned pairs("pairs.json")
observe obs : f = 0.5
posterior post(theta) = p(theta) * f(obs | theta)
train fit = score(p, f) { network = mlp { width = 8, depth = 1 }, steps = 20, batch = 32 }
sample s = ddim(post, fit) { steps = 5, draws = 100 }
"""
ALONE = """bsi 1
param theta : real[2]
prior p(theta) = mixture([0.5, 0.5], mv_normal([0, 0], eye(2)), mv_normal([3, 3], eye(2)))
posterior post(theta) = p(theta)
sample s = ddim(post) { steps = 5, draws = 100 }
"""


@pytest.mark.parametrize("mean, sd, status", [(0.0, 1.0, 0), (0.3, 1.0, 3), (0.0, 1.3, 3)])
def test_pairs_must_be_draws_of_the_prior(folder, mean, sd, status):
    """2 000 pairs: a shift or a scale of 0.3 is ten standard errors."""
    rng = np.random.default_rng(0)
    theta = rng.normal(mean, sd, 2_000)
    pairs = {"theta": theta.tolist(), "x": (theta + rng.normal(0, 0.5, 2_000)).tolist()}
    Path("pairs.json").write_text(json.dumps(pairs))
    done = cli("run", write("m.bsi", PAIRS), "--out", "out")
    assert done.status == status, done.err
    assert ("R114" in done.err) == (status == 3)


def test_a_prior_alone_needs_a_score(folder):
    done = cli("run", write("m.bsi", ALONE), "--out", "out")
    assert done.status == 3 and "R113" in done.err and "learned LAW" in done.err


def test_a_law_is_learned_and_sampled(folder):
    """The same prior as a learned law: the fit is implied, and its draws lie where the modes are."""
    text = ALONE.replace("mixture(", "learned mixture(").replace("sample s", "train fit = score(p) {TINY}\nsample s")
    write("m.bsi", text.replace("{TINY}", "{ network = mlp { width = 8, depth = 1 }, steps = 20, batch = 32 }"))
    done = cli("run", "m.bsi", "--out", "out")
    assert done.status == 0, done.err
    assert {job["name"] for job in results("out")["jobs"]} == {"fit", "s"}

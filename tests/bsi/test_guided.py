"""The route `guided` from the front door: nothing is trained for an explicit prior, and all samplers take it."""

import re

import numpy as np
import pytest

import bsi
from tests.bsi.helpers import cli, write
from tests.bsi.test_samplers import MODEL as SAMPLERS
from tests.bsi.test_samplers import STEPS

MODEL = """bsi 1
param rate : real<lower = 0>
prior p(rate) = gamma(2, 1)
likelihood f(k : int | rate) = poisson(rate)
observe obs : f[3] = [4, 2, 5]
sweep beta in [0.5, 1]
posterior post(rate) = p(rate) * f(obs | rate)^beta
sample draws = smc(post) { route = guided, steps = 40, draws = 2_000, seed = 1 }
"""


@pytest.mark.slow
def test_a_conjugate_posterior(tmp_path):
    """Gamma and Poisson: gamma(2 + 11 beta, 1 + 3 beta), by a searched quantile; 2 000 draws, 4.5 standard errors of
    weighted ones and 2 % for 40 steps."""
    run = bsi.load(write(tmp_path / "m.bsi", MODEL)).run(tmp_path / "out")
    for place, beta in enumerate((0.5, 1.0)):
        draws = run["draws"].posterior.rate.values[place].ravel()
        shape, scale = 2 + 11 * beta, 1 / (1 + 3 * beta)
        allowed = 4.5 * np.sqrt(2 / 2_000) + 0.02
        assert abs(draws.mean() - shape * scale) < allowed * np.sqrt(shape) * scale
        assert abs(draws.std() / (np.sqrt(shape) * scale) - 1) < allowed


def test_data_that_nobody_can_have_made(tmp_path):
    """An observation outside the likelihood's support ends the run by a diagnostic."""
    text = MODEL.replace("poisson(rate)", "uniform(0, rate / 1e6)").replace("k : int", "k : real")
    text = text.replace("gamma(2, 1)", "lognormal(0, 1)")
    result = cli("run", write(tmp_path / "m.bsi", text), "--out", tmp_path / "out")
    assert result.status == 3 and "error[R118]" in result.err, result


@pytest.mark.slow
def test_every_sampler_is_guided(tmp_path):
    """The linear-Gaussian posterior of `test_samplers.py`, without a fit."""
    text = re.sub(r"(net|train) .*\n", "", SAMPLERS).replace("(post, fit) {", "(post) { route = guided,")
    run = bsi.load(write(tmp_path / "m.bsi", text)).run(tmp_path / "out")
    precision = 1 + 1 / np.array([1.0, 0.5]) ** 2
    mean, sd = (precision - 1) * [0.4, -1.1] / precision, precision**-0.5
    for name in ("flow_ode", "ddim", "dpmpp", "heun", "churn", *STEPS, "reverse_sde"):
        for at_point in run[name].posterior.theta.values.reshape(-1, 8_000, 2):
            assert np.all(np.abs(at_point.mean(0) - mean) / sd < 5 / np.sqrt(8_000) + 0.02), name
            assert np.all(np.abs(at_point.std(0) / sd - 1) < 5 / np.sqrt(16_000) + 0.01 + STEPS.get(name, 0.0)), name

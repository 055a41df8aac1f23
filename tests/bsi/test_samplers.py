"""Every score-based sampler, named in a model, on a linear-Gaussian posterior in closed form."""

import numpy as np

import bsi
from tests.bsi.helpers import write

MODEL = """bsi 1

param theta : real[2]
prior p(theta) = normal(0, 1)
likelihood f(x : real[2] | theta) = normal(theta, [1.0, 0.5])
observe obs : f = [0.4, -1.1]
sweep size in [0.5, 1]
posterior post(theta) = p(theta) * f(obs | theta)

net tiny = mlp { width = 8, depth = 1 }
train fit = score(p, f) { network = tiny, steps = 64, batch = 2048, seed = 1 }

sample flow_ode = flow_ode(post, fit) { draws = 8_000 }
sample ddim = ddim(post, fit) { draws = 8_000 }
sample dpmpp = dpmpp(post, fit) { draws = 8_000 }
sample heun = heun(post, fit) { draws = 8_000, steps = 40 }
sample churn = heun(post, fit) { draws = 8_000, steps = 40, churn = 5 }
sample reverse_sde = reverse_sde(post, fit) { draws = 8_000, noise = size }
sample belief = belief(post, fit) { draws = 8_000, steps = 200, gamma = size }
sample predictor_corrector = predictor_corrector(post, fit) { draws = 8_000, corrections = 2, eta = size }
sample langevin = langevin(post, fit) { draws = 8_000, corrections = 20 }
"""
# Allowed in the sd besides 5 standard errors: what a sampler's steps lose or add (tests/runtime/test_samplers.py).
STEPS = {"belief": 0.03, "predictor_corrector": 0.06, "langevin": 0.03}


def test_samplers(tmp_path):
    run = bsi.load(write(tmp_path / "m.bsi", MODEL)).run(tmp_path / "out")
    precision = 1 + 1 / np.array([1.0, 0.5]) ** 2
    mean, sd = (precision - 1) * [0.4, -1.1] / precision, precision**-0.5
    for name in ("flow_ode", "ddim", "dpmpp", "heun", "churn", *STEPS, "reverse_sde"):
        draws = run[name].posterior.theta.values
        for at_point in draws.reshape(-1, 8_000, 2):  # one point of the sweep after the other
            error = np.abs(at_point.mean(0) - mean) / sd
            assert np.all(error < 5 / np.sqrt(8_000) + 0.02), (name, error)
            spread = np.abs(at_point.std(0) / sd - 1)
            assert np.all(spread < 5 / np.sqrt(16_000) + 0.01 + STEPS.get(name, 0.0)), (name, spread)

"""`correct = mala` where some factor can only be simulated: against closed forms, and against the density's own."""

import numpy as np
import pytest

import bsi
from bsi.compiler.emit import Nothing
from bsi.compiler.expand import expand
from bsi.compiler.passes import with_seeds
from bsi.compiler.plan import plan
from bsi.cost import costs
from bsi.jobs.correct import warnings
from bsi.runtime.store import Store
from tests.bsi.helpers import write
from tests.compiler.helpers import compiled

ROWS = np.array([0.9, 1.2, 0.4, 1.1])
MODEL = f"""bsi 1

param theta : real
prior p(theta) = normal(0, 1)
likelihood f(x : real | theta) = {{
  e ~ normal(0, 0.5)
  x = theta + e
}}
observe obs : f[4] = {ROWS.tolist()}
sweep lambda in [0.5, 2]
posterior post(theta) = p(theta)^0.5 * f(obs | theta)^lambda

train fit = exact(p, f) {{ simulations = 2_000, seed = 1 }}
sample moved = ddim(post, fit) {{ draws = 1_000, steps = 2, correct = mala {{ steps = 40 }}, seed = 2 }}
"""
# noise whose size depends on the param: posteriors of rows are skewed, and powers of them not composed exactly
SKEWED = """bsi 1

param theta : real
prior p(theta) = normal(0, 1)
likelihood f(x : real | theta) = normal(theta, exp(0.6 * theta))
likelihood g(x : real | theta) = {
  e ~ normal(0, 1)
  x = theta + exp(0.6 * theta) * e
}
observe obs : f = 0.3
observe same : g = 0.3
posterior known(theta) = p(theta)^0.25 * f(obs | theta)^4
posterior post(theta) = p(theta)^0.25 * g(same | theta)^4

train fit = score(p, g) { steps = 4_000, seed = 1 }
train table = exact(p, g) { simulations = 50_000, seed = 1 }
sample plain = ddim(post, fit) { draws = 8_000, seed = 2 }
sample moved = ddim(post, fit) { draws = 8_000, correct = mala { steps = 200 }, seed = 2 }
sample kernels = ddim(post, table) { draws = 8_000, seed = 2 }
sample shifted = ddim(post, table) { draws = 8_000, correct = mala { steps = 200 }, seed = 2 }
"""


def test_rows_that_are_simulated_at_two_powers(tmp_path):
    """Two steps of `ddim` leave an sd far too small; moved, mean and sd are within 5 standard errors of 1 000 draws and
    .05 sds, for an error of the table."""
    run = bsi.load(write(tmp_path / "m.bsi", MODEL)).run(tmp_path / "out", store=Store(tmp_path / "store"))
    theta = run["moved"].posterior["theta"].values[:, 0]
    for own, power in zip(theta, (0.5, 2.0), strict=True):
        precision = 0.5 + 4 * power / 0.25
        gap = (own.mean() - power * ROWS.sum() / 0.25 / precision) * np.sqrt(precision)
        assert abs(gap) < 5 / np.sqrt(1000) + 0.05
        assert abs(own.std() * np.sqrt(precision) - 1) < 5 / np.sqrt(2000) + 0.05


def test_what_it_goes_by_is_written_out_and_foreseen(tmp_path):
    program = with_seeds(compiled(MODEL), 0)
    assert "correct = mala { by = scores, steps = 40 }" in expand(program)
    jobs = plan(program, Nothing())
    found, _ = costs(program, jobs, Store(tmp_path))
    assert found["moved"].words.endswith("moved by 40 steps of mala by scores")
    assert found["moved"].evaluations == 1_000 * 4 * 2 * (2 + 40 * 6)
    explicit = MODEL.replace("  e ~ normal(0, 0.5)\n  x = theta + e\n", "  x ~ normal(theta, 0.5)\n")
    assert "correct = mala { by = density, steps = 40 }" in expand(compiled(explicit))
    asked = explicit.replace("steps = 40 }", "steps = 40, by = scores }")
    assert "correct = mala { by = scores, steps = 40 }" in expand(compiled(asked))


GUIDED = """bsi 1
param theta : real
prior p(theta) = learned file("draws.npz")
likelihood f(x : real | theta) = normal(theta, 0.5)
observe obs : f[2] = [0.3, 0.6]
posterior post(theta) = p(theta)^2 * f(obs | theta)
sample moved = ddim(post) { correct = mala }
"""


def test_modes_that_keep_their_shares_are_weighed_where_no_density_is(tmp_path, monkeypatch):
    """By a sampler that the route allows."""
    monkeypatch.chdir(tmp_path)
    np.savez("draws.npz", theta=np.random.default_rng(0).standard_normal(200))
    for text, way in ((MODEL, "`ddim(...) { correct = smc }`"), (GUIDED, "by `smc`")):
        program = compiled(text)
        (found,) = warnings(program, program.samples["moved"], {"separation": 4.0})
        assert found.code == "W0457" and way in found.help and "psis" not in found.help


def quantiles(k):
    """Of the law of SKEWED, by quadrature."""
    grid = np.linspace(-6, 4, 40_001)
    log_mass = -0.125 * grid**2 + 4 * (-0.6 * grid - 0.5 * ((0.3 - grid) * np.exp(-0.6 * grid)) ** 2)
    mass = np.exp(log_mass - log_mass.max())
    mass /= mass.sum()
    mean = mass @ grid
    return np.interp((np.arange(k) + 0.5) / k, np.cumsum(mass), grid), np.sqrt(mass @ (grid - mean) ** 2)


@pytest.mark.slow
def test_powers_of_a_factor_that_is_no_gaussian(tmp_path):
    """W1 in posterior sds, of 8 000 draws: a power of 4 composed as if it were Gaussian, and moved by scores. What is
    left of the table is its blur, four times."""
    run = bsi.load(write(tmp_path / "m.bsi", SKEWED)).run(tmp_path / "out", store=Store(tmp_path / "store"))
    truth, sd = quantiles(8_000)

    def w1(name):
        return np.abs(np.sort(run[name].posterior["theta"].values.ravel()) - truth).mean() / sd

    found = {name: w1(name) for name in ("plain", "moved", "kernels", "shifted")}
    assert found["moved"] < 0.5 * found["plain"] and found["moved"] < 0.1, found
    assert found["shifted"] < 0.5 * found["kernels"] and found["shifted"] < 0.2, found

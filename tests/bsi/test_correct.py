"""`correct`: exact densities against SciPy, corrected draws against quadrature, and what a run says of failed ones."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import bsi
from bsi.compiler.emit import Nothing
from bsi.compiler.expand import expand
from bsi.compiler.lower.model import LoweredModel
from bsi.compiler.lower.target import log_posterior
from bsi.compiler.passes import with_seeds
from bsi.compiler.plan import plan
from bsi.jobs.correct import warnings
from bsi.runtime.store import Store
from tests.bsi.helpers import write
from tests.compiler.helpers import compiled

ROWS = np.array([1.4, 2.1, 0.7])
MODEL = f"""bsi 1

param theta : real<lower = 0>
prior p(theta) = lognormal(0, 1)
likelihood f(x : real | theta) = normal(theta, 0.5)
observe obs : f[3] = {ROWS.tolist()}
sweep lambda in [0.5, 2]
posterior post(theta) = p(theta)^0.25 * f(obs | theta)^lambda

net tiny = mlp {{ width = 8, depth = 1 }}
train fit = score(p, f) {{ network = tiny, steps = 64, batch = 512, seed = 1 }}
sample plain = flow_ode(post, fit) {{ draws = 2_000, seed = 2 }}
sample moved = ddim(post, fit) {{ draws = 2_000, steps = 20, correct = mala {{ steps = 60 }}, seed = 2 }}
sample early = ddim(post, fit) {{ draws = 2_000, steps = 2, correct = mala {{ steps = 2 }}, seed = 2 }}
"""
SLOW = """sample weighed = flow_ode(post, fit) { draws = 2_000, correct = psis, seed = 2 }
sample walked = ddim(post, fit) { draws = 500, steps = 20, correct = langevin { steps = 3 }, seed = 2 }
sample particles = ddim(post, fit) { draws = 500, steps = 20, correct = smc { moves = 3 }, seed = 2 }
"""
GRID = np.linspace(1e-4, 12, 40_000)


def moments(power):
    """Mean and sd of the posterior, by quadrature on the declared scale."""
    log_mass = 0.25 * stats.lognorm(1).logpdf(GRID) + power * stats.norm(ROWS[:, None], 0.5).logpdf(GRID).sum(0)
    mass = np.exp(log_mass - log_mass.max())
    mean = np.average(GRID, weights=mass)
    return mean, np.sqrt(np.average((GRID - mean) ** 2, weights=mass))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("correct")
    return bsi.load(write(folder / "m.bsi", MODEL + SLOW)).run(folder / "out", store=Store(folder / "store"))


def test_target_is_the_posterior_in_working_coordinates():
    """Differences of its log at points, with the prior to the ¼ in declared coordinates and the Jacobian to the 1."""
    program = compiled(MODEL)
    model = LoweredModel(program)
    posterior = program.posteriors["post"]
    target = log_posterior(model, posterior, model.coordinates("p"))(model.powers(posterior, {"lambda": 2.0}))
    z = np.linspace(-2, 2, 7)
    theta = np.exp(z)  # lognormal(0, 1) is e^z of a normal z
    truth = 0.25 * stats.lognorm(1).logpdf(theta) + 2 * stats.norm(ROWS[:, None], 0.5).logpdf(theta).sum(0) + z
    found = np.asarray(target(jnp.asarray(z, jnp.float32)[:, None]))
    np.testing.assert_allclose(found - found[0], truth - truth[0], rtol=1e-4)


@pytest.mark.slow
def test_corrected_draws_are_the_posterior(run):
    """A hardly trained network is off; corrected, mean and sd are within 5 standard errors of 2 000 draws."""
    off = 0.0
    for place, power in enumerate([0.5, 2.0]):
        mean, sd = moments(power)
        for name in ("moved", "weighed"):
            theta = run[name].posterior["theta"].values[place].ravel()
            assert abs(theta.mean() - mean) < 5 * sd / np.sqrt(2000), name
            assert abs(theta.std() / sd - 1) < 5 / np.sqrt(2000), name
        off = max(off, abs(run["plain"].posterior["theta"].values[place].mean() - mean) / sd)
    assert off > 0.2


@pytest.mark.slow
def test_a_run_says_what_correctors_found(run):
    info = {job.name: job.info for job in run.jobs}
    said = {(warning.code, warning.message.split("`")[1]) for warning in run.warnings}
    assert 0.0 < info["moved"]["acceptance"] < 1.0 and info["moved"]["drift"] < 0.1
    assert ("W0437", "early") in said and ("W0437", "moved") not in said
    assert info["weighed"]["importance_ess"] > 1
    assert (("W0436", "weighed") in said) == (info["weighed"]["pareto_k"] > 0.7)
    assert info["particles"]["effective_share"] <= 1 and info["walked"]["evaluations"] > 60


def test_a_choice_is_written_out_and_is_part_of_the_key():
    program = compiled(MODEL + SLOW)
    text = expand(program)
    assert "correct = psis { steps = 20 }" in text and "correct = smc { delta = 0.5, ess = 0.5, moves = 3 }" in text
    assert expand(compiled(text)) == text
    other = compiled((MODEL + SLOW).replace("mala { steps = 60 }", "mala { steps = 61 }"))
    keys, others = ({job.name: job.key for job in plan(with_seeds(p, 0), Nothing())} for p in (program, other))
    assert {name for name in keys if keys[name] != others[name]} == {"moved"}


def test_few_particles_that_count_are_told() -> None:
    program = compiled(MODEL)
    node = program.samples["moved"]
    assert [warning.code for warning in warnings(program, node, {"effective_share": 0.005})] == ["W0438"]
    assert warnings(program, node, {"effective_share": 0.4}) == []

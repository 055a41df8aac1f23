"""Posteriors of several likelihoods, sets and powers, against the closed form of a linear-Gaussian model."""

import numpy as np
import pytest

import bsi
from tests.bsi.helpers import cli, write

MODEL = """bsi 1

param theta : real[2]
param phi : real

prior p(theta, phi) = {
  theta ~ normal(0, 1)
  phi ~ normal(0, 2)
}
likelihood f(x : real[2] | theta) = mv_normal(theta, [[1.0, 0.3], [0.3, 0.5]])
likelihood g(y : real | theta, phi) = normal(theta[0] + phi, 0.5)

observe one : f = [0.4, -1.1]
observe three : g[3] = [0.2, 1.3, 0.9]
let w = [0.5, 2.0, 1.0]

posterior post(theta, phi) = p(theta, phi) * f(one | theta)^2 * g(three | theta, phi)^w
posterior half(theta, phi) = p(theta, phi)^0.5 * g(three | theta, phi)

net tiny = mlp { width = 8, depth = 1 }
train of_f = score(p, f) { network = tiny, steps = 64, batch = 2048, seed = 1 }
train of_g = score(p, g) { network = tiny, steps = 64, batch = 2048, seed = 2 }

sample ode = dpmpp(post, of_g, of_f) { draws = 10_000, seed = 3 }
sample other = dpmpp(half) { draws = 10_000, seed = 4 }
sample ref = nuts(post) { chains = 2, warmup = 300, draws = 1_000, seed = 5 }

sample closed = exact_gaussian(post) { draws = 10_000, seed = 6 }

check mean_error(ode, ref) < 0.2
"""

ROWS = [([[1, 0, 0], [0, 1, 0]], [[1.0, 0.3], [0.3, 0.5]], [0.4, -1.1])]
NUMBERS = [([[1, 0, 1]], [[0.25]], [y]) for y in (0.2, 1.3, 0.9)]


def closed_form(prior_power, rows, powers) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of `(theta, phi)`: precisions and shifts add up, each times its power."""
    precision, shift = prior_power * np.diag([1, 1, 0.25]), np.zeros(3)
    for (design, noise, x), power in zip(rows, powers, strict=True):
        gain = power * np.asarray(design).T @ np.linalg.inv(noise)
        precision, shift = precision + gain @ np.asarray(design), shift + gain @ np.asarray(x)
    covariance = np.linalg.inv(precision)
    return covariance @ shift, covariance


TRUTH = {
    "ode": closed_form(1.0, ROWS + NUMBERS, [2.0, 0.5, 2.0, 1.0]),
    "ref": closed_form(1.0, ROWS + NUMBERS, [2.0, 0.5, 2.0, 1.0]),
    "closed": closed_form(1.0, ROWS + NUMBERS, [2.0, 0.5, 2.0, 1.0]),
    "other": closed_form(0.5, NUMBERS, [1.0, 1.0, 1.0]),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory, new_store):
    folder = tmp_path_factory.mktemp("products")
    (folder / "products.bsi").write_text(MODEL)
    return bsi.load(folder / "products.bsi").run(folder / "out", store=new_store(folder / "store"))


@pytest.mark.parametrize("name, size", [("ode", 10_000), ("other", 10_000), ("ref", 1_000), ("closed", 10_000)])
def test_every_factor_counts_with_its_power(run, name, size):
    """Five sigma (the reference's ESS is above 1 000), and .03 sd for regressions from 2^17 simulations, whose error
    composition multiplies."""
    mean, covariance = TRUTH[name]
    posterior = run[name].posterior
    draws = np.concatenate([posterior.theta.values.reshape(-1, 2), posterior.phi.values.reshape(-1, 1)], axis=1)
    sd = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(draws.mean(0) - mean) / sd < 5 / size**0.5 + 0.03)
    error = (np.cov(draws.T) - covariance) / np.outer(sd, sd)
    assert np.all(np.abs(error) < 5 * (2 / size) ** 0.5 + 0.04)


@pytest.mark.parametrize("name", ["ode", "ref"])
def test_results_have_a_group_of_every_set(run, name):
    tree = run[name]
    assert tree.observed_data.one.dims == ("one_row", "one_dim_1") and tree.observed_data.three.shape == (3,)
    found = tree.log_likelihood
    lead = tree.posterior.phi.shape
    assert found.one.shape == (*lead, 1) and found.three.dims == ("chain", "draw", "three_row")
    centre = tree.posterior.theta.values[..., :1] + tree.posterior.phi.values[..., None]
    density = -0.5 * ((np.array([0.2, 1.3, 0.9]) - centre) / 0.5) ** 2 - np.log(0.5 * np.sqrt(2 * np.pi))
    assert np.allclose(found.three, density, atol=1e-4), "of rows, without powers"


def test_the_report_and_the_plan_know_both_posteriors(run):
    page = (run.out / "report.html").read_text()
    assert "Posterior post" in page and "Posterior half" in page
    assert run.passed and {job.name for job in run.jobs} >= {"of_f", "of_g", "ode", "other", "ref"}


def test_several_priors_are_for_references(folder):
    text = """bsi 1
param a : real
param b : real
prior p(a) = normal(0, 1)
prior q(b) = normal(1, 2)
likelihood f(x : real | a, b) = normal(a + b, 1)
observe obs : f[2] = [0.5, 1.5]
posterior post(a, b) = p(a) * q(b)^2 * f(obs | a, b)
sample ref = nuts(post) { chains = 2, warmup = 200, draws = 1_000, seed = 1 }
"""
    run = bsi.load(write("two.bsi", text)).run()
    precision = np.array([[3.0, 2.0], [2.0, 2.5]])
    mean = np.linalg.solve(precision, [2.0, 2.5])
    sd = np.sqrt(np.diag(np.linalg.inv(precision)))
    found = np.array([float(run["ref"].posterior[name].mean()) for name in "ab"])
    assert np.all(np.abs(found - mean) < 5 * sd / 300**0.5)  # ESS above 300
    refused = cli("check", str(write("score.bsi", text + "sample ode = flow_ode(post)\n")))
    assert refused.status == 2 and "error[E0509]" in refused.err

"""Compositions of several likelihoods, each with powers of its own, against closed forms: fits are exact Gaussians."""

import resource
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from bsi.compiler.ir import Choice
from bsi.compiler.lower.composed import ComposedPosterior
from bsi.compiler.lower.model import LoweredModel
from bsi.runtime.composition import NormalPrior, gauss, make_rows
from bsi.runtime.covariances import sampled_precisions
from bsi.runtime.gaussian import Gaussian, PartialGaussian, exchangeable
from bsi.runtime.nets import ResMlpArchitecture, SetArchitecture
from bsi.runtime.samplers import DpmSolverPP
from bsi.runtime.training import TrainingOptions
from bsi.runtime.training.fit import untrained
from tests.lower.test_learned import compiled
from tests.runtime.models import gaussian_denoiser

NOISE = {"f": 0.7, "g": 1.5}  # sds of a row
TEXT = f"""bsi 1
param theta : real[2]
prior p(theta) = normal(0, 1)
likelihood f(x : real[2] | theta) = normal(theta, {NOISE["f"]})
likelihood g(x : real[2] | theta) = normal(theta, {NOISE["g"]})
observe many : f[11] = simulate(theta = [0.4, -0.9]) {{ seed = 1 }}
observe few : g[4] = simulate(theta = [0.4, -0.9]) {{ seed = 2 }}
sweep lambda in [0, 0.5, 3]
posterior post(theta) =
  p(theta)^0.5 * f(many | theta)^(lambda * [1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1]) * g(few | theta)^2
sample s = dpmpp(post)
"""


def exact_fit(noise, rows):
    """A fit of `theta ~ N(0, I)`, `x = theta + noise` whose residual is gated off: exact for sets of up to `rows`."""
    variance = noise**2 / (1 + noise**2)
    posterior = Gaussian(jnp.zeros(2), jnp.eye(2) / (1 + noise**2), jnp.eye(2), jnp.full(2, variance))
    net = ResMlpArchitecture(width=8, depth=1)
    if rows > 1:
        net = SetArchitecture(width=8, depth=1, embed=4, row=(rows, 2))
        shared = np.kron(np.ones((rows, rows)), np.eye(2))
        features = jnp.asarray(shared + noise**2 * np.eye(2 * rows), jnp.float32)
        cross = jnp.asarray(np.tile(np.eye(2), rows), jnp.float32)
        posterior = PartialGaussian(jnp.zeros(2), jnp.eye(2), jnp.zeros(2 * rows), features, cross)
    fit = untrained(2, 2 * rows, TrainingOptions(net, rows=rows), True, jr.PRNGKey(0), posterior=posterior)
    fit = eqx.tree_at(lambda f: (f.score.gate, f.moments.gate), fit, (jnp.zeros(()), jnp.zeros(())))
    whole = jax.tree.map(lambda v: v, fit.score.standardise)
    return eqx.tree_at(lambda f: f.score.standardise, fit, whole)


@pytest.mark.parametrize(
    ("compose", "rows"),
    [
        pytest.param("gauss", 1, marks=pytest.mark.slow),
        pytest.param("jac", 1, marks=pytest.mark.slow),
        (Choice("partial", (("n_max", 3),)), 3),
        pytest.param(Choice("partial", (("n_max", 2),)), 4, marks=pytest.mark.slow),
    ],
    ids=["gauss", "jac", "sets of 3", "sets of 2 of 4"],
)
def test_likelihoods_with_powers_of_their_own(tmp_path, compose, rows):
    """Two sets, a power for every row of one, at three powers of the whole: the denoiser of the exact posterior."""
    model = LoweredModel(compiled(tmp_path, TEXT))
    fits = {name: exact_fit(noise, rows) for name, noise in NOISE.items()}
    target = ComposedPosterior(model, model.program.posteriors["post"], "rosenblatt", fits, compose)
    weights = np.array([1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1.0])
    sizes = set()
    for power in (0.0, 0.5, 3.0):
        denoiser, notes = target.at({"lambda": power})
        own, other = power * weights / NOISE["f"] ** 2, 2.0 / NOISE["g"] ** 2
        precision = 0.5 + own.sum() + 4 * other
        mean = (own @ model.rows("many") + other * model.rows("few").sum(0)) / precision
        exact = gaussian_denoiser(jnp.asarray(mean), jnp.eye(2) / precision)
        u = jr.normal(jr.PRNGKey(3), (20, 2))
        for level in (-8.0, -1.0, 2.0, 6.0):
            np.testing.assert_allclose(denoiser(u, jnp.asarray(level)), exact(u, jnp.asarray(level)), atol=3e-4)
        assert int(notes["repaired"]) == int(notes["projected"]) == 0
        sizes.add(int(notes["directions"]))
    factors = {1: 15, 3: 3 + 1 + 2, 4: 5 + 1 + 2}[rows]
    assert sizes == {2 * factors}  # rows of one power make sets, whatever the power


def test_statistics_of_exchangeable_rows():
    """The average over all orders of three rows, by brute force."""
    rng = np.random.default_rng(0)
    rows, q, m = 3, 2, 1
    data = np.concatenate([np.ones((20, 1)), rng.standard_normal((20, rows * q + m))], 1)
    total = 0
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    for order in orders:
        columns = [0, *(1 + q * row + i for row in order for i in range(q)), 7]
        total = total + data[:, columns].T @ data[:, columns] / len(orders)
    np.testing.assert_allclose(exchangeable(data.T @ data, rows, m), total, atol=1e-12)


def test_precisions_from_draws():
    """4 000 draws a row of an exact score: precisions within 5 sd of a Wishart matrix's, plus 2 % of the sampler's."""
    fit = exact_fit(0.7, 1)
    found = sampled_precisions(fit.score.denoise, 2, jr.normal(jr.PRNGKey(1), (3, 2)), jr.PRNGKey(2), draws=4_000)
    exact = (1 + 1 / 0.7**2) * np.eye(2)
    assert np.abs(np.asarray(found) / exact[0, 0] - np.eye(2)).max() < 5 * np.sqrt(2 / 4_000) + 0.02


def memory_of(rows):
    """Draws of the posterior of `rows` rows of three numbers in a new process: its peak of memory in bytes."""
    code = f"from tests.lower.test_row_sets import many; many({rows})"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return 1024 * int(printed)


def many(rows):
    """Samples, and writes the peak of memory in KiB."""
    m, noise = 3, 1.0
    x = jnp.asarray(np.random.default_rng(0).standard_normal((rows, m)), jnp.float32)
    gaussian = Gaussian(jnp.zeros(m), jnp.eye(m) / 2, jnp.eye(m), jnp.full(m, 0.5))
    net = TrainingOptions(ResMlpArchitecture(width=8, depth=1))
    fit = untrained(m, m, net, True, jr.PRNGKey(0), posterior=gaussian)
    fit = eqx.tree_at(lambda f: (f.score.gate, f.moments.gate), fit, (jnp.zeros(()), jnp.zeros(())))
    _, precisions = eqx.filter_jit(fit.moments)(x)
    composed = gauss(NormalPrior(m), [make_rows(fit.score.denoise, x, jnp.ones(()), precisions)])
    z, _ = eqx.filter_jit(lambda target, key: DpmSolverPP(10).sample(target, key, (500, m)))(composed, jr.PRNGKey(1))
    precision = 1 + rows / noise**2
    error = np.abs(np.asarray(z).mean(0) - np.asarray(x).sum(0) / precision) * np.sqrt(precision)
    assert error.max() < 5 / np.sqrt(500) + 0.1, error
    sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


@pytest.mark.slow
def test_memory_of_a_hundred_thousand_rows():
    """500 draws of 100 000 rows take what rows and their matrices take, and one chunk: within 200 MB of 10 000 rows."""
    assert memory_of(100_000) - memory_of(10_000) < 200e6

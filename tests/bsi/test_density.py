"""Log density of draws and at given params: against SciPy, a closed-form posterior and quadrature."""

import numpy as np
import pytest
from scipy import stats

import bsi
from bsi.cost import costs
from bsi.failure import RunFailure
from bsi.jobs import density
from bsi.runtime.log_density import FlowDensity
from bsi.runtime.store import Store
from tests.bsi.helpers import write

MODEL = """bsi 1

param mu : real
param tau : real<lower = 0>
param w : simplex[3]
prior p(mu, tau, w) = {
  mu ~ normal(1, 0.5)
  tau ~ half_normal(2)
  w ~ dirichlet([2, 3, 4])
}
sweep lambda in [0.5, 1]
posterior alone(mu, tau, w) = p(mu, tau, w)^lambda

param a : real<lower = 0>
param b : real<lower = -1, upper = 2>
prior q(a, b) = learned file("draws.npz")
posterior drawn(a, b) = q(a, b)

net tiny = mlp { width = 8, depth = 1 }
train of_q = score(q) { network = tiny, steps = 32, batch = 256, seed = 1 }

sample tempered = ddim(alone) { draws = 200, steps = 10, log_density = exact }
sample exact = ddim(drawn, of_q) { draws = 300, steps = 20, log_density = exact, seed = 3 }
sample estimate = ddim(drawn, of_q) { draws = 300, steps = 20, log_density = hutchinson, seed = 3 }
"""

POSTERIOR = """bsi 1

param theta : real[2]
prior r(theta) = normal(0, 1)
likelihood f(x : real[2] | theta) = normal(theta, [1.0, 0.5])
observe obs : f[2] = [[0.4, -1.1], [0.2, -0.6]]
sweep lambda in [0.5, 2]
posterior post(theta) = r(theta) * f(obs | theta)^lambda

net tiny = mlp { width = 8, depth = 1 }
train fit = score(r, f) { network = tiny, steps = 64, batch = 2048, seed = 1 }
sample ode = flow_ode(post, fit) { draws = 200, log_density = exact }
sample guided = ddim(post) { draws = 200, log_density = exact, route = guided }
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """`q` is a mixture of two modes, of a positive and a bounded param."""
    folder, rng = tmp_path_factory.mktemp("density"), np.random.default_rng(0)
    mode = rng.random(2_000) < 0.3
    a = np.exp(rng.normal(np.where(mode, 0.8, -0.6), 0.3))
    np.savez(folder / "draws.npz", a=a, b=3 * rng.beta(np.where(mode, 2, 6), 4) - 1)
    return bsi.load(write(folder / "m.bsi", MODEL))


@pytest.fixture(scope="module")
def run(model, tmp_path_factory):
    return model.run(tmp_path_factory.mktemp("out"))


def test_a_tempered_prior_alone_in_closed_form(run):
    tree = run["tempered"]
    for power in (0.5, 1.0):
        at = {name: array.sel({"lambda": power}).values[0].astype(float) for name, array in tree.posterior.items()}
        truth = stats.halfnorm(scale=2 / power**0.5).logpdf(at["tau"]) + stats.norm(1, 0.5 / power**0.5).logpdf(
            at["mu"]
        )
        simplex = stats.dirichlet(power * np.array([1, 2, 3]) + 1)
        truth += np.array([simplex.logpdf(row / row.sum()) for row in at["w"]])
        np.testing.assert_allclose(tree.sample_stats.lp.sel({"lambda": power}).values[0], truth, atol=0.02)


@pytest.mark.slow
def test_a_composed_posterior_in_closed_form(tmp_path):
    """Two rows and a swept power; the fit is a regression on simulations, and gauss and guidance are exact here."""
    model = bsi.load(write(tmp_path / "m.bsi", POSTERIOR))
    run = model.run(tmp_path / "out")
    for name, most in (("ode", 0.15), ("guided", 2e-3)):
        compare_with_closed_form(model, name, run[name], most)


def compare_with_closed_form(model, name, tree, most):
    rows, noise = np.array([[0.4, -1.1], [0.2, -0.6]]), np.array([1.0, 0.5])
    for power in (0.5, 2.0):
        precision = 1 + 2 * power / noise**2
        mean, sd = power * (rows / noise**2).sum(0) / precision, precision**-0.5
        theta = tree.posterior.theta.sel({"lambda": power}).values[0].astype(float)
        truth = stats.norm(mean, sd).logpdf(theta).sum(-1)
        np.testing.assert_allclose(tree.sample_stats.lp.sel({"lambda": power}).values[0], truth, atol=most)
        again = model.log_density(name, {"theta": theta}, at={"lambda": power})
        np.testing.assert_allclose(again, tree.sample_stats.lp.sel({"lambda": power}).values[0], atol=2e-3)


def test_the_density_of_a_learned_prior_integrates_to_one(model, run):
    """Whatever the network has learned, on 48 x 24 points; and draws have the density that is computed at them."""
    t, dt = np.linspace(-4, 4, 48, retstep=True)  # ln a
    edges = np.linspace(-1, 2, 25)
    b = (edges[1:] + edges[:-1]) / 2
    grid = {"a": np.exp(t)[:, None] + 0 * b, "b": b + 0 * t[:, None]}
    draws, outside = run["exact"].posterior, {"a": [-0.1, 1.0], "b": [0.0, 2.5]}
    points = {name: np.concatenate([grid[name].ravel(), draws[name][0], outside[name]]) for name in ("a", "b")}
    found = model.log_density("exact", points)
    mass = np.sum(np.exp(found[: 48 * 24]).reshape(48, 24) * np.exp(t)[:, None]) * dt * (edges[1] - edges[0])
    assert abs(mass - 1) < 0.02
    np.testing.assert_allclose(found[48 * 24 : -2], run["exact"].sample_stats.lp.values[0], atol=5e-3)
    assert found[-2:].tolist() == [-np.inf, -np.inf]


def test_an_estimate_is_unbiased_and_knows_its_error(run):
    """300 estimates of 8 probes: their errors in standard errors have mean 0 and the variance of Student's t(7)."""
    exact, estimate = (run[name].sample_stats for name in ("exact", "estimate"))
    np.testing.assert_allclose(run["exact"].posterior.a, run["estimate"].posterior.a)
    error = (estimate.lp - exact.lp).values[0]
    spread = estimate.lp_se.values[0]
    sure = spread > 1e-3  # elsewhere the solver's tolerance is what is left
    z = error[sure] / spread[sure]
    assert sure.sum() > 100 and abs(z.mean()) < 4 * np.sqrt(1.4 / sure.sum()) and 0.8 < z.var() < 2.5
    assert np.abs(error[~sure]).max(initial=0) < 1e-2


def test_a_plan_tells_the_derivatives(model, tmp_path):
    """One by every working coordinate, of which a simplex of 3 has 2; or one by every probe."""
    store = Store(tmp_path)
    found, wrong = costs(model.prepared(), model.plan(store=store), store)
    assert not wrong and found["tempered"].evaluations is None
    for sample, count in (("tempered", 4), ("exact", 2), ("estimate", 8)):
        assert f"log density by {count} derivatives a step" in found[sample].words


def test_misuse_is_told(model, tmp_path):
    one, at = {"mu": 0.0, "tau": 1.0, "w": [0.2, 0.3, 0.5]}, {"at": {"lambda": 1.0}}
    for wrong, given, more in (
        ("no sample by a score", ("missing", one), at),
        ("`at` needs values of lambda", ("tempered", one), {}),
        ("`params` needs mu, tau, w", ("tempered", {"mu": 1.0}), at),
        (r"`w` has shape \(3,\)", ("tempered", one | {"w": [0.5, 0.5]}), at),
        ("other numbers of values", ("tempered", one | {"mu": [1.0, 2.0]}), at),
        ("exact or hutchinson", ("tempered", one), at | {"method": "fast"}),
        ("`of_q` is not trained", ("exact", {"a": 1.0, "b": 0.0}), {"store": Store(tmp_path)}),
    ):
        with pytest.raises((LookupError, ValueError), match=wrong):
            model.log_density(*given, **more)


def test_a_flow_that_gives_up_ends_the_job(tmp_path, monkeypatch):
    monkeypatch.setitem(density.DENSITIES, "exact", FlowDensity(max_steps=2))
    text = "bsi 1\nparam mu : real\nprior p(mu) = normal(0, 1)\nposterior post(mu) = p(mu)\n"
    text += "sample s = ddim(post) { draws = 10, steps = 2, log_density = exact, seed = 77 }\n"
    with pytest.raises(RunFailure) as caught:
        bsi.load(write(tmp_path / "m.bsi", text)).run(tmp_path / "out")
    assert [d.code for d in caught.value.run.failures] == ["R119"]

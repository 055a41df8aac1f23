"""NUTS against closed forms, and its diagnostics against arviz_stats."""

import arviz_stats.base
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from bsi.runtime.reference import (
    ImproperError,
    NoStartError,
    NotQuadraticError,
    Thresholds,
    assess,
    ess_bulk,
    ess_mean,
    ess_tail,
    exact_gaussian,
    mcmc,
    rhat,
)

CALLS = []


def conjugate(x, prior_power, power):
    """theta ~ N(0, 1)^prior_power prod N(x_i | theta, 0.5)^power."""
    CALLS.append("traced")
    theta = numpyro.sample("theta", dist.Normal(jnp.zeros(2), 1.0).to_event(1))
    numpyro.factor("prior", (prior_power - 1) * dist.Normal(0.0, 1.0).log_prob(theta).sum())
    numpyro.factor("likelihood", power * dist.Normal(theta, 0.5).log_prob(x).sum())


X = np.array([[0.3, -1.0], [0.9, 0.2], [-0.1, 0.4]])


def truth(prior_power, power):
    precision = prior_power + power * len(X) / 0.25
    return power * X.sum(axis=0) / 0.25 / precision, precision**-0.5


def test_powers_against_closed_form_in_one_compilation():
    """4 x 1 000 draws: means within 4 Monte-Carlo errors, standard deviations too (sd of ln sd is 1/sqrt(2 ESS))."""
    traces = []
    for powers in ((1.0, 1.0), (0.5, 0.25), (2.0, 4.0)):
        CALLS.clear()
        reference = mcmc(conjugate, (X, *powers), key=jr.key(1), warmup=300)
        traces.append(len(CALLS))
        mean, sd = truth(*powers)
        draws = reference.draws["theta"].reshape(-1, 2)
        ess = np.minimum(reference.ess_bulk["theta"], 4_000)
        assert reference.failures == ()
        assert np.all(np.abs(draws.mean(axis=0) - mean) < 4 * sd / np.sqrt(ess))
        tail = np.minimum(reference.ess_tail["theta"], 4_000)
        assert np.all(np.abs(np.log(draws.std(axis=0) / sd)) < 4 / np.sqrt(2 * tail))
    assert traces[0] > 0 and traces[1:] == [0, 0]


def positive(power):
    """theta ~ half-normal^power is a half-normal with variance 1/power: the Jacobian of exp is not raised to it."""
    theta = numpyro.sample("theta", dist.HalfNormal(1.0))
    numpyro.factor("power", (power - 1) * dist.HalfNormal(1.0).log_prob(theta))


def test_a_power_of_a_bounded_law_is_in_its_own_coordinates():
    reference = mcmc(positive, (4.0,), key=jr.key(2), warmup=300)
    expected = np.sqrt(2 / np.pi) / 2
    sd = np.sqrt(1 - 2 / np.pi) / 2
    assert abs(reference.draws["theta"].mean() - expected) < 4 * sd / np.sqrt(reference.ess_bulk["theta"])


class Recorder:
    def __init__(self):
        self.calls, self.total = [], 0

    def start(self, job, total, unit):
        self.calls.append((job, total, unit))

    def advance(self, n, **live):
        self.total += n
        assert np.isfinite(live["step_size"])

    def done(self):
        self.calls.append("done")


def test_shapes_progress_double_precision_and_repeatability():
    recorder = Recorder()
    settings = {"chains": 2, "warmup": 37, "draws": 61, "params": ("theta",)}
    args = (X, 1.0, 1.0)
    first = mcmc(conjugate, args, key=jr.key(3), progress=recorder, job="ref", **settings)
    again = mcmc(conjugate, args, key=jr.key(3), **settings)
    assert recorder.calls == [("ref", 98, "iterations"), "done"] and recorder.total == 98
    assert first.draws["theta"].shape == (2, 61, 2) and first.draws["theta"].dtype == np.float64
    assert {x.shape for x in first.sample_stats.values()} == {(2, 61)}
    assert np.array_equal(first.draws["theta"], again.draws["theta"])
    assert jnp.ones(1).dtype == jnp.float32  # double precision did not leak
    assert first.failures and "ESS" in first.failures[-1]  # 122 draws are too few


def impossible(x):
    numpyro.sample("theta", dist.Normal(0.0, 1.0))
    numpyro.factor("never", jnp.log(x))


def test_nowhere_to_start():
    with pytest.raises(NoStartError):
        mcmc(impossible, (-1.0,), key=jr.key(0), warmup=10, draws=10)


def autoregressive(rho, chains=4, draws=501, seed=0):
    rng = np.random.default_rng(seed)
    x = np.zeros((chains, draws))
    x[:, 0] = rng.normal(size=chains)
    for t in range(1, draws):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * rng.normal(size=chains)
    return x


CASES = {
    "independent": autoregressive(0.0),
    "sticky": autoregressive(0.9),
    "antithetic": autoregressive(-0.6),
    "heavy tails": np.tan(autoregressive(0.3, seed=3)),
    "ties": np.round(autoregressive(0.5)),
    "apart": autoregressive(0.2) + np.arange(4)[:, None],
    "even": autoregressive(0.5, draws=200),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("ours", "method", "arguments"),
    [
        (rhat, "rhat", {"method": "rank"}),
        (ess_bulk, "ess", {"method": "bulk"}),
        (ess_mean, "ess", {"method": "mean"}),
        (ess_tail, "ess", {"method": "tail", "prob": (0.05, 0.95)}),
    ],
    ids=["rhat", "ess_bulk", "ess_mean", "ess_tail"],
)
def test_diagnostics_agree_with_arviz(name, ours, method, arguments):
    theirs = getattr(arviz_stats.base.array_stats, method)(CASES[name], chain_axis=0, draw_axis=1, **arguments)
    assert ours(CASES[name]) == pytest.approx(float(theirs), rel=1e-6)


def test_ess_of_an_autoregression():
    """The true factor is (1 - rho)/(1 + rho); 20 chains x 2 000 draws estimate it to about 5 %."""
    for rho in (0.0, 0.5, 0.9):
        x = autoregressive(rho, chains=20, draws=2_000, seed=7)
        assert ess_mean(x) / x.size == pytest.approx((1 - rho) / (1 + rho), rel=0.2)


def test_failures_name_what_is_wrong():
    good = autoregressive(0.0, draws=1_000)
    assert assess({"a": good}, {}).failures == ()
    apart = assess({"a": good, "b": good + 5 * np.arange(4)[:, None]}, {})
    assert any("R-hat of b" in f for f in apart.failures) and not any(" a " in f for f in apart.failures)
    assert any("never" in f or "R-hat" in f for f in assess({"a": np.ones((4, 1_000))}, {}).failures)
    broken = good.copy()
    broken[2, 3] = np.nan
    assert "not finite" in assess({"a": broken}, {}).failures[0]
    diverging = np.zeros((4, 1_000), bool)
    diverging[:, :50] = True
    failed = assess({"a": good}, {"diverging": diverging})
    assert failed.divergences == 200 and "200 of 4000" in failed.failures[0]
    assert assess({"a": good}, {"diverging": diverging}, Thresholds(divergent=0.1)).failures == ()


def test_hamiltonian_monte_carlo_against_closed_form():
    """4 x 1 000 draws with trajectories of one length: means within 4 Monte-Carlo errors."""
    reference = mcmc(conjugate, (X, 0.5, 2.0), key=jr.key(4), warmup=300, trajectory_length=1.0)
    mean, sd = truth(0.5, 2.0)
    draws = reference.draws["theta"].reshape(-1, 2)
    ess = np.minimum(reference.ess_bulk["theta"], 4_000)
    assert np.all(np.abs(draws.mean(axis=0) - mean) < 4 * sd / np.sqrt(ess))
    assert len(set(reference.sample_stats["n_steps"][:, -1])) == 1  # one step size, one number of steps


def test_exact_gaussian_against_closed_form():
    """Mean and covariance to 1e-10; 10 000 independent draws within 4 Monte-Carlo errors."""
    for powers in ((1.0, 1.0), (0.5, 0.25), (2.0, 4.0), (0.0, 1.0)):
        exact = exact_gaussian(conjugate, (X, *powers), {"theta": (2,)}, key=jr.key(5), draws=10_000)
        mean, sd = truth(*powers)
        assert np.allclose(exact.mean, mean, rtol=1e-10) and np.allclose(
            exact.covariance, sd**2 * np.eye(2), rtol=1e-10
        )
        draws = exact.draws["theta"]
        assert draws.shape == (1, 10_000, 2)
        assert np.all(np.abs(draws[0].mean(axis=0) - mean) < 4 * sd / np.sqrt(10_000))
        assert np.all(np.abs(np.log(draws[0].std(axis=0) / sd)) < 4 / np.sqrt(20_000))


def test_exact_gaussian_refuses_what_is_none():
    with pytest.raises(ImproperError):
        exact_gaussian(conjugate, (X, 0.0, 0.0), {"theta": (2,)}, key=jr.key(5), draws=10)
    with pytest.raises(NotQuadraticError):
        exact_gaussian(quartic, (), {"theta": ()}, key=jr.key(5), draws=10)


def quartic():
    theta = numpyro.sample("theta", dist.Normal(0.0, 1.0))
    numpyro.factor("quartic", -(theta**4))

"""Guidance against closed forms: exact for Gaussians, and as far off as stated for mixtures."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats as st

from bsi.runtime.evidence import METRICS, Evidence, Term, is_quadratic
from bsi.runtime.guidance import Guided, conjugate_gradients
from bsi.runtime.samplers import Ddim, TwistedSmc
from tests.runtime.models import TWO_MODES, gaussian_denoiser, mixture_denoiser

LEVELS = (-9.0, -2.0, 0.0, 3.0, 10.0)
DRAWS = 4_000


def linear_term(design, x, sd, powers, metric="entrywise"):
    """`x_i ~ N(design z, sd²)`, entry by entry."""

    def log_density(phi, row):
        return jnp.sum(-0.5 * ((row - phi[0]) / sd) ** 2 - jnp.log(sd) - 0.5 * np.log(2 * np.pi))

    return Term(lambda z: (design @ z,), log_density, metric, x, powers)


def linear_gaussian(m, p, rows, alpha, beta):
    """Prior N(mean, covariance) to the power alpha, evidence to the power beta, and the posterior's moments."""
    rng = np.random.default_rng(m)
    root = rng.normal(size=(m, m)) / np.sqrt(m)
    mean, covariance = rng.normal(size=m), (root @ root.T + 0.1 * np.eye(m)) / alpha
    design, sd, x = rng.normal(size=(p, m)) / np.sqrt(m), 0.3 + rng.uniform(size=p), rng.normal(size=(rows, p))
    scaled = design.T / sd**2
    posterior = np.linalg.inv(np.linalg.inv(covariance) + rows * beta * scaled @ design)
    centre = posterior @ (np.linalg.solve(covariance, mean) + beta * scaled @ x.sum(0))
    term = linear_term(*map(jnp.asarray, (design, x, sd, np.full(rows, beta))))
    return gaussian_denoiser(mean, covariance), Evidence((term,), True), gaussian_denoiser(centre, posterior)


@pytest.mark.parametrize(
    "m, p, alpha, beta, rows",
    [
        (1, 1, 1.0, 1.0, 1),
        (3, 2, 1.0, 1.0, 10),
        (3, 2, 0.5, 3.0, 1),
        (3, 2, 4.0, 0.25, 10),
        (20, 9, 1.0, 1.0, 1),
        (20, 9, 0.5, 3.0, 10),
    ],
)
def test_linear_gaussian_is_exact(m, p, alpha, beta, rows):
    """At every noise level, any powers and number of rows; beyond 16 coordinates by conjugate gradients."""
    with jax.enable_x64(True):
        prior, evidence, exact = linear_gaussian(m, p, rows, alpha, beta)
        guided = Guided(prior, evidence, jnp.asarray(1.0), products=40, tolerance=1e-14)
        u = jr.normal(jr.key(1), (5, m), jnp.float64)
        both = jax.jit(lambda level: (guided(u, level), exact(u, level)))
        for level in LEVELS:
            np.testing.assert_allclose(*both(jnp.asarray(level, jnp.float64)), rtol=1e-8, atol=1e-8)


def test_truncated_conjugate_gradients_stay_on_the_right_side():
    """A learned C need not be positive: products along such a direction end, and what is kept only gains."""
    with jax.enable_x64(True):
        bent = jnp.diag(jnp.array([1.0, 0.5, -0.2, 0.3]))
        curvature = jnp.diag(jnp.array([2.0, 1.0, 30.0, 0.5]))
        right = jnp.ones((1, 4))
        w, shift = conjugate_gradients(lambda v: v @ bent, lambda v: v @ curvature, right, 10, 1e-10)
        assert np.isfinite(w).all() and float(jnp.sum(right * shift)) > 0


def test_the_isotropic_guess_is_exact_for_an_isotropic_prior():
    with jax.enable_x64(True):
        _, evidence, _ = linear_gaussian(3, 2, 1, 1.0, 1.0)
        prior = gaussian_denoiser(jnp.zeros(3), 2.5 * jnp.eye(3))
        u, level = jr.normal(jr.key(0), (4, 3), jnp.float64), jnp.asarray(0.7, jnp.float64)
        whole, isotropic = (
            jax.jit(Guided(prior, evidence, jnp.asarray(2.5), flag).__call__)(u, level) for flag in (False, True)
        )
        np.testing.assert_allclose(isotropic, whole, rtol=1e-9)


def test_many_draws_are_looked_at_in_parts(monkeypatch):
    _, evidence, _ = linear_gaussian(3, 2, 1, 1.0, 1.0)
    evidence = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), evidence)
    guided = Guided(gaussian_denoiser(jnp.zeros(3), jnp.eye(3)), evidence, jnp.asarray(1.0))
    u, level = jr.normal(jr.key(0), (50, 3)), jnp.asarray(0.0)
    whole = jax.jit(lambda u: guided(u, level))(u)
    monkeypatch.setattr("bsi.runtime.guidance.COORDINATES", 21)
    np.testing.assert_allclose(jax.jit(lambda u: guided(u, level))(u), whole, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- likelihoods that are not quadratic


def poisson_term(counts, metric="entrywise"):
    """`k ~ poisson(exp z)`."""

    def log_density(phi, k):
        return jnp.sum(k * jnp.log(phi[0]) - phi[0] - jax.scipy.special.gammaln(k + 1.0))

    counts = jnp.asarray(counts)[:, None]
    return Term(lambda z: (jnp.exp(z),), log_density, metric, counts, jnp.ones(len(counts)))


def quadrature(log_density, low=-12.0, high=12.0):
    """Mean, sd and log of the integral of a density on the line."""
    z = np.linspace(low, high, 400_001)
    value = log_density(z)
    weight = np.exp(value - value.max())
    mean = (z * weight).sum() / weight.sum()
    evidence = value.max() + np.log(weight.sum() * (z[1] - z[0]))
    return mean, np.sqrt(((z - mean) ** 2 * weight).sum() / weight.sum()), evidence


def test_poisson_counts():
    """Counts in the prior's tail, against quadrature. 4 000 particles; 4.5 standard errors and 1 % for the steps."""
    counts = np.array([9.0, 12.0, 7.0])
    truth = quadrature(
        lambda z: -0.5 * z**2 - 0.5 * np.log(2 * np.pi) + st.poisson(np.exp(z)[None]).logpmf(counts[:, None]).sum(0)
    )
    evidence = Evidence((poisson_term(counts),))
    assert not is_quadratic(evidence, 1)
    guided = Guided(gaussian_denoiser(jnp.zeros(1), jnp.eye(1)), evidence, jnp.asarray(1.0))
    z, stats = jax.jit(lambda key: TwistedSmc(60).sample(guided, key, (DRAWS, 1)))(jr.key(0))
    agree(z[:, 0], truth, 0.01)
    assert abs(float(stats["log_evidence"]) - truth[2]) < 0.05 and stats["effective_share"] > 0.5


def test_newton_steps_find_the_top_by_any_metric():
    prior, u = gaussian_denoiser(jnp.zeros(1), jnp.eye(1)), jnp.linspace(-2.0, 2.0, 5)[:, None]

    def found(metric):
        guided = Guided(prior, Evidence((poisson_term([9.0, 12.0, 7.0], metric),)), jnp.asarray(1.0))
        return jax.jit(guided.__call__)(u, jnp.asarray(0.0))

    best = found("entrywise")
    sd = 30**-0.5  # about 28 counts and the prior
    for metric in METRICS:
        np.testing.assert_allclose(found(metric), best, atol=0.1 * sd)


def test_slopes_that_are_no_numbers_leave_the_prior_alone():
    """A likelihood that is undefined to the left of 0 does not poison what lies there."""
    term = Term(
        lambda z: (jnp.log(z),),
        lambda phi, x: -0.5 * jnp.sum((x - phi[0]) ** 2),
        "entrywise",
        jnp.zeros((1, 1)),
        jnp.ones(1),
    )
    guided = Guided(gaussian_denoiser(jnp.zeros(1), jnp.eye(1)), Evidence((term,)), jnp.asarray(1.0))
    u = jnp.array([[-3.0], [3.0]])
    theta = jax.jit(guided.__call__)(u, jnp.asarray(5.0))
    assert np.isfinite(theta).all()
    np.testing.assert_allclose(theta[0], guided.prior(u, jnp.asarray(5.0))[0])


# ---------------------------------------------------------------- priors that are not Gaussian


def mixture_truth(design, x, sd):
    """Evidence, mean, covariance and the left mode's weight of TWO_MODES given `x ~ N(design z, sd²)`."""
    weights, means, covariances = (np.asarray(v, float) for v in TWO_MODES)
    logs, centres, spreads = [], [], []
    for weight, mean, covariance in zip(weights, means, covariances, strict=True):
        total = design @ covariance @ design.T + np.diag(sd**2)
        gain = covariance @ design.T @ np.linalg.inv(total)
        logs.append(np.log(weight) + st.multivariate_normal(design @ mean, total).logpdf(x))
        centres.append(mean + gain @ (x - design @ mean))
        spreads.append(covariance - gain @ design @ covariance)
    evidence = np.logaddexp.reduce(logs)
    share = np.exp(logs - evidence)
    mean = share @ centres
    covariance = sum(w * (s + np.outer(c - mean, c - mean)) for w, c, s in zip(share, centres, spreads, strict=True))
    return evidence, mean, covariance, share[0]


CASES = {
    "both, weakly": (np.eye(2), np.array([-0.3, 0.2]), np.array([0.8, 0.8])),
    "the sum": (np.array([[1.0, 1.0]]), np.array([0.0]), np.array([0.3])),
}


def guided_mixture(name, isotropic=False):
    design, x, sd = CASES[name]
    term = linear_term(*(jnp.asarray(v, jnp.float32) for v in (design, x[None], sd, np.ones(1))))
    return Guided(mixture_denoiser(*TWO_MODES), Evidence((term,), True), jnp.asarray(1.0), isotropic)


@pytest.mark.parametrize("name", CASES)
def test_smc_has_no_bias(name):
    """8 000 particles of effective share above a half: twice the variance of as many draws; 1.5 % for 200 steps."""
    evidence, mean, covariance, left = mixture_truth(*CASES[name])
    z, stats = jax.jit(lambda key: TwistedSmc(200).sample(guided_mixture(name), key, (2 * DRAWS, 2)))(jr.key(1))
    assert stats["effective_share"] > 0.6 and abs(float(stats["log_evidence"]) - evidence) < 0.05
    for axis in range(2):
        agree(z[:, axis], (mean[axis], np.sqrt(covariance[axis, axis])), 0.015)
    assert abs(float(jnp.mean(z[:, 0] < -0.6)) - left) < 4.5 * np.sqrt(2 * left * (1 - left) / len(z)) + 0.01


@pytest.mark.parametrize("isotropic, bias", [(False, 0.25), (True, 0.35)])
def test_guidance_alone_is_off_by_what_is_stated(isotropic, bias):
    """The bias that the reference quotes for two modes and a sum that is seen: in posterior sds, neither more, nor so
    little that the warning should go."""
    _, mean, covariance, _ = mixture_truth(*CASES["the sum"])
    z, _ = jax.jit(lambda key: Ddim(100).sample(guided_mixture("the sum", isotropic), key, (DRAWS, 2)))(jr.key(2))
    off = np.abs(np.asarray(z).mean(0) - mean) / np.sqrt(np.diag(covariance))
    assert 0.1 < off.max() < bias


def agree(draws, truth, allowed):
    """Mean and sd within 4.5 standard errors of weighted draws, and `allowed` sds."""
    draws = np.asarray(draws, float)
    mean, sd = truth[:2]
    error = 4.5 * np.sqrt(2 / len(draws)) + allowed
    assert abs(draws.mean() - mean) < error * sd, (draws.mean(), mean)
    assert abs(draws.std() / sd - 1) < error, (draws.std(), sd)

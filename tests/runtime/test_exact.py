"""Exact scores of simulations, against brute force, closed forms and quadrature."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from scipy.stats import norm

from bsi.runtime.composition import gauss, temper
from bsi.runtime.exact import ExactOptions, abstract_exact, build
from bsi.runtime.exact import fit as exact_fit
from bsi.runtime.files import tree_from_bytes, tree_to_bytes
from bsi.runtime.samplers import Ddim, DpmSolverPP, Heun
from tests.runtime.models import gaussian_denoiser, mixture_denoiser

SMALL = ExactOptions(rows=128, neighbours=256)


def linear(n, seed=0, noise=0.5):
    """z ~ N(0, I) in two dimensions, three columns of rows linear in it."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    x = z @ np.array([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]]) + noise * rng.normal(size=(n, 3))
    return z, x


def square(n, seed=0, sd=0.1):
    """`x = z² + sd ε`: two modes."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 1))
    return z, z**2 + sd * rng.normal(size=(n, 1))


@pytest.fixture(scope="module")
def fitted():
    return build(*linear(600), jr.key(0), ExactOptions(bandwidth=0.4, neighbours=300, rows=128))[0]


def test_denoiser_is_that_of_the_mixture(fitted):
    """Every component written out: weights by distance of features, means along the regression, one covariance."""
    given = fitted.given(jnp.array([0.3, -0.2, 1.0]))
    r = fitted.residuals[given.index]
    means = given.mean + fitted.gaussian.unwhiten(r)
    covariance = fitted.bandwidth**2 * fitted.gaussian.covariance()
    truth = mixture_denoiser(jnp.exp(given.log_weight), means, jnp.broadcast_to(covariance, (300, 2, 2)))
    u = jr.normal(jr.key(1), (50, 2))
    for log_snr in (-8.0, 0.0, 4.0, 8.0):
        found = fitted.denoise(u, jnp.asarray(log_snr), given)
        np.testing.assert_allclose(found, truth(u, jnp.asarray(log_snr)), atol=3e-4)
    weight = np.exp(np.asarray(given.log_weight, np.float64))
    mean, covariance_ = fitted.moments(given)
    np.testing.assert_allclose(mean, weight @ np.asarray(means), atol=1e-5)
    np.testing.assert_allclose(
        covariance_, np.cov(np.asarray(means).T, aweights=weight, ddof=0) + covariance, atol=1e-5
    )
    np.testing.assert_allclose(given.effective, 1 / np.sum(weight**2), rtol=1e-4)


def test_batches_and_chunks_change_nothing(fitted, monkeypatch):
    """Rows times draws in one array, one row alone, a noise level for each state, and few states at a time."""
    x, u, log_snr = jr.normal(jr.key(2), (3, 3)), jr.normal(jr.key(3), (20, 2)), jnp.asarray(1.0)
    given = fitted.given(x[:, None])
    together = fitted.denoise(u[None], log_snr, given)
    one = fitted.condition(x[1])(u, log_snr)
    np.testing.assert_allclose(together[1], one, atol=1e-5)
    own = fitted.denoise(u[:3], jnp.full(3, 1.0), fitted.given(x))
    np.testing.assert_allclose(own, together[jnp.arange(3), jnp.arange(3)], atol=1e-5)
    monkeypatch.setattr(exact_fit, "_LOGITS", 3 * 300 * 7)
    np.testing.assert_allclose(fitted.denoise(u[None], log_snr, given), together, atol=1e-5)
    np.testing.assert_allclose(fitted.condition(x[1])(u, log_snr), one, atol=1e-5)


def test_gaussian_joint_with_known_bandwidths():
    """Without adjustment the conditional of infinitely many simulations is that of N(0, Σ + H): 20 000 of them, 4.5 of
    the standard errors that the effective number allows."""
    n, noise, h_x, h_z = 20_000, 0.5, 0.3, 0.4
    rng = np.random.default_rng(5)
    z = rng.normal(size=(n, 1))
    fit, _ = build(
        z, z + noise * rng.normal(size=(n, 1)), jr.key(0), ExactOptions(adjust=False, neighbours=n - 1, rows=8)
    )
    fit = eqx.tree_at(lambda f: (f.row_bandwidth, f.bandwidth), fit, (jnp.asarray(h_x), jnp.asarray(h_z)))
    given = fit.given(jnp.array([0.8]))
    mean, covariance = fit.moments(given)
    scale = float(fit.standardise.scale[0])
    total = 1.0 + noise**2 + (h_x * scale) ** 2
    true_mean, inner = 0.8 / total, 1.0 - 1.0 / total
    error = np.sqrt(inner / given.effective)
    assert abs(mean[0] - true_mean) < 4.5 * error
    assert abs(covariance[0, 0] - inner - h_z**2) < 4.5 * np.sqrt(2 / given.effective) * inner


def test_a_linear_model_is_left_to_its_regression():
    """Leave-one-out likelihood finds h = 1, one Gaussian: mean and covariance of 20 000 simulations, 4.5 sigma."""
    fit, info = build(*linear(20_000), jr.key(0), SMALL)
    x = np.array([0.5, 0.2, -1.0])
    a = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]])
    covariance = np.linalg.inv(np.eye(2) + 4 * a @ a.T)
    mean, found = fit.moments(fit.given(jnp.asarray(x, jnp.float32)))
    assert info.bandwidth == 1.0 and info.gain == pytest.approx(0.0, abs=1e-3)
    np.testing.assert_allclose(mean, covariance @ a @ (4 * x), atol=4.5 * np.sqrt(0.2 * 3 / 20_000))
    np.testing.assert_allclose(found, covariance, atol=4.5 * np.sqrt(2 / 20_000) * 0.2)


def distance(draws, density):
    """W1 of positive one-dimensional draws from a density, in its sds, by quadrature."""
    grid = np.linspace(0, 5, 20_001)
    weight = density(grid)
    weight /= weight.sum()
    below = np.searchsorted(np.sort(draws), grid) / len(draws)
    sd = np.sqrt(weight @ grid**2 - (weight @ grid) ** 2)
    return np.sum(np.abs(below - np.cumsum(weight))) * (grid[1] - grid[0]) / sd


@pytest.mark.parametrize("adjust", [True, False])
def test_two_modes_by_quadrature(adjust):
    """`x = z² + ε`, 10 000 simulations, 4 000 draws: W1 of |z| in sds of a mode, a fiftieth of the whole law's, and the
    weight of the modes within 4.5 sigma of the effective number of simulations."""
    fit, info = build(*square(10_000), jr.key(0), ExactOptions(adjust=adjust, rows=256, neighbours=512))
    given = fit.given(jnp.array([1.0]))
    draws = np.asarray(fit.sample(jr.key(1), given, 4_000))[:, 0]
    assert distance(np.abs(draws), lambda z: norm.pdf(z) * norm.pdf(1.0, z**2, 0.1)) < 0.3
    assert abs(np.mean(draws > 0) - 0.5) < 4.5 * 0.5 * np.sqrt(1 / given.effective + 1 / 4_000)
    assert info.effective[1] > 50 and info.gain > 1.0


@pytest.mark.parametrize(
    "sampler",
    [pytest.param(Ddim(200), marks=pytest.mark.slow), DpmSolverPP(40), pytest.param(Heun(40), marks=pytest.mark.slow)],
    ids=["ddim", "dpmpp", "heun"],
)
def test_samplers_reach_the_mixture(sampler):
    """The law of a sampler's draws is that of the mixture itself: 4 000 draws, means of |z| and z within 4.5 sigma."""
    fit, _ = build(*square(2_000), jr.key(0), ExactOptions(rows=128, neighbours=128))
    given = fit.given(jnp.array([1.0]))
    direct = np.asarray(fit.sample(jr.key(1), given, 40_000))[:, 0]
    z, _ = jax.jit(lambda key: sampler.sample(fit.condition(jnp.array([1.0])), key, (4_000, 1)))(jr.key(2))
    z = np.asarray(z)[:, 0]
    for moment in (np.abs, np.sign, np.square):
        one, many = moment(z), moment(direct)
        assert abs(one.mean() - many.mean()) < 4.5 * many.std() * np.sqrt(1 / 4_000 + 1 / 40_000) + 0.002


@pytest.mark.slow
def test_bandwidth_is_near_the_best_on_new_rows():
    """The choice loses at most .05 nats a row to the best of a grid, on 400 new simulations."""
    fit, info = build(*square(4_000), jr.key(0), ExactOptions(adjust=False, rows=256, neighbours=1_000))
    z, x = (jnp.asarray(v, jnp.float32) for v in square(400, seed=9))

    @eqx.filter_jit
    def score(fit):
        given = fit.given(x)
        gap = (fit.gaussian.whiten(z - given.mean)[:, None] - fit.residuals[given.index])[..., 0]
        width = fit.bandwidth * jnp.sqrt(fit.gaussian.variance[0])
        kernel = given.log_weight + norm_logpdf(gap, width)
        return jnp.mean(jnp.logaddexp(jax.nn.logsumexp(kernel, -1), jnp.log(1e-3)))

    def norm_logpdf(gap, width):
        return -0.5 * (gap / width) ** 2 - jnp.log(width * jnp.sqrt(2 * jnp.pi))

    widths = [
        (info.row_bandwidth * r, info.bandwidth * q) for r in (0.5, 0.7, 1.0, 1.4, 2.0) for q in (0.5, 0.7, 1, 1.4, 2)
    ]
    at = lambda f: (f.row_bandwidth, f.bandwidth)  # noqa: E731
    scores = [float(score(eqx.tree_at(at, fit, tuple(map(jnp.asarray, pair))))) for pair in widths]
    assert scores[12] > max(scores) - 0.05 and scores[12] > min(scores) + 0.1, scores


def test_learned_prior_is_the_mixture_of_its_draws():
    """Without rows the fit is the density of the draws, and as the prior of another it has their moments."""
    z, x = square(3_000)
    z = z + 1.0
    fit, info = build(z, x, jr.key(0), SMALL, gaussian_prior=False)
    assert fit.drawn is not None
    mean, covariance = fit.drawn.moments(fit.drawn.given(jnp.zeros(0)))
    error = 4.5 / np.sqrt(fit.drawn.neighbours)
    assert abs(mean[0] - 1.0) < error and abs(covariance[0, 0] - 1.0) < np.sqrt(2) * error
    u = jr.normal(jr.key(3), (5, 1))
    far = fit.denoise_prior(u, jnp.asarray(-9.0))
    np.testing.assert_allclose(far, jnp.broadcast_to(mean, (5, 1)), atol=0.06)
    like = abstract_exact(info.simulations, 1, 1, info.neighbours, (3_000, fit.drawn.neighbours))
    again = tree_from_bytes(tree_to_bytes(fit), like)
    assert jax.tree.structure(again) == jax.tree.structure(fit)


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 2.0), pytest.param(1.0, 0.3, marks=pytest.mark.slow)])
def test_rows_compose(alpha, beta):
    """Ten rows at powers of a linear model, whose closed form is known: denoised within a tenth of a posterior sd. The
    number of rows multiplies errors of the regression of 20 000 simulations."""
    fit, _ = build(*linear(20_000, noise=1.0), jr.key(0), SMALL)
    a, x = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]]), np.random.default_rng(3).normal(size=(10, 3))
    covariance = np.linalg.inv(alpha * np.eye(2) + 10 * beta * a @ a.T)
    mean = covariance @ a @ (beta * x.sum(0))
    prior = temper(lambda z: -0.5 * jnp.sum(z**2, -1), 2, jnp.asarray(alpha))
    composed = gauss(prior, [fit.rows(jnp.asarray(x, jnp.float32), jnp.asarray(beta))])
    clean = jnp.asarray(3.0)
    signal, noise = jnp.sqrt(jax.nn.sigmoid(clean)), jnp.sqrt(jax.nn.sigmoid(-clean))
    u = signal * mean + jr.normal(jr.key(0), (64, 2)) * jnp.sqrt(signal**2 * jnp.diag(covariance) + noise**2)
    truth = gaussian_denoiser(jnp.asarray(mean, jnp.float32), jnp.asarray(covariance, jnp.float32))
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(composed(u, clean) / sd, truth(u, clean) / sd, atol=0.1)


def test_what_a_table_may_hold():
    """Rows that are not finite are left out and counted, equal ones counted."""
    z, x = linear(500)
    x[:7, 1] = np.nan
    z[10], x[10] = z[20], x[20]
    fit, info = build(z, x, jr.key(0), SMALL)
    assert (info.simulations, info.non_finite, info.duplicates, len(fit.features)) == (500, 7, 1, 493)
    assert bool(jnp.all(jnp.isfinite(fit.condition(jnp.zeros(3))(jnp.zeros((4, 2)), jnp.asarray(0.0)))))

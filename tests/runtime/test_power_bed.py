"""The test bed of powers against quadrature and derivatives, and what powers of a linear-Gaussian mode do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.mixture_bed import Bed, Mixture, wasserstein
from benchmarks.power import best_power, gaussian, sampler, seismogram, three_modes
from bsi.runtime.composition import plain_sum


@pytest.mark.parametrize(("alpha", "power"), [(0.25, 1.0), (1.0, 1.0), (0.5, 4.0), (2.0, 0.4)])
def test_exact_draws_have_the_scaled_law(alpha, power):
    """50 000 draws on a line: the distribution function to 4.5 standard errors of Kolmogorov's distance."""
    bed, y = three_modes(), np.array([0.4])
    x = np.sort(bed.exact(np.random.default_rng(0), y, alpha, power, 50_000).ravel())
    grid = np.linspace(-8, 8, 40_001)
    log_prior = np.logaddexp.reduce(bed.prior.log_parts(grid[:, None]), 1)
    mass = np.exp(alpha * log_prior - 0.5 * power * ((grid - y) / bed.noise) ** 2)
    cumulative = np.interp(x, grid, np.cumsum(mass) / mass.sum())
    assert np.abs(cumulative - (np.arange(len(x)) + 0.5) / len(x)).max() < 4.5 * 0.5 / np.sqrt(len(x))


def test_denoisers_are_the_bed_s_own():
    """The posterior's denoiser of the seismogram is Tweedie's, `u/a + (s²/a) ∇ ln q_t`."""
    bed = seismogram()
    _, (y,) = bed.simulate(np.random.default_rng(0), 1)
    composed = bed.composition(plain_sum, 1.0, 1.0)(*map(jnp.asarray, bed.given(y)))
    law = bed.working(bed.scaled(y, 1.0, 1.0))
    level = jnp.float32(1.5)
    a, s = jnp.sqrt(jax.nn.sigmoid(level)), jnp.sqrt(jax.nn.sigmoid(-level))

    def log_noised(u):
        total = a**2 * law.covariances + s**2 * jnp.eye(len(u))
        gap = u - a * law.means
        squares = jnp.einsum("ki,kij,kj->k", gap, jnp.linalg.inv(total), gap)
        parts = jnp.log(law.weights) - 0.5 * jnp.linalg.slogdet(total)[1] - 0.5 * squares
        return jax.scipy.special.logsumexp(parts)

    u = jax.random.normal(jax.random.key(0), (20, 32))
    expected = (u + s**2 * jax.vmap(jax.grad(log_noised))(u)) / a
    np.testing.assert_allclose(composed(u, level), expected, atol=2e-4)


@pytest.mark.parametrize(("alpha", "power"), [(0.25, 1.0), (1.0, 16.0)])
def test_gauss_is_exact_where_prior_and_posterior_are_gaussian(alpha, power):
    """4 000 draws in eight dimensions: W1 of the marginals at the noise of as many exact draws, .02 sds."""
    bed = gaussian()
    _, data = bed.simulate(np.random.default_rng(5), 1)
    truth = bed.exact(np.random.default_rng(0), data[0], alpha, power, 50_000)
    x = sampler(bed, "gauss", 4_000)(data, alpha, power, 1)[0]
    assert wasserstein(x, truth).mean() < 0.04
    rough = sampler(bed, "sum", 4_000)(data, alpha, power, 1)[0]
    assert wasserstein(rough, truth).mean() > 0.1


@pytest.mark.parametrize("r", [0.25, 0.5, 1.0, 1.5])
def test_the_best_power_of_a_mode(r):
    """METHODS' λ* = 3/(2 - r), by the closed form and by draws of the tempered law themselves."""
    assert best_power(r) == pytest.approx(3 / (2 - r), rel=1e-3)
    bed = Bed(Mixture(np.zeros(1), np.zeros((1, 1)), np.full((1, 1, 1), r)), np.eye(1), 1.0)
    rng = np.random.default_rng(0)
    x, y = bed.simulate(rng, 2_000)
    for power in (1.0, 3 / (2 - r)):
        laws = [bed.scaled(each, 1.0, power) for each in y]
        risk = np.mean([(law.mean - each) ** 2 + law.covariance[0] for law, each in zip(laws, x, strict=True)])
        expected = (2 * r + power * r**2 + (power * r) ** 2) / (1 + power * r) ** 2
        assert risk == pytest.approx(expected, rel=4.5 * np.sqrt(2 / 2_000))


def test_the_layers_have_their_best_power_between_two_and_four():
    """Every mode of every scenario counts by its own signal-to-noise: the curve that samples of the mixture follow."""
    bed = seismogram()
    for covariance in bed.prior.covariances:
        r = np.linalg.eigvalsh(bed.operator @ covariance @ bed.operator.T) / bed.noise**2
        assert 2.0 < best_power(np.maximum(r, 0)) < 4.0


def test_composition_of_a_broken_score_is_worse():
    bed = gaussian()
    _, data = bed.simulate(np.random.default_rng(5), 1)
    truth = bed.exact(np.random.default_rng(0), data[0], 1.0, 4.0, 20_000)
    x = sampler(bed, "gauss", 2_000, 0.1)(data, 1.0, 4.0, 1)[0]
    assert wasserstein(x, truth).mean() > 0.1

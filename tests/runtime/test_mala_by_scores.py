"""`mala` by scores alone, of exact scores whose product is known: Gaussians at all powers, and mixtures."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from bsi.runtime.composition import Clean, NormalPrior, Rows, gauss, make_rows, temper, tilt
from bsi.runtime.composition.clean import EXACT
from bsi.runtime.correctors import Mala
from bsi.runtime.correctors.line import line_integral
from bsi.runtime.samplers import Ddim
from tests.runtime.models import mixture_denoiser
from tests.runtime.test_composition import M, affine_rows
from tests.runtime.test_correctors import three_modes, wasserstein
from tests.runtime.test_samplers import moments_agree

DRAWS = 3000


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 10])
def test_gaussian_factors_are_exact_at_all_powers(n):
    """From starts one sd off and half as wide again: 3 000 chains, 4.5 σ, nothing added for noise that is left."""
    denoise, x, precision, information = affine_rows(1, n)
    denoise32 = lambda u, t, x: denoise(u, t, x).astype(jnp.float32)  # noqa: E731
    precisions = jnp.broadcast_to(precision, (n, M, M)).astype(jnp.float32)

    @jax.jit
    def moved(alpha, beta, start):
        law = Clean(gauss(NormalPrior(M, alpha), [make_rows(denoise32, x.astype(jnp.float32), beta, precisions)]))
        return Mala(60)(law.log_density, start, jr.key(0), law.score)

    noise = np.random.default_rng(0).standard_normal((DRAWS, M))
    for alpha in (0.25, 1.0, 4.0):
        for beta in (0.25, 1.0, 4.0):
            b = alpha * np.eye(M) + n * beta * information
            mean, covariance = np.linalg.solve(b, beta * information @ np.asarray(x.sum(0))), np.linalg.inv(b)
            start = mean + (1.0 + 1.5 * noise) @ np.linalg.cholesky(covariance).T
            z, stats = moved(jnp.float32(alpha), jnp.float32(beta), jnp.asarray(start, jnp.float32))
            moments_agree(z, mean, covariance, 0.0)
            assert 0.5 < stats["acceptance"] < 0.65 and stats["drift"] < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "beta"), [(0.25, 1.0), (0.5, 1.0), (1.0, 4.0)])
def test_powers_of_three_modes(alpha, beta):
    """W1 in posterior sds of 8 000 draws: above .14 by `gauss`, below .045 moved (.01 is noise)."""
    composed, grid, mass = three_modes(alpha, beta)
    law = Clean(composed, settled=EXACT)

    @jax.jit
    def run(key):
        z, _ = Ddim(50).sample(composed, key, (8000, 1))
        return z, Mala(200)(law.log_density, z, key, law.score)[0]

    before, after = (wasserstein(z, grid, mass) for z in run(jr.key(1)))
    assert before > 0.14 and after < 0.045, (before, after)


def test_modes_keep_their_shares_and_find_their_shapes():
    """Two modes 8 sds apart, weights ¼ and ¾, from starts in them that are half as wide again."""
    weights, means, sd = np.array([0.25, 0.75]), np.array([-0.9, 0.7]), 0.2
    denoise = mixture_denoiser(weights, means[:, None], np.full((2, 1, 1), sd**2))
    precision = np.reshape(1 / (sd**2 + weights @ (means - weights @ means) ** 2), (1, 1, 1))
    rows = make_rows(lambda u, t, x: denoise(u, t), jnp.zeros((1, 1)), jnp.ones(()), jnp.asarray(precision))
    law = Clean(gauss(NormalPrior(1), [rows]), settled=EXACT)
    rng = np.random.default_rng(0)
    which = (np.arange(DRAWS) >= DRAWS / 4).astype(int)
    start = jnp.asarray((means[which] + 1.5 * sd * rng.standard_normal(DRAWS))[:, None], jnp.float32)
    z, stats = jax.jit(lambda key: Mala(100)(law.log_density, start, key, law.score))(jr.key(0))
    z = np.asarray(z, np.float64)
    assert stats["separation"] > 2.5
    for mode, mean in enumerate(means):
        own = z[(z < 0) == (mode == 0)]
        assert abs(len(own) / DRAWS - weights[mode]) < 4.5 * np.sqrt(3 / 16 / DRAWS)
        moments_agree(own[:, None], [mean], [[sd**2]], 0.004)  # 1/480 of a mode's variance is noise that is left


def test_line_integrals_are_exact_for_polynomials():
    """`g = ∇ Σ z_i^12`, of degree 11 along any line."""
    with jax.enable_x64(True):
        begin, end = (jr.normal(jr.key(k), (50, 3), jnp.float64) for k in (0, 1))
        value = lambda z: jnp.sum(z**12, -1)  # noqa: E731
        gradient = jax.grad(lambda z: jnp.sum(value(z)))
        gain, slope = line_integral(gradient, begin, gradient(begin), end)
        np.testing.assert_allclose(gain, value(end) - value(begin), rtol=1e-9)
        np.testing.assert_allclose(slope, gradient(end))


@pytest.mark.parametrize("make", [temper, tilt])
def test_densities_of_tempered_priors(make):
    """Differences of `ln q`, q ∝ N(z) p(z)^(α-1) with `p ∝ exp(-z⁴/50)`."""
    prior = make(lambda z: -jnp.sum(z**4, -1) / 50, 2, 1.5)
    z = jnp.linspace(-2.5, 2.0, 20)[:, None] * jnp.array([1.0, -0.7])
    truth = -0.5 * jnp.sum(z**4, -1) / 50 - 0.5 * jnp.sum(z**2, -1)
    found = prior.log_density(z)
    np.testing.assert_allclose(found - found[0], truth - truth[0], atol=2e-3)


@pytest.mark.slow
def test_rows_that_are_not_numbers_move_nobody():
    """A score that is lost beyond 1 keeps draws on this side of it: N(0, 1) below 1."""
    rows = Rows(
        lambda u, t, x: jnp.where(u > 1.0, jnp.nan, u * jnp.sqrt(jax.nn.sigmoid(t))),
        jnp.zeros((1, 1)),
        jnp.ones(1),
        jnp.zeros((1, 1, 1)),
        jnp.asarray(0),
    )
    law = Clean(gauss(NormalPrior(1), [rows]))
    start = -jnp.abs(jr.normal(jr.key(0), (2000, 1)))
    z, _ = jax.jit(lambda key: Mala(60)(law.log_density, start, key, law.score))(jr.key(1))
    assert jnp.all(jnp.isfinite(z)) and 0.9 < jnp.max(z) < 1.1

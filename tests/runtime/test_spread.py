"""Draws that are not as wide as the Gaussian they were composed by, and draws that are."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from bsi.runtime.composition import NormalPrior, gauss, make_rows, spread
from bsi.runtime.samplers import DpmSolverPP
from tests.runtime.models import mixture_denoiser
from tests.runtime.test_composition import M, affine_rows

DRAWS = 1_000


def drawn(composed, m):
    z, _ = jax.jit(lambda key: DpmSolverPP(50).sample(composed, key, (DRAWS, m)))(jr.key(0))
    return {name: float(value) for name, value in spread(composed, z).items()}


@pytest.mark.parametrize(("alpha", "beta"), [pytest.param(1.0, 1.0, marks=pytest.mark.slow), (0.25, 4.0)])
def test_gaussian_factors_are_as_wide_as_assumed(alpha, beta):
    """At any powers, of 1 000 draws and 50 steps (which leave .95 of an sd)."""
    denoise, x, precision, _ = affine_rows(3, 6)
    denoise32 = lambda u, t, x: denoise(u, t, x).astype(jnp.float32)  # noqa: E731
    precisions = jnp.broadcast_to(precision, (6, M, M)).astype(jnp.float32)
    rows = make_rows(denoise32, x.astype(jnp.float32), jnp.asarray(beta), precisions)
    found = drawn(gauss(NormalPrior(M, alpha), [rows]), M)
    assert all(0.8 < times < 1.25 for times in found.values()), found


def of_two_modes(places):
    """`gauss` of rows whose posteriors have a mode at 0 and one at a place of their own, by exact scores."""
    mean, variance = np.array([[0.0, p] for p in places]), 0.02
    total = variance + mean.var(1)

    def denoise(u, log_snr, x):
        of_row = lambda u, x: mixture_denoiser(  # noqa: E731
            jnp.full(2, 0.5), jnp.stack([jnp.zeros(1), x]), jnp.full((2, 1, 1), variance)
        )(u, log_snr)
        return jax.vmap(of_row)(jnp.broadcast_to(u, (len(x), *u.shape[1:])), x[:, 0])

    precisions = jnp.asarray(1 / total, jnp.float32)[:, None, None]
    rows = make_rows(denoise, jnp.asarray(places, jnp.float32)[:, None], jnp.ones(()), precisions)
    return gauss(NormalPrior(1), [rows])


@pytest.mark.slow
def test_rows_that_share_one_mode_leave_less_than_assumed():
    """Two modes a row, of which all share one: the product is that mode, and much narrower than rows make believe."""
    found = drawn(of_two_modes([2.0, -2.0, 1.6, -1.6]), 1)
    assert found["narrowest"] < 0.25, found


def test_rows_of_the_same_two_modes():
    """Both modes stay, while the variance that rows make believe falls with their number."""
    composed = of_two_modes([0.8] * 8)
    truth = 0.4 * jr.rademacher(jr.key(0), (DRAWS, 1)) + 0.05 * jr.normal(jr.key(1), (DRAWS, 1))
    assert float(spread(composed, truth)["widest"]) > 4


def test_few_draws_tell_nothing():
    assert spread(of_two_modes([2.0]), jnp.zeros((3, 1))) == {}

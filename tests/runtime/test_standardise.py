"""Rows as networks see them: which columns go on a log scale, and where the map is the identity up to scale."""

import jax.numpy as jnp
import numpy as np

from bsi.runtime.standardise import KNEE, fit_standardiser

RNG = np.random.default_rng(0)
N = 8192


def test_positive_skew_columns_are_logged():
    """Lognormal and exponential ones are; Gaussian, far from zero or not, and columns that reach zero are not."""
    x = np.stack(
        [
            RNG.lognormal(2.0, 1.0, N),
            RNG.exponential(3.0, N),
            RNG.normal(0.0, 1.0, N),
            RNG.normal(50.0, 1.0, N),
            RNG.poisson(1.0, N).astype(float),
            -RNG.exponential(1.0, N),
            np.full(N, 2.0),
        ],
        axis=-1,
    )
    fitted = fit_standardiser(x)
    assert np.asarray(fitted.logged).tolist() == [True, True, False, False, False, False, False]
    v = np.asarray(fitted(jnp.asarray(x, jnp.float32)))
    assert np.all(np.isfinite(v))
    middle, spread = np.median(v[:, :4], 0), v[:, :4].std(0)
    assert np.all(np.abs(middle) < 0.01) and np.all((spread > 0.9) & (spread < 1.3))


def test_gaussian_columns_stay_linear():
    x = RNG.normal(5.0, 2.0, (N, 1))
    fitted = fit_standardiser(x)
    points = jnp.linspace(-2.0, 12.0, 5)[:, None]
    np.testing.assert_allclose(fitted(points), (points - fitted.centre) / fitted.scale, rtol=1e-6)


def test_tails_are_folded_and_impossible_values_stay_finite():
    fitted = fit_standardiser(RNG.lognormal(0.0, 1.0, (N, 1)))
    v = np.asarray(fitted(jnp.asarray([[1e30], [0.0], [-3.0]])))[:, 0]
    assert np.all(np.isfinite(v)) and KNEE < v[0] < 4 * KNEE and v[1] == v[2] < -KNEE

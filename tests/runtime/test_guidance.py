"""Guidance against closed forms: exact for Gaussians, and as far off as stated for mixtures."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats as st

from bsi.runtime.evidence import METRICS, Evidence, Term, is_quadratic
from bsi.runtime.guidance import Guided, conjugate_gradients
from bsi.runtime.process import signal_noise
from tests.runtime.models import gaussian_denoiser

LEVELS = (-9.0, -2.0, 0.0, 3.0, 10.0)


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


@pytest.mark.parametrize("m, p", [(1, 1), (3, 2), (20, 9)])
@pytest.mark.parametrize("alpha, beta, rows", [(1.0, 1.0, 1), (1.0, 1.0, 10), (0.5, 3.0, 1), (4.0, 0.25, 10)])
def test_linear_gaussian_is_exact(m, p, alpha, beta, rows):
    """At every noise level, any powers and number of rows; beyond 16 coordinates by conjugate gradients."""
    with jax.enable_x64(True):
        prior, evidence, exact = linear_gaussian(m, p, rows, alpha, beta)
        guided = Guided(prior, evidence, jnp.asarray(1.0), products=40, tolerance=1e-14)
        u = jr.normal(jr.key(1), (5, m), jnp.float64)
        for level in LEVELS:
            log_snr = jnp.asarray(level, jnp.float64)
            np.testing.assert_allclose(guided(u, log_snr), exact(u, log_snr), rtol=1e-8, atol=1e-8)

"""Images under a prior whose posterior is known: a blob of Gaussian noise around each of thirty digits.

Observed through a mask or a blur with Gaussian noise, the posterior is such a mixture again, with its weights,
means and covariances in closed form.
"""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from bsi.runtime.evidence import Evidence
from bsi.runtime.guidance import Guided
from bsi.runtime.process import signal_noise
from bsi.runtime.samplers import TwistedSmc
from tests.bsi.helpers import ROOT
from tests.runtime.test_guidance import linear_term

SPREAD, NOISE, DRAWS = 0.3, 0.5, 500
M = 64

with np.load(ROOT / "examples/digits/digits.npz") as file:
    CENTRES = (file["train"][:30].reshape(30, M) / 8 - 1).astype(np.float32)
TRUTH = CENTRES[7] + SPREAD * np.random.default_rng(1).normal(size=M)


def prior(u, log_snr):
    a, s = signal_noise(log_snr)
    variance = a**2 * SPREAD**2 + s**2
    gap = u[..., None, :] - a * CENTRES
    weights = jax.nn.softmax(-0.5 * jnp.sum(gap**2, -1) / variance, axis=-1)
    return weights @ CENTRES + (a * SPREAD**2 / variance) * (u - a * weights @ CENTRES)


def mask():
    """The two upper rows."""
    return np.eye(M)[:16]


def blur():
    """Means of 3 x 3 pixels."""
    image = np.eye(M).reshape(M, 8, 8)
    windows = [image[:, i : i + 6, j : j + 6] for i in range(3) for j in range(3)]
    return np.mean(windows, axis=0).reshape(M, 36).T


def posterior(design, x):
    """Weights and means of its Gaussians, and the covariance that they share."""
    covariance = np.linalg.inv(np.eye(M) / SPREAD**2 + design.T @ design / NOISE**2)
    gap = x - CENTRES @ design.T
    within = SPREAD**2 * design @ design.T + NOISE**2 * np.eye(len(x))
    log_weights = -0.5 * np.sum(gap * np.linalg.solve(within, gap.T).T, -1)
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum(), CENTRES + gap @ (covariance @ design.T / NOISE**2).T, covariance


@pytest.mark.parametrize("design", [mask(), blur()], ids=["inpainting", "deblurring"])
def test_posterior_of_an_image(design):
    """Moments of every pixel and how many draws are near each digit, by twisted Monte Carlo: 5 sigma of as many draws
    as were effective at the worst step."""
    x = design @ TRUTH + NOISE * np.random.default_rng(2).normal(size=len(design))
    weights, means, covariance = posterior(design, x)
    mean = weights @ means
    sd = np.sqrt(np.diag(covariance) + weights @ (means - mean) ** 2)
    evidence = Evidence((linear_term(jnp.asarray(design), x[None], NOISE, jnp.ones(1)),), True)
    guided = Guided(prior, evidence, jnp.asarray(0.5))

    draws, stats = jax.jit(lambda key: TwistedSmc(60).sample(guided, key, (DRAWS, M)))(jr.key(0))
    draws = np.asarray(draws)
    nearest = np.argmin(np.sum((draws[:, None] - CENTRES) ** 2, -1), -1)
    wrong = 0.5 * np.abs(np.bincount(nearest, minlength=len(weights)) / DRAWS - weights).sum()
    effective = DRAWS * float(stats["effective_share"])
    assert effective > 20 and wrong < 2.5 / effective**0.5
    assert np.all(np.abs(draws.mean(0) - mean) < 5 * sd / effective**0.5)
    assert np.all(np.abs(draws.std(0) / sd - 1) < 5 / (2 * effective) ** 0.5)

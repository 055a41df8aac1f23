"""Log density by the flow: closed form, quadrature, and the estimate with random signs."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from scipy.stats import multivariate_normal

from bsi.runtime import log_density as log_density_module
from bsi.runtime.log_density import FlowDensity
from tests.runtime.models import TWO_MODES, mixture_denoiser

WEIGHTS, MEANS, COVARIANCES = map(np.asarray, TWO_MODES)


def log_density(z):
    parts = zip(WEIGHTS, MEANS, COVARIANCES, strict=True)
    return np.log(sum(weight * multivariate_normal(mean, cov).pdf(z) for weight, mean, cov in parts))


def test_mixture():
    """At modes, between them and in a tail (where p is e^-9 of its peak), to 1e-3; and it integrates to one."""
    near = np.concatenate([MEANS, MEANS + 0.3, [[0.0, 0.0], [2.0, -1.5]]])
    axis = np.linspace(-4.0, 4.0, 41)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    density = FlowDensity(rtol=1e-4, atol=1e-4)
    z = jnp.asarray(np.concatenate([near, grid]), jnp.float32)
    got, stats = jax.jit(lambda z: density(mixture_denoiser(*TWO_MODES), z))(z)
    assert not stats["failed"]
    np.testing.assert_allclose(got[: len(near)], log_density(near), atol=1e-3)
    mass = float(jnp.sum(jnp.exp(got[len(near) :]))) * (axis[1] - axis[0]) ** 2
    truth = float(np.sum(np.exp(log_density(grid)))) * (axis[1] - axis[0]) ** 2
    assert abs(mass - truth) < 1e-3 and abs(mass - 1.0) < 5e-3


def test_hutchinson_is_unbiased():
    """400 independent one-probe estimates at three points: their mean within 4 standard errors."""
    points = np.array([[-1.5, 0.5], [0.7, -0.2], [1.2, -0.9]])
    z = jnp.asarray(np.repeat(points, 400, axis=0), jnp.float32)
    density = FlowDensity(probes=1, rtol=1e-4, atol=1e-4)
    got, _ = jax.jit(lambda z, key: density(mixture_denoiser(*TWO_MODES), z, key))(z, jr.key(0))
    got = np.asarray(got, np.float64).reshape(3, 400)
    error = got.std(1) / np.sqrt(400) + 1e-3
    assert np.all(np.abs(got.mean(1) - log_density(points)) < 4 * error)


def test_rows_in_chunks(monkeypatch):
    """Seven rows three at a time, the last chunk filled up; every chunk has random signs of its own."""
    monkeypatch.setattr(log_density_module, "STATES", 6)
    z, denoiser = jr.normal(jr.key(1), (7, 2)), mixture_denoiser(*TWO_MODES)
    chunked, stats = FlowDensity(rtol=1e-4, atol=1e-4)(denoiser, z)
    np.testing.assert_allclose(chunked, log_density(np.asarray(z)), atol=0.01)
    assert stats["standard_error"].shape == (7,) and not np.any(stats["standard_error"])
    estimates, stats = FlowDensity(probes=2, rtol=1e-3, atol=1e-3)(denoiser, jnp.tile(z[:1], (6, 1)), jr.key(2))
    assert np.any(np.abs(estimates[:3] - estimates[3:]) > 0.01) and np.all(stats["standard_error"] >= 0)


def test_running_out_of_steps_is_a_value():
    _, stats = FlowDensity(max_steps=2)(mixture_denoiser(*TWO_MODES), jnp.zeros((1, 2)))
    assert bool(stats["failed"])

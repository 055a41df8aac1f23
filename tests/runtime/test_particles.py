"""Weighted particles: what systematic resampling promises, and sums that do not overflow."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from bsi.runtime.particles import effective_share, log_mean, resample, systematic

WEIGHTS = np.array([0.05, 0.4, 0.0, 0.25, 0.3])


def test_counts_are_the_weights_rounded():
    log_weights = jnp.log(jnp.asarray(np.tile(WEIGHTS, 2) / 2)) - 500.0  # far below the smallest float, unnormalised
    counts = np.stack([np.bincount(systematic(jr.key(i), log_weights), minlength=10) for i in range(400)])
    expected = 5 * np.tile(WEIGHTS, 2)
    assert (counts.sum(1) == 10).all()
    assert (np.abs(counts - expected) < 1 + 1e-5).all()
    assert (np.abs(counts.mean(0) - expected) < 4.5 * 0.5 / np.sqrt(400)).all()


def test_one_particle_may_have_everything():
    log_weights = jnp.full(1000, -jnp.inf).at[999].set(3.0)
    assert (systematic(jr.key(0), log_weights) == 999).all()
    np.testing.assert_allclose(effective_share(log_weights), 1e-3, rtol=1e-5)


def test_effective_share_and_mean():
    log_weights = jnp.log(jnp.array([1.0, 3.0])) + 200.0
    np.testing.assert_allclose(effective_share(log_weights), 16 / 20, rtol=1e-5)
    np.testing.assert_allclose(log_mean(log_weights), 200.0 + np.log(2.0), rtol=1e-6)


def test_resampling_only_when_poor():
    even, uneven = jnp.zeros(8), jnp.log(jnp.array([1.0] + [1e-6] * 7))
    ancestors, weights, poor = jax.jit(resample)(jr.key(0), even + 7.0, 0.5)
    assert not poor and (ancestors == jnp.arange(8)).all()
    np.testing.assert_allclose(weights, 0.0, atol=1e-6)
    ancestors, weights, poor = jax.jit(resample)(jr.key(0), uneven, 0.5)
    assert poor and (ancestors == 0).all() and (weights == 0).all()

"""Weighted particles: effective sample size, and systematic resampling."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
from jax.scipy.special import logsumexp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray


def effective_share(log_weights: Float[Array, " n"]) -> Float[Array, ""]:
    """`(Σ w)² / (n Σ w²)`: 1 for equal weights, 1/n when one particle has all of it (Kong et al. 1994)."""
    return jnp.exp(2 * logsumexp(log_weights) - logsumexp(2 * log_weights)) / len(log_weights)


def log_mean(log_weights: Float[Array, " n"]) -> Float[Array, ""]:
    """`ln (Σ w / n)`: what a step adds to an estimate of the log evidence."""
    return logsumexp(log_weights) - jnp.log(len(log_weights))


def systematic(key: PRNGKeyArray, log_weights: Float[Array, " n"]) -> Int[Array, " n"]:
    """Ancestors: particle i occurs `⌊n wᵢ⌋` or `⌈n wᵢ⌉` times, on average n wᵢ times (Kitagawa 1996).

    Neighbours of the answer have common ancestors: what takes them for independent must look at weights first.
    """
    n = len(log_weights)
    edges = jnp.cumsum(jax.nn.softmax(log_weights))
    at = (jr.uniform(key, (), log_weights.dtype) + jnp.arange(n)) / n
    # Rounding may leave the last edge below one: points are measured against what the weights really sum to.
    return jnp.minimum(jnp.searchsorted(edges, at * edges[-1], side="right"), n - 1)


def resample(
    key: PRNGKeyArray, log_weights: Float[Array, " n"], threshold: float | Float[Array, ""]
) -> tuple[Int[Array, " n"], Float[Array, " n"], Bool[Array, ""]]:
    """Resample where the effective share is below `threshold`.

    **Returns:** ancestors (the particles themselves where nothing is resampled), the log weights they go on with, of
    mean weight one either way, and whether they were resampled.
    """
    poor = effective_share(log_weights) < threshold
    ancestors = jnp.where(poor, systematic(key, log_weights), jnp.arange(len(log_weights)))
    return ancestors, jnp.where(poor, 0.0, log_weights - log_mean(log_weights)), poor

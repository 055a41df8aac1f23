"""Local classifier two-sample test (Linhart, Gramfort and Rodrigues 2023, arXiv 2306.03580): are draws at *these* data
right, of a law that can only be simulated?

A classifier learns to tell params from draws, `(θ, x)` of the model from `(θ̂, x)` with `θ̂` drawn given the simulated x.
Where nothing tells them apart it says ½; how far it is from that over the draws at the observed data is the statistic.
Given x, θ and θ̂ are exchangeable if the sampler is right, so exchanging them at random gives its law exactly (the paper
permutes all labels).
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from bsi.runtime.metrics.base import Estimate
from bsi.runtime.metrics.classifier import fitted, logit

_WIDTH = 64  # units of both hidden layers
_HELD_OUT = 0.1  # share of the pairs that stops the training
_TOGETHER = 16  # classifiers trained at once


def lc2st(
    params: Float[np.ndarray, "n m"],
    drawn: Float[np.ndarray, "n m"],
    data: Float[np.ndarray, "n p"],
    draws: Float[np.ndarray, "k m"],
    observed: Float[np.ndarray, " p"],
    *,
    permutations: int = 100,
    seed: int = 1,
) -> Estimate:
    """p-value of the hypothesis that draws at the observed data are right: small where a classifier sees a difference.

    Arguments:
        params, data: of the model, together. `drawn`: one draw of the sampler for each of `data`.
        draws: of the sampler at `observed`.

    Returns:
        `(1 + #{null ≥ t})/(1 + permutations)`, with the standard error that a finite number of permutations leaves.

    Raises:
        ValueError: some numbers are not finite, or there are fewer than 20 pairs.
    """
    arrays = (params, drawn, data, draws, observed)
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError("some draws or simulations are not finite")
    if len(params) < 20:
        raise ValueError(f"{len(params)} simulations are too few to train a classifier on")
    of_params, of_data = (_standardise(params), _standardise(data))
    first, second = of_params(params), of_params(drawn)
    at = np.concatenate([of_params(draws), np.broadcast_to(of_data(observed), (len(draws), data.shape[1]))], 1)
    pairs = [np.concatenate([one, of_data(data)], 1) for one in (first, second)]
    key = jr.key(seed)
    swaps = np.array(jr.bernoulli(key, 0.5, (1 + permutations, len(params))))
    swaps[0] = False
    statistics = np.asarray(_statistics(jr.fold_in(key, 1), *map(jnp.asarray, pairs), jnp.asarray(at), swaps))
    p = (1 + np.sum(statistics[1:] >= statistics[0])) / (1 + permutations)
    return Estimate(float(p), float(np.sqrt(p * (1 - p) / (1 + permutations))))


def _standardise(rows: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """By the mean and sd of the model's own; constant columns stay as they are."""
    mean, sd = rows.mean(0, dtype=float), rows.std(0, dtype=float)
    return lambda more: ((more - mean) / np.where(sd > 0, sd, 1.0)).astype(np.float32)


@jax.jit
def _statistics(
    key: PRNGKeyArray,
    model: Float[Array, "n c"],
    sampler: Float[Array, "n c"],
    at: Float[Array, "k c"],
    swaps: Bool[Array, "t n"],
) -> Float[Array, " t"]:
    """Mean of `(d - ½)²` over `at`, of a classifier for each way to exchange the members of pairs."""
    kept = max(2, int(_HELD_OUT * len(model)))

    def statistic(swap: Array) -> Array:
        one, other = (jnp.where(swap[:, None], b, a) for a, b in ((model, sampler), (sampler, model)))
        train, held_out = (
            (jnp.concatenate([one[part], other[part]]), jnp.concatenate([jnp.ones(size), jnp.zeros(size)]))
            for part, size in ((slice(kept, None), len(model) - kept), (slice(None, kept), kept))
        )
        layers = fitted(key, train, _WIDTH, held_out)
        return jnp.mean((jax.nn.sigmoid(logit(layers, at)) - 0.5) ** 2)

    return jax.lax.map(statistic, swaps, batch_size=_TOGETHER)

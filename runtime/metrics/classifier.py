"""Scikit-learn's `MLPClassifier` for two classes (activation relu, solver adam, its defaults), compiled by JAX.

The same network, loss, initial law, step rule and stopping rule (scikit-learn 1.5, `_multilayer_perceptron.py`); only
the random numbers differ. Written again because C2ST at 10 000 draws in 10 dimensions took minutes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

BATCH = 200
L2 = 1e-4
LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
TOLERANCE, PATIENCE, MOST_EPOCHS = 1e-4, 10, 10_000

Layers = list[tuple[Array, Array]]
Rows = tuple[Float[Array, "_ m"], Float[Array, " _"]]  # and their labels


@partial(jax.jit, static_argnames=("width",))
def accuracy(key: PRNGKeyArray, train: Rows, test: Rows, width: int) -> Float[Scalar, ""]:
    """Train on rows and labels (0 or 1) until the loss stalls; the share of test rows that are labelled right.

    Arguments:
        width: of both hidden layers.
    """
    layers = fitted(key, train, width)
    return jnp.mean((logit(layers, test[0]) > 0) == (test[1] > 0.5))


def fitted(key: PRNGKeyArray, train: Rows, width: int, held_out: Rows | None = None) -> Layers:
    """Weights after training until the loss stalls: that of the epochs, or that of `held_out` rows, and then
    the weights with the least one (scikit-learn's early stopping, but by the loss)."""
    rows, labels = train
    initial_key, key = jr.split(key)
    layers = _initial(initial_key, (rows.shape[1], width, width, 1))
    batches = -(-len(rows) // BATCH)
    padding = batches * BATCH - len(rows)

    def epoch(state: tuple[Any, ...]) -> tuple[Any, ...]:
        layers, moments, number, least, stalled, kept = state
        order = jr.permutation(jr.fold_in(key, number), len(rows))
        order = jnp.concatenate([order, jnp.full(padding, -1)]).reshape(batches, BATCH)

        def step(carry: tuple[Any, ...], chosen: Int[Array, " batch"]) -> tuple[tuple[Any, ...], Array]:
            layers, moments, count = carry
            weights = (chosen >= 0).astype(rows.dtype)  # the last batch may be smaller
            loss, gradient = jax.value_and_grad(_loss)(layers, rows[chosen], labels[chosen], weights)
            layers, moments = _adam(layers, moments, gradient, count + 1)
            return (layers, moments, count + 1), loss * weights.sum()

        (layers, moments, _), losses = jax.lax.scan(step, (layers, moments, number * batches), order)
        loss = losses.sum() / len(rows)
        if held_out is not None:
            loss = _loss(layers, *held_out, jnp.ones(len(held_out[1]), rows.dtype))
            kept = jax.tree.map(lambda now, before: jnp.where(loss < least, now, before), layers, kept)
        stalled = jnp.where(loss > least - TOLERANCE, stalled + 1, 0)
        return layers, moments, number + 1, jnp.minimum(least, loss), stalled, kept

    def unfinished(state: tuple[Any, ...]) -> Array:
        return (state[4] <= PATIENCE) & (state[2] < MOST_EPOCHS)

    zeros = jax.tree.map(jnp.zeros_like, layers)
    kept = None if held_out is None else layers
    final = jax.lax.while_loop(unfinished, epoch, (layers, (zeros, zeros), 0, jnp.inf, 0, kept))
    return final[0] if held_out is None else final[-1]


def _initial(key: PRNGKeyArray, sizes: tuple[int, ...]) -> Layers:
    """Glorot and Bengio's uniform law, for biases too."""
    layers = []
    for fan_in, fan_out, layer_key in zip(sizes[:-1], sizes[1:], jr.split(key, len(sizes) - 1), strict=True):
        bound = (6 / (fan_in + fan_out)) ** 0.5
        values = jr.uniform(layer_key, (fan_in + 1, fan_out), jnp.float32, -bound, bound)
        layers.append((values[:-1], values[-1]))
    return layers


def logit(layers: Layers, rows: Float[Array, "n m"]) -> Float[Array, " n"]:
    """Of the probability of label 1."""
    for weight, bias in layers[:-1]:
        rows = jax.nn.relu(rows @ weight + bias)
    weight, bias = layers[-1]
    return (rows @ weight + bias)[:, 0]


def _loss(layers: Layers, rows: Array, labels: Array, weights: Array) -> Float[Scalar, ""]:
    """Mean logistic loss, and the penalty on weights, both per row of the batch."""
    own = logit(layers, rows)
    entropy = jax.nn.softplus(own) - labels * own
    penalty = L2 / 2 * sum(jnp.sum(weight**2) for weight, _ in layers)
    return (jnp.sum(weights * entropy) + penalty) / weights.sum()


def _adam(layers: Layers, moments: tuple[Any, Any], gradient: Layers, count: Array) -> tuple[Layers, tuple[Any, Any]]:
    """Kingma and Ba's short form: bias corrections in the step size, so that epsilon is not corrected."""
    first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, moments[0], gradient)
    second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g**2, moments[1], gradient)
    rate = LEARNING_RATE * jnp.sqrt(1 - BETA2**count) / (1 - BETA1**count)
    moved = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPSILON), layers, first, second)
    return moved, (first, second)

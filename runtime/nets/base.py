"""What every network is: a function of a noisy state, a time and a condition, zero before training."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "silu": jax.nn.silu,
    "gelu": jax.nn.gelu,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
}
FREQUENCIES = 8


@dataclass(frozen=True)
class AbstractArchitecture(abc.ABC):
    """What a network is told besides the sizes of its problem; `images`: that its state is one."""

    images: ClassVar[bool] = False

    @abc.abstractmethod
    def build(self, m: int, p: int, key: PRNGKeyArray) -> AbstractNetwork:
        """A network of m inputs and outputs, and conditions of p entries."""


@dataclass(frozen=True)
class AbstractPerceptron(AbstractArchitecture):
    """`depth` counts hidden layers (`mlp`) or blocks of two layers (`resmlp`, `set`)."""

    width: int = 256
    depth: int = 2
    activation: str = "silu"
    dropout: float = 0.0


class AbstractNetwork(eqx.Module):
    """Batch axes broadcast: a state (rows, draws, m) with a condition (rows, 1, p) embeds each condition once."""

    @abc.abstractmethod
    def __call__(
        self,
        state: Float[Array, "*b m"],
        time: Float[Array, "*t"],
        condition: Float[Array, "*c p"],
        *,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, "*o k"]:
        """`time` lies in [0, 1]; `key` switches dropout on. Returns k outputs, batch axes broadcast."""


class Linear(eqx.Module):
    """`x @ weight + bias` over any batch axes, weights `N(0, gain²/inputs)`."""

    weight: Float[Array, "i o"]
    bias: Float[Array, " o"]

    def __init__(self, inputs: int, outputs: int, key: PRNGKeyArray, gain: float = 1.0):
        self.weight = jr.normal(key, (inputs, outputs)) * (gain / math.sqrt(max(inputs, 1)))
        self.bias = jnp.zeros(outputs)

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
        return x @ self.weight + self.bias


def time_features(time: Float[Array, "*t"]) -> Float[Array, "*t f"]:
    """`2t - 1` and sines and cosines of `π k t`."""
    angles = time[..., None] * (math.pi * jnp.arange(1, FREQUENCIES + 1))
    return jnp.concatenate([2.0 * time[..., None] - 1.0, jnp.sin(angles), jnp.cos(angles)], axis=-1)


TIME_FEATURES = 2 * FREQUENCIES + 1


def dropout(x: Float[Array, "*b w"], rate: float, key: PRNGKeyArray | None) -> Float[Array, "*b w"]:
    """Inverted dropout; nothing without a key."""
    if key is None or rate == 0.0:
        return x
    return jnp.where(jr.bernoulli(key, 1.0 - rate, x.shape), x / (1.0 - rate), 0.0)

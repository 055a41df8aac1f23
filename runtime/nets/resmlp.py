"""A residual perceptron: time and condition are embedded together once and added inside every block."""

from __future__ import annotations

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.nets.base import (
    ACTIVATIONS,
    TIME_FEATURES,
    AbstractNetwork,
    AbstractPerceptron,
    Linear,
    dropout,
    time_features,
)


class Block(eqx.Module):
    """`h + W₂ φ(W₁ φ(h) + c)`; the second layer starts small, so a deep stack starts near the identity."""

    first: Linear
    second: Linear
    context: Linear

    def __init__(self, width: int, key: PRNGKeyArray):
        keys = jr.split(key, 3)
        self.first = Linear(width, width, keys[0], gain=2.0**0.5)
        self.second = Linear(width, width, keys[1], gain=0.3)
        self.context = Linear(width, width, keys[2])


class ResMlp(AbstractNetwork):
    """`depth` residual blocks of two layers."""

    state: Linear
    time: Linear
    condition: Linear
    context: Linear
    blocks: list[Block]
    readout: Linear
    activation: str = eqx.field(static=True)
    rate: float = eqx.field(static=True)

    def __init__(self, m: int, p: int, outputs: int, architecture: AbstractPerceptron, key: PRNGKeyArray):
        width = architecture.width
        keys = jr.split(key, architecture.depth + 5)
        self.state = Linear(m, width, keys[0])
        self.time = Linear(TIME_FEATURES, width, keys[1])
        self.condition = Linear(p, width, keys[2])
        self.context = Linear(width, width, keys[3], gain=2.0**0.5)
        self.blocks = [Block(width, k) for k in keys[4:-1]]
        self.readout = Linear(width, outputs, keys[-1], gain=0.0)
        self.activation = architecture.activation
        self.rate = architecture.dropout

    def __call__(
        self,
        state: Float[Array, "*b m"],
        time: Float[Array, "*t"],
        condition: Float[Array, "*c p"],
        *,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, "*o k"]:
        activate = ACTIVATIONS[self.activation]
        c = activate(self.context(activate(self.time(time_features(time)) + self.condition(condition))))
        h = self.state(state) + c
        for index, block in enumerate(self.blocks):
            inner = activate(block.first(activate(h)) + block.context(c))
            inner = dropout(inner, self.rate, None if key is None else jr.fold_in(key, index))
            h = jnp.add(h, block.second(inner))
        return self.readout(activate(h))


@dataclass(frozen=True)
class ResMlpArchitecture(AbstractPerceptron):
    """A `ResMlp`."""

    def build(self, m: int, p: int, key: PRNGKeyArray) -> ResMlp:
        return ResMlp(m, p, m, self, key)

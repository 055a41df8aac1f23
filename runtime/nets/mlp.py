"""A plain perceptron: state, time and condition enter the first layer."""

from __future__ import annotations

from dataclasses import dataclass

import equinox as eqx
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


class Mlp(AbstractNetwork):
    """`depth` hidden layers of `width`."""

    state: Linear
    time: Linear
    condition: Linear
    hidden: list[Linear]
    readout: Linear
    activation: str = eqx.field(static=True)
    rate: float = eqx.field(static=True)

    def __init__(self, m: int, p: int, outputs: int, architecture: AbstractPerceptron, key: PRNGKeyArray):
        width = architecture.width
        keys = jr.split(key, architecture.depth + 3)
        self.state = Linear(m, width, keys[0])
        self.time = Linear(TIME_FEATURES, width, keys[1])
        self.condition = Linear(p, width, keys[2])
        self.hidden = [Linear(width, width, k, gain=2.0**0.5) for k in keys[3:-1]]
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
        h = activate(self.state(state) + (self.time(time_features(time)) + self.condition(condition)))
        for index, layer in enumerate(self.hidden):
            h = dropout(h, self.rate, None if key is None else jr.fold_in(key, index))
            h = activate(layer(h))
        return self.readout(h)


@dataclass(frozen=True)
class MlpArchitecture(AbstractPerceptron):
    """An `Mlp`."""

    def build(self, m: int, p: int, key: PRNGKeyArray) -> Mlp:
        return Mlp(m, p, m, self, key)

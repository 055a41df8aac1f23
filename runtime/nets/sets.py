"""A permutation-invariant embedding of a row that is itself a set (Deep Sets, Zaheer et al. 2017, arXiv 1703.06114)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.nets.base import ACTIVATIONS, AbstractNetwork, AbstractPerceptron, Linear
from bsi.runtime.nets.resmlp import ResMlp

_FINE = 0.03  # a difference from the mean, in sds of a feature, that the logarithmic scale still tells from 0


@dataclass(frozen=True)
class SetArchitecture(AbstractPerceptron):
    """A `SetNet`: `embed` units for an element, `row` the shape of a row (else it is a vector)."""

    embed: int = 64
    labels: bool = False
    row: tuple[int, ...] = ()

    def build(self, m: int, p: int, key: PRNGKeyArray) -> SetNet:
        return SetNet(m, p, m, self, key)


class SetEmbedding(eqx.Module):
    """`Σ (φ(x_i) - φ(0)) / √n` beside `log mean_i exp φ(x_i)`, over a row's leading axis.

    φ sees an element, and how it differs from the mean of all of them, also on a logarithmic scale: the spread of a
    narrow set far from 0 would be a small difference of large sums.

    A row comes flat, as `n` elements of a shape of their own, in one part, or two: values, and which are seen.
    With labels every element has a learned one besides: for elements that are alike but have data of their own, so that
    a sum over them is what matters and yet they cannot change places.
    """

    first: Linear
    second: Linear
    labels: Float[Array, "n e"] | None
    elements: int = eqx.field(static=True)
    parts: int = eqx.field(static=True)
    activation: str = eqx.field(static=True)

    def __init__(self, p: int, architecture: SetArchitecture, key: PRNGKeyArray):
        row, embed = architecture.row or (p,), architecture.embed
        n = row[0]
        self.elements, self.parts = n, p // math.prod(row)
        keys = jr.split(key, 3)
        self.first = Linear(p // n + 2 * (p // self.parts // n), embed, keys[0])
        self.second = Linear(embed, embed, keys[1], gain=2.0**0.5)
        self.labels = jr.normal(keys[2], (n, embed)) if architecture.labels else None
        self.activation = architecture.activation

    def __call__(self, condition: Float[Array, "*c p"]) -> Float[Array, "*c e"]:
        values, *seen = jnp.moveaxis(condition.reshape(*condition.shape[:-1], self.parts, self.elements, -1), -3, 0)
        there = seen[0] if seen else jnp.ones_like(values)
        mean = jnp.sum(values, -2, keepdims=True) / jnp.maximum(jnp.sum(there, -2, keepdims=True), 1.0)
        apart = there * (values - mean)
        magnified = jnp.arcsinh(apart / _FINE) / math.asinh(1.0 / _FINE)
        x = jnp.concatenate([values, *seen, apart, magnified], axis=-1)  # (..., n, (parts + 2) k)
        activate = ACTIVATIONS[self.activation]
        bias = 0.0 if self.labels is None else self.labels

        def phi(x: Array) -> Array:
            return self.second(activate(self.first(x) + bias))

        h = phi(x)
        # what tells sets apart is the fluctuation of a sum, which is √n of an element's
        total = jnp.sum(activate(h) - activate(phi(jnp.zeros(x.shape[-2:]))), axis=-2) / math.sqrt(self.elements)
        largest = jax.nn.logsumexp(h, axis=-2) - math.log(self.elements)
        return jnp.concatenate([total, largest], axis=-1)


class SetNet(AbstractNetwork):
    """A `ResMlp` whose condition is a `SetEmbedding`."""

    embed: SetEmbedding
    trunk: ResMlp

    def __init__(self, m: int, p: int, outputs: int, architecture: SetArchitecture, key: PRNGKeyArray):
        keys = jr.split(key, 2)
        self.embed = SetEmbedding(p, architecture, keys[0])
        self.trunk = ResMlp(m, 2 * architecture.embed, outputs, architecture, keys[1])

    def __call__(
        self,
        state: Float[Array, "*b m"],
        time: Float[Array, "*t"],
        condition: Float[Array, "*c p"],
        *,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, "*o k"]:
        return self.trunk(state, time, self.embed(condition), key=key)

"""What networks on images share: their shape, convolutions, norms and attention, batch first and channels last."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.nets.base import TIME_FEATURES, Linear, time_features

AT_ONCE = 512  # images in one pass: a batch of training, and what bounds the memory of thousands of draws


@dataclass(frozen=True)
class Image:
    """Height, width and channels of a state, whose `m` entries are in that order, channels fastest."""

    height: int
    width: int
    channels: int

    @property
    def m(self) -> int:
        return self.height * self.width * self.channels


class Context(eqx.Module):
    """Time and condition as one vector: a perceptron of the time's features plus one of the condition."""

    time: Linear
    condition: Linear
    mix: Linear

    def __init__(self, p: int, width: int, key: PRNGKeyArray):
        keys = jr.split(key, 3)
        self.time = Linear(TIME_FEATURES, width, keys[0])
        self.condition = Linear(p, width, keys[1])
        self.mix = Linear(width, width, keys[2], gain=2.0**0.5)

    def __call__(self, time: Float[Array, "*t"], condition: Float[Array, "*c p"]) -> Float[Array, "*o w"]:
        return jax.nn.silu(self.mix(jax.nn.silu(self.time(time_features(time)) + self.condition(condition))))


def beside(
    state: Float[Array, "*b m"], condition: Float[Array, "*c p"], image: Image, channels: int
) -> Float[Array, "*o k"]:
    """Pixels with those of a condition that is an image of this height and width: its `channels` follow the state's."""
    if not channels:
        return state
    pixels, batch = image.height * image.width, jnp.broadcast_shapes(state.shape[:-1], condition.shape[:-1])
    planes = condition.reshape(*condition.shape[:-1], -1, pixels, channels)  # two where entries may be missing
    beside = jnp.moveaxis(planes, -3, -2).reshape(*condition.shape[:-1], pixels, -1)
    parts = (state.reshape(*state.shape[:-1], pixels, image.channels), beside)
    both = [jnp.broadcast_to(part, (*batch, *part.shape[-2:])) for part in parts]
    return jnp.concatenate(both, -1).reshape(*batch, -1)


def channels_beside(image: Image, p: int, channels: int) -> int:
    """How many channels `beside` adds for a condition of `p` entries."""
    return p // (image.height * image.width) if channels else 0


def paired(
    state: Float[Array, "*b m"], context: Float[Array, "*c w"], precision: str
) -> tuple[tuple[int, ...], Float[Array, "n m"], Float[Array, "n w"]]:
    """The batch that both broadcast to, and the two with it as one axis, the context in `precision`."""
    batch = jnp.broadcast_shapes(state.shape[:-1], context.shape[:-1])
    x, c = (jnp.broadcast_to(v, (*batch, v.shape[-1])).reshape(-1, v.shape[-1]) for v in (state, context))
    return batch, x, c.astype(precision)


def in_batches(
    network: Callable[[Float[Array, "k m"], Float[Array, "k w"]], Float[Array, "k o"]],
    x: Float[Array, "n m"],
    context: Float[Array, "n w"],
) -> Float[Array, "n o"]:
    """`network(x, context)`, `AT_ONCE` rows at a time; the last batch is filled with the first rows."""
    n = len(x)
    count = -(-n // AT_ONCE)
    if count == 1:
        return network(x, context)
    size = -(-n // count)
    at = np.arange(count * size) % n
    parts = tuple(v[at].reshape(count, size, -1) for v in (x, context))
    return jax.lax.map(lambda part: network(*part), parts).reshape(count * size, -1)[:n]


class Conv(eqx.Module):
    """A convolution with zero padding, `size` by `size`; weights N(0, gain²/inputs)."""

    weight: Float[Array, "k k i o"]
    bias: Float[Array, " o"]

    def __init__(self, inputs: int, outputs: int, size: int, key: PRNGKeyArray, gain: float = 1.0):
        spread = gain / math.sqrt(size * size * inputs)
        self.weight = spread * jr.normal(key, (size, size, inputs, outputs))
        self.bias = jnp.zeros(outputs)

    def __call__(self, x: Float[Array, "n h w i"], stride: int = 1) -> Float[Array, "n h2 w2 o"]:
        weight, bias = self.weight.astype(x.dtype), self.bias.astype(x.dtype)
        dims = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(x, weight, (stride, stride), "SAME", dimension_numbers=dims) + bias


def dense(layer: Linear, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
    """A linear layer in the precision of `x`; weights stay in their own."""
    return x @ layer.weight.astype(x.dtype) + layer.bias.astype(x.dtype)


def group_norm(x: Float[Array, "n h w c"], groups: int) -> Float[Array, "n h w c"]:
    """Zero mean and unit variance over pixels and channels of each group (Wu & He 2018), computed in float32."""
    n, h, w, c = x.shape
    y = x.astype(jnp.float32).reshape(n, h * w, groups, c // groups)
    y = (y - y.mean((1, 3), keepdims=True)) * jax.lax.rsqrt(y.var((1, 3), keepdims=True) + 1e-5)
    return y.reshape(x.shape).astype(x.dtype)


def layer_norm(x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
    """Zero mean and unit variance over the last axis, computed in float32."""
    y = x.astype(jnp.float32)
    y = (y - y.mean(-1, keepdims=True)) * jax.lax.rsqrt(y.var(-1, keepdims=True) + 1e-6)
    return y.astype(x.dtype)


class Attention(eqx.Module):
    """Multi-head self-attention over tokens."""

    enter: Linear
    leave: Linear
    heads: int = eqx.field(static=True)

    def __init__(self, width: int, heads: int, key: PRNGKeyArray, gain: float = 1.0):
        assert width % heads == 0, "width is a multiple of heads"
        first, second = jr.split(key)
        self.enter = Linear(width, 3 * width, first)
        self.leave = Linear(width, width, second, gain)
        self.heads = heads

    def __call__(self, x: Float[Array, "n t w"]) -> Float[Array, "n t w"]:
        n, t, w = x.shape
        query, key, value = jnp.split(dense(self.enter, x).reshape(n, t, self.heads, -1), 3, axis=-1)
        return dense(self.leave, jax.nn.dot_product_attention(query, key, value).reshape(n, t, w))

"""U-Net (Ronneberger et al. 2015) with residual blocks, attention at the coarsest level, and Fourier features of the
input, which fine detail needs (VDM, arXiv 2107.00630, appendix C)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.nets.base import AbstractArchitecture, AbstractNetwork, Linear
from bsi.runtime.nets.image import (
    Attention,
    Context,
    Conv,
    Image,
    beside,
    channels_beside,
    dense,
    group_norm,
    in_batches,
    paired,
)

GROUPS = 8


class Block(eqx.Module):
    """Two convolutions around a scale and shift by the context; the second starts at zero, so a block at its skip."""

    first: Conv
    second: Conv
    skip: Conv
    modulation: Linear

    def __init__(self, inputs: int, outputs: int, context: int, key: PRNGKeyArray):
        keys = jr.split(key, 4)
        self.first = Conv(inputs, outputs, 3, keys[0], gain=2.0**0.5)
        self.second = Conv(outputs, outputs, 3, keys[1], gain=0.0)
        self.skip = Conv(inputs, outputs, 1, keys[2])
        self.modulation = Linear(context, 2 * outputs, keys[3], gain=0.1)

    def __call__(self, x: Float[Array, "n h w i"], c: Float[Array, "n e"]) -> Float[Array, "n h w o"]:
        scale, shift = jnp.split(dense(self.modulation, c)[:, None, None], 2, axis=-1)
        inner = self.first(jax.nn.silu(_norm(x)))
        inner = self.second(jax.nn.silu(_norm(inner) * (1 + scale) + shift))
        return self.skip(x) + inner


class Level(eqx.Module):
    """The blocks of one resolution, and the change to the next."""

    blocks: list[Block]
    change: Conv | None


class UNet(AbstractNetwork):
    """`levels` resolutions, each half of the one before with twice its channels, of which the first has `width`.

    `fourier` are the exponents n of the features `sin(2^n π x)`, `cos(2^n π x)`; `compute` and `beside` as in `DiT`.
    """

    context: Context
    enter: Conv
    down: list[Level]
    middle: tuple[Block, Attention, Block]
    up: list[Level]
    readout: Conv
    image: Image = eqx.field(static=True)
    fourier: tuple[int, ...] = eqx.field(static=True)
    compute: str = eqx.field(static=True)
    beside: int = eqx.field(static=True)

    def __init__(
        self,
        image: Image,
        p: int,
        *,
        width: int = 64,
        levels: int = 2,
        depth: int = 2,
        fourier: tuple[int, ...] = (),
        compute: str = "float32",
        beside: int = 0,
        key: PRNGKeyArray,
    ):
        assert width % GROUPS == 0, f"width is a multiple of {GROUPS}"
        assert math.gcd(image.height, image.width) % 2 ** (levels - 1) == 0, "levels halve the image"
        keys = iter(jr.split(key, 6 + 2 * levels * (depth + 2)))
        context = 4 * width
        channels = [width * 2**level for level in range(levels)]
        self.context = Context(p, context, next(keys))
        entries = image.channels * (1 + 2 * len(fourier)) + channels_beside(image, p, beside)
        self.enter = Conv(entries, width, 3, next(keys))
        self.down, skips, at = [], [], width
        for level, size in enumerate(channels):
            blocks = [Block(at if i == 0 else size, size, context, next(keys)) for i in range(depth)]
            skips += [size] * depth
            last = level == levels - 1
            self.down.append(Level(blocks, None if last else Conv(size, size, 3, next(keys))))
            at = size
        self.middle = (
            Block(at, at, context, next(keys)),
            Attention(at, max(1, at // 64), next(keys), gain=0.1),
            Block(at, at, context, next(keys)),
        )
        self.up = []
        for level, size in reversed(list(enumerate(channels))):
            blocks = []
            for i in range(depth):
                blocks.append(Block((at if i == 0 else size) + skips.pop(), size, context, next(keys)))
            self.up.append(Level(blocks, Conv(size, size, 3, next(keys)) if level else None))
            at = size
        self.readout = Conv(width, image.channels, 3, next(keys), gain=0.0)
        self.image, self.fourier, self.compute, self.beside = image, fourier, compute, beside

    def __call__(
        self,
        state: Float[Array, "*b m"],
        time: Float[Array, "*t"],
        condition: Float[Array, "*c p"],
        *,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, "*o m"]:
        seen = beside(state, condition, self.image, self.beside)
        batch, x, c = paired(seen, self.context(time, condition), self.compute)
        out = in_batches(self._pass, x, c) if key is None else self._pass(x, c)  # a loop has costly gradients
        return out.reshape(*batch, self.image.m)

    def _pass(self, state: Float[Array, "n k"], c: Float[Array, "n w"]) -> Float[Array, "n m"]:
        x = state.reshape(len(state), self.image.height, self.image.width, -1)
        x = self.enter(self._features(x).astype(self.compute))
        skips: list[Array] = []
        for level in self.down:
            for block in level.blocks:
                x = block(x, c)
                skips.append(x)
            if level.change is not None:
                x = level.change(x, stride=2)
        first, attention, second = self.middle
        x = first(x, c)
        n, h, w, width = x.shape
        x = x + attention(_norm(x).reshape(n, h * w, width)).reshape(x.shape)
        x = second(x, c)
        for level in self.up:
            for block in level.blocks:
                x = block(jnp.concatenate([x, skips.pop()], -1), c)
            if level.change is not None:
                x = level.change(jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2))
        return self.readout(jax.nn.silu(_norm(x)).astype(state.dtype)).reshape(len(state), -1)

    def _features(self, x: Float[Array, "n h w c"]) -> Float[Array, "n h w f"]:
        angles = [2.0**n * math.pi * x[..., : self.image.channels] for n in self.fourier]
        return jnp.concatenate([x, *map(jnp.sin, angles), *map(jnp.cos, angles)], -1)


def _norm(x: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    return group_norm(x, math.gcd(GROUPS, x.shape[-1]))


@dataclass(frozen=True)
class UNetArchitecture(AbstractArchitecture):
    """A `UNet` for states of shape `image`: height, width, channels. `fourier` counts the exponents of its features, of
    which `finest` is the last; a condition of as many pixels has `beside` channels in each."""

    images: ClassVar[bool] = True

    image: tuple[int, int, int]
    width: int = 64
    levels: int = 2
    depth: int = 2
    fourier: int = 0
    finest: int = 0
    compute: str = "float32"
    beside: int = 0

    def build(self, m: int, p: int, key: PRNGKeyArray) -> UNet:
        own = {name: getattr(self, name) for name in ("width", "levels", "depth", "compute", "beside")}
        exponents = tuple(range(self.finest - self.fourier + 1, self.finest + 1))
        return UNet(Image(*self.image), p, **own, fourier=exponents, key=key)

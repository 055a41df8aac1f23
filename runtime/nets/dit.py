"""Diffusion transformer (Peebles & Xie 2023): patches as tokens, adaLN-zero, fixed 2-D sine-cosine positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.nets.base import AbstractArchitecture, AbstractNetwork, Linear
from bsi.runtime.nets.image import (
    Attention,
    Context,
    Image,
    beside,
    channels_beside,
    dense,
    in_batches,
    layer_norm,
    paired,
)


class Block(eqx.Module):
    """Attention and a perceptron, each scaled, shifted and gated by the context; gates start at zero."""

    attention: Attention
    first: Linear
    second: Linear
    modulation: Linear

    def __init__(self, width: int, heads: int, key: PRNGKeyArray):
        keys = jr.split(key, 4)
        self.attention = Attention(width, heads, keys[0])
        self.first = Linear(width, 4 * width, keys[1])
        self.second = Linear(4 * width, width, keys[2])
        self.modulation = Linear(width, 6 * width, keys[3], gain=0.0)

    def __call__(self, x: Float[Array, "n t w"], c: Float[Array, "n w"]) -> Float[Array, "n t w"]:
        shift1, scale1, gate1, shift2, scale2, gate2 = jnp.split(dense(self.modulation, c)[:, None], 6, axis=-1)
        x = x + gate1 * self.attention(layer_norm(x) * (1 + scale1) + shift1)
        hidden = dense(self.first, layer_norm(x) * (1 + scale2) + shift2)
        return x + gate2 * dense(self.second, jax.nn.gelu(hidden))


class DiT(AbstractNetwork):
    """`compute` is the precision of activations; weights, norms and outputs stay in float32. A condition that is an
    image of the same height and width, of `beside` channels, is seen in its place too."""

    enter: Linear
    context: Context
    blocks: list[Block]
    modulation: Linear
    readout: Linear
    image: Image = eqx.field(static=True)
    patch: int = eqx.field(static=True)
    compute: str = eqx.field(static=True)
    beside: int = eqx.field(static=True)

    def __init__(
        self,
        image: Image,
        p: int,
        *,
        width: int = 384,
        depth: int = 6,
        heads: int = 6,
        patch: int = 2,
        compute: str = "float32",
        beside: int = 0,
        key: PRNGKeyArray,
    ):
        assert image.height % patch == 0 and image.width % patch == 0, "patches tile the image"
        assert width % 4 == 0, "positions take a quarter of the width each"
        keys = jr.split(key, depth + 4)
        entries = patch * patch * image.channels
        self.enter = Linear(entries + patch * patch * channels_beside(image, p, beside), width, keys[0])
        self.context = Context(p, width, keys[1])
        self.modulation = Linear(width, 2 * width, keys[2], gain=0.0)
        self.readout = Linear(width, entries, keys[3], gain=0.0)
        self.blocks = [Block(width, heads, k) for k in keys[4:]]
        self.image, self.patch, self.compute, self.beside = image, patch, compute, beside

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
        return out.reshape(*batch, -1)

    def _pass(self, x: Float[Array, "n k"], c: Float[Array, "n w"]) -> Float[Array, "n m"]:
        tokens = dense(self.enter, self._patches(x.astype(self.compute)))
        tokens = tokens + self._positions(tokens.shape[-1]).astype(self.compute)
        for block in self.blocks:
            tokens = block(tokens, c)
        shift, scale = jnp.split(dense(self.modulation, c)[:, None], 2, axis=-1)
        return self._pixels(self.readout((layer_norm(tokens) * (1 + scale) + shift).astype(x.dtype)))

    def _patches(self, x: Float[Array, "n k"]) -> Float[Array, "n t e"]:
        h, w, q = self.image.height // self.patch, self.image.width // self.patch, self.patch
        return x.reshape(len(x), h, q, w, q, -1).swapaxes(2, 3).reshape(len(x), h * w, -1)

    def _pixels(self, tokens: Float[Array, "n t e"]) -> Float[Array, "n m"]:
        h, w, q, c = self.image.height // self.patch, self.image.width // self.patch, self.patch, self.image.channels
        return tokens.reshape(-1, h, w, q, q, c).swapaxes(2, 3).reshape(len(tokens), -1)

    def _positions(self, width: int) -> Float[Array, "t w"]:
        """Sines and cosines of row and column, a quarter of the width each (constants, folded by the compiler)."""
        frequencies = 10_000.0 ** (-np.arange(width // 4) / (width // 4))
        axes = np.arange(self.image.height // self.patch), np.arange(self.image.width // self.patch)
        rows, columns = np.meshgrid(*axes, indexing="ij")
        angles = [np.outer(axis.ravel(), frequencies) for axis in (rows, columns)]
        return jnp.asarray(np.concatenate([f(a) for a in angles for f in (np.sin, np.cos)], -1), jnp.float32)


@dataclass(frozen=True)
class DiTArchitecture(AbstractArchitecture):
    """A `DiT` for states of shape `image`: height, width, channels."""

    images: ClassVar[bool] = True

    image: tuple[int, int, int]
    width: int = 128
    depth: int = 4
    heads: int = 4
    patch: int = 2
    compute: str = "float32"
    beside: int = 0

    def build(self, m: int, p: int, key: PRNGKeyArray) -> DiT:
        own = {name: getattr(self, name) for name in ("width", "depth", "heads", "patch", "compute", "beside")}
        return DiT(Image(*self.image), p, **own, key=key)

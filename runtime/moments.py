"""The moment head: posterior mean and precision of a row at once, by Gaussian likelihood on the training simulations.

Composition multiplies an error in a row's covariance by the number of rows; fitted this way it is matched in moments by
construction and costs nothing a row (METHODS §3). It starts from the same regression as the score network.
"""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.gaussian import Gaussian, PartialGaussian
from bsi.runtime.nets.base import Linear
from bsi.runtime.nets.sets import SetArchitecture, SetEmbedding
from bsi.runtime.standardise import PartialStandardiser, Standardiser

_LOG_RANGE = 8.0  # precisions stay within e^±16 of the regression's


class MomentNetwork(eqx.Module):
    """Features to the mean's shift and the entries of a lower triangle; all zero before training. Of sets of rows it
    sees an embedding."""

    embed: SetEmbedding | None
    first: Linear
    second: Linear
    readout: Linear

    def __init__(self, m: int, p: int, width: int, key: PRNGKeyArray, sets: SetArchitecture | None = None):
        keys = jr.split(key, 3)
        self.embed = None if sets is None else SetEmbedding(p, sets, jr.fold_in(key, 1))
        self.first = Linear(p if sets is None else 2 * sets.embed, width, keys[0])
        self.second = Linear(width, width, keys[1], gain=math.sqrt(2.0))
        self.readout = Linear(width, m + m * (m + 1) // 2, keys[2], gain=0.0)

    def __call__(self, features: Float[Array, "*b p"]) -> Float[Array, "*b k"]:
        h = jax.nn.silu(self.first(features if self.embed is None else self.embed(features)))
        return self.readout(h + jax.nn.silu(self.second(h)))


class MomentHead(eqx.Module):
    """`z | x` as `N(mean(x), precision(x)⁻¹)`. `gate` is 0 when the regression alone predicts held-out rows as well."""

    standardise: Standardiser | PartialStandardiser
    gaussian: Gaussian | PartialGaussian
    network: MomentNetwork
    gate: Float[Array, ""]

    def whitened(
        self, x: Float[Array, "*b p"], gate: Float[Array, ""] | float | None = None
    ) -> tuple[Float[Array, "*b m"], Float[Array, "*b m m"]]:
        """Mean and Cholesky factor of the precision of `Qᵀ(z - W e - b)/√c`."""
        m = self.gaussian.size
        out = (self.gate if gate is None else gate) * self.network(self.standardise(x))
        shift, log_diagonal, below = out[..., :m], out[..., m : 2 * m], out[..., 2 * m :]
        rows, columns = jnp.tril_indices(m, -1)
        diagonal = jnp.exp(_LOG_RANGE * jnp.tanh(log_diagonal / _LOG_RANGE))
        factor = diagonal[..., None] * jnp.eye(m)
        return shift, factor.at[..., rows, columns].set(below)

    def __call__(self, x: Float[Array, "*b p"]) -> tuple[Float[Array, "*b m"], Float[Array, "*b m m"]]:
        """Mean and precision in working coordinates, of every row."""
        gaussian = self.gaussian.given(self.standardise(x))
        shift, factor = self.whitened(x)
        root = jnp.sqrt(gaussian.variance)
        assert gaussian.basis is not None, "regressions have axes"
        half = (gaussian.basis / root[..., None, :]) @ factor
        return gaussian.mean + gaussian.unwhiten(root * shift), half @ jnp.swapaxes(half, -1, -2)

    def loss(self, z: Float[Array, "n m"], x: Float[Array, "n p"]) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """Negative log-likelihood a row, up to a constant, averaged over coordinates; and the regression's."""
        gaussian = self.gaussian.given(self.standardise(x))
        y = gaussian.whiten(z - gaussian.mean) / jnp.sqrt(gaussian.variance)
        shift, factor = self.whitened(x, gate=1.0)
        residual = jnp.einsum("nij,ni->nj", factor, y - shift)
        log_det = jnp.sum(jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1)), -1)
        m = y.shape[-1]
        return (0.5 * jnp.sum(residual**2, -1) - log_det) / m, 0.5 * jnp.mean(y**2, -1)

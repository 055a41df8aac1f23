"""A set of observed rows as factors: posteriors given one row each, relative to the prior, with a power a row."""

from __future__ import annotations

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from bsi.runtime.process import signal_noise

RowDenoiser = Callable[[Float[Array, "*b m"], Float[Array, ""], Float[Array, "*c p"]], Float[Array, "*o m"]]
"""`(u, ln η, x) -> E[θ | u, x]`, batch axes broadcasting: `ScoreNetwork.denoise`."""

STATES = 65_536  # draws times rows that one pass may hold


class Rows(eqx.Module):
    """`∏ (p(z | x_i)/N(z))^{β_i}`; `information` is `C_i⁻¹ - I`."""

    denoiser: RowDenoiser
    x: Float[Array, "n p"]
    powers: Float[Array, " n"]
    information: Float[Array, "n m m"]
    projected: Int[Array, ""]

    def weighted(self, u: Float[Array, "b m"], log_snr: Float[Array, ""], r: Float[Array, ""]) -> Float[Array, "b m"]:
        """`Σ β_i (C_i⁻¹ + rI) (θ̂_i - a u)`."""

        def chunk(x: Array, powers: Array, information: Array) -> Array:
            shift = self._shift(u, log_snr, x)
            total = jnp.einsum("n,nij,nbj->bi", powers, information, shift)
            return total + (1.0 + r) * jnp.einsum("n,nbi->bi", powers, shift)

        return self._over_chunks(chunk, u)

    def plain(self, u: Float[Array, "b m"], log_snr: Float[Array, ""]) -> Float[Array, "b m"]:
        """`Σ β_i (θ̂_i - a u)`."""
        return self._over_chunks(lambda x, powers, _: jnp.einsum("n,nbi->bi", powers, self._shift(u, log_snr, x)), u)

    def _shift(self, u: Array, log_snr: Array, x: Array) -> Array:
        a, _ = signal_noise(log_snr)
        return self.denoiser(u[None], log_snr, x[:, None]) - a * u

    def _over_chunks(self, chunk: Callable[[Array, Array, Array], Array], u: Array) -> Array:
        """Sums over rows, as many at a time as memory allows; the last chunk is filled with rows of power 0."""
        n = len(self.powers)
        size = max(1, min(n, STATES // len(u)))
        if size == n:
            return chunk(self.x, self.powers, self.information)
        count = math.ceil(n / size)
        at = jnp.minimum(jnp.arange(count * size), n - 1).reshape(count, size)
        powers = jnp.where(jnp.arange(count * size) < n, self.powers[at.ravel()], 0.0).reshape(count, size)

        def add(total: Array, part: tuple[Array, Array]) -> tuple[Array, None]:
            index, powers = part
            return total + chunk(self.x[index], powers, self.information[index]), None

        return jax.lax.scan(add, jnp.zeros_like(u), (at, powers))[0]


def make_rows(
    denoiser: RowDenoiser,
    x: Float[Array, "n p"],
    powers: Float[Array, "*n"],
    precisions: Float[Array, "n m m"],
    prior: Float[Array, "m m"] | None = None,
) -> Rows:
    """Rows with their powers (one, or one a row) and precisions `C_i⁻¹`, for instance of the moment head.

    A row's information relative to the prior (of precision `prior`, else I) is projected to be positive semi-definite;
    `projected` counts the eigenvalues raised by more than 1 % of a unit prior's precision.
    """
    unit = jnp.eye(precisions.shape[-1], dtype=precisions.dtype)
    prior = unit if prior is None else prior
    values, basis = jnp.linalg.eigh(precisions - prior)
    projected = jnp.sum(values < -0.01).astype(jnp.int32)
    information = jnp.einsum("nij,nj,nkj->nik", basis, jnp.maximum(values, 0.0), basis) + (prior - unit)
    return Rows(denoiser, x, jnp.broadcast_to(powers, x.shape[:1]), information, projected)

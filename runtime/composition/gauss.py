"""Composition `gauss`: many factors, each with a power, as one denoiser (at powers 1: GAUSS of arXiv 2404.07593).

With `r = a²/s²`, factors j of precision `P_j`, weight `w_j` and denoiser `θ̂_j`, `W = Σ w_j` and `B = Σ w_j P_j`, the
denoiser of `∏ p_j^{w_j}` is, exactly when every factor is Gaussian,

    θ̂* = (B + rI)⁻¹ [Σ w_j (P_j + rI) θ̂_j + (1 - W)(r/a) u].

Written in the differences `δ_j = θ̂_j - a u` from the denoiser of N(0, I),

    θ̂* = a u + (B + rI)⁻¹ [Σ w_j (P_j + rI) δ_j + (1 - W) a u],

which is the same and free of cancellation: weights of a thousand rows and minus a thousand priors do not meet.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsi.runtime.composition.base import Composed, product
from bsi.runtime.composition.rows import Rows
from bsi.runtime.composition.tempered import AbstractPrior


class Gauss(Composed):
    """Constant covariances of the factors: B is diagonalised once, and every solve is diagonal."""

    def shift(self, u: Float[Array, "b m"], log_snr: Float[Array, ""]) -> Float[Array, "b m"]:
        r = jnp.exp(log_snr)
        total = self.prior.weighted(u, log_snr, r)
        for rows in self.rows:
            total = total + rows.weighted(u, log_snr, r)
        return ((total @ self.basis) / (self.values + r)) @ self.basis.T


def gauss(prior: AbstractPrior, rows: Sequence[Rows], *, limit: Float[Array, ""] | float = 16.0) -> Composed:
    """The composed denoiser of a (tempered) prior and sets of rows.

    **Arguments:** `limit` bounds θ̂*, in prior sds. Powers inside `prior` and `rows` may be traced.
    """
    return product(Gauss, prior, rows, limit)

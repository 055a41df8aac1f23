"""Composition `jac`: covariances of the factors at every state, from derivatives of their denoisers (JAC of arXiv
2404.07593). Best with exact scores, first to break with learned ones; m derivatives of every row at every evaluation.

    θ̂* = a u + Λ⁻¹ Σ w_j Σ_j⁻¹ δ_j,    Λ = Σ w_j Σ_j⁻¹,    Σ_j = Cov_j[θ | u] = (s²/a) ∂θ̂_j/∂u,

which is `gauss` with `P_j + rI` taken where the state is.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsi.runtime.composition.base import NUGGET, Composed, product
from bsi.runtime.composition.rows import Rows, precision_of_state
from bsi.runtime.composition.tempered import AbstractPrior, NormalPrior


class Jac(Composed):
    """Eigenvalues of Λ are kept above the noise's `r`, as those of any density on top of it are."""

    def shift(self, u: Float[Array, "b m"], log_snr: Float[Array, ""]) -> Float[Array, "b m"]:
        r = jnp.exp(log_snr)
        m = u.shape[-1]
        floor = jnp.asarray(NUGGET, u.dtype)
        if isinstance(self.prior, NormalPrior):
            total = self.prior.weighted(u, log_snr, r)
            inner = jnp.broadcast_to((self.prior.power + r) * jnp.eye(m), (len(u), m, m))
        else:
            own, inner = precision_of_state(lambda v: self.prior.plain(v, log_snr), u, log_snr, floor)
            total = jnp.einsum("bij,bj->bi", inner, own)
        for rows in self.rows:
            more, excess = rows.curved(u, log_snr, floor)
            total, inner = total + more, inner + excess
        values, basis = jnp.linalg.eigh(inner)
        along = jnp.einsum("bij,bi->bj", basis, total) / jnp.maximum(values, floor + r)
        return jnp.einsum("bij,bj->bi", basis, along)


def jac(prior: AbstractPrior, rows: Sequence[Rows], *, limit: Float[Array, ""] | float = 16.0) -> Composed:
    """The composed denoiser; see `gauss`."""
    return product(Jac, prior, rows, limit)

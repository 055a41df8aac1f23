"""Composition `gauss`: many factors, each with a power, as one denoiser (at powers 1: GAUSS of arXiv 2404.07593).

With `r = a²/s²`, factors j of precision `P_j`, weight `w_j` and denoiser `θ̂_j`, `W = Σ w_j` and `B = Σ w_j P_j`, the
denoiser of `∏ p_j^{w_j}` is, exactly when every factor is Gaussian,

    θ̂* = (B + rI)⁻¹ [Σ w_j (P_j + rI) θ̂_j + (1 - W)(r/a) u].

Everything here is written in the differences `δ_j = θ̂_j - a u` from the denoiser of N(0, I),

    θ̂* = a u + (B + rI)⁻¹ [Σ w_j (P_j + rI) δ_j + (1 - W) a u],

which is the same and free of cancellation: weights of a thousand rows and minus a thousand priors do not meet.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from bsi.runtime.composition.rows import Rows
from bsi.runtime.composition.tempered import AbstractPrior
from bsi.runtime.process import signal_noise

_NUGGET = 1e-4  # smallest eigenvalue of B, in prior precisions


class Composed(eqx.Module):
    """A denoiser `(u, ln η) -> θ̂*`. `repaired` counts eigenvalues of B, `projected` ones of rows, that were raised."""

    prior: AbstractPrior
    rows: tuple[Rows, ...]
    corrected: bool = eqx.field(static=True)
    basis: Float[Array, "m m"]
    values: Float[Array, " m"]
    limit: Float[Array, ""]
    repaired: Int[Array, ""]
    projected: Int[Array, ""]

    def __call__(self, u: Float[Array, "n m"], log_snr: Float[Array, ""]) -> Float[Array, "n m"]:
        a, _ = signal_noise(log_snr)
        r = jnp.exp(log_snr)
        if self.corrected:
            total = self.prior.weighted(u, log_snr, r)
            for rows in self.rows:
                total = total + rows.weighted(u, log_snr, r)
            step = ((total @ self.basis) / (self.values + r)) @ self.basis.T
        else:
            step = self.prior.plain(u, log_snr)
            for rows in self.rows:
                step = step + rows.plain(u, log_snr)
        return jnp.clip(a * u + step, -self.limit, self.limit)


def gauss(prior: AbstractPrior, rows: Sequence[Rows], *, limit: Float[Array, ""] | float = 16.0) -> Composed:
    """The composed denoiser of a (tempered) prior and sets of rows.

    **Arguments:** `limit` bounds θ̂*, in prior sds. Powers inside `prior` and `rows` may be traced.
    """
    return _compose(prior, rows, limit, corrected=True)


def plain_sum(prior: AbstractPrior, rows: Sequence[Rows], *, limit: Float[Array, ""] | float = 16.0) -> Composed:
    """Composition `sum`: the scores added up, uncorrected. Right for one row at powers 1; a baseline otherwise."""
    return _compose(prior, rows, limit, corrected=False)


def _compose(prior: AbstractPrior, rows: Sequence[Rows], limit: Array | float, corrected: bool) -> Composed:
    total = prior.precision()
    projected = jnp.asarray(0, jnp.int32)
    for one in rows:
        total = total + jnp.einsum("n,nij->ij", one.powers, one.information)
        projected = projected + one.projected
    values, basis = jnp.linalg.eigh(0.5 * (total + total.T))
    repaired = jnp.sum(values < _NUGGET).astype(jnp.int32)
    values = jnp.maximum(values, _NUGGET)
    return Composed(prior, tuple(rows), corrected, basis, values, jnp.asarray(limit), repaired, projected)

"""What compositions share: factors with powers, the Gaussian of their product, and a clipped denoiser.

The product is `π(z) ∝ q(z) ∏ (p(z | x_i)/N(z))^{β_i}`, q the tempered prior. Everything is written in the differences
`δ_j = θ̂_j - a u` from the denoiser of N(0, I): a factor's score is `s_j = (a δ_j)/s² - u`, so that N(0, I) itself drops
out of every sum and the weights, 1 of q, β_i of a row and `-Σβ` of N(0, I), which sum to 1, never meet.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from bsi.runtime.composition.rows import Rows, below_zero
from bsi.runtime.composition.tempered import AbstractPrior
from bsi.runtime.process import signal_noise

NUGGET = 1e-4  # smallest eigenvalue of B, in prior precisions


class Composed(eqx.Module):
    """A denoiser `(u, ln η) -> θ̂*`. `repaired` counts eigenvalues of B, `projected` ones of rows, that were raised;
    `deficit` and `shortfall` say how far the lowest of each lay below zero, over the largest.

    `basis diag(values) basisᵀ` is `B = Σ w_j P_j`, the product's precision if every factor is Gaussian.
    """

    prior: AbstractPrior
    rows: tuple[Rows, ...]
    basis: Float[Array, "m m"]
    values: Float[Array, " m"]
    limit: Float[Array, ""]
    repaired: Int[Array, ""]
    projected: Int[Array, ""]
    deficit: Float[Array, ""]
    shortfall: Float[Array, ""]

    @abc.abstractmethod
    def shift(self, u: Float[Array, "b m"], log_snr: Float[Array, ""]) -> Float[Array, "b m"]:
        """`θ̂* - a u`."""

    def __call__(self, u: Float[Array, "b m"], log_snr: Float[Array, ""]) -> Float[Array, "b m"]:
        a, _ = signal_noise(log_snr)
        return jnp.clip(a * u + self.shift(u, log_snr), -self.limit, self.limit)

    def total(
        self, u: Float[Array, "b m"], log_snr: Float[Array, ""]
    ) -> tuple[Float[Array, "b m"], Float[Array, " b"]]:
        """`D = Σ w_j δ_j` and `Q = Σ w_j |δ_j|²`: the score of the bridge `∏ (q_t^j)^{w_j}` is `(a/s²) D - u`."""
        own = self.prior.plain(u, log_snr)
        total, squares = own, jnp.sum(own**2, -1)
        for rows in self.rows:
            more, parts = rows.total(u, log_snr)
            total, squares = total + more, squares + parts
        return total, squares

    def stiffness(self) -> Float[Array, ""]:
        """`max(Σ β⁺, 1)`: how much more the bridge may bend than one factor does."""
        return jnp.maximum(self.strength(), 1.0)

    def strength(self) -> Float[Array, ""]:
        """`Σ β⁺`."""
        return sum((jnp.sum(jnp.maximum(rows.powers, 0.0)) for rows in self.rows), jnp.zeros(()))


def product(
    kind: type[Composed], prior: AbstractPrior, rows: Sequence[Rows], limit: Float[Array, ""] | float
) -> Composed:
    """A composition of this kind, with B taken apart once."""
    total = prior.precision()
    projected, shortfall = jnp.asarray(0, jnp.int32), jnp.zeros(())
    for one in rows:
        total = total + one.together()
        projected, shortfall = projected + one.projected, jnp.maximum(shortfall, one.shortfall)
    values, basis = jnp.linalg.eigh(0.5 * (total + total.T))
    repaired, deficit = jnp.sum(values < NUGGET).astype(jnp.int32), below_zero(values)
    values = jnp.maximum(values, NUGGET)
    return kind(prior, tuple(rows), basis, values, jnp.asarray(limit), repaired, projected, deficit, shortfall)

"""Compositions `sum` and `fnpse`: scores added up as they are. Right at the clean end, biased on the way there.

Neither is the score of noised draws, so no predictor may be trusted on them; Langevin steps sample them as the bridges
of densities they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsi.runtime.composition.base import Composed, product
from bsi.runtime.composition.rows import Rows
from bsi.runtime.composition.tempered import AbstractPrior
from bsi.runtime.process import signal_noise


class PlainSum(Composed):
    """`∏ (q_t^j)^{w_j}`."""

    def shift(self, u: Float[Array, "b m"], log_snr: Float[Array, ""]) -> Float[Array, "b m"]:
        return self.total(u, log_snr)[0]


class Fnpse(Composed):
    """F-NPSE (Geffner et al. 2023, arXiv 2209.14249): the powers of the prior come in with the signal, so that the
    bridge `q_t^{a²} ∏ p_t(z | x_i)^{β_i} / N^{a² Σβ}` goes from N(0, I/Σβ) to the product. `a²` is the paper's `1 - t`.
    """

    def shift(self, u: Float[Array, "b m"], log_snr: Float[Array, ""]) -> Float[Array, "b m"]:
        a, s = signal_noise(log_snr)
        count = sum((jnp.sum(rows.powers) for rows in self.rows), jnp.zeros(()))
        out = a**2 * self.prior.plain(u, log_snr) - s**4 / a * (count - 1.0) * u
        for rows in self.rows:
            out = out + rows.plain(u, log_snr)
        return out


def plain_sum(prior: AbstractPrior, rows: Sequence[Rows], *, limit: Float[Array, ""] | float = 16.0) -> Composed:
    """Composition `sum`: the scores added up, uncorrected. Right for one row at powers 1; a baseline otherwise."""
    return product(PlainSum, prior, rows, limit)


def fnpse(prior: AbstractPrior, rows: Sequence[Rows], *, limit: Float[Array, ""] | float = 16.0) -> Composed:
    """Composition `fnpse`: a baseline for annealed Langevin dynamics."""
    return product(Fnpse, prior, rows, limit)

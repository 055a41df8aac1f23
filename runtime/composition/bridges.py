"""Compositions `sum` and `fnpse`: scores added up as they are. Right at the clean end, biased on the way there.

Neither is the score of noised draws, so no predictor may be trusted on them; Langevin steps sample them as the bridges
of densities they are.

There are two bridges to `q^α ∏ p_i^{β_i}`. Where the prior is N(0, I), or a table tempers it, its power is noised as
the law that it is, the weights of all factors relative to N(0, I) sum to 1, and the bridge starts at N(0, I):
`PlainSum`. Of the power of a *learned* prior nobody knows the noised score. There `PlainSum` is right for N(0, I)
alone: of a Gaussian of variance .1 to the power 4 it makes draws of no variance, of one of variance 2 draws of 7 times
theirs. `TemperedSum` has no N(0, I): its weights sum to α, and so it starts at N(0, I/α).
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsi.runtime.composition.base import Composed, product
from bsi.runtime.composition.rows import Rows
from bsi.runtime.composition.tempered import AbstractPrior, NormalPrior
from bsi.runtime.process import signal_noise
from bsi.runtime.score import Denoiser


class PlainSum(Composed):
    """`∏ (q_t^j)^{w_j}`."""

    def shift(self, u: Float[Array, "b m"], log_snr: Float[Array, ""]) -> Float[Array, "b m"]:
        return self.total(u, log_snr)[0]


class TemperedSum(Composed):
    """`∏ (q_t^j)^{w_j}` of learned factors with `Σ w_j = α`, and its tempered predictor (METHODS §3): with the score S,
    a drift of `g² S/α` and noise of `g/√α`. That is the predictor of the bridge to the power 1/α, whose noise has the
    variance `1/α`, see `temperature`, instead of 1. Exact for a Gaussian prior alone, whatever its covariance.

    α is that of the prior, N(0, I/α), which stands for its own power in all but the predictor, see `total`.
    """

    def shift(self, u: Float[Array, "b m"], log_snr: Float[Array, ""]) -> Float[Array, "b m"]:
        return temperature(self) * sum((rows.plain(u, log_snr) for rows in self.rows), jnp.zeros_like(u))


def temperature(denoiser: Denoiser) -> Float[Array, ""] | float:
    """The variance of the noise that a denoiser's law is noised with, by which samplers draw theirs: 1, and `1/α` of a
    `TemperedSum`."""
    if not isinstance(denoiser, TemperedSum):
        return 1.0
    assert isinstance(denoiser.prior, NormalPrior)
    return 1.0 / jnp.asarray(denoiser.prior.power)


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


def tempered_sum(prior: AbstractPrior, rows: Sequence[Rows], *, limit: Float[Array, ""] | float = 16.0) -> Composed:
    """Composition `sum` where the prior, to the power α, is learned: one of `rows`, and `prior` is N(0, I/α)."""
    return product(TemperedSum, prior, rows, limit)


def fnpse(prior: AbstractPrior, rows: Sequence[Rows], *, limit: Float[Array, ""] | float = 16.0) -> Composed:
    """Composition `fnpse`: a baseline for annealed Langevin dynamics."""
    return product(Fnpse, prior, rows, limit)

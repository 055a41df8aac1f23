"""Objectives: at which noise levels a network learns, and what its error there costs."""

from __future__ import annotations

import abc

import equinox as eqx
from jaxtyping import Array, Float

from bsi.runtime.elbo import Elbo, Proposal
from bsi.runtime.schedule import CLEAN, NOISE


class AbstractObjective(eqx.Module):
    """What `train` minimises; the loop, its batches and its average of the weights are the same for all."""

    @abc.abstractmethod
    def levels(self, share: Float[Array, " n"]) -> tuple[Float[Array, " n"], Float[Array, " n"] | None]:
        """`ln η` of every row, by numbers uniform in [0, 1); and the precision in which the error of `θ̂` is measured:
        None for that of the Gaussian that the network corrects, so that every level counts the same."""


class ScoreMatching(AbstractObjective):
    """v-MSE over an even grid of `ln η` (METHODS §2): what samplers need at every level."""

    def levels(self, share: Float[Array, " n"]) -> tuple[Float[Array, " n"], None]:
        return NOISE + (CLEAN - NOISE) * share, None


class LikelihoodBound(AbstractObjective):
    """`L_∞` of a bound on `-ln p(θ | x)`, in nats a dimension: the objective of BSI, VDM and BFN, by `elbo.clock`.

    Precision times the error's variance is about 1 wherever the data are known well, so no level blows up.
    """

    elbo: Elbo
    proposal: Proposal = eqx.field(static=True, default="log_uniform")

    def levels(self, share: Float[Array, " n"]) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        passed, weight = self.elbo.levels(share, self.proposal)
        return self.elbo.clock.log_snr(self.elbo.initial, passed), 0.5 * weight


SCORE = ScoreMatching()

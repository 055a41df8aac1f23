"""The bound that a fit is trained by or judged by, and the bins of its data."""

from __future__ import annotations

from bsi.compiler.ir import Prior, Train
from bsi.runtime.elbo import AbstractClock, BeliefClock, Bins, DiffusionClock, Elbo, FlowClock
from bsi.runtime.training import SCORE, AbstractObjective, LikelihoodBound

CLOCKS: dict[str, AbstractClock] = {"belief": BeliefClock(), "vdm": DiffusionClock(), "bfn": FlowClock()}


def objective(train: Train) -> AbstractObjective:
    """What a train block minimises."""
    if train.objective != "bsi":
        return SCORE
    options = dict(train.options)
    return LikelihoodBound(_own(train), options["proposal"])


def elbo(train: Train, prior: Prior) -> Elbo:
    """The bound of a fit: its own, or for one that was trained otherwise that of Bayesian Sample Inference."""
    if train.objective == "bsi":
        return _own(train)
    own = bins(prior)
    return Elbo.for_bins(own.width) if own else Elbo()


def bins(prior: Prior) -> Bins | None:
    """The bins of a prior on `levels`, which are equal steps of [-1, 1] in working coordinates."""
    levels = prior.learned.levels if prior.learned else None
    return None if levels is None else Bins(-1.0, 2.0 / (levels - 1), levels)


def _own(train: Train) -> Elbo:
    options = dict(train.options)
    return Elbo(options["initial_precision"], options["final_precision"], CLOCKS[options["process"]])

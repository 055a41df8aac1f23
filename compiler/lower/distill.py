"""A `train ... = distill(...)` as the runtime takes it."""

from __future__ import annotations

import math

import jax

from bsi.compiler.ir import Train
from bsi.compiler.lower.model import LoweredModel, training_options
from bsi.runtime.distill import (
    AbstractVelocity,
    DistillOptions,
    FlowMap,
    RowFrame,
    Teacher,
    abstract_velocity,
    exact_teacher,
    score_teacher,
)
from bsi.runtime.exact import ExactFit
from bsi.runtime.gaussian import Gaussian
from bsi.runtime.standardise import Standardiser
from bsi.runtime.training import Fit, Simulator, Table


def distill_options(train: Train) -> DistillOptions:
    """Its options."""
    given = dict(train.options)
    return DistillOptions(given["method"], given["pairs"], given["flow_steps"], training_options(train))


def teacher(fit: Fit | ExactFit, source: Simulator | Table) -> Teacher:
    """What a distilled fit learns from; `source` is what a network has been trained on."""
    return exact_teacher(fit) if isinstance(fit, ExactFit) else score_teacher(fit.score, source)


def distilled_like(lowered: LoweredModel, train: Train, like: Fit | ExactFit) -> FlowMap:
    """Structure of a stored distilled fit, from that of its teacher."""
    network = distilled_network(lowered, train)
    if isinstance(like, ExactFit):
        return FlowMap(RowFrame(like.standardise, like.gaussian), network)
    standardise, regression = like.score.standardise, like.score.posterior
    assert isinstance(standardise, Standardiser) and isinstance(regression, Gaussian), "the checker's promise"
    return FlowMap(RowFrame(standardise, regression), network)


def distilled_network(lowered: LoweredModel, train: Train) -> AbstractVelocity:
    """The structure of the network that a distilled fit trains."""
    forward = lowered.forward(train)
    return abstract_velocity(forward.m, forward.p, training_options(train))


def distilled_parameters(lowered: LoweredModel, train: Train) -> int:
    """How many numbers it trains."""
    leaves = jax.tree.leaves(distilled_network(lowered, train))
    return sum(math.prod(leaf.shape) for leaf in leaves if isinstance(leaf, jax.ShapeDtypeStruct))

"""A `train ... = distill(...)` as the runtime takes it."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.compiler.ir import Posterior, Train
from bsi.compiler.lower.composed import log_base
from bsi.compiler.lower.forward import Forward
from bsi.compiler.lower.model import LoweredModel, training_options
from bsi.runtime.distill import (
    AbstractVelocity,
    Asked,
    DistillOptions,
    FlowMap,
    Measure,
    RowFrame,
    Teacher,
    abstract_velocity,
    exact_teacher,
    measure_frame,
    measure_teacher,
    rows_of,
    score_teacher,
)
from bsi.runtime.exact import ExactFit
from bsi.runtime.gaussian import Gaussian
from bsi.runtime.standardise import Standardiser
from bsi.runtime.training import Fit, Simulator, Table

_PROBES, _ROUNDING = 16, 1e-3  # points at which a prior is compared with N(0, I), and how well they agree


def distill_options(train: Train) -> DistillOptions:
    """Its options."""
    given = dict(train.options)
    return DistillOptions(given["method"], given["pairs"], given["flow_steps"], training_options(train))


def teacher(lowered: LoweredModel, train: Train, own: Train, fit: Fit | ExactFit, source: Simulator | Table) -> Teacher:
    """What a distilled fit learns from: `fit`, of the block `own`; `source` is what that was trained on."""
    if train.asked is None:
        return exact_teacher(fit) if isinstance(fit, ExactFit) else score_teacher(fit.score, source)
    space, asked = lowered.coordinates_of(own), Asked(train.asked.prior, train.asked.sets)
    if asked.rows > 1:
        law, _ = lowered.laws(own)
        assert law is not None, "only rows come in sets"
        forward = Forward(space, law, lowered.data, asked.rows)
        source = Simulator(forward.simulate, forward.m, forward.p)
    simulate = rows_of(source)

    def sets(key: PRNGKeyArray, n: int) -> tuple[Float[Array, "n m"], Float[Array, "n r p"]]:
        z, x = simulate(key, n)
        return z, x.reshape(n, asked.rows, -1)

    return measure_teacher(fit, asked, sets)


def changes_form(lowered: LoweredModel, train: Train) -> bool:
    """Whether a distilled fit asks for powers of a prior that in working coordinates are none of N(0, I)."""
    if train.asked is None or train.asked.prior == (1.0, 1.0):
        return False
    space = lowered.coordinates_of(train)
    z = jnp.asarray(np.random.default_rng(0).standard_normal((_PROBES, space.m)), jnp.float32)
    excess = np.asarray(jax.vmap(log_base(space))(z) + 0.5 * jnp.sum(z**2, -1))
    return bool(np.ptp(excess) > _ROUNDING * (1.0 + np.abs(excess).max()))


def given(lowered: LoweredModel, train: Train, posterior: Posterior, point: dict[str, float]) -> Array | Measure:
    """What a distilled fit is told of a posterior at one point of its sweeps: its row, or its measure."""
    powers = lowered.powers(posterior, point)
    pairs = list(zip(posterior.factors, powers, strict=True))
    sets = [(lowered.rows(f.observation), power) for f, power in pairs if f.observation is not None]
    rows = [jnp.asarray(x.reshape(len(x), -1), jnp.float32) for x, _ in sets]
    if train.asked is None:
        return rows[0][0] if rows else jnp.zeros(0)
    (alpha,) = [power for f, power in pairs if f.observation is None]
    weights = [jnp.broadcast_to(power, len(x)) for x, (_, power) in zip(rows, sets, strict=True)]
    return Measure(jnp.concatenate(rows), jnp.concatenate(weights), jnp.asarray(alpha, jnp.float32))


def distilled_like(lowered: LoweredModel, train: Train, like: Fit | ExactFit) -> FlowMap:
    """Structure of a stored distilled fit, from that of its teacher."""
    network = distilled_network(lowered, train)
    if train.asked is not None:
        return FlowMap(eqx.filter_eval_shape(measure_frame, like), network)
    if isinstance(like, ExactFit):
        return FlowMap(RowFrame(like.standardise, like.gaussian), network)
    standardise, regression = like.score.standardise, like.score.posterior
    assert isinstance(standardise, Standardiser) and isinstance(regression, Gaussian), "the checker's promise"
    return FlowMap(RowFrame(standardise, regression), network)


def distilled_network(lowered: LoweredModel, train: Train) -> AbstractVelocity:
    """The structure of the network that a distilled fit trains."""
    forward = lowered.forward(train)
    return abstract_velocity(forward.m, forward.p, training_options(train), measures=train.asked is not None)


def distilled_parameters(lowered: LoweredModel, train: Train) -> int:
    """How many numbers it trains."""
    leaves = jax.tree.leaves(distilled_network(lowered, train))
    return sum(math.prod(leaf.shape) for leaf in leaves if isinstance(leaf, jax.ShapeDtypeStruct))

"""`correct`: samplers with correctors inside, and draws corrected by the exact density or by scores."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array

from bsi.compiler.correctors import AFTERWARDS, by_scores
from bsi.compiler.ir import Choice, Posterior, Program, Sample
from bsi.compiler.lower.coordinates import Coordinates
from bsi.compiler.lower.model import LoweredModel
from bsi.compiler.lower.target import log_posterior
from bsi.compiler.options import BLOCKS
from bsi.compiler.routes import GUIDED
from bsi.dsl.diagnostic import Diagnostic
from bsi.failure import about
from bsi.runtime.composition import Composed
from bsi.runtime.correctors import Mala, pareto_smooth
from bsi.runtime.correctors.pareto import GOOD
from bsi.runtime.log_density import FlowDensity
from bsi.runtime.particles import systematic
from bsi.runtime.samplers import AbstractSampler, Ddim, FeynmanKac, PredictorCorrector
from bsi.runtime.score import Denoiser
from bsi.runtime.stacked import Stack

SHARE = 0.02  # of the particles, at the step where their weights differ most
APART = 2.5  # sds, of two groups of chains each, by which they lie apart
DRIFT = 0.1  # sds by which means may still move in the second half of `mala`
_SHAPES = 10.0  # k̂ is kept within ±10: a result is a finite number
_FALLBACK = BLOCKS["correct", "mala"].option("steps").default
_RATIO = FlowDensity(rtol=1e-4, atol=1e-4)

Corrector = Callable[[Stack, Array, Array], tuple[Array, dict[str, Any]]]


def within(sampler: AbstractSampler, correct: Choice | None, denoiser: Denoiser) -> AbstractSampler:
    """`sampler` with the corrector between its steps, which are smaller where powers bend the score more."""
    if correct is None or not isinstance(sampler, Ddim):
        return sampler
    own = dict(correct.options)
    match correct.name:
        case "langevin":
            delta = own["delta"] / (denoiser.stiffness() if isinstance(denoiser, Composed) else 1.0)
            return PredictorCorrector(sampler.steps, own["steps"], delta, sampler.eta)
        case "smc":
            return FeynmanKac(sampler.steps, own["moves"], own["delta"], own["ess"])
    return sampler


def afterwards(
    model: LoweredModel, posterior: Posterior, coordinates: Coordinates, correct: Choice | None
) -> Corrector:
    """`(targets, z, keys) -> (z, stats)` of draws in working coordinates (points, n, m), by the exact density, or by
    scores. Targets have a `denoiser`, `powers`, and in that case the law as `clean`."""
    if correct is None or correct.name not in AFTERWARDS:
        return lambda targets, z, keys: (z, {})
    steps = dict(correct.options)["steps"]
    if by_scores(correct):

        def by_line(target: Any, z: Array, key: Array) -> tuple[Array, dict[str, Array]]:
            return Mala(steps)(target.clean.log_density, z, key, target.clean.score)

        return lambda targets, z, keys: targets.map(by_line, z, keys)
    exact = log_posterior(model, posterior, coordinates)

    @cache
    def moves(steps: int) -> Callable[[Any, Array, Array], tuple[Array, dict[str, Array]]]:
        return lambda target, z, key: Mala(steps)(exact(target.powers), z, key)

    def log_ratio(target: Any, z: Array) -> Array:
        flow, stats = _RATIO(target.denoiser, z)
        return jnp.where(stats["failed"], jnp.nan, exact(target.powers)(z) - flow)

    def resampled(target: Stack, z: Array, log_ratio: Array, key: Array) -> tuple[Array, dict[str, Any]]:
        """At one point, of which z and what is returned have an axis."""
        choose, move = jr.split(key)
        log_weights, shape = pareto_smooth(np.asarray(log_ratio, np.float64))
        trusted = shape <= GOOD
        own = {
            "pareto_k": np.clip(shape, -_SHAPES, _SHAPES)[None],
            "importance_ess": np.exp(-np.log(np.sum(np.exp(2 * log_weights))))[None],
        }
        start = z[:, systematic(choose, jnp.asarray(log_weights, z.dtype))] if trusted else z
        z, stats = target.map(moves(steps if trusted else max(steps, _FALLBACK)), start, move[None])
        return z, {**own, **stats}

    def each(targets: Stack, z: Array, keys: Array) -> tuple[Array, dict[str, Any]]:
        ratios = targets.map(log_ratio, z)
        points = [targets.take(np.array([k])) for k in range(targets.size)]
        found = [resampled(point, z[k : k + 1], ratios[k], keys[k]) for k, point in enumerate(points)]
        parts, stats = zip(*found, strict=True)
        return jnp.concatenate(parts), {name: np.concatenate([s[name] for s in stats]) for name in stats[0]}

    if correct.name == "psis":
        return each
    return lambda targets, z, keys: targets.map(moves(steps), z, keys)


def warnings(program: Program, node: Sample, info: dict[str, Any]) -> list[Diagnostic]:
    """Of a corrector that could not do what it is for."""
    found = []
    if info.get("pareto_k", 0.0) > GOOD:
        message = f"the importance weights of `{node.name}` have k̂ = {info['pareto_k']:.2f}, above {GOOD}"
        help = "they were not used: the draws are those of `mala`; train longer for weights that can be trusted"
        found.append(about(program, node.name, "W0436", message, help=help))
    if info.get("effective_share", 1.0) < SHARE:
        message = f"at one step of `{node.name}` no more than {info['effective_share']:.1%} of the particles counted"
        help = "take more `steps` and `draws`; data that the prior finds unlikely need many"
        found.append(about(program, node.name, "W0438", message, help=help))
    if info.get("drift", 0.0) > DRIFT:
        message = f"the draws of `{node.name}` were still moving: their mean by {info['drift']:.2f} sds"
        help = "give `correct = mala { steps = ... }` more steps, or train longer for a better start"
        found.append(about(program, node.name, "W0437", message, help=help))
    weighed = info.get("pareto_k", np.inf) <= GOOD
    if info.get("separation", 0.0) > APART and not weighed:
        message = f"draws of `{node.name}` lie in modes apart, and `mala` moved none from one to another"
        found.append(about(program, node.name, "W0457", message, help=_way_out(node)))
    return found


def _way_out(node: Sample) -> str:
    """What gives modes their weights, where `mala` has moved draws."""
    lost = "the share of draws in each is that of the draws it started from: "
    correct = dict(node.options)["correct"]
    if by_scores(correct):
        weighs = "`smc`" if node.route == GUIDED else "`ddim(...) { correct = smc }`"
        return lost + f"sample by {weighs}, which weighs them"
    if isinstance(correct, Choice) and correct.name == "psis":
        return lost + "train longer, so that weights can be trusted; or sample by `ddim(...) { correct = smc }`"
    return lost + "weigh them, `flow_ode(...) { correct = psis }`, or sample by `ddim(...) { correct = smc }`"

"""Score-based sampling of a posterior at every point of its sweeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array

from bsi.compiler.ir import Sample, SweepRef
from bsi.compiler.lower.composed import ComposedPosterior, ImproperPower, NoScore
from bsi.compiler.lower.guided import GuidedPosterior
from bsi.compiler.options import BLOCKS
from bsi.failure import JobFailure, about
from bsi.jobs import correct
from bsi.jobs.context import DRAWS, STATS, Context, at_point, grid, place, sweeps_of
from bsi.jobs.density import log_density_of
from bsi.jobs.pointwise import save_pointwise
from bsi.runtime.files import save_arrays
from bsi.runtime.guidance import Guided
from bsi.runtime.samplers import (
    AbstractSampler,
    BeliefUpdates,
    Ddim,
    DpmSolverPP,
    FeynmanKac,
    FlowOde,
    Heun,
    Langevin,
    PredictorCorrector,
    ReverseSde,
    TwistedSmc,
)
from bsi.runtime.schedule import LogPrecision

SAMPLERS: dict[str, Callable[[dict[str, Any]], AbstractSampler]] = {
    "ddim": lambda o: Ddim(steps=o["steps"], eta=o["eta"]),
    "dpmpp": lambda o: DpmSolverPP(steps=o["steps"]),
    "flow_ode": lambda o: FlowOde(
        solver=o["solver"], steps=o["steps"], rtol=o["rtol"], atol=o["atol"], max_steps=o["max_steps"]
    ),
    "heun": lambda o: Heun(steps=o["steps"], churn=o["churn"]),
    "reverse_sde": lambda o: ReverseSde(solver=o["solver"], steps=o["steps"], noise=o["noise"]),
    "belief": lambda o: BeliefUpdates(
        o["steps"], o["gamma"], LogPrecision(o["initial_precision"], o["final_precision"])
    ),
    "predictor_corrector": lambda o: PredictorCorrector(o["steps"], o["corrections"], o["delta"], o["eta"]),
    "langevin": lambda o: Langevin(o["steps"], o["corrections"], o["delta"]),
    "smc": lambda o: TwistedSmc(o["steps"], o["ess"]),
}
AMORTISED = {**SAMPLERS, "smc": lambda o: FeynmanKac(o["steps"], ess=o["ess"])}


LEAST = (
    "effective_share",
    "importance_ess",
    "acceptance",
    "prior_effective",
    "effective_simulations",
)  # of which the smallest is the worst


def composed(context: Context, node: Sample) -> ComposedPosterior | GuidedPosterior:
    """The denoisers that `node` samples with, from the fits in the store."""
    program, options = context.program, dict(node.options)
    trains = [program.trains[name] for name in node.fits]
    fits = {train.likelihood: context.fit(train) for train in trains}
    kind = dict(trains[0].options)["coordinates"] if trains else "rosenblatt"
    posterior = program.posteriors[node.posterior]
    if node.route == "guided":
        return GuidedPosterior(context.lowered, posterior, kind, fits.get(None), options["covariance"] == "isotropic")
    return ComposedPosterior(context.lowered, posterior, kind, fits, options["compose"])


def compute(context: Context, node: Sample, folder: Path) -> dict[str, Any]:
    """Draws on the declared scale, and what the sampler says of them."""
    program = context.program
    posterior = program.posteriors[node.posterior]
    target = composed(context, node)

    @eqx.filter_jit
    def draw(sampler: AbstractSampler, target: Any, key: Array, draws: int) -> tuple[Array, dict[str, Array]]:
        z, stats = sampler.sample(target, key, (draws, m))
        if isinstance(target, Guided):
            stats |= {"impossible": jnp.sum(~jnp.isfinite(target.evidence(z)) & jnp.all(jnp.isfinite(z), -1))}
        return z, stats

    to_params, m = jax.jit(jax.vmap(target.coordinates.to_params)), target.coordinates.m
    choice = dict(node.options)["correct"]
    corrector = correct.afterwards(context.lowered, posterior, target.coordinates, choice)
    log_density = eqx.filter_jit(log_density_of(node, target.coordinates))
    sweeps = sweeps_of(program, node)
    points = grid(program, sweeps)
    params: list[dict[str, np.ndarray]] = []
    stats: list[dict[str, np.ndarray]] = []
    context.progress.start(f"sample {node.name}", len(points), "points" if sweeps else "batch")
    try:
        for number, point in enumerate(points):
            options: dict[str, Any] = {**at_point(node.options, point), **_traced(node, point)}
            key = jr.fold_in(jr.key(options["seed"]), number)
            try:
                denoiser, notes = target.at(point)
            except ImproperPower as error:
                raise _failure(context, node, "R106", str(error), point, "use a larger power") from error
            except NoScore as error:
                help = f"declare `{posterior.factors[0].law}` as `learned LAW`: then a network learns its score"
                raise _failure(context, node, "R113", str(error), point, help) from error
            make = (SAMPLERS if node.route == "guided" else AMORTISED)[node.method]
            z, info = draw(correct.within(make(options), choice, denoiser), denoiser, key, options["draws"])
            _raise_for(context, node, {name: np.asarray(value) for name, value in info.items()}, options, point)
            z, more = corrector(denoiser, z, context.lowered.powers(posterior, point), jr.fold_in(key, 2))
            dense = log_density(denoiser, z, jr.fold_in(key, 1))  # of the draws as they are kept
            if dense.get("lp_failed", False):
                help = "train longer, or leave the density out: `log_density = none`"
                raise _failure(context, node, "R119", "the flow of its log density took too many steps", point, help)
            stats.append({name: np.asarray(value) for name, value in {**info, **more, **dense, **notes}.items()})
            params.append({name: np.asarray(value) for name, value in to_params(z).items()})
            context.progress.advance(1)
    finally:
        context.progress.done()
    shape = tuple(len(program.sweeps[name].values) for name in sweeps)
    # ArviZ's layout: one chain of independent draws
    arrays = {n: np.stack([p[n] for p in params]).reshape(*shape, 1, *params[0][n].shape) for n in posterior.params}
    save_arrays(folder / DRAWS, arrays)
    save_pointwise(context, node, folder, arrays, len(shape) + 2)
    scalars = [name for name, value in stats[0].items() if value.ndim == 0]  # the others have a value for every draw
    axes = {name: shape if name in scalars else (*shape, 1, *value.shape) for name, value in stats[0].items()}
    save_arrays(folder / STATS, {n: np.stack([s[n] for s in stats]).reshape(axes[n]) for n in stats[0]})
    worst = {name: (min if name in LEAST else max)(float(s[name]) for s in stats) for name in scalars}
    return {"sweeps": list(sweeps), "info": worst}


def _traced(node: Sample, point: dict[str, float]) -> dict[str, Array]:
    """Swept numbers as arrays, so that all points share one compiled program; numbers of steps are shapes."""
    real = {option.name for option in BLOCKS["sample", node.method].options if option.kind == "real"}
    swept = {name: value.name for name, value in node.options if isinstance(value, SweepRef) and name in real}
    return {name: jnp.float32(point[sweep]) for name, sweep in swept.items()}


def _raise_for(
    context: Context, node: Sample, stats: dict[str, np.ndarray], options: dict[str, Any], point: dict[str, float]
) -> None:
    """A solver that gave up, or draws that are not numbers, end the job: they are draws of nothing."""
    if stats["failed"]:
        help = f"raise `max_steps` above {options.get('max_steps')}, or `rtol` and `atol`"
        raise _failure(context, node, "R103", "the solver reached `max_steps`", point, help)
    if "effective_share" in stats and not np.isfinite(stats["effective_share"]):
        help = "look for data that the likelihood gives no density wherever the prior has mass"
        raise _failure(context, node, "R118", "no particle has a finite weight", point, help)
    if stats["non_finite"] > 0:
        count = f"{int(stats['non_finite'])} of {options['draws']} draws are not finite"
        help = "check that the data lie where the prior predictive does, or train longer"
        raise _failure(context, node, "R104", count, point, help)
    if stats.get("impossible", 0) > 0:
        count = f"the data have no finite density at {int(stats['impossible'])} of {options['draws']} draws"
        help = "look for a division by zero, a log of a negative number or an overflow in the likelihood"
        raise _failure(context, node, "R117", count, point, help)


def _failure(context: Context, node: Sample, code: str, what: str, point: dict[str, float], help: str) -> JobFailure:
    return JobFailure(
        about(context.program, node.name, code, f"sampling `{node.name}` failed{place(point)}: {what}", help=help)
    )

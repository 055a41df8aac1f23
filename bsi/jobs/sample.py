"""Score-based sampling of a posterior at every point of its sweeps."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array

from bsi.compiler.biases import CORRECTED
from bsi.compiler.correctors import by_scores
from bsi.compiler.ir import Sample, SweepRef
from bsi.compiler.lower.composed import ComposedPosterior, ImproperPower, NoScore
from bsi.compiler.lower.guided import GuidedPosterior
from bsi.compiler.options import BLOCKS
from bsi.foresee import points_at_once
from bsi.jobs import composition, correct, covariances
from bsi.jobs.context import DRAWS, STATS, Context, at_point
from bsi.jobs.density import log_density_of
from bsi.jobs.points import PointFailure, Points, key_of
from bsi.jobs.pointwise import save_pointwise
from bsi.jobs.residual import residuals
from bsi.runtime.composition import Clean, Gauss, spread
from bsi.runtime.files import save_arrays
from bsi.runtime.guidance import Guided
from bsi.runtime.progress import Progress
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
from bsi.runtime.score import Denoiser
from bsi.runtime.stacked import Stack

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
    "narrowest",
    "acceptance",
    "prior_effective",
    "effective_simulations",
)  # of which the smallest is the worst
_EVERY = 0.5  # seconds between reports of one point


def composed(
    context: Context, node: Sample, tell: Callable[[int], None] | None = None
) -> ComposedPosterior | GuidedPosterior:
    """The denoisers that `node` samples with, from the fits in the store; `tell` hears of rows that were passed."""
    program, options = context.program, dict(node.options)
    trains = [program.trains[name] for name in node.fits]
    fits = {train.likelihood: context.fit(train) for train in trains}
    kind = dict(trains[0].options)["coordinates"] if trains else "rosenblatt"
    posterior = program.posteriors[node.posterior]
    if node.route == "guided":
        return GuidedPosterior(context.lowered, posterior, kind, fits.get(None), options["covariance"] == "isotropic")
    precisions = covariances.sampled(context, node) if options["covariance"] == "sampled" else None
    return ComposedPosterior(context.lowered, posterior, kind, fits, options["compose"], precisions, tell)


class Passes:
    """Tells `progress` of rows that are passed, as evaluations of all `rows`: a single point may take hours of them."""

    def __init__(self, progress: Progress, rows: int):
        self.progress, self.rows = progress, rows
        self.passed, self.told = 0, time.monotonic()

    def __call__(self, rows: int) -> None:
        self.passed += rows
        if time.monotonic() > self.told + _EVERY:
            self.told = time.monotonic()
            self.progress.advance(0, evaluations=self.passed / self.rows)


class Target(NamedTuple):
    """What one point of the sweeps is sampled with."""

    sampler: AbstractSampler
    denoiser: Denoiser
    powers: tuple[Array, ...]
    clean: Clean | None


def compute(context: Context, node: Sample, folder: Path) -> dict[str, Any]:
    """Draws on the declared scale, and what the sampler says of them."""
    posterior, points = context.program.posteriors[node.posterior], Points(context.program, node)
    draw(context, node, points)
    draws, stats = points.gather()
    # ArviZ's layout: one chain of independent draws
    lead = len(points.shape)
    arrays = {name: np.expand_dims(draws[name], lead) for name in posterior.params}
    save_arrays(folder / DRAWS, arrays)
    save_pointwise(context, node, folder, arrays, lead + 2)
    scalars = {name: value for name, value in stats.items() if value.ndim == lead}
    each = {name: np.expand_dims(value, lead) for name, value in stats.items() if name not in scalars}
    misfit = residuals(context, node, arrays, lead) if points.sweeps else {}
    save_arrays(folder / STATS, {**scalars, **misfit, **each})
    worst = {name: float((np.nanmin if name in LEAST else np.nanmax)(value)) for name, value in scalars.items()}
    strange = composition.outside(context, node)
    return {"sweeps": list(points.sweeps), "info": {**worst, **points.told(), **strange}}


def draw(context: Context, node: Sample, points: Points) -> None:
    """Draws at all `points`, found or lost there."""
    work = _Work(context, node, points)
    context.progress.start(f"sample {node.name}", len(points.points), "points" if points.sweeps else "batch")
    try:
        for numbers in _programs(node, points.points):
            for part, at in work.batches(numbers):
                work.draw(part, at)
                context.progress.advance(len(at))
    finally:
        context.progress.done()


class _Work:
    """The functions that make draws, each compiled once for all batches, and where they put them."""

    def __init__(self, context: Context, node: Sample, points: Points):
        self.node, self.points, self.options = node, points, dict(node.options)
        self.lowered, self.posterior = context.lowered, context.program.posteriors[node.posterior]
        rows = context.program.rows_of(self.posterior)
        self.target = composed(context, node, Passes(context.progress, rows))
        self.at_once = points_at_once(context.program, context.lowered, node)
        coordinates = self.target.coordinates
        self.corrector = correct.afterwards(self.lowered, self.posterior, coordinates, self.options["correct"])
        self.to_params = jax.jit(jax.vmap(jax.vmap(coordinates.to_params)))
        judged = node.method not in CORRECTED and self.options["correct"] is None
        draws, m, density = self.options["draws"], coordinates.m, log_density_of(node, coordinates)

        def sample(target: Target, key: Array) -> tuple[Array, dict[str, Array]]:
            z, stats = target.sampler.sample(target.denoiser, key, (draws, m))
            if judged and isinstance(target.denoiser, Gauss):
                stats |= spread(target.denoiser, z)
            if isinstance(target.denoiser, Guided):
                known = ~jnp.isfinite(target.denoiser.evidence(z)) & jnp.all(jnp.isfinite(z), -1)
                stats |= {"impossible": jnp.sum(known)}
            return z, stats

        self.sample = sample
        self.density = lambda target, z, key: density(target.denoiser, z, key)

    def batches(self, numbers: list[int]) -> Iterator[tuple[Stack, list[tuple[int, dict[str, Any]]]]]:
        """Points in batches of one size, with their numbers in the grid and what their making told. The last is filled
        up with copies of a point."""
        at: list[tuple[int, dict[str, Any]]] = []
        targets = self._targets(numbers, at)
        first = next(targets, None)
        if first is None:
            return
        stack = Stack.of(itertools.chain([first], targets))
        size = -(-len(at) // -(-len(at) // self.at_once))
        for begin in range(0, len(at), size):
            yield stack.take(np.minimum(np.arange(begin, begin + size), len(at) - 1)), at[begin : begin + size]

    def _targets(self, numbers: list[int], at: list[tuple[int, dict[str, Any]]]) -> Iterator[Target]:
        """Targets at points; those that have one are added to `at`."""
        node, choice = self.node, self.options["correct"]
        make = (SAMPLERS if node.route == "guided" else AMORTISED)[node.method]
        for number in numbers:
            point = self.points.points[number]
            try:
                denoiser, notes = self.target.at(point)
            except ImproperPower as error:
                self.points.lose(number, PointFailure("R106", str(error), "use a larger power"), error)
                continue
            except NoScore as error:
                prior = self.posterior.factors[0].law
                help = f"declare `{prior}` as `learned LAW`: then a network learns its score"
                self.points.lose(number, PointFailure("R113", str(error), help), error)
                continue
            sampler = correct.within(make(_options(node, point)), choice, denoiser)
            at.append((number, notes))
            clean = self.target.clean(point, denoiser) if by_scores(choice) else None
            yield Target(sampler, denoiser, self.lowered.powers(self.posterior, point), clean)

    def draw(self, batch: Stack, at: list[tuple[int, dict[str, Any]]]) -> None:
        """Draws of a batch, corrected and with their log density, added to what is found."""
        rows = [*at, *[at[-1]] * (batch.size - len(at))]
        keys = jnp.stack([self._key(number) for number, _ in rows])
        z, info = batch.map(self.sample, keys)
        failed = [self._failure(_row(info, k)) for k in range(len(at))]
        if all(failed):
            self.points.lost |= {number: failure for (number, _), failure in zip(at, failed, strict=True) if failure}
            return
        z, more = self.corrector(batch, z, _folded(keys, 2))
        dense = batch.map(self.density, z, _folded(keys, 1))  # of the draws as they are kept
        params = self.to_params(z)
        for k, (number, notes) in enumerate(at):
            stats = {**_row({**info, **more, **dense}, k), **notes}
            failure = failed[k] or _density_failure(stats)
            if failure is None:
                self.points.found[number] = _row(params, k) | self.points.named(stats)
            else:
                self.points.lose(number, failure)

    def _key(self, number: int) -> Array:
        point = self.points.points[number]
        return key_of(at_point(self.node.options, point)["seed"], point)

    def _failure(self, stats: dict[str, np.ndarray]) -> PointFailure | None:
        """A solver that gave up, or draws that are not numbers: they are draws of nothing."""
        draws = self.options["draws"]
        if stats["failed"]:
            help = f"raise `max_steps` above {self.options.get('max_steps')}, or `rtol` and `atol`"
            return PointFailure("R103", "the solver reached `max_steps`", help)
        if "effective_share" in stats and not np.isfinite(stats["effective_share"]):
            help = "look for data that the likelihood gives no density wherever the prior has mass"
            return PointFailure("R118", "no particle has a finite weight", help)
        if stats["non_finite"] > 0:
            count = f"{int(stats['non_finite'])} of {draws} draws are not finite"
            help = "check that the data lie where the prior predictive does, or train longer"
            return PointFailure("R104", count, help)
        if stats.get("impossible", 0) > 0:
            count = f"the data have no finite density at {int(stats['impossible'])} of {draws} draws"
            help = "look for a division by zero, a log of a negative number or an overflow in the likelihood"
            return PointFailure("R117", count, help)
        return None


def _density_failure(stats: dict[str, np.ndarray]) -> PointFailure | None:
    if not stats.get("lp_failed", False):
        return None
    help = "train longer, or leave the density out: `log_density = none`"
    return PointFailure("R119", "the flow of its log density took too many steps", help)


def _programs(node: Sample, points: list[dict[str, float]]) -> list[list[int]]:
    """Numbers of points that share a program: swept reals are its arguments, and numbers of steps are shapes."""
    real = _real(node)
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, point in enumerate(points):
        fixed = tuple(value for name, value in at_point(node.options, point).items() if name not in real)
        groups.setdefault(fixed, []).append(number)
    return list(groups.values())


def _options(node: Sample, point: dict[str, float]) -> dict[str, Any]:
    options = at_point(node.options, point)
    return options | {name: jnp.float32(options[name]) for name in _real(node)}


def _real(node: Sample) -> set[str]:
    """Options with a swept number that is an array, so that all points share one compiled program."""
    real = {option.name for option in BLOCKS["sample", node.method].options if option.kind == "real"}
    return {name for name, value in node.options if isinstance(value, SweepRef) and name in real}


def _row(arrays: dict[str, Array], k: int) -> dict[str, np.ndarray]:
    return {name: np.asarray(value[k]) for name, value in arrays.items()}


def _folded(keys: Array, data: int) -> Array:
    return jax.vmap(lambda key: jr.fold_in(key, data))(keys)

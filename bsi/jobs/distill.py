"""Distilled fits: learned from the flow of another fit, and drawn from in one pass of a network, or a few."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.random as jr
import numpy as np

from bsi.compiler.ir import Program, Sample, Train
from bsi.compiler.lower.distill import changes_form, distill_options, given, teacher
from bsi.compiler.lower.model import LoweredModel
from bsi.dsl.diagnostic import Diagnostic
from bsi.failure import JobFailure, about
from bsi.jobs.context import DRAWS, FIT, STATS, Context, at_point, grid, place, sweeps_of
from bsi.jobs.pointwise import save_pointwise
from bsi.runtime.distill import DistillInfo, distill
from bsi.runtime.files import save_arrays, save_tree
from bsi.runtime.samplers.one_step import one_step
from bsi.runtime.store import Checkpoint
from bsi.runtime.training import Simulator, Table

_MISSED = 0.15  # sds by which half of the draws may miss their place; where modes part, some always do


def fit(
    context: Context, node: Train, source: Simulator | Table, checkpoint: Checkpoint, folder: Path
) -> dict[str, Any]:
    """The network of a distilled fit. `source` is what its teacher was trained on.

    Raises:
        JobFailure: the flow of its teacher, or the loss, is not finite.
    """
    assert node.teacher is not None, "the checker's promise"
    options = distill_options(node)
    context.progress.start(f"train {node.name}", options.training.steps, "steps")
    last = 0

    def report(step: int, total: int, losses: np.ndarray) -> None:
        nonlocal last
        context.progress.advance(step - last, loss=float(losses[0]))
        last = step

    try:
        taught = context.program.trains[node.teacher]
        own = teacher(context.lowered, node, taught, context.fit(taught), source)
        key = jr.key(dict(node.options)["seed"])
        found, info = distill(own, key, options, checkpoint=checkpoint, progress=report)
    finally:
        context.progress.done()
    if found is None:
        help = f"look at the draws of `{node.teacher}`, or lower `learning_rate`"
        message = f"distilling `{node.name}` failed: {info.failed}"
        raise JobFailure(about(context.program, node.name, "R126", message, help=help))
    save_tree(folder / FIT, found)
    return {
        "losses": _curves(info),
        "unit": "sds",
        "steps": info.steps,
        "pairs": options.rows,
        "error": info.error,
        "median": info.median,
        "baseline": info.baseline,
        "summary": f"one pass misses {_missed(info.median, info.error, info.baseline)}",
    }


def _missed(median: float, error: float, baseline: float) -> str:
    return (
        f"its teacher's flow by {median:.2g} sds in the median of held-out rows, {error:.2g} in root mean square, "
        f"and a Gaussian alone by {baseline:.2g}"
    )


def warnings(program: Program, node: Train, info: dict[str, Any]) -> list[Diagnostic]:
    """Of a network that has not learned what its teacher does."""
    if info["median"] <= _MISSED:
        return []
    message = f"one pass of `{node.name}` misses {_missed(info['median'], info['error'], info['baseline'])}"
    help = "raise `steps`, `pairs` or the width of its `network`"
    return [about(program, node.name, "W0443", message, help=help)]


def refused(program: Program, lowered: LoweredModel, node: Train) -> Diagnostic | None:
    """Why a network cannot be told what it is asked for, known before anything runs."""
    if not changes_form(lowered, node):
        return None
    message = f"`{node.name}` cannot be told powers of `{node.prior}`, which change its form in working coordinates"
    return about(program, node.name, "R127", message, help="leave that power at 1, or sample the teacher")


def sample(context: Context, node: Sample, folder: Path) -> dict[str, Any]:
    """Draws on the declared scale.

    Raises:
        JobFailure: some are not finite.
    """
    program = context.program
    posterior, train = program.posteriors[node.posterior], program.trains[node.fits[0]]
    found, space = context.distilled(train), context.lowered.coordinates_of(train)
    draw, to_params = eqx.filter_jit(one_step), jax.jit(jax.vmap(space.to_params))
    sweeps = sweeps_of(program, node)
    params: list[dict[str, np.ndarray]] = []
    stats: list[dict[str, np.ndarray]] = []
    for number, point in enumerate(grid(program, sweeps)):
        options = at_point(node.options, point)
        key = jr.fold_in(jr.key(options["seed"]), number)
        z, info = draw(found, given(context.lowered, train, posterior, point), key, options["draws"], options["steps"])
        if info["non_finite"] > 0:
            message = (
                f"{int(info['non_finite'])} of {options['draws']} draws of `{node.name}` are not finite{place(point)}"
            )
            help = "check that the data lie where the prior predictive does"
            raise JobFailure(about(program, node.name, "R104", message, help=help))
        params.append({name: np.asarray(value) for name, value in to_params(z).items()})
        stats.append({name: np.asarray(value) for name, value in info.items()})
    shape = tuple(len(program.sweeps[name].values) for name in sweeps)
    arrays = {n: np.stack([p[n] for p in params]).reshape(*shape, 1, *params[0][n].shape) for n in posterior.params}
    save_arrays(folder / DRAWS, arrays)
    save_pointwise(context, node, folder, arrays, len(shape) + 2)
    save_arrays(folder / STATS, {name: np.stack([s[name] for s in stats]).reshape(shape) for name in stats[0]})
    return {"sweeps": list(sweeps), "info": {name: max(float(s[name]) for s in stats) for name in stats[0]}}


def _curves(info: DistillInfo) -> dict[str, dict[str, list[float]]]:
    """Loss curves as JSON, one point a chunk of steps; none where there was nothing to learn."""
    curves = {}
    for name, losses in (("training", info.train_loss), ("held-out", info.held_out_loss)):
        if len(losses):
            steps = np.linspace(0, info.steps, len(losses) + 1)[1:]
            curves[name] = {"steps": steps.tolist(), "values": np.asarray(losses[:, 0], float).tolist()}
    return curves

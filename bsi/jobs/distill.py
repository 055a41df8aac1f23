"""Distilled fits: learned from the flow of another fit, and drawn from in one pass of a network, or a few."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from bsi.compiler.distill import OBJECTIVE
from bsi.compiler.ir import Program, Sample, Train
from bsi.compiler.lower.distill import distill_options, teacher
from bsi.dsl.diagnostic import Diagnostic
from bsi.failure import JobFailure, about
from bsi.jobs.context import DRAWS, FIT, STATS, Context, at_point, grid, place, sweeps_of
from bsi.jobs.pointwise import save_pointwise
from bsi.runtime.distill import DistillInfo, distill
from bsi.runtime.files import save_arrays, save_tree
from bsi.runtime.samplers.one_step import one_step
from bsi.runtime.store import Checkpoint
from bsi.runtime.training import Simulator, Table

_MISSED = 0.25  # sds by which a pass may miss its teacher's flow: a draw is then off by a quarter of the posterior


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
        own = teacher(context.fit(context.program.trains[node.teacher]), source)
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
        "unit": "squared sds",
        "steps": info.steps,
        "pairs": options.rows,
        "error": info.error,
        "baseline": info.baseline,
    }


def summary(info: dict[str, Any]) -> str:
    """How well a pass does what its teacher's flow does, in words."""
    return (
        f"misses its teacher's flow by {info['error']:.2g} sds on held-out rows, a Gaussian by {info['baseline']:.2g}"
    )


def warnings(program: Program, node: Train, info: dict[str, Any]) -> list[Diagnostic]:
    """Of a network that has not learned what its teacher does."""
    if info["error"] <= _MISSED:
        return []
    message = f"one pass of `{node.name}` {summary(info)}"
    help = (
        "raise `steps`, `pairs` or the width of its `network`; where a posterior falls apart into modes some are missed"
    )
    return [about(program, node.name, "W0443", message, help=help)]


def sample(context: Context, node: Sample, folder: Path) -> dict[str, Any]:
    """Draws on the declared scale.

    Raises:
        JobFailure: some are not finite.
    """
    program = context.program
    posterior, train = program.posteriors[node.posterior], program.trains[node.fits[0]]
    found, space = context.distilled(train), context.lowered.coordinates_of(train)
    rows = [context.lowered.rows(factor.observation) for factor in posterior.factors if factor.observation]
    x = jnp.asarray(rows[0].reshape(-1) if rows else np.zeros(0), jnp.float32)
    draw, to_params = eqx.filter_jit(one_step), jax.jit(jax.vmap(space.to_params))
    sweeps = sweeps_of(program, node)
    params: list[dict[str, np.ndarray]] = []
    stats: list[dict[str, np.ndarray]] = []
    for number, point in enumerate(grid(program, sweeps)):
        options = at_point(node.options, point)
        key = jr.fold_in(jr.key(options["seed"]), number)
        z, info = draw(found, x, key, options["draws"], options["steps"])
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


def is_distilled(node: Train) -> bool:
    """Whether a fit makes draws and has no score."""
    return node.objective == OBJECTIVE


def _curves(info: DistillInfo) -> dict[str, dict[str, list[float]]]:
    """Loss curves as JSON, one point a chunk of steps; none where there was nothing to learn."""
    curves = {}
    for name, losses in (("training", info.train_loss), ("held-out", info.held_out_loss)):
        if len(losses):
            steps = np.linspace(0, info.steps, len(losses) + 1)[1:]
            curves[name] = {"steps": steps.tolist(), "values": np.asarray(losses[:, 0], float).tolist()}
    return curves

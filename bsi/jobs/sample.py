"""Score-based sampling of a posterior at every point of its sweeps, from weights that know nothing of powers or rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.random as jr
import numpy as np

from bsi.compiler.ir import Sample
from bsi.compiler.lower.composed import Composed, composed
from bsi.failure import JobFailure, about
from bsi.jobs.context import DRAWS, STATS, Context, at_point, grid, sweeps_of
from bsi.runtime.files import save_arrays
from bsi.runtime.samplers import AbstractSampler, Ddim, DpmSolverPP, FlowOde

SAMPLERS: dict[str, Callable[[dict[str, Any]], AbstractSampler]] = {
    "ddim": lambda o: Ddim(steps=o["steps"], eta=o["eta"]),
    "dpmpp": lambda o: DpmSolverPP(steps=o["steps"]),
    "flow_ode": lambda o: FlowOde(
        solver=o["solver"], steps=o["steps"], rtol=o["rtol"], atol=o["atol"], max_steps=o["max_steps"]
    ),
}


def compute(context: Context, node: Sample, folder: Path) -> dict[str, Any]:
    """Draws on the declared scale, and what the sampler says of them."""
    program, lowered = context.program, context.lowered
    posterior = program.posteriors[node.posterior]
    fits = {train.likelihood: context.fit(train) for train in (program.trains[name] for name in node.fits)}
    options = dict(node.options)
    target = composed(lowered, posterior, program.trains[node.fits[0]], fits, options["compose"])
    to_params = jax.jit(jax.vmap(target.coordinates.to_params))
    draw = _compiled(target)
    sweeps = sweeps_of(program, node)
    points = grid(program, sweeps)
    params: list[dict[str, np.ndarray]] = []
    stats: list[dict[str, np.ndarray]] = []
    context.progress.start(f"sample {node.name}", len(points), "points" if sweeps else "batch")
    try:
        for number, point in enumerate(points):
            options = at_point(node.options, point)
            key = jr.fold_in(jr.key(options["seed"]), number)
            target.check(point)
            z, info = draw(SAMPLERS[node.method](options), key, target.at(point), options["draws"])
            stats.append({name: np.asarray(value) for name, value in info.items()})
            _raise_for(context, node, stats[-1], options, point)
            params.append({name: np.asarray(value) for name, value in to_params(z).items()})
            context.progress.advance(1)
    finally:
        context.progress.done()
    shape = tuple(len(program.sweeps[name].values) for name in sweeps)
    # ArviZ's layout: one chain of independent draws
    arrays = {
        name: np.stack([p[name] for p in params]).reshape(*shape, 1, *params[0][name].shape)
        for name in posterior.params
    }
    save_arrays(folder / DRAWS, arrays)
    save_arrays(folder / STATS, {n: np.stack([s[n] for s in stats]).reshape(shape) for n in stats[0]})
    worst = {name: max(float(s[name]) for s in stats) for name in stats[0]}
    return {"sweeps": list(sweeps), "info": worst}

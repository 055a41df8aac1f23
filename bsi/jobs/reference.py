"""Reference MCMC: the same program as a NumPyro model, at every point of the sweeps."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np
from numpyro.infer import init_to_median, init_to_sample, init_to_uniform

from bsi.compiler.ir import Sample
from bsi.compiler.lower.expr import table_array
from bsi.compiler.lower.numpyro_model import numpyro_model
from bsi.failure import JobFailure, about
from bsi.jobs.context import DRAWS, STATS, Context, at_point, grid, place, sweeps_of
from bsi.jobs.pointwise import save_pointwise
from bsi.runtime.files import save_arrays
from bsi.runtime.reference import NoStartError, Reference, nuts

INITS: dict[str, Callable[..., Any]] = {
    "uniform": init_to_uniform,
    "median": init_to_median,
    "prior": init_to_sample,
}


def stored(context: Context, node: Sample, folder: Path) -> dict[str, Any]:
    """Draws that a file holds, as one chain."""
    program, options = context.program, dict(node.options)
    posterior = program.posteriors[node.posterior]
    draws = table_array(program.tables[options["table"]])[: options["draws"]]
    shapes = [program.params[name].shape for name in posterior.params]
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    parts = np.split(draws.astype(np.float32), ends[:-1], axis=1)
    arrays = {
        name: part.reshape(1, len(draws), *shape)
        for name, part, shape in zip(posterior.params, parts, shapes, strict=True)
    }
    save_arrays(folder / DRAWS, arrays)
    save_pointwise(context, node, folder, arrays, 2)
    save_arrays(folder / STATS, {})
    return {"sweeps": [], "info": {"draws": len(draws)}}


def compute(context: Context, node: Sample, folder: Path) -> dict[str, Any]:
    """Draws on the declared scale; what the reference fails by its own checks is kept beside them."""
    program, lowered = context.program, context.lowered
    posterior = program.posteriors[node.posterior]
    rows = {f.observation: lowered.rows(f.observation) for f in posterior.factors if f.observation}
    seen = {name: mask for name in rows if (mask := lowered.seen(name)) is not None}
    centred = dict(node.options)["centred"]
    model = numpyro_model(program, posterior, lowered.data, rows, seen, centred=centred)
    sweeps = sweeps_of(program, node)
    points = grid(program, sweeps)
    results = []
    for number, point in enumerate(points):
        options = at_point(node.options, point)
        try:
            results.append(
                nuts(
                    model,
                    (lowered.powers(posterior, point),),
                    key=jr.fold_in(jr.key(options["seed"]), number),
                    chains=options["chains"],
                    warmup=options["warmup"],
                    draws=options["draws"],
                    target_accept=options["target_accept"],
                    max_tree_depth=options["max_tree_depth"],
                    dense_mass=options["dense_mass"],
                    init=INITS[options["init"]],
                    params=posterior.params,
                    progress=context.progress,
                    job=node.name + place(point),
                )
            )
        except NoStartError as error:
            message = f"`{node.name}` could not start{place(point)}: {error}"
            help = "try `init = prior`, or check that the density is finite where the prior has mass"
            raise JobFailure(about(program, node.name, "R107", message, help=help)) from error
    shape = tuple(len(program.sweeps[name].values) for name in sweeps)

    def gather(pick: Callable[[Reference], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        first = pick(results[0])
        return {name: np.stack([pick(r)[name] for r in results]).reshape(*shape, *first[name].shape) for name in first}

    found = gather(lambda r: r.draws)
    draws = {name: found[name].astype(np.float32) for name in posterior.params}
    save_arrays(folder / DRAWS, draws)
    save_pointwise(context, node, folder, draws, len(shape) + 2)
    save_arrays(folder / STATS, gather(lambda r: r.sample_stats))
    diagnostics = {"rhat": _worst(results, max, "rhat"), "ess_bulk": _worst(results, min, "ess_bulk")}
    diagnostics |= {"ess_tail": _worst(results, min, "ess_tail"), "divergences": sum(r.divergences for r in results)}
    failures = [f"{failure}{place(p)}" for r, p in zip(results, points, strict=True) for failure in r.failures]
    return {"sweeps": list(sweeps), "failures": failures, "info": {**diagnostics, "failures": failures}}


def _worst(results: list[Reference], pick: Callable[..., float], name: str) -> float | None:
    value = pick(float(pick(v.ravel().tolist())) for r in results for v in getattr(r, name).values())
    return value if np.isfinite(value) else None

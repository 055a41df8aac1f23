"""References: the same program as a NumPyro model, by MCMC or in closed form, at every point of the sweeps."""

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
from bsi.runtime.reference import ImproperError, NoStartError, Reference, exact_gaussian, mcmc

INITS: dict[str, Callable[..., Any]] = {
    "uniform": init_to_uniform,
    "median": init_to_median,
    "prior": init_to_sample,
}
SETTINGS = ("chains", "warmup", "draws", "target_accept", "dense_mass", "max_tree_depth", "trajectory_length")


def stored(context: Context, node: Sample, folder: Path) -> dict[str, Any]:
    """Draws that a file holds, as one chain."""
    program, options = context.program, dict(node.options)
    posterior = program.posteriors[node.posterior]
    draws = table_array(program.tables[options["table"]])[: options["draws"]]
    draws = draws.reshape(len(draws), -1)  # those of a single param may have its shape
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


def exact(context: Context, node: Sample, folder: Path) -> dict[str, Any]:
    """Independent draws of a posterior that is Gaussian, from its closed form, as one chain."""
    posterior, model = context.program.posteriors[node.posterior], _model(context, node, centred=True)
    shapes = {name: context.program.params[name].shape for name in posterior.params}
    sweeps = sweeps_of(context.program, node)
    found = []
    for number, point in enumerate(grid(context.program, sweeps)):
        options = at_point(node.options, point)
        powers, key = context.lowered.powers(posterior, point), jr.fold_in(jr.key(options["seed"]), number)
        try:
            found.append(exact_gaussian(model, (powers,), shapes, key=key, draws=options["draws"]).draws)
        except ImproperError as error:
            message = f"sampling `{node.name}` failed{place(point)}: {error}"
            raise JobFailure(
                about(context.program, node.name, "R106", message, help="use larger powers, or more rows")
            ) from error
    _save(context, node, folder, found, [{} for _ in found])
    return {"sweeps": list(sweeps), "info": {"draws": dict(node.options)["draws"]}}


def chains(context: Context, node: Sample, folder: Path) -> dict[str, Any]:
    """Draws on the declared scale; what the reference fails by its own checks is kept beside them."""
    program = context.program
    posterior, model = program.posteriors[node.posterior], _model(context, node, dict(node.options)["centred"])
    sweeps = sweeps_of(program, node)
    points = grid(program, sweeps)
    results = []
    for number, point in enumerate(points):
        options = at_point(node.options, point)
        settings = {name: options[name] for name in SETTINGS if name in options}
        try:
            results.append(
                mcmc(
                    model,
                    (context.lowered.powers(posterior, point),),
                    key=jr.fold_in(jr.key(options["seed"]), number),
                    init=INITS[options["init"]],
                    params=posterior.params,
                    progress=context.progress,
                    job=node.name + place(point),
                    **settings,
                )
            )
        except NoStartError as error:
            message = f"`{node.name}` could not start{place(point)}: {error}"
            help = "try `init = prior`, or check that the density is finite where the prior has mass"
            raise JobFailure(about(program, node.name, "R107", message, help=help)) from error
    _save(context, node, folder, [r.draws for r in results], [r.sample_stats for r in results])
    diagnostics = {"rhat": _worst(results, max, "rhat"), "ess_bulk": _worst(results, min, "ess_bulk")}
    diagnostics |= {"ess_tail": _worst(results, min, "ess_tail"), "divergences": sum(r.divergences for r in results)}
    failures = [f"{failure}{place(p)}" for r, p in zip(results, points, strict=True) for failure in r.failures]
    return {"sweeps": list(sweeps), "failures": failures, "info": {**diagnostics, "failures": failures}}


METHODS: dict[str, Callable[[Context, Sample, Path], dict[str, Any]]] = {
    "nuts": chains,
    "hmc": chains,
    "exact_gaussian": exact,
    "stored": stored,
}


def _model(context: Context, node: Sample, centred: bool) -> Callable[..., Any]:
    lowered, posterior = context.lowered, context.program.posteriors[node.posterior]
    rows = {f.observation: lowered.rows(f.observation) for f in posterior.factors if f.observation}
    seen = {name: mask for name in rows if (mask := lowered.seen(name)) is not None}
    return numpyro_model(context.program, posterior, lowered.data, rows, seen, centred=centred)


def _save(
    context: Context,
    node: Sample,
    folder: Path,
    draws: list[dict[str, np.ndarray]],
    stats: list[dict[str, np.ndarray]],
) -> None:
    """Draws (chain, draw, ...) and statistics of every point of the sweeps, with the sweeps as leading axes."""
    program = context.program
    shape = tuple(len(program.sweeps[name].values) for name in sweeps_of(program, node))

    def gather(each: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        return {name: np.stack([e[name] for e in each]).reshape(*shape, *each[0][name].shape) for name in each[0]}

    found = gather(draws)
    params = {name: found[name].astype(np.float32) for name in program.posteriors[node.posterior].params}
    save_arrays(folder / DRAWS, params)
    save_pointwise(context, node, folder, params, len(shape) + 2)
    save_arrays(folder / STATS, gather(stats))


def _worst(results: list[Reference], pick: Callable[..., float], name: str) -> float | None:
    value = pick(float(pick(v.ravel().tolist())) for r in results for v in getattr(r, name).values())
    return value if np.isfinite(value) else None

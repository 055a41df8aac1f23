"""References: the same program as a NumPyro model, by MCMC or in closed form, at every point of the sweeps."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpyro.infer import init_to_median, init_to_sample, init_to_uniform

from bsi.compiler.ir import Sample
from bsi.compiler.lower.expr import table_array
from bsi.compiler.lower.numpyro_model import numpyro_model
from bsi.jobs.context import DRAWS, STATS, Context, at_point, place
from bsi.jobs.points import PointFailure, Points, key_of
from bsi.jobs.pointwise import save_pointwise
from bsi.jobs.residual import residuals
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
    points = Points(context.program, node)
    for number, point in enumerate(points.points):
        options = at_point(node.options, point)
        powers, key = context.lowered.powers(posterior, point), key_of(options["seed"], point)
        try:
            points.found[number] = exact_gaussian(model, (powers,), shapes, key=key, draws=options["draws"]).draws
        except ImproperError as error:
            points.lose(number, PointFailure("R106", str(error), "use larger powers, or more rows"), error)
    _save(context, node, folder, points)
    return {"sweeps": list(points.sweeps), "info": {"draws": dict(node.options)["draws"], **points.told()}}


def chains(context: Context, node: Sample, folder: Path) -> dict[str, Any]:
    """Draws on the declared scale; what the reference fails by its own checks is kept beside them."""
    program = context.program
    posterior, model = program.posteriors[node.posterior], _model(context, node, dict(node.options)["centred"])
    points, results = Points(program, node), {}
    for number, point in enumerate(points.points):
        options = at_point(node.options, point)
        settings = {name: options[name] for name in SETTINGS if name in options}
        try:
            results[number] = result = mcmc(
                model,
                (context.lowered.powers(posterior, point),),
                key=key_of(options["seed"], point),
                init=INITS[options["init"]],
                params=posterior.params,
                progress=context.progress,
                job=node.name + place(point),
                **settings,
            )
        except NoStartError as error:
            help = "try `init = prior`, or check that the density is finite where the prior has mass"
            points.lose(number, PointFailure("R107", f"no chain could start: {error}", help), error)
            continue
        told = {name: np.float32(_worst([result], pick, name) or np.nan) for name, pick in DIAGNOSTICS.items()}
        points.found[number] = result.draws | points.named({**result.sample_stats, **told})
    _save(context, node, folder, points)
    found = list(results.values())
    diagnostics = {name: _worst(found, pick, name) for name, pick in DIAGNOSTICS.items()}
    diagnostics["divergences"] = sum(result.divergences for result in found)
    failures = [f"{failure}{place(points.points[k])}" for k, r in results.items() for failure in r.failures]
    info = {**diagnostics, "failures": failures, **points.told()}
    return {"sweeps": list(points.sweeps), "failures": failures, "info": info}


DIAGNOSTICS = {"rhat": max, "ess_bulk": min, "ess_tail": min}  # and which of them is the worst

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


def _save(context: Context, node: Sample, folder: Path, points: Points) -> None:
    """Draws (chain, draw, ...) and statistics of every point of the sweeps, with the sweeps as leading axes."""
    found, stats = points.gather()
    params = {name: found[name].astype(np.float32) for name in context.program.posteriors[node.posterior].params}
    save_arrays(folder / DRAWS, params)
    save_pointwise(context, node, folder, params, len(points.shape) + 2)
    save_arrays(folder / STATS, stats | (residuals(context, node, params, len(points.shape)) if points.sweeps else {}))


def _worst(results: list[Reference], pick: Callable[..., float], name: str) -> float | None:
    value = pick(float(pick(v.ravel().tolist())) for r in results for v in getattr(r, name).values())
    return value if np.isfinite(value) else None

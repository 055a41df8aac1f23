"""`sbc` and `tarp`: whether a sampler draws the posterior of simulated data, of which the params are known."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from bsi.compiler.ir import Check
from bsi.compiler.lower.composed import ComposedPosterior
from bsi.jobs.context import Context, grid, place, sweeps_of
from bsi.jobs.local import Repeated, repeatable, repeated
from bsi.runtime.metrics.ranks import Calibration, covered, lean
from bsi.runtime.metrics.sbc import sbc
from bsi.runtime.metrics.tarp import references, tarp

SHARES = (0.5, 0.9)  # of the draws, in the balls that are told of

Names = tuple[str, ...]


def outcome(context: Context, check: Check) -> dict[str, Any]:
    """The p-value at the point of the sweeps where it is smallest, and what params it is of.

    `detail` has for every point the `labels` of what was ranked, and for each of these its `p_values` and the `counts`
    of the ranks 0 to `draws`; and how many simulations count and how many `failed`. What these say in words is `said`,
    and by pairs of a share of the draws and how often so many hold the params `covered`.
    """
    node, options = context.program.samples[check.samples[0]], dict(check.options)
    target = repeatable(context, check)
    names: Names = options["params"] or context.program.posteriors[node.posterior].params
    points, found = [], []
    for point in grid(context.program, sweeps_of(context.program, node)):
        at = ", ".join(f"{name} = {value:g}" for name, value in point.items())
        try:
            drawn = repeated(context, check, target, point, options["draws"])
            labels, one = METHODS[check.metric](target, drawn, names, options["seed"])
        except ValueError as error:
            return {"value": None, "standard_error": None, "at": at, "note": f"{error}{place(point)}"}
        table = {"p_values": one.p_values.tolist(), "counts": one.counts.tolist(), "failed": drawn.failed}
        if check.metric == "sbc":
            table["said"] = [lean(own) for own in one.counts]
        else:
            table["covered"] = [(share, covered(one.counts[0], share)) for share in SHARES]
        points.append({"at": at, "labels": labels, "simulations": int(one.counts[0].sum()), **table})
        found.append((one.value, ", ".join(filter(None, (labels[int(np.argmin(one.p_values))], at)))))
    choose = max if (check.operator or ">").startswith("<") else min
    value, at = choose(found, key=lambda pair: pair[0])
    detail = {"kind": check.metric, "draws": options["draws"], "points": points}
    return {"value": value, "standard_error": None, "at": at, "note": "", "detail": detail}


def _sbc(target: ComposedPosterior, found: Repeated, names: Names, seed: int) -> tuple[list[str], Calibration]:
    """Every scalar entry of params as they are declared; those that are the same in all simulations say nothing."""
    to_params = target.coordinates.to_params
    truth = jax.jit(jax.vmap(to_params))(found.z)
    drawn = jax.jit(jax.vmap(jax.vmap(to_params)))(found.draws)
    labels = [
        f"{name}[{', '.join(map(str, entry))}]" if entry else name
        for name in names
        for entry in np.ndindex(truth[name].shape[1:])
    ]
    params = np.concatenate([np.reshape(truth[name], (len(found.z), -1)) for name in names], axis=1)
    draws = np.concatenate([np.reshape(drawn[name], (*found.draws.shape[:2], -1)) for name in names], axis=2)
    vary = np.flatnonzero(np.any(params != params[:1], axis=0))
    return [labels[k] for k in vary], sbc(params[:, vary], draws[:, :, vary], seed=seed)


def _tarp(target: ComposedPosterior, found: Repeated, names: Names, seed: int) -> tuple[list[str], Calibration]:
    """Distances in working coordinates, where no param has units. Sets of several rows are alike in means and sds."""
    own = np.concatenate([np.arange(target.coordinates.m)[target.coordinates.places[name]] for name in names])
    z, draws = found.z[:, own], found.draws[:, :, own]
    data = [part for x in found.rows for part in ((x.mean(1), x.std(1)) if x.shape[1] > 1 else (x[:, 0],))]
    return [""], tarp(z[1:], draws[1:], references(z, np.concatenate(data, axis=1)), seed=seed)


METHODS = {"sbc": _sbc, "tarp": _tarp}

"""The NetCDF file of one `sample`: ArviZ's groups, dims named as in the model, sweeps as dims."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np

from bsi.compiler.ir import Param
from bsi.compiler.plan import Job
from bsi.jobs.context import Context
from bsi.jobs.pointwise import log_priors, pointwise
from bsi.runtime.results import Variable, build, write

PACKAGES = ("bsi-lang", "jax", "numpyro")


def save_tree_of(context: Context, job: Job, path: Path) -> None:
    """Write the draws, statistics and data of a `sample` to `path`."""
    program = context.program
    node = program.samples[job.node]
    posterior = program.posteriors[node.posterior]
    draws = context.draws(node.name)
    groups = {
        "posterior": {name: _variable(program.params[name], array) for name, array in draws.params.items()},
        "observed_data": {},
        "constant_data": {},
    }
    leading = len(draws.sweeps)
    groups["sample_stats"] = {
        n: Variable(a, each_draw=a.ndim > leading) for n, a in draws.stats.items() if a.ndim in (leading, leading + 2)
    }
    for factor in posterior.factors:
        if factor.observation:
            likelihood = program.likelihoods[factor.law]
            dims = (f"{factor.observation}_row", *likelihood.dims)
            rows, seen = context.lowered.rows(factor.observation), context.lowered.seen(factor.observation)
            values = rows if seen is None else np.where(seen > 0, rows, np.nan)
            groups["observed_data"][factor.observation] = Variable(values, dims)
            if seen is not None:
                groups["observed_data"][f"{factor.observation}_observed"] = Variable(seen > 0, dims)
    groups["log_likelihood"] = {
        name: Variable(array, (f"{name}_row",)) for name, array in pointwise(context, node.name).items()
    }
    groups["log_prior"] = {name: Variable(array) for name, array in log_priors(context, node.name).items()}
    for name, data in program.data.items():
        groups["constant_data"][name] = Variable(context.lowered.data[name], data.dims)
    tree = build(
        groups,
        sweeps={name: program.sweeps[name].values for name in draws.sweeps},
        attributes={
            "model": program.name,
            "sample": node.name,
            "method": node.method,
            "posterior": node.posterior,
            "reference": node.reference,
            "route": node.route,
            "fits": list(node.fits),
            "sweeps": list(draws.sweeps),
            "key": job.key,
            "seed": dict(node.options).get("seed"),
            "info": draws.meta["info"],
            "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        },
    )
    write(tree, path)


def _variable(param: Param, draws: np.ndarray) -> Variable:
    """With the kind of its support, and its bounds where they are numbers."""
    bounds = {"lower": param.support.lower, "upper": param.support.upper}
    known = {name: expr.value for name, expr in bounds.items() if expr is not None and expr.op == "const"}
    scalars = {name: value for name, value in known.items() if np.ndim(value) == 0}
    return Variable(draws, param.dims, {"support": param.support.kind, **scalars})

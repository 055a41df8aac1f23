"""The NetCDF file of one `sample`: ArviZ's groups, dims named as in the model, sweeps as dims."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

from bsi.compiler.plan import Job
from bsi.jobs.context import Context
from bsi.runtime.results import Variable, build, write

PACKAGES = ("bsi-lang", "jax", "numpyro")


def save_tree_of(context: Context, job: Job, path: Path) -> None:
    """Write the draws, statistics and data of a `sample` to `path`."""
    program = context.program
    node = program.samples[job.node]
    posterior = program.posteriors[node.posterior]
    draws = context.draws(node.name)
    groups = {
        "posterior": {name: Variable(array, program.params[name].dims) for name, array in draws.params.items()},
        "observed_data": {},
        "constant_data": {},
    }
    leading = len(draws.sweeps)
    groups["sample_stats"] = {n: Variable(a) for n, a in draws.stats.items() if a.ndim == leading + 2}
    for factor in posterior.factors:
        if factor.observation:
            likelihood = program.likelihoods[factor.law]
            rows = Variable(context.lowered.rows(factor.observation), (f"{factor.observation}_row", *likelihood.dims))
            groups["observed_data"][factor.observation] = rows
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
            "sweeps": list(draws.sweeps),
            "key": job.key,
            "seed": dict(node.options).get("seed"),
            "info": draws.meta["info"],
            "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        },
    )
    write(tree, path)

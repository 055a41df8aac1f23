"""Every job of a plan on shapes alone, before anything runs: what does not fit together is seen here, and how much
memory the rest needs at least.

A job is traced as it will run, without values. Memory is a lower bound, from arrays that XLA cannot avoid: the results
of matrix products and convolutions. A job that needs more than there is cannot run.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from numpyro.handlers import seed, trace

from bsi.compiler.exact import OBJECTIVE
from bsi.compiler.ir import Program, Sample, Train
from bsi.compiler.lower.distill import distill_options, distilled_network, distilled_parameters
from bsi.compiler.lower.guided import GuidedPosterior
from bsi.compiler.lower.model import LoweredModel, training_options
from bsi.compiler.lower.numpyro_model import numpyro_model
from bsi.compiler.plan import Job
from bsi.dsl.diagnostic import Diagnostic
from bsi.failure import JobFailure, about, unforeseen
from bsi.jobs import distill
from bsi.jobs.context import grid, sweeps_of
from bsi.runtime.composition.rows import STATES
from bsi.runtime.distill.flow_map import RowVelocity
from bsi.runtime.training import Fit, Simulator
from bsi.user_code import failures_named

_COPIES = 6  # of the weights while training: themselves, their average, the best ones, gradients, two moments
_SHARE = 0.25  # of the memory, for points of a sweep that are sampled at once
_NUMBERS = 16  # single precision, of every draw, row and coordinate: what a step holds beside its network
_MOST = 2**30  # rows of a traced array: enough to exceed any memory, and JAX counts in 32 bits
_HEAVY = ("dot_general", "conv_general_dilated")


def foresee(program: Program, lowered: LoweredModel, job: Job) -> tuple[int | None, Diagnostic | None]:
    """Bytes of memory that a job needs at least; or why it cannot run."""
    look = {"simulate": _simulate, "train": _train, "sample": _sample, "reference": _reference}.get(job.kind)
    if look is None or job.reused:
        return None, None
    if job.kind == "train" and (problem := distill.refused(program, lowered, program.trains[job.node])):
        return None, problem
    try:
        with failures_named(program, lowered.host):
            size = look(program, lowered, job.node)
    except JobFailure:  # of user code or of a simulated set: told when the job runs, and others go on
        return None, None
    except Exception as error:  # whatever tracing raises would be raised when the job runs
        return None, unforeseen(program, job, error).diagnostic
    limit = device_memory()
    if size <= limit:
        return size, None
    message = f"`{job.name}` needs at least {gigabytes(size)} of memory, and there are {gigabytes(limit)}"
    help = "lower `batch`, `draws`, `simulations` or the size of the net"
    return size, about(program, job.node, "E0514", message, help=help)


def device_memory() -> int:
    """Bytes of the first device, or of the machine where the device is a CPU."""
    stats = jax.devices()[0].memory_stats() or {}
    return stats.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def points_at_once(program: Program, lowered: LoweredModel, node: Sample) -> int:
    """How many points of its sweeps one program of a sampler takes: as many as a part of the memory holds.

    On a CPU one: there a batch keeps nothing busy that one point leaves idle, falls out of the caches, and an adaptive
    solver takes the steps of the slowest point for all. Measured on 15 points (2 000 draws, powers .25 to 4): 20 steps
    of `ddim` on eight schools .14 s either way, `flow_ode` 1.7 s one by one and 2.2 s at once; 20 rows 4.3 s and 12 s.
    """
    if jax.devices()[0].platform == "cpu":
        return 1
    if any(program.trains[name].objective == OBJECTIVE for name in node.fits):
        return 1  # a table takes as many draws at once as fit
    draws, posterior = dict(node.options)["draws"], program.posteriors[node.posterior]
    size = sum(math.prod(program.params[name].shape) for name in posterior.params)
    rows = program.rows_of(posterior)
    states = draws * max(1, min(rows, STATES // draws))
    one = max(_NUMBERS * 4 * states * max(size, 1), _passes(program, lowered, node))
    return max(1, int(_SHARE * device_memory() // one))


def gigabytes(size: int) -> str:
    """Two digits of a number of bytes."""
    return f"{size / 1e9:.2g} GB" if size >= 1e8 else f"{size / 1e6:.2g} MB"


# ---------------------------------------------------------------- one look a kind


def _simulate(program: Program, lowered: LoweredModel, name: str) -> int:
    train = program.trains[name]
    n = dict(train.options)["simulations"]
    forward = lowered.forward(train)  # before tracing: some coordinates come of numbers
    z, x = jax.eval_shape(lambda key: forward.simulate(key, 2), jr.key(0))
    return n * 4 * (z.shape[1] + x.shape[1])


def _train(program: Program, lowered: LoweredModel, name: str) -> int:
    train = program.trains[name]
    if train.objective == OBJECTIVE:
        forward, law = lowered.forward(train), lowered.laws(train)[0]
        rows = dict(train.options)["simulations"] or (law.learned.rows if law and law.learned else 1)
        return 2 * 4 * rows * (forward.m + forward.p)  # the table as it is, and as it is used
    if train.teacher is not None:
        return _distill(lowered, train)
    options = training_options(train)
    batch = min(options.batch, _MOST)
    z, x = _rows(lowered, train, batch)
    if options.partial:
        x = jax.ShapeDtypeStruct((batch, 2 * x.shape[1]), x.dtype)  # rows `(x, seen)`

    def losses(fit: Fit, z: Any, x: Any, log_snr: Any) -> Any:
        score = fit.score.loss(z, x, z, log_snr, log_snr, key=jr.key(0))
        return score if fit.moments is None else (score, fit.moments.loss(z, x))

    level = jax.ShapeDtypeStruct((batch,), z.dtype)
    return sum(_heavy(losses, lowered.like(train), z, x, level)) + _COPIES * 4 * lowered.parameter_count(train)


def _distill(lowered: LoweredModel, train: Train) -> int:
    """The labels, and what a step of training holds."""
    options, forward = distill_options(train), lowered.forward(train)
    batch = min(options.training.batch, _MOST)
    w = jax.ShapeDtypeStruct((batch, forward.m), jnp.float32)
    rows = sum(count for count, _, _, _ in train.asked.sets) if train.asked else 1
    x = jax.ShapeDtypeStruct((batch, forward.p), jnp.float32)
    network = distilled_network(lowered, train)
    heavy: list[int] = []
    if isinstance(network, RowVelocity):
        heavy = _heavy(lambda net, w, x: net(w, jnp.zeros(batch), jnp.ones(batch), x), network, w, x)
    points = 2 if options.method == "regression" else options.flow_steps + 1
    labels = 4 * options.rows * (points * forward.m + rows * forward.p)
    return labels + sum(heavy) + _COPIES * 4 * distilled_parameters(lowered, train)


def _rows(lowered: LoweredModel, train: Train, n: int) -> tuple[jax.ShapeDtypeStruct, jax.ShapeDtypeStruct]:
    """Shapes of n simulations."""
    source = lowered.source(train)
    if isinstance(source, Simulator):
        return jax.eval_shape(lambda key: source.simulate(key, n), jr.key(0))
    return tuple(jax.ShapeDtypeStruct((n, size), jnp.float32) for size in (source.m, source.p))  # type: ignore


def _sample(program: Program, lowered: LoweredModel, name: str) -> int:
    node = program.samples[name]
    if node.route == "guided":
        _guide(program, lowered, node)
    results = _results(program, node, min(dict(node.options)["draws"], _MOST))
    return _passes(program, lowered, node) + _sets(program, lowered, node) + results


def _sets(program: Program, lowered: LoweredModel, node: Sample) -> int:
    """Bytes of all rows, and of the covariances of a composition: three matrices a row while it is built."""
    learned = {train.likelihood: train for train in map(program.trains.get, node.fits) if train}
    size = 0
    for factor in program.posteriors[node.posterior].factors:
        if factor.observation is None:
            continue
        rows, entries = program.observations[factor.observation].rows, program.likelihoods[factor.law].shape
        train = learned.get(factor.law)
        matrices = 3 * lowered.coordinates_of(train).m ** 2 if train and train.teacher is None and rows > 1 else 0
        size += 4 * rows * (math.prod(entries) + matrices)
    return size


def _passes(program: Program, lowered: LoweredModel, node: Sample) -> int:
    """Bytes of a pass of the largest network that a sample takes, at one point of its sweeps."""
    draws, sizes = min(dict(node.options)["draws"], _MOST), [0]
    for factor in program.posteriors[node.posterior].factors:
        learned = {train.likelihood or train.prior: train for train in map(program.trains.get, node.fits) if train}
        train = learned.get(factor.law)
        if train is None or train.teacher is not None:
            continue
        if train.objective == OBJECTIVE:
            continue  # it takes as many draws at once as fit
        fit, m = lowered.like(train), lowered.coordinates_of(train).m
        observed = program.observations[factor.observation].rows if factor.observation else 1
        rows = max(1, min(observed, STATES // draws))
        u = jax.ShapeDtypeStruct((1, draws, m), jnp.float32)
        x = jax.ShapeDtypeStruct((rows, 1, *fit.score.residual.null.shape), jnp.float32)
        sizes += _heavy(lambda fit, u, x: fit.score.denoise(u, jnp.zeros(()), x), fit, u, x)
        to_params = lowered.coordinates_of(train).to_params
        jax.eval_shape(jax.vmap(to_params), jax.ShapeDtypeStruct((draws, m), jnp.float32))
    return 2 * max(sizes)


def _guide(program: Program, lowered: LoweredModel, node: Sample) -> None:
    """Trace what guides: the likelihood must have derivatives forwards and backwards."""
    kind = dict(program.trains[node.fits[0]].options)["coordinates"] if node.fits else "rosenblatt"
    target = GuidedPosterior(lowered, program.posteriors[node.posterior], kind, None, False)
    z, evidence = jax.ShapeDtypeStruct((2, target.coordinates.m), jnp.float32), target.evidence()
    jax.eval_shape(lambda z: (evidence.gradient(z), evidence.curvature(z)(z)), z)


def _reference(program: Program, lowered: LoweredModel, name: str) -> int:
    node = program.samples[name]
    options = dict(node.options)
    if "chains" not in options:
        return _results(program, node, options["draws"])
    posterior = program.posteriors[node.posterior]
    sets = {f.observation: program.likelihoods[f.law] for f in posterior.factors if f.observation}
    rows = {
        name: np.zeros((program.observations[name].rows, *law.shape), int if _whole(law) else float)
        for name, law in sets.items()
    }
    seen = {name: mask for name in sets if (mask := lowered.seen(name)) is not None}
    model = numpyro_model(program, posterior, lowered.data, rows, seen)
    powers = lowered.powers(posterior, grid(program, sweeps_of(program, node))[0])

    def density(key: Any) -> list[Any]:
        sites = trace(seed(model, key)).get_trace(powers).values()
        return [jnp.sum(site["fn"].log_prob(site["value"])) for site in sites if site["type"] == "sample"]

    largest = max(_heavy(density, jr.key(0)), default=0)
    return options["chains"] * (2 * largest + 2 * _results(program, node, options["draws"]))


def _whole(law: Any) -> bool:
    return law.draws[-1].law.support.integer


def _results(program: Program, node: Sample, draws: int) -> int:
    """Bytes of the draws at all points of the sweeps, in single precision."""
    size = sum(math.prod(program.params[name].shape) for name in program.posteriors[node.posterior].params)
    return 4 * draws * size * len(grid(program, sweeps_of(program, node)))


# ---------------------------------------------------------------- programs


def _heavy(function: Callable[..., Any], *arguments: Any) -> list[int]:
    """Bytes of every result that must exist in memory, in a program traced on shapes."""
    arrays, static = eqx.partition(arguments, lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct | jax.Array))
    traced = jax.make_jaxpr(lambda arrays: jax.tree.leaves(function(*eqx.combine(arrays, static))))(arrays)
    return list(_sizes(traced.jaxpr))


def _sizes(program: Any) -> Iterator[int]:
    for equation in program.eqns:
        if equation.primitive.name in _HEAVY:
            yield sum(math.prod(out.aval.shape) * out.aval.dtype.itemsize for out in equation.outvars)
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from _sizes(inner)

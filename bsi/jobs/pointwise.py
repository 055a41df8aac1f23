"""Log densities at draws: of every observed row and of every param under its prior, what ArviZ's `loo` and `psense`
take; and of whole factors, with their powers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bsi.compiler.ir import Factor, Prior, Sample
from bsi.compiler.lower.forward import log_likelihood
from bsi.compiler.lower.laws import log_density
from bsi.compiler.sensitivity import Component, has_density
from bsi.jobs.context import Context, Draws, grid
from bsi.runtime.files import load_arrays, save_arrays

POINTWISE, LOG_PRIOR = "log_likelihood.npz", "log_prior.npz"
MOST = 2**25  # numbers of one set, 128 MB: beyond, draws are kept and this is left out
_STATES = 65_536  # draws times rows at once

Flat = dict[str, Array]  # name of a param -> (n, *shape)


def save_pointwise(context: Context, node: Sample, folder: Path, draws: dict[str, np.ndarray], leading: int) -> None:
    """Of every set whose likelihood has a density, and of params, at `draws` with `leading` axes in front; powers are
    not applied."""
    program = context.program
    found: dict[str, np.ndarray] = {}
    priors: dict[str, np.ndarray] = {}
    lead = next(iter(draws.values())).shape[:leading]
    flat = {name: array.reshape(-1, *array.shape[leading:]) for name, array in draws.items()}
    for factor in program.posteriors[node.posterior].factors:
        if factor.observation is None:
            law = program.priors[factor.law]
            for name, values in _of_prior(context, law, flat).items() if has_density(law, node.reference) else ():
                priors[name] = values.reshape(lead)
        elif program.likelihoods[factor.law].explicit:
            rows = program.observations[factor.observation].rows
            if math.prod(lead) * rows <= MOST:
                found[factor.observation] = _of_rows(context, factor, flat, lambda rows: rows).reshape(*lead, rows)
    save_arrays(folder / POINTWISE, found)
    save_arrays(folder / LOG_PRIOR, priors)


def pointwise(context: Context, sample: str) -> dict[str, np.ndarray]:
    """What was saved of sets: name -> (sweeps..., chain, draw, rows)."""
    return load_arrays(context.folder(sample) / POINTWISE)


def log_priors(context: Context, sample: str) -> dict[str, np.ndarray]:
    """What was saved of params: name -> (sweeps..., chain, draw), entries added up."""
    return load_arrays(context.folder(sample) / LOG_PRIOR)


def log_component(
    context: Context, node: Sample, draws: Draws, component: Component, instead: Mapping[str, float] | None = None
) -> np.ndarray:
    """What a component adds to the log posterior at every draw, its own power included, (sweeps..., chain, draw).
    `instead` are values of sweeps that powers are taken at in place of those of the draws."""
    posterior, factor = context.program.posteriors[node.posterior], component.factor
    position = posterior.factors.index(factor)
    points = [{**point, **(instead or {})} for point in grid(context.program, draws.sweeps)]
    powers = [context.lowered.powers(posterior, point)[position] for point in points]
    if component.of_prior:
        own = log_priors(context, node.name)
        law = context.program.priors[factor.law]
        names = [component.param] if component.param else [draw.target for draw in law.draws]
        total = sum((own[name] for name in names), np.zeros(()))
        scale = np.asarray(powers, float).reshape(*total.shape[: len(draws.sweeps)], 1, 1)
        return np.where(scale == 0, 0.0, scale * total)
    lead = len(draws.sweeps)
    shape = next(iter(draws.params.values())).shape
    tables = {name: array.reshape(len(points), -1, *array.shape[lead + 2 :]) for name, array in draws.params.items()}
    found = [
        _of_rows(context, factor, {name: table[i] for name, table in tables.items()}, _weighted, power)
        for i, power in enumerate(powers)
    ]
    return np.stack(found).reshape(shape[: lead + 2])


def _weighted(rows: Array, power: Array) -> Array:
    """A power of 0 drops a row, also one without density."""
    return jnp.sum(jnp.where(power == 0, 0.0, power * rows))


def _of_rows(
    context: Context, factor: Factor, flat: dict[str, np.ndarray], reduce: Callable[..., Array], *values: Array
) -> np.ndarray:
    """`reduce(log densities of all rows, *values)` at every draw."""
    assert factor.observation is not None
    lowered, law = context.lowered, context.program.likelihoods[factor.law]
    # what NUTS traced in double precision stays double in JAX's cache of constants
    rows, mask = _single(lowered.rows(factor.observation)), lowered.seen(factor.observation)
    seen = None if mask is None else _single(mask)
    size = max(1, _STATES // len(rows))

    @jax.jit
    def evaluate(flat: Flat, rows: Array, seen: Array | None, values: tuple[Array, ...]) -> Array:
        def one(params: Flat) -> Array:
            return reduce(log_likelihood(law, params, rows, lowered.data, seen), *values)

        return jax.lax.map(one, flat, batch_size=size)

    return np.asarray(evaluate({name: flat[name] for name in law.given}, rows, seen, values))


def _of_prior(context: Context, prior: Prior, flat: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Log density of every param of an explicit prior in declared coordinates, (n,)."""
    data = context.lowered.data

    @jax.jit
    def evaluate(flat: Flat) -> Flat:
        def one(params: Flat) -> Flat:
            env = {**data, **params}
            return {draw.target: jnp.sum(log_density(draw.law, env, params[draw.target])) for draw in prior.draws}

        return jax.lax.map(one, flat, batch_size=_STATES)

    return {name: np.asarray(values) for name, values in evaluate({n: flat[n] for n in prior.params}).items()}


def _single(array: np.ndarray) -> np.ndarray:
    return array.astype(jax.dtypes.canonicalize_dtype(array.dtype))

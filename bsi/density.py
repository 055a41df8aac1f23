"""The law that a sample draws from, as a density at any values of the params: what `Model.log_density` calls."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike, NDArray

from bsi.compiler.ir import Param, Program, Sample
from bsi.compiler.lower.supports import constraint
from bsi.compiler.plan import plan
from bsi.jobs.context import Context, sweeps_of
from bsi.jobs.density import DENSITIES, declared
from bsi.jobs.sample import composed
from bsi.runtime.progress import NullProgress
from bsi.runtime.store import Store


def log_density(
    program: Program, store: Store, sample: str, params: Mapping[str, ArrayLike], at: Mapping[str, float], method: str
) -> NDArray:
    """See `bsi.api.Model.log_density`."""
    node = program.samples.get(sample)
    if node is None or node.reference:
        known = ", ".join(name for name, found in program.samples.items() if not found.reference) or "none"
        raise LookupError(f"`{sample}` is no sample by a score; there are: {known}")
    if method not in DENSITIES:
        raise ValueError(f"`method` is {' or '.join(DENSITIES)}, not {method}")
    context = Context(program, store, NullProgress(), {job.name: job.key for job in plan(program, store)})
    if missing := [fit for fit in node.fits if not store.has(context.keys[fit])]:
        raise LookupError(f"`{missing[0]}` is not trained: run the model first, with this seed, profile and store")
    if wanted := set(sweeps_of(program, node)) ^ set(at):
        raise ValueError(f"`at` needs values of {', '.join(sweeps_of(program, node)) or 'nothing'}: see {wanted}")
    flat, batch = _flat(program, node, params)
    target = composed(context, node)
    denoiser, _ = target.at(dict(at))

    @eqx.filter_jit
    def evaluate(denoiser: Any, flat: dict[str, Array]) -> Array:
        inside = jax.vmap(partial(_inside, program, target.coordinates.data))(flat)
        z = jax.vmap(target.coordinates.from_params)(flat)
        finite = jnp.all(jnp.isfinite(z), -1)
        stats = declared(DENSITIES[method], target.coordinates, denoiser, jnp.where(finite[:, None], z, 0.0), jr.key(0))
        known = jnp.where(finite & ~stats["lp_failed"], stats["lp"], jnp.nan)
        return jnp.where(inside, known, -jnp.inf)

    return np.asarray(evaluate(denoiser, flat)).reshape(batch)


def _flat(program: Program, node: Sample, params: Mapping[str, ArrayLike]) -> tuple[dict[str, Array], tuple[int, ...]]:
    """Values of every param of a posterior as (n, *shape), and the batch shape that they had."""
    names = program.posteriors[node.posterior].params
    if wrong := set(names) ^ set(params):
        raise ValueError(f"`params` needs {', '.join(names)}: see {', '.join(sorted(wrong))}")
    arrays = {name: np.asarray(params[name], np.float32) for name in names}
    batches = {name: _batch(program.params[name], array) for name, array in arrays.items()}
    if len(set(batches.values())) > 1:
        raise ValueError(f"params have other numbers of values: {batches}")
    batch = batches[names[0]]
    return {name: jnp.asarray(array.reshape(-1, *program.params[name].shape)) for name, array in arrays.items()}, batch


def _batch(param: Param, array: np.ndarray) -> tuple[int, ...]:
    lead = array.ndim - len(param.shape)
    if lead < 0 or array.shape[lead:] != param.shape:
        raise ValueError(f"`{param.name}` has shape {param.shape}, and the values {array.shape}")
    return array.shape[:lead]


def _inside(program: Program, data: Mapping[str, Array], params: dict[str, Array]) -> Array:
    """Whether every param of one point lies in its support."""
    env = {**data, **params}
    return jnp.all(
        jnp.stack([jnp.all(constraint(program.params[n].support, env)(value)) for n, value in params.items()])
    )

"""Draws at simulated data, which a sampler is judged by where no reference is; and `lc2st`, which learns from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array

from bsi.compiler.ir import Check
from bsi.compiler.lower.composed import ComposedPosterior
from bsi.compiler.lower.forward import draw_row
from bsi.jobs import correct
from bsi.jobs.context import Context, at_point
from bsi.jobs.sample import AMORTISED, composed
from bsi.runtime.exact import ExactFit
from bsi.runtime.metrics import METRICS, Estimate
from bsi.runtime.metrics.ranks import FEWEST

_TOGETHER = 256  # sets of data that are drawn for at once, at most
_STATES = 8_192  # of these: draws times rows
_KERNELS = 2**24  # of a table, for all these states


@dataclass(frozen=True)
class Repeated:
    """Simulations whose data are sound, and draws of the sampler given each: `z` is [n, m], `rows` of every set
    [n, rows, p], `draws` [n, l, m], in working coordinates, NaN where a solver gave up. `failed` simulations were not
    sound, and left out."""

    z: np.ndarray
    rows: list[np.ndarray]
    draws: np.ndarray
    failed: int


def estimate(context: Context, check: Check, index: tuple[int, ...], point: dict[str, float]) -> Estimate:
    """The value of a metric that needs simulations, at one point of the sweeps.

    Raises:
        ValueError: simulations or draws are not finite.
    """
    node, options = context.program.samples[check.samples[0]], dict(check.options)
    target = repeatable(context, check)
    found = repeated(context, check, target, point, 1)
    draws = {name: values[index] for name, values in context.draws(node.name).params.items()}
    to_working = jax.jit(jax.vmap(jax.vmap(target.coordinates.from_params)))
    observed = np.concatenate([np.ravel(context.lowered.rows(f.observation)) for f, _ in target.sets if f.observation])
    here = np.asarray(to_working(draws)).reshape(-1, target.coordinates.m)
    data = np.concatenate([x.reshape(len(x), -1) for x in found.rows], axis=1)
    known = {name: options[name] for name in ("permutations", "seed")}
    return METRICS[check.metric].function(found.z, found.draws[:, 0], data, here, observed, **known)


def repeatable(context: Context, check: Check) -> ComposedPosterior:
    """The posterior that the check's sample is of, which can be had of other data."""
    target = composed(context, context.program.samples[check.samples[0]])
    assert isinstance(target, ComposedPosterior), "the checker lets no guided sample through"
    return target


def repeated(
    context: Context, check: Check, target: ComposedPosterior, point: dict[str, float], draws: int
) -> Repeated:
    """Params of the prior, data as large as the observed, and `draws` of the check's sampler given each of these.

    Raises:
        ValueError: there are too few sound simulations.
    """
    node, known = context.program.samples[check.samples[0]], dict(check.options)
    first, second = jr.split(jr.key(known["seed"]))
    z, rows = _simulations(context, target, known["simulations"], first)
    sound = np.all([np.isfinite(x).all((1, 2)) for x in rows], axis=0)
    count = int(sound.sum())
    if count < FEWEST:
        raise ValueError(f"{count} sound simulations of {len(sound)} are too few: {FEWEST} are the least")
    z, rows = z[sound], [x[sound] for x in rows]
    keys = jr.split(second, len(sound))[sound]
    options = at_point(node.options, point)
    make, choice = AMORTISED[node.method], options["correct"]

    @jax.jit
    @jax.vmap
    def draw(key: Array, rows: list[Array]) -> Array:
        denoiser, _ = target.given(rows).at(point)
        sampler = correct.within(make(options), choice, denoiser)
        found, stats = sampler.sample(denoiser, key, (draws, target.coordinates.m))
        return jnp.where(stats["failed"], jnp.nan, found)

    size = _size(count, _together(target, draws))
    found = []
    context.progress.start(check.text, count, "data sets")
    try:
        for begin in range(0, count, size):
            at = np.minimum(np.arange(begin, begin + size), count - 1)  # the last batch is filled up: one program
            found.append(np.asarray(draw(keys[at], [x[at] for x in rows])))
            context.progress.advance(min(size, count - begin))
    finally:
        context.progress.done()
    return Repeated(z, rows, np.concatenate(found)[:count], len(sound) - count)


def _together(target: ComposedPosterior, draws: int) -> int:
    """Sets of data whose draws fit in memory at once."""
    states = draws * max(1, sum(len(x) for _, x in target.sets))
    kernels = [_KERNELS // (states * fit.neighbours) for fit in target.fits.values() if isinstance(fit, ExactFit)]
    return max(1, min(_TOGETHER, _STATES // states, *kernels))


def _size(count: int, most: int) -> int:
    """Of batches, `most` at most, of which the last is nearly as large as the others."""
    return math.ceil(count / math.ceil(count / most))


def _simulations(
    context: Context, target: ComposedPosterior, count: int, key: Array
) -> tuple[np.ndarray, list[np.ndarray]]:
    """[n, m] and, for every set, [n, rows, p]."""
    model = context.lowered
    sizes = [len(x) for _, x in target.sets]
    likelihoods = [context.program.likelihoods[factor.law] for factor, _ in target.sets]

    @jax.jit
    @jax.vmap
    def simulate(key: Array) -> tuple[Array, list[Array]]:
        prior, data = jr.split(key)
        z, params = target.coordinates.draw(prior)
        rows = [
            jax.vmap(lambda key, law=law: jnp.ravel(draw_row(law, key, params, model.data)))(
                jr.split(jr.fold_in(data, number), size)
            ).astype(z.dtype)
            for number, (law, size) in enumerate(zip(likelihoods, sizes, strict=True))
        ]
        return z, rows

    z, rows = simulate(jr.split(key, count))
    return np.asarray(z), [np.asarray(x) for x in rows]

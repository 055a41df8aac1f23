"""Draws at simulated data, which a sampler is judged by where no reference is: `lc2st`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array

from bsi.compiler.ir import Check, Sample
from bsi.compiler.lower.composed import ComposedPosterior
from bsi.compiler.lower.forward import draw_row
from bsi.jobs import correct
from bsi.jobs.context import Context, at_point
from bsi.jobs.sample import AMORTISED, composed
from bsi.runtime.metrics import METRICS, Estimate

_TOGETHER = 256  # sets of data that are drawn for at once


def estimate(context: Context, check: Check, index: tuple[int, ...], point: dict[str, float]) -> Estimate:
    """The value of a metric that needs simulations, at one point of the sweeps.

    Raises:
        ValueError: simulations or draws are not finite.
    """
    node, options = context.program.samples[check.samples[0]], dict(check.options)
    target = composed(context, node)
    assert isinstance(target, ComposedPosterior), "the checker lets no guided sample through"
    z, rows, drawn = _pairs(context, node, target, point, options["simulations"], jr.key(options["seed"]))
    draws = {name: values[index] for name, values in context.draws(node.name).params.items()}
    to_working = jax.jit(jax.vmap(jax.vmap(target.coordinates.from_params)))
    observed = np.concatenate([np.ravel(context.lowered.rows(f.observation)) for f, _ in target.sets if f.observation])
    found = np.asarray(to_working(draws)).reshape(-1, target.coordinates.m)
    known = {name: options[name] for name in ("permutations", "seed")}
    return METRICS[check.metric].function(z, drawn, rows, found, observed, **known)


def _pairs(
    context: Context, node: Sample, target: ComposedPosterior, point: dict[str, float], count: int, key: Array
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Params of the prior and data as large as the observed, flattened, and a draw of the sampler given each of these:
    [n, m], [n, p], [n, m]. Simulations that failed are left out."""
    model, m = context.lowered, target.coordinates.m
    options = at_point(node.options, point)
    make, choice = AMORTISED[node.method], options["correct"]
    sizes = [len(x) for _, x in target.sets]
    likelihoods = [context.program.likelihoods[factor.law] for factor, _ in target.sets]

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

    def draw(pair: tuple[Array, list[Array]]) -> Array:
        denoiser, _ = target.given(pair[1]).at(point)
        return correct.within(make(options), choice, denoiser).sample(denoiser, pair[0], (1, m))[0][0]

    first, second = jr.split(key)
    z, rows = jax.jit(jax.vmap(simulate))(jr.split(first, count))
    flat = np.concatenate([np.asarray(x).reshape(count, -1) for x in rows], axis=1)
    sound = np.isfinite(flat).all(1)
    rows = [x[sound] for x in rows]
    keys = jr.split(second, count)[sound]
    drawn = jax.jit(lambda pairs: jax.lax.map(draw, pairs, batch_size=_TOGETHER))((keys, rows))
    return np.asarray(z)[sound], flat[sound], np.asarray(drawn)

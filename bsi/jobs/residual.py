"""How far predictions are from the data along a sweep: what a power of the likelihood buys, and what one of the prior
costs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bsi.compiler.ir import Likelihood, Sample
from bsi.compiler.lower.expr import Env
from bsi.compiler.lower.laws import distribution
from bsi.compiler.lower.simulators import Shared
from bsi.jobs.context import Context

NAME = "residual_"  # before the name of a set
_DRAWS = 256  # of a point, evenly chosen


def residuals(context: Context, node: Sample, draws: dict[str, np.ndarray], leading: int) -> dict[str, np.ndarray]:
    """Root mean square of `x - E[x | data]` over rows and their entries, `residual_SET` -> (points of the sweeps).

    `draws` are (sweeps..., chain, draw, *shape) with `leading` axes of sweeps. Of sets whose likelihood has a density
    and a mean; the expectation is that of the law given the params, averaged over draws. Missing entries do not count.
    """
    program, lowered, found = context.program, context.lowered, {}
    for factor in program.posteriors[node.posterior].factors:
        law = program.likelihoods.get(factor.law)
        if factor.observation is None or law is None or not law.explicit or NAME + factor.observation in found:
            continue
        lead = next(iter(draws.values())).shape[:leading]
        some = {name: _some(array, leading) for name, array in draws.items() if name in law.given}
        try:
            mean = np.asarray(jax.jit(lambda some, law=law: jax.lax.map(_expected(law, lowered.data), some))(some))
        except NotImplementedError:  # NumPyro's, of a law without a mean
            continue
        rows, seen = lowered.rows(factor.observation), lowered.seen(factor.observation)
        gap = (rows - mean[:, None]) ** 2  # (points, rows, *shape)
        weight = np.ones_like(rows) if seen is None else seen
        total = np.sum(np.where(weight > 0, gap, 0.0), axis=tuple(range(1, gap.ndim))) / max(weight.sum(), 1.0)
        found[NAME + factor.observation] = np.sqrt(total).reshape(lead).astype(np.float32)
    return found


def _some(array: np.ndarray, leading: int) -> np.ndarray:
    """(points, draws, *shape)"""
    flat = array.reshape(-1, array.shape[leading] * array.shape[leading + 1], *array.shape[leading + 2 :])
    return flat[:, np.unique(np.linspace(0, flat.shape[1] - 1, min(_DRAWS, flat.shape[1])).astype(int))]


def _expected(likelihood: Likelihood, data: Env):
    def one(params: dict[str, Array]) -> Array:
        env = {**data, **params}
        Shared(likelihood).start(env)
        return jnp.broadcast_to(distribution(likelihood.draws[-1].law, env).mean, likelihood.shape)

    return lambda params: jnp.mean(jax.vmap(one)(params), 0)

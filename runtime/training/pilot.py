"""Before training: the standardiser and the regression, from a pilot batch or the table itself."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.gaussian import Gaussian, gaussian_of_moments, regress, standard
from bsi.runtime.standardise import Standardiser, fit_standardiser
from bsi.runtime.training.options import Simulator, Table

_QUANTILE_ROWS = 8192
_CHUNK = 8192


def clean(z: Float[Array, "n m"], x: Float[Array, "n p"]) -> tuple[Array, Array, Float[Array, " n"]]:
    """Rows with non-finite entries become zeros of weight 0."""
    ok = jnp.all(jnp.isfinite(z), -1) & jnp.all(jnp.isfinite(x), -1)
    return jnp.where(ok[:, None], z, 0.0), jnp.where(ok[:, None], x, 0.0), ok.astype(z.dtype)


def pilot(
    source: Simulator | Table, key: PRNGKeyArray, rows: int, gaussian_prior: bool
) -> tuple[Standardiser, Gaussian, Gaussian, int, int]:
    """**Returns:** standardiser, regression of z on x, Gaussian of the prior, simulations made, non-finite ones."""
    if isinstance(source, Table):
        first_z, first_x = np.asarray(source.z, np.float32), np.asarray(source.x, np.float32)
    else:
        first_z, first_x = map(np.asarray, jax.jit(lambda k: source.simulate(k, _QUANTILE_ROWS))(jr.fold_in(key, 0)))
    finite = np.isfinite(first_z).all(-1) & np.isfinite(first_x).all(-1)
    if finite.mean() < 0.5:
        raise SimulationError(f"{(1 - finite.mean()):.0%} of the simulations are not finite")
    standardise = fit_standardiser(first_x[finite])

    def gram(z: Array, x: Array) -> Array:
        z, x, ok = clean(z, x)
        joint = ok[:, None] * jnp.concatenate([jnp.ones((len(z), 1)), standardise(x), z], axis=-1)
        return joint.T @ joint

    if isinstance(source, Table):
        blocks = np.array_split(np.arange(len(first_z)), max(1, len(first_z) // _CHUNK))
        total = sum(np.asarray(jax.jit(gram)(first_z[b], first_x[b]), np.float64) for b in blocks)
        made = len(first_z)
    else:
        chunks = max(1, rows // _CHUNK)
        simulate = source.simulate
        grams = jax.jit(
            lambda k: jax.lax.map(lambda i: gram(*simulate(jr.fold_in(k, i), _CHUNK)), jnp.arange(1, chunks + 1))
        )(key)
        total = np.asarray(grams, np.float64).sum(0)  # summed in double: a million float32 rows would not add up
        made = chunks * _CHUNK
    count = total[0, 0]
    posterior = regress(total, count, source.m)
    if gaussian_prior:
        prior = standard(source.m)
    else:
        mean = total[0, 1 + source.p :] / count
        prior = gaussian_of_moments(mean, total[1 + source.p :, 1 + source.p :] / count - np.outer(mean, mean))
    return standardise, posterior, prior, made, round(made - count)


class SimulationError(ValueError):
    """Most simulations are not finite: nothing can be learned."""

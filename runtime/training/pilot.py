"""Before training: the standardiser and the regression, from a pilot batch or the table itself."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.gaussian import (
    Gaussian,
    PartialGaussian,
    exchangeable,
    gaussian_of_moments,
    joint,
    regress,
    standard,
)
from bsi.runtime.standardise import Standardiser, fit_standardiser
from bsi.runtime.training.options import Simulator, Table

_QUANTILE_ROWS = 8192
_CHUNK = 8192


def clean(z: Float[Array, "n m"], x: Float[Array, "n p"]) -> tuple[Array, Array, Float[Array, " n"]]:
    """Rows with non-finite entries become zeros of weight 0."""
    ok = jnp.all(jnp.isfinite(z), -1) & jnp.all(jnp.isfinite(x), -1)
    return jnp.where(ok[:, None], z, 0.0), jnp.where(ok[:, None], x, 0.0), ok.astype(z.dtype)


def standardise_rows(source: Simulator | Table, key: PRNGKeyArray, elements: int = 1) -> Standardiser:
    """The standardiser of x, from the table or a first batch; all `elements` of a set have one.

    **Raises:** `SimulationError` when more than half of the rows are not finite.
    """
    if isinstance(source, Table):
        z, x = np.asarray(source.z), np.asarray(source.x)
    else:
        z, x = map(np.asarray, jax.jit(source.simulate, static_argnums=1)(key, _QUANTILE_ROWS))
    finite = np.isfinite(z).all(-1) & np.isfinite(x).all(-1)
    if finite.mean() < 0.5:
        raise SimulationError(f"{(1 - finite.mean()):.0%} of the simulations are not finite")
    one = fit_standardiser(x[finite].reshape(-1, source.p // elements) if elements > 1 else x[finite])
    return jax.tree.map(lambda column: jnp.tile(column, elements), one)


def regression(
    source: Simulator | Table,
    key: PRNGKeyArray,
    rows: int,
    standardise: Standardiser,
    gaussian_prior: bool,
    partial: bool = False,
    elements: int = 1,
) -> tuple[Gaussian | PartialGaussian, Gaussian, int, int]:
    """**Returns:** regression of z on e(x), with `partial` on any entries of it, where x may be a set of `elements` in
    no order; Gaussian of the prior; simulations used, non-finite ones among them."""

    def gram(z: Array, x: Array) -> Array:
        z, x, ok = clean(z, x)
        joint = ok[:, None] * jnp.concatenate([jnp.ones((len(z), 1)), standardise(x), z], axis=-1)
        return joint.T @ joint

    if isinstance(source, Table):
        made = len(source.z)
        blocks = np.array_split(np.arange(made), max(1, made // _CHUNK))
        z, x = np.asarray(source.z, np.float32), np.asarray(source.x, np.float32)
        total = np.sum([np.asarray(jax.jit(gram)(z[b], x[b]), np.float64) for b in blocks], axis=0)
    else:
        chunks = max(1, rows // _CHUNK)
        made = chunks * _CHUNK
        simulate = source.simulate
        grams = jax.jit(lambda k: jax.lax.map(lambda i: gram(*simulate(jr.fold_in(k, i), _CHUNK)), jnp.arange(chunks)))(
            key
        )
        total = np.asarray(grams, np.float64).sum(0)  # in double: sums of a million float32 rows would not add up
    total = exchangeable(total, elements, source.m) if elements > 1 else total
    count = total[0, 0]
    posterior = (joint if partial else regress)(total, count, source.m)
    if gaussian_prior:
        prior = standard(source.m)
    else:
        mean = total[0, 1 + source.p :] / count
        prior = gaussian_of_moments(mean, total[1 + source.p :, 1 + source.p :] / count - np.outer(mean, mean))
    return posterior, prior, made, round(made - count)


class SimulationError(ValueError):
    """Most simulations are not finite: nothing can be learned."""

"""Rows with holes: their density, with the missing entries integrated out, and what a network sees of them."""

from __future__ import annotations

import math

import jax.numpy as jnp
import jax.scipy as jsp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Float

from bsi.compiler.ir import Law
from bsi.compiler.laws import LAWS
from bsi.compiler.lower.expr import Env
from bsi.compiler.lower.laws import arguments, distribution
from bsi.compiler.missing import MARGINAL


def marginal_log_density(law: Law, env: Env, value: Array, seen: Array) -> Float[Array, ""]:
    """`log p(value_seen)`; `seen` is 1 where an entry is observed, and `value` holds anything finite elsewhere.

    Entries of laws of numbers are independent, and of a Gaussian vector every part is Gaussian with the block of the
    covariance. Any other law over vectors loses whole vectors only (the checker's promise).
    """
    return jnp.sum(_events(law, env, jnp.asarray(value), jnp.asarray(seen)))


def _events(law: Law, env: Env, value: Array, seen: Array) -> Array:
    """The same for each event of a law: a number, or a vector of a law over vectors."""
    axes = _event_axes(law)
    if law.name == "mixture" and axes:
        weights = jnp.log(arguments(law, env)["weights"])
        parts = jnp.stack([_events(component, env, value, seen) for component in law.components], -1)
        return jsp.special.logsumexp(parts + weights, axis=-1)
    if law.name in MARGINAL:
        return _gaussian(law, env, value, seen)
    base = distribution(law, env)
    if isinstance(base, dist.Independent) and base.event_dim > axes:
        base = base.base_dist
    whole = jnp.min(seen, axis=tuple(range(-axes, 0)))
    return jnp.where(whole > 0, base.log_prob(value), 0.0)


def _gaussian(law: Law, env: Env, value: Array, seen: Array) -> Array:
    """A missing entry gets the mean, variance 1 and no covariance: it then adds `-½ ln 2π`, which is taken back."""
    values = arguments(law, env)
    factor = values.get("cholesky")
    covariance = values["covariance"] if factor is None else factor @ jnp.swapaxes(factor, -1, -2)
    both = seen[..., :, None] * seen[..., None, :]
    kept = jnp.where(both > 0, covariance, jnp.eye(seen.shape[-1]))
    centred = jnp.where(seen > 0, value - values["mean"], 0.0)
    log_density = dist.MultivariateNormal(covariance_matrix=kept).log_prob(centred)
    return log_density + 0.5 * math.log(2 * math.pi) * jnp.sum(1 - seen, -1)


def _event_axes(law: Law) -> int:
    return max(map(_event_axes, law.components)) if law.components else len(LAWS[law.name].axes)


def features(rows: np.ndarray, seen: np.ndarray | None, partial: bool) -> tuple[Float[Array, "n p"], np.ndarray]:
    """Rows as a fit takes them, flat, with `partial` as `(x, seen)`; and which rows are left.

    A row of which nothing is seen says nothing: its factor is `p(z | nothing) / p(z) = 1`, and it is left out.
    """
    flat = rows.reshape(len(rows), -1)
    there = np.ones_like(flat) if seen is None else seen.reshape(flat.shape)
    left = there.max(axis=1) > 0
    columns = np.concatenate([flat, there], axis=1) if partial else flat
    return jnp.asarray(columns[left], jnp.float32), left

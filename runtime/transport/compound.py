"""Laws of laws of one number: truncated laws, mixtures, order statistics."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri
from jaxtyping import Array, Float

from bsi.runtime.transport.base import SINH_RANGE, TINY, Tails, Transport, Value, VectorTransport, hazard, searched


def truncate(tails: Callable[..., Tails], lower: Value, upper: Value) -> Callable[..., Tails]:
    """Tails of a law restricted to [lower, upper]."""

    def restricted(x: Value, *args: Value) -> Tails:
        below, above = tails(jnp.clip(x, lower, upper), *args)
        below_low, above_low = tails(lower, *args)
        below_high, above_high = tails(upper, *args)
        # The difference of the smaller tails keeps its digits far out.
        left = jnp.where(below_low < 0.5, below - below_low, above_low - above)
        right = jnp.where(above_high < 0.5, above - above_high, below_high - below)
        mass = left + right
        return left / mass, right / mass

    return restricted


def truncated(tails: Callable[[Array], Tails], lower: Value, upper: Value) -> Transport:
    """A scalar law, given by its tails, restricted to [lower, upper]."""
    restricted = truncate(tails, lower, upper)
    search = searched(restricted, *SINH_RANGE)
    return Transport(restricted, lambda z: jnp.clip(search.from_normal(z), lower, upper), closed=False)


def mixture(weights: Float[Array, "... k"], components: tuple[Callable[[Array], Tails], ...]) -> Transport:
    """A mixture of scalar laws, each given by its tails; the weights' last axis runs over the components."""

    def tails(x: Value) -> Tails:
        parts = [component(jnp.asarray(x)) for component in components]
        lower = sum(weights[..., k] * part[0] for k, part in enumerate(parts))
        upper = sum(weights[..., k] * part[1] for k, part in enumerate(parts))
        return jnp.asarray(lower), jnp.asarray(upper)

    return searched(tails, *SINH_RANGE)


def _score(cumulative: Array) -> Array:
    """`z` with `hazard(z) = cumulative`, from whichever tail is the smaller."""
    return jnp.where(
        cumulative < math.log(2),
        ndtri(jnp.maximum(-jnp.expm1(-cumulative), TINY)),
        -ndtri(jnp.maximum(jnp.exp(-jnp.maximum(cumulative, 0.5)), TINY)),
    )


def ordered(law: Transport) -> VectorTransport:
    """k independent draws of a law, its arguments filled in, in increasing order (Rényi 1953): the hazards of order
    statistics have independent exponential increments, `H_i - H_{i-1} = E_i / (k - i)` from i = 0."""

    def from_normal(z: Array) -> Array:
        left = z.shape[-1] - jnp.arange(z.shape[-1])
        normal = _score(jnp.cumsum(hazard(z) / left, axis=-1))
        x = jax.vmap(law.from_normal, in_axes=-1, out_axes=-1)(normal)
        return jax.lax.cummax(x, axis=x.ndim - 1)  # a search may end a rounding error below the entry before

    def to_normal(x: Array) -> Array:
        left = x.shape[-1] - jnp.arange(x.shape[-1])
        reached = hazard(jax.vmap(law.to_normal, in_axes=-1, out_axes=-1)(x))
        return _score(left * jnp.diff(reached, axis=-1, prepend=jnp.zeros_like(reached[..., :1])))

    return VectorTransport(from_normal, to_normal, law.closed)

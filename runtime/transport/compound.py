"""Laws of laws of one number: truncated laws, mixtures."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsi.runtime.transport.base import SINH_RANGE, Tails, Transport, Value, searched


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

"""A composition at its clean end: the density of the factors that have one, and the score of the others.

The sum of scores of single factors is that of their product only where there is no noise, and denoisers are asked where
there is little: at `SETTLED` times the precision of an average row. What the noise adds to a row is taken back as if it
were Gaussian (`Rows.slope`), so that nothing is left of it where rows are.

So draws need not go from a noise level to none: they are where they are, and only denoisers see them through noise.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsi.runtime.composition.base import Composed
from bsi.runtime.schedule import SETTLED

EXACT = 16.0 * SETTLED  # for denoisers without an error that could add up: modes are no wider by a five-hundredth
_FINEST = 1e3  # precision that modes may have, in units of that of all draws together
_WEAKEST = 0.01  # sum of powers, from which rows say nothing that noise could hide


class Clean(eqx.Module):
    """The law of a composition; `evidence` is `ln` of further factors, which have a density; `settled` the
    signal-to-noise at which denoisers are asked, over the precision."""

    composed: Composed
    evidence: Callable[[Float[Array, "n m"]], Float[Array, " n"]] | None = None
    settled: float = SETTLED

    def log_density(self, z: Float[Array, "n m"]) -> Float[Array, " n"]:
        """Of the prior where it is not learned, and of `evidence`; up to a constant."""
        value = self.composed.prior.log_density(z)
        return value if self.evidence is None else value + self.evidence(z)

    def score(self, z: Float[Array, "n m"], precision: Float[Array, ""]) -> Float[Array, "n m"]:
        """Of all rows, for a product of this largest precision."""
        largest = jnp.max(self.composed.values)
        precision = jnp.clip(precision, largest, _FINEST * largest)
        reach = self.settled * precision / jnp.maximum(self.composed.strength(), _WEAKEST)
        return sum((rows.slope(z, reach) for rows in self.composed.rows), jnp.zeros_like(z))

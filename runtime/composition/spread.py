"""Whether draws are as wide as the composition that made them took them to be.

`gauss` is exact where every factor is Gaussian; then draws have the covariance `B⁻¹`. Factors whose covariances change
with the params compose to draws of another spread, and to a score that is nobody's on the way there.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsi.runtime.composition.base import Composed

FEWEST = 4  # draws for every param, below which nothing is said


def spread(composed: Composed, z: Float[Array, "n m"]) -> dict[str, Array]:
    """`narrowest` and `widest`: variances of draws in the directions where they differ most from `B⁻¹`, over those of
    `B⁻¹`; what n draws of N(0, B⁻¹) would miss by chance (Marchenko & Pastur 1967) is taken back."""
    n, m = z.shape
    if n < FEWEST * m:
        return {}
    y = ((z - jnp.mean(z, 0)) @ composed.basis) * jnp.sqrt(composed.values)
    values = jnp.linalg.eigvalsh(y.T @ y / (n - 1))
    chance = (m / n) ** 0.5
    return {"narrowest": values[0] / (1.0 - chance) ** 2, "widest": values[-1] / (1.0 + chance) ** 2}

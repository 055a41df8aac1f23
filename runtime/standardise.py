"""Observed rows as a network likes them: centred, scaled, and with their tails folded."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Identity within KNEE robust sds, logarithmic beyond. A Gaussian model never leaves the identity, so its posterior mean
# stays linear in what the network sees; prior predictives with half-Cauchy tails stay within a few dozen.
KNEE = 5.0
_NORMAL_IQR = 1.349  # of a unit normal


class Standardiser(eqx.Module):
    """`v = (x - centre) / scale`, continued smoothly by `sign(v) k (1 + ln(|v|/k))` beyond `k = KNEE`."""

    centre: Float[Array, " p"]
    scale: Float[Array, " p"]

    def __call__(self, x: Float[Array, "*b p"]) -> Float[Array, "*b p"]:
        v = (x - self.centre) / self.scale
        size = jnp.abs(v)
        folded = KNEE * (1.0 + jnp.log(jnp.maximum(size, KNEE) / KNEE))
        return jnp.where(size <= KNEE, v, jnp.sign(v) * folded)


class PartialStandardiser(eqx.Module):
    """Features `(v, seen)` of rows `(x, seen)`, twice as wide as x: an entry that is not seen becomes 0."""

    whole: Standardiser

    def __call__(self, x: Float[Array, "*b q"]) -> Float[Array, "*b q"]:
        values, seen = jnp.split(x, 2, axis=-1)
        return jnp.concatenate([jnp.where(seen > 0, self.whole(values), 0.0), seen], axis=-1)


def fit_standardiser(x: np.ndarray) -> Standardiser:
    """Median and interquartile scale of the columns of `x` (rows, p); sd where that is 0; 1 for constants."""
    x = np.asarray(x, np.float64)
    lower, centre, upper = np.quantile(x, [0.25, 0.5, 0.75], axis=0)
    tiny = 1e-6 * (1e-30 + np.abs(centre))
    scale = (upper - lower) / _NORMAL_IQR
    scale = np.where(scale > tiny, scale, np.std(x, axis=0))
    scale = np.where(scale > tiny, scale, 1.0)
    return Standardiser(jnp.asarray(centre, jnp.float32), jnp.asarray(scale, jnp.float32))

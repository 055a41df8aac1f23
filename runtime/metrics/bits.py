"""How many bits a dimension of held-out data costs by a trained denoiser: `-ELBO/(m ln 2)` in declared coordinates.

Continuous data have a density, so their bits depend on the units and may be negative; those of quantised data are the
length of a code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.elbo import Bins, Elbo, low_discrepancy
from bsi.runtime.metrics.base import Estimate

STEPS = (25, 50, 100, 200, 400, 800, 1600)
_LEAST, _NUMBERS = 1_024, 2**15  # estimates, and times m: the fewer coordinates, the noisier is their mean
_BATCH = 512
_BANDS = 32  # of ln p

Conditional = Callable[[Float[Array, "n m"], Float[Array, " n"], Float[Array, "n p"]], Float[Array, "n m"]]
"""`(u, ln η, x) -> E[θ | u, x]`, every row with a level and a condition of its own."""


@dataclass(frozen=True)
class HeldOut:
    """Rows that training has not seen, in working coordinates; `log_jacobian` is `ln |∂θ/∂z|`, 0 for quantised data,
    which have `bins` instead."""

    z: Float[np.ndarray, "n m"]
    x: Float[np.ndarray, "n p"]
    log_jacobian: Float[np.ndarray, " n"]
    bins: Bins | None = None

    def nominal(self, elbo: Elbo) -> float:
        """Bits a dimension on top of `L_∞/(m ln 2)` that are known before training, for curves of a loss: the start,
        the units, and a reconstruction as good as it can be."""
        m = self.z.shape[1]
        decoded = 0.0 if self.bins else 0.5 * (1.0 + math.log(2 * math.pi / elbo.final))
        nats = np.mean(np.asarray(elbo.start(jnp.asarray(self.z))) + self.log_jacobian)
        return (float(nats) / m + decoded) / math.log(2.0)


def bits_per_dim(
    denoiser: Conditional, elbo: Elbo, held: HeldOut, key: PRNGKeyArray, steps: int | None = None
) -> Estimate:
    """Bits a dimension of held-out rows by the bound in infinitely many steps, or in `steps`."""
    found = _Estimates(denoiser, elbo, held, key, () if steps is None else (steps,))
    return Estimate(*found.bits(found.infinite if steps is None else found.finite[0]))


def bound(denoiser: Conditional, elbo: Elbo, held: HeldOut, key: PRNGKeyArray) -> dict[str, Any]:
    """What a bound is made of, as JSON, all in bits a dimension: `value` with its `standard_error`;
    its `terms` `measurement`, `start`, `reconstruction` and `log_jacobian`, of which it is the sum;

    - `integrand`: `values` of `dL_∞/d ln p` at `log_precision` (`ln p`, at the signal-to-noise `log_snr`);
    - `finite`: `values` with `standard_errors` of the bound in `steps` many steps, by the same noise for every number.

    `rows` are the distinct ones it is averaged over.
    """
    found = _Estimates(denoiser, elbo, held, key, STEPS)
    value, error = found.bits(found.infinite)
    steps = [found.bits(each) for each in found.finite]
    middle = elbo.span * (np.arange(_BANDS) + 0.5) / _BANDS
    terms = {"measurement": found.infinite, **found.rest}
    return {
        "unit": "bits/dim",
        "value": value,
        "standard_error": error,
        "rows": len(held.z),
        "terms": {name: float(nats.mean()) / found.unit for name, nats in terms.items()},
        "integrand": {
            "log_precision": (math.log(elbo.initial) + middle).tolist(),
            "log_snr": np.asarray(elbo.clock.log_snr(elbo.initial, jnp.asarray(middle)), float).tolist(),
            "values": (found.by_band(found.infinite) / (elbo.span * found.unit)).tolist(),
        },
        "finite": {
            "steps": list(STEPS),
            "values": [mean for mean, _ in steps],
            "standard_errors": [error for _, error in steps],
        },
    }


class _Estimates:
    """Nats, one estimate each of row 0, 1, ..., 0, 1, ...: of the measurements in infinitely many steps and in finitely
    many (steps, estimates), and of the rest by name."""

    def __init__(self, denoiser: Conditional, elbo: Elbo, held: HeldOut, key: PRNGKeyArray, steps: tuple[int, ...]):
        count = -(-max(_LEAST, _NUMBERS // held.z.shape[1], len(held.z)) // _BATCH)
        self.row = np.arange(count * _BATCH) % len(held.z)
        self.unit = held.z.shape[1] * math.log(2.0)
        z, x = (jnp.asarray(v[self.row]).reshape(count, _BATCH, v.shape[1]) for v in (held.z, held.x))
        found = _program(denoiser, elbo, held.bins, z, x, jr.split(key, count), jnp.asarray(steps, jnp.float32))
        share, *measured, start, reconstruction = (
            np.asarray(values, float).reshape(-1, z[..., 0].size) for values in found
        )
        self.band = np.minimum((share[0] * _BANDS).astype(int), _BANDS - 1)
        self.infinite, self.finite = measured[0][0], measured[1]
        self.rest = {
            "start": start[0],
            "reconstruction": reconstruction[0],
            "log_jacobian": np.asarray(held.log_jacobian, float)[self.row],
        }

    def by_band(self, nats: np.ndarray) -> np.ndarray:
        """Means over equal bands of `ln p`."""
        return np.bincount(self.band, nats, _BANDS) / np.bincount(self.band, minlength=_BANDS)

    def bits(self, measured: np.ndarray) -> tuple[float, float]:
        """Bits a dimension of the whole bound, and the standard error over rows.

        Levels are an even grid, so how a measurement's mean depends on them is no error: it is taken out by band.
        """
        centred = measured - self.by_band(measured)[self.band] + measured.mean()
        total = centred + sum(self.rest.values())
        each = np.bincount(self.row, total) / np.bincount(self.row) / self.unit
        return float(total.mean()) / self.unit, float(each.std(ddof=1) / math.sqrt(len(each)))


@eqx.filter_jit
def _program(
    denoiser: Conditional, elbo: Elbo, bins: Bins | None, z: Array, x: Array, keys: Array, steps: Array
) -> tuple[Array, ...]:
    """Share of the way from `ln p₀` to `ln p_M`, nats there in infinitely many steps and in `steps`, start and
    reconstruction, batch by batch; the steps come first."""

    def batch(arguments: tuple[Array, Array, Array]) -> tuple[Array, ...]:
        z, x, key = arguments
        which, noise, last = jr.split(key, 3)

        def given(u: Array, log_snr: Array) -> Array:
            return denoiser(u, log_snr, x)

        def measured(level: tuple[Array, Array]) -> Array:
            passed, weight = level
            return 0.5 * weight * elbo.squared_error(given, noise, z, passed, control=True)

        share = low_discrepancy(which, len(z), z.dtype)
        finite = jax.lax.map(lambda k: measured(elbo.left_ends(share, k)), steps)
        reconstruction = elbo.reconstruction(given, last, z, bins, control=True)
        return share, measured(elbo.levels(share)), finite, elbo.start(z), reconstruction

    share, infinite, finite, start, reconstruction = jax.lax.map(batch, (z, x, keys))
    return share, infinite, jnp.moveaxis(finite, 1, 0), start, reconstruction

"""Bandwidths by leave-one-out likelihood: how well each simulation's params are foretold by the other simulations.

For every bandwidth of rows and of params at once, `Σ_i ln p(z_i | x_i)` without simulation i (the conditional form of
likelihood cross-validation: Hall, Racine & Li 2004). The sum over components for all pairs of bandwidths is one matrix
product.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

ROW_BANDWIDTHS = np.geomspace(5e-3, 4.0, 20)  # in robust sds of a feature
BANDWIDTHS = np.geomspace(3e-3, 1.0, 18)  # in sds of the regression's residuals
_DEFENCE = 1e-3  # share of the regression's Gaussian, so that one far row does not decide
_SIGMAS = 3.0  # the mixture must beat the regression's Gaussian by this many standard errors
_KEPT = 0.999  # mass of a row that its neighbours must hold


class Choice(NamedTuple):
    """Bandwidths, nats a row that the mixture gains over the regression's Gaussian; and of the rows that were looked at
    effective simulations and the neighbours they need."""

    row: float
    param: float
    gain: float
    effective: np.ndarray
    needed: np.ndarray


def shrinkage(bandwidth: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """`λ = √(1 - h²)`: components at `λ r_k` with kernels h² C have the covariance C of the r_k (West 1993). At h = 1
    they are one Gaussian, the regression's."""
    return jnp.sqrt(jnp.maximum(1.0 - bandwidth**2, 0.0))


def choose(
    features: Float[Array, "n p"],
    residuals: Float[Array, "n m"],
    variance: Float[Array, " m"],
    rows: Int[Array, " r"],
    neighbours: int,
    row_bandwidth: float | None = None,
    bandwidth: float | None = None,
    *,
    shrink: bool,
) -> Choice:
    """**Arguments:** `residuals` along the axes whose variances are `variance`; `rows` are left out, one at a time; a
    bandwidth that is not None is fixed; `shrink`: components are drawn together so that kernels do not widen their law.
    Then a mixture that is not better than the regression's Gaussian beyond doubt gives way to it (h = 1)."""
    across = ROW_BANDWIDTHS if row_bandwidth is None else np.array([row_bandwidth])
    along = BANDWIDTHS if bandwidth is None else np.array([bandwidth])
    if features.shape[1] == 0:
        across = np.ones(1)
    unit = residuals / jnp.sqrt(variance)
    m = residuals.shape[1]
    hx, hz = jnp.asarray(across, jnp.float32), jnp.asarray(along, jnp.float32)
    factor = shrinkage(hz) if shrink else jnp.ones_like(hz)

    def near(row: Array) -> tuple[Array, Array]:
        distance = jnp.sum((features - features[row]) ** 2, -1).at[row].set(jnp.inf)
        closest, index = jax.lax.top_k(-distance, neighbours)
        return -closest, index

    @jax.jit
    def likelihoods(row: Array) -> tuple[Array, Array]:
        square, index = near(row)
        log_row = jax.nn.log_softmax(-0.5 * square / hx[:, None] ** 2, axis=-1)
        # |λ r_j - r_i|², by the gap of r_j and r_i so that equal ones stay equal
        there, here = unit[index], unit[row]
        outward, closer = jnp.sum((there - here) * there, -1), 1.0 - factor[:, None]
        gap = jnp.sum((there - here) ** 2, -1) - 2.0 * closer * outward + closer**2 * jnp.sum(there**2, -1)
        log_param = -0.5 * gap / hz[:, None] ** 2
        most = jnp.max(log_param, axis=-1, keepdims=True)
        kept = jnp.log(jnp.maximum(jnp.exp(log_row) @ jnp.exp(log_param - most).T, jnp.finfo(jnp.float32).tiny))
        return kept + most[:, 0] - m * jnp.log(hz), -0.5 * jnp.sum(here**2)

    found, alone = jax.jit(lambda rows: jax.lax.map(likelihoods, rows))(rows)
    safe = jnp.logaddexp(found + math.log1p(-_DEFENCE), alone[:, None, None] + math.log(_DEFENCE))
    gains = np.asarray(safe - alone[:, None, None], np.float64)
    score = gains.mean(0)
    best = np.unravel_index(np.argmax(score), score.shape)
    error = gains[:, *best].std() / math.sqrt(len(gains))
    if shrink and bandwidth is None and score[best] < _SIGMAS * error:
        row, param, gain = float(across[-1]), 1.0, 0.0
    else:
        row, param, gain = _peak(across, score[:, best[1]]), _peak(along, score[best[0]]), float(score[best])

    def weights(at: Array) -> tuple[Array, Array]:
        weight = jax.nn.softmax(-0.5 * near(at)[0] / row**2)
        return 1.0 / jnp.sum(weight**2), 1 + jnp.sum(jnp.cumsum(weight) < _KEPT)

    effective, needed = jax.jit(lambda rows: jax.lax.map(weights, rows))(rows)
    return Choice(row, param, gain, np.asarray(effective), np.asarray(needed))


def _peak(grid: np.ndarray, score: np.ndarray) -> float:
    """Top of the parabola through the best point and its neighbours, on a logarithmic grid."""
    at = int(np.argmax(score))
    if at in (0, len(grid) - 1):
        return float(grid[at])
    left, middle, right = score[at - 1 : at + 2]
    shift = 0.5 * (left - right) / (left - 2 * middle + right)
    return float(grid[at] * (grid[at + 1] / grid[at]) ** shift)

"""Precisions of rows' posteriors from draws of their own scores: what `moments.py` learns, estimated.

A composition of n rows multiplies what is wrong with them by n (METHODS §3): they inherit the score's own width, a few
per cent too wide, and the noise of an estimate. So they are the test of the moment head, not its replacement.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from bsi.runtime.composition.rows import RowDenoiser
from bsi.runtime.samplers import DpmSolverPP

DRAWS, STEPS = 1024, 30  # for each row
_STATES = 65_536  # draws times rows at once
_FLOOR = 1e-6  # of the mean variance: a posterior that is flat in some direction stays invertible


def sampled_precisions(
    denoiser: RowDenoiser, m: int, x: PyTree[Array], key: PRNGKeyArray, draws: int = DRAWS, steps: int = STEPS
) -> Float[Array, "n m m"]:
    """`C_i⁻¹` of every row from `draws` draws by DPM-Solver++, each row's with noise of its own.

    The inverse of a covariance that was estimated is too large, by `(draws - 1)/(draws - m - 2)` if the law is
    Gaussian (the mean of an inverse Wishart law); that is taken back.

    **Arguments:** `m` params; `x` is what rows say, rows first.
    """
    n = len(jax.tree.leaves(x)[0])

    def one(row: tuple[Array, PyTree[Array]]) -> Float[Array, "m m"]:
        own, said = row
        z, _ = DpmSolverPP(steps).sample(lambda u, log_snr: denoiser(u, log_snr, said), own, (draws, m))
        covariance = jnp.atleast_2d(jnp.cov(z, rowvar=False))
        least = _FLOOR * jnp.trace(covariance) / m
        inverse = jnp.linalg.inv(covariance + least * jnp.eye(m))
        return inverse * (draws - m - 2) / (draws - 1)

    return jax.lax.map(one, (jr.split(key, n), x), batch_size=max(1, min(n, _STATES // draws)))

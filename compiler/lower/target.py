"""The exact density of a posterior in working coordinates, where every factor has one: what correctors aim at."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bsi.compiler.ir import Posterior
from bsi.compiler.lower.coordinates import Coordinates
from bsi.compiler.lower.forward import log_likelihood
from bsi.compiler.lower.model import LoweredModel
from bsi.runtime.correctors import LogDensity

_STATES = 65_536  # draws times rows at once


def log_posterior(
    model: LoweredModel, posterior: Posterior, coordinates: Coordinates
) -> Callable[[tuple[Array, ...]], LogDensity]:
    """`powers -> (z (n, m) -> ln π(z) (n,))`, up to a constant.

    `π(z) = p(θ)^α |∂θ/∂z| ∏ f(x_i | θ)^{β_i}` at `θ(z)`: powers are on densities in declared coordinates (METHODS §0).
    Powers may be traced.
    """
    likelihoods = []
    for factor in posterior.factors:
        if factor.observation is not None:
            parts = model.rows(factor.observation), model.seen(factor.observation)
            likelihoods.append((model.program.likelihoods[factor.law], *map(_single, parts)))
    size = max(1, _STATES // max(sum(len(rows) for _, rows, _ in likelihoods), 1))

    def at(powers: tuple[Array, ...]) -> LogDensity:
        (alpha,) = [p for p, f in zip(powers, posterior.factors, strict=True) if f.observation is None]
        betas = [p for p, f in zip(powers, posterior.factors, strict=True) if f.observation is not None]

        def one(z: Array) -> Array:
            params = coordinates.to_params(z)
            total = alpha * coordinates.log_prior(params) + coordinates.log_jacobian(z)
            for (law, rows, seen), beta in zip(likelihoods, betas, strict=True):
                density = log_likelihood(law, params, rows, model.data, seen)
                total = total + jnp.sum(jnp.where(beta == 0, 0.0, beta * density))  # 0 drops a factor that is -inf
            return total

        return lambda z: jax.lax.map(one, z, batch_size=min(size, len(z)))

    return at


def _single(array: np.ndarray | None) -> Array | None:
    return None if array is None else jnp.asarray(array.astype(jax.dtypes.canonicalize_dtype(array.dtype)))

"""Posteriors that are Gaussian, in closed form: the mode and the curvature of a quadratic log density."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PRNGKeyArray
from numpyro.infer.util import log_density

_TOLERANCE = 1e-6  # relative, of what the log density loses from the mode to a draw


class ImproperError(ValueError):
    """The powers leave no finite covariance."""


class NotQuadraticError(ValueError):
    """The log density is not quadratic: the model is not linear-Gaussian."""


@dataclass(frozen=True)
class ExactGaussian:
    """`N(mean, covariance)` of all params as one vector, params in alphabetical order, in float64."""

    mean: np.ndarray
    covariance: np.ndarray
    draws: dict[str, np.ndarray]


def exact_gaussian(
    model: Callable[..., Any],
    model_args: tuple[Any, ...],
    params: Mapping[str, tuple[int, ...]],
    *,
    key: PRNGKeyArray,
    draws: int,
) -> ExactGaussian:
    """The posterior of a linear-Gaussian NumPyro model, and independent draws from it as name -> (1, draws, *shape).

    Arguments:
        model_args: its positional arguments; powers belong here.
        params: shapes of its latent sites, each of them unconstrained and sampled as declared.
        key: a typed random key.

    Raises:
        ImproperError: the precision is not positive definite.
        NotQuadraticError: the log density at some draw is not the quadratic's.
    """
    with jax.enable_x64(True):
        start, unravel = ravel_pytree({name: jnp.zeros(shape) for name, shape in sorted(params.items())})
        arguments = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), model_args)

        def density(theta: Float[Array, " m"]) -> Float[Array, ""]:
            return jnp.asarray(log_density(model, arguments, {}, unravel(theta))[0])

        @jax.jit
        def solve() -> tuple[Array, Array]:
            precision = -jax.hessian(density)(start)
            root = jnp.linalg.cholesky(precision)
            return jax.scipy.linalg.cho_solve((root, True), jax.grad(density)(start)), root

        @jax.jit
        def draw(mean: Array, root: Array) -> tuple[Array, Array, Array]:
            noise = jr.normal(key, (draws, len(mean)))
            theta = mean + jax.scipy.linalg.solve_triangular(root.T, noise.T).T
            return theta, density(mean) - jax.vmap(density)(theta[:16]), 0.5 * jnp.sum(noise[:16] ** 2, -1)

        mean, root = solve()
        if not bool(jnp.isfinite(root).all()):
            raise ImproperError("the powers leave a density without a finite covariance")
        theta, lost, expected = map(np.asarray, draw(mean, root))
        if not np.allclose(lost, expected, rtol=_TOLERANCE, atol=_TOLERANCE * (1.0 + abs(float(density(mean))))):
            raise NotQuadraticError("the log density is not quadratic")
        inverse = jax.scipy.linalg.solve_triangular(root, jnp.eye(len(mean)), lower=True)
        sites = jax.tree.map(np.asarray, jax.vmap(unravel)(jnp.asarray(theta)))
        covariance = np.asarray(inverse.T @ inverse)
    return ExactGaussian(np.asarray(mean), covariance, {name: array[None] for name, array in sites.items()})

"""Working coordinates: a flat vector `z` and the params it stands for, both ways (METHODS §0).

`rosenblatt` applies the quantile transport of every draw, so that `z ~ N(0, I)` under the prior. `unconstrained`
applies the bijector of every support and standardises by quantiles of prior draws. Neither can leave the support.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from numpyro.distributions import biject_to

from bsi.compiler.ir import Draw, Law, Param, Prior
from bsi.compiler.lower.expr import Env
from bsi.compiler.lower.laws import arguments, distribution, draw_from, has_transport, log_density, scalar_transport

Params = dict[str, Array]
_SCALING_DRAWS = 2**14
_GAUSSIAN_VECTORS = ("mv_normal", "mv_normal_cholesky")


class Coordinates(abc.ABC):
    """One prior's coordinates; methods take and give one point, callers `vmap`. `data` holds what laws refer to."""

    gaussian: bool  # whether z ~ N(0, I) under the prior

    def __init__(self, prior: Prior, params: Mapping[str, Param], data: Env):
        self.prior, self.data = prior, data
        self.shapes = {draw.target: params[draw.target].shape for draw in prior.draws}
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        ends = np.cumsum(sizes)
        self.places = {
            name: slice(end - size, end) for name, size, end in zip(self.shapes, sizes, ends.tolist(), strict=True)
        }
        self.m = int(sum(sizes))

    @abc.abstractmethod
    def to_params(self, z: Float[Array, " m"]) -> Params:
        """The params at `z`."""

    @abc.abstractmethod
    def from_params(self, params: Params) -> Float[Array, " m"]:
        """Inverse of `to_params`."""

    @abc.abstractmethod
    def draw(self, key: PRNGKeyArray) -> tuple[Float[Array, " m"], Params]:
        """A draw from the prior, in both coordinates."""

    @abc.abstractmethod
    def log_jacobian(self, z: Float[Array, " m"]) -> Float[Array, ""]:
        """`ln |∂θ/∂z|`."""

    def log_prior(self, params: Params) -> Float[Array, ""]:
        """Density of the prior in the declared coordinates."""
        env = {**self.data, **params}
        return sum((log_density(d.law, env, params[d.target]) for d in self.prior.draws), jnp.zeros(()))

    def flat(self, parts: Mapping[str, Array]) -> Float[Array, " m"]:
        """Values of every param, in the order of `places`, in one vector."""
        return jnp.concatenate([jnp.ravel(parts[name]) for name in self.shapes])

    def split(self, z: Float[Array, " m"]) -> Params:
        """Inverse of `flat`."""
        return {name: z[place].reshape(self.shapes[name]) for name, place in self.places.items()}


class Rosenblatt(Coordinates):
    """`z_i = Φ⁻¹(F(θ_i | θ_1 … θ_{i-1}))`; a whitening for vector Gaussians."""

    gaussian = True

    def to_params(self, z: Float[Array, " m"]) -> Params:
        params: Params = {}
        for draw, part in self._draws(z):
            params[draw.target] = _from_normal(draw.law, part, {**self.data, **params})
        return params

    def from_params(self, params: Params) -> Float[Array, " m"]:
        env = {**self.data, **params}
        return self.flat({d.target: _to_normal(d.law, params[d.target], env) for d in self.prior.draws})

    def draw(self, key: PRNGKeyArray) -> tuple[Float[Array, " m"], Params]:
        params: Params = {}
        normal: Params = {}
        for i, draw in enumerate(self.prior.draws):
            env = {**self.data, **params}
            sub = jr.fold_in(key, i)
            transport = None if draw.law.name in _GAUSSIAN_VECTORS else scalar_transport(draw.law, env)
            if transport is None or transport.closed:
                normal[draw.target] = jr.normal(sub, draw.law.shape)
                params[draw.target] = _from_normal(draw.law, normal[draw.target], env)
            else:
                params[draw.target] = draw_from(draw.law, env, sub)
                normal[draw.target] = transport.to_normal(params[draw.target])
        return self.flat(normal), params

    def log_jacobian(self, z: Float[Array, " m"]) -> Float[Array, ""]:
        normal = -0.5 * jnp.sum(z**2) - 0.5 * self.m * math.log(2 * math.pi)
        return normal - self.log_prior(self.to_params(z))

    def _draws(self, z: Float[Array, " m"]) -> list[tuple[Draw, Array]]:
        parts = self.split(z)
        return [(draw, parts[draw.target]) for draw in self.prior.draws]


class Unconstrained(Coordinates):
    """Bijector of each support, then an affine scaling to median 0 and the central 68 % in [-1, 1]."""

    gaussian = False

    def __init__(self, prior: Prior, params: Mapping[str, Param], data: Env):
        super().__init__(prior, params, data)

        # The scaling is part of the coordinates, so its draws have a seed of their own, not the run's.
        def raw(key: PRNGKeyArray) -> Array:
            return self._unconstrain(self._ancestral(key))

        draws = np.asarray(jax.jit(jax.vmap(raw))(jr.split(jr.key(0), _SCALING_DRAWS)), np.float64)
        low, middle, high = np.quantile(draws, [0.1587, 0.5, 0.8413], axis=0)  # moments may not exist
        self.mean = jnp.asarray(middle, jnp.float32)
        self.scale = jnp.asarray((high - low) / 2, jnp.float32)

    def to_params(self, z: Float[Array, " m"]) -> Params:
        parts = self.split(self.mean + self.scale * z)
        params: Params = {}
        for draw in self.prior.draws:
            bijector = biject_to(distribution(draw.law, {**self.data, **params}).support)
            params[draw.target] = bijector(parts[draw.target])
        return params

    def from_params(self, params: Params) -> Float[Array, " m"]:
        return (self._unconstrain(params) - self.mean) / self.scale

    def draw(self, key: PRNGKeyArray) -> tuple[Float[Array, " m"], Params]:
        params = self._ancestral(key)
        return self.from_params(params), params

    def log_jacobian(self, z: Float[Array, " m"]) -> Float[Array, ""]:
        parts = self.split(self.mean + self.scale * z)
        params: Params = {}
        total = jnp.sum(jnp.log(self.scale))
        for draw in self.prior.draws:
            bijector = biject_to(distribution(draw.law, {**self.data, **params}).support)
            x = parts[draw.target]
            params[draw.target] = y = bijector(x)
            total += jnp.sum(bijector.log_abs_det_jacobian(x, y))
        return total

    def _ancestral(self, key: PRNGKeyArray) -> Params:
        params: Params = {}
        for i, draw in enumerate(self.prior.draws):
            params[draw.target] = draw_from(draw.law, {**self.data, **params}, jr.fold_in(key, i))
        return params

    def _unconstrain(self, params: Params) -> Array:
        env = {**self.data, **params}
        return self.flat(
            {d.target: biject_to(distribution(d.law, env).support).inv(params[d.target]) for d in self.prior.draws}
        )


def _from_normal(law: Law, z: Array, env: Env) -> Array:
    if law.name in _GAUSSIAN_VECTORS:
        values = arguments(law, env)
        factor = values.get("cholesky")
        factor = jnp.linalg.cholesky(values["covariance"]) if factor is None else factor
        return values["mean"] + jnp.einsum("...ij,...j->...i", factor, z)
    transport = scalar_transport(law, env)
    assert transport is not None
    return jnp.broadcast_to(transport.from_normal(z), law.shape)


def _to_normal(law: Law, value: Array, env: Env) -> Array:
    """Inverse of `_from_normal`."""
    if law.name in _GAUSSIAN_VECTORS:
        values = arguments(law, env)
        factor = values.get("cholesky")
        factor = jnp.linalg.cholesky(values["covariance"]) if factor is None else factor
        centred = (value - values["mean"])[..., None]
        factor = jnp.broadcast_to(factor, (*centred.shape[:-2], *factor.shape[-2:]))
        return jax.scipy.linalg.solve_triangular(factor, centred, lower=True)[..., 0]
    transport = scalar_transport(law, env)
    assert transport is not None
    return jnp.broadcast_to(transport.to_normal(value), law.shape)


def has_rosenblatt(law: Law) -> bool:
    """Whether a law has a usable quantile map: every continuous scalar law, and Gaussian vectors."""
    return law.name in _GAUSSIAN_VECTORS or has_transport(law)


def coordinates(kind: str, prior: Prior, params: Mapping[str, Param], data: Env) -> Coordinates:
    """Coordinates by the `coordinates` option of a train block. A prior with a law that has no quantile map (a mixture
    of vectors, say) gets unconstrained ones."""
    if kind == "rosenblatt" and all(has_rosenblatt(draw.law) for draw in prior.draws):
        return Rosenblatt(prior, params, data)
    return Unconstrained(prior, params, data)

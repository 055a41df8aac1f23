"""Working coordinates: a flat vector `z` and the params it stands for, both ways (METHODS §0).

`rosenblatt` applies the transport of every draw, so that `z ~ N(0, I)` under the prior. `unconstrained` applies the
bijector of every support and standardises by quantiles of prior draws. Neither can leave the support. A constrained
vector or matrix has fewer working coordinates than entries: `free_shape` tells how many.
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
from bsi.compiler.lower.laws import draw_from, has_transport, log_density, transport
from bsi.compiler.lower.supports import constraint, free_shape
from bsi.runtime.transport import Transport, VectorTransport

Params = dict[str, Array]
_SCALING_DRAWS = 2**14


class Coordinates(abc.ABC):
    """One prior's coordinates; methods take and give one point, callers `vmap`. `data` holds what laws refer to.

    `shapes` are those of every param's working coordinates, `places` where they stand in the flat `z` of `m` entries.
    """

    gaussian: bool  # whether z ~ N(0, I) under the prior
    limit: float | None = None  # of every entry of z, where the law of z stays within it
    affine = False  # whether `log_jacobian` is the same everywhere

    def __init__(self, prior: Prior, params: Mapping[str, Param], data: Env):
        self.prior, self.data = prior, data
        names = [draw.target for draw in prior.draws] or prior.params
        self.shapes = {name: free_shape(params[name].support, params[name].shape) for name in names}
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        ends = np.cumsum(sizes).tolist()
        self.places = {name: slice(end - n, end) for name, n, end in zip(self.shapes, sizes, ends, strict=True)}
        self.m = sum(sizes)

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
        """Working coordinates of every param, in the order of `places`, in one vector."""
        return jnp.concatenate([jnp.ravel(parts[name]) for name in self.shapes])

    def split(self, z: Float[Array, " m"]) -> Params:
        """Inverse of `flat`."""
        return {name: z[place].reshape(self.shapes[name]) for name, place in self.places.items()}


class Rosenblatt(Coordinates):
    """`z_i = Φ⁻¹(F(θ_i | θ_1 … θ_{i-1}))`; whitening, stick breaking, ... for vectors and matrices."""

    gaussian = True

    def to_params(self, z: Float[Array, " m"]) -> Params:
        parts = self.split(z)
        params: Params = {}
        for draw in self.prior.draws:
            value = _map(draw.law, {**self.data, **params}).from_normal(parts[draw.target])
            params[draw.target] = jnp.broadcast_to(value, draw.law.shape)
        return params

    def from_params(self, params: Params) -> Float[Array, " m"]:
        env = {**self.data, **params}
        return self.flat({d.target: self._to_normal(d, _map(d.law, env), params[d.target]) for d in self.prior.draws})

    def draw(self, key: PRNGKeyArray) -> tuple[Float[Array, " m"], Params]:
        params: Params = {}
        normal: Params = {}
        for i, draw in enumerate(self.prior.draws):
            env = {**self.data, **params}
            sub = jr.fold_in(key, i)
            law = _map(draw.law, env)
            if law.closed:
                normal[draw.target] = jr.normal(sub, self.shapes[draw.target])
                params[draw.target] = jnp.broadcast_to(law.from_normal(normal[draw.target]), draw.law.shape)
            else:
                params[draw.target] = draw_from(draw.law, env, sub)
                normal[draw.target] = self._to_normal(draw, law, params[draw.target])
        return self.flat(normal), params

    def log_jacobian(self, z: Float[Array, " m"]) -> Float[Array, ""]:
        normal = -0.5 * jnp.sum(z**2) - 0.5 * self.m * math.log(2 * math.pi)
        return normal - self.log_prior(self.to_params(z))

    def _to_normal(self, draw: Draw, law: Transport | VectorTransport, value: Array) -> Array:
        return jnp.broadcast_to(law.to_normal(value), self.shapes[draw.target])


class Unconstrained(Coordinates):
    """Bijector of each support, then an affine scaling to median 0 and the central 68 % in [-1, 1]."""

    gaussian = False

    def __init__(self, prior: Prior, params: Mapping[str, Param], data: Env):
        super().__init__(prior, params, data)
        self.affine = all(draw.law.support.kind == "real" for draw in prior.draws)

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
            bijector = biject_to(constraint(draw.law.support, {**self.data, **params}))
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
            bijector = biject_to(constraint(draw.law.support, {**self.data, **params}))
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
            {d.target: biject_to(constraint(d.law.support, env)).inv(params[d.target]) for d in self.prior.draws}
        )


def _map(law: Law, env: Env) -> Transport | VectorTransport:
    found = transport(law, env)
    assert found is not None, f"`{law.name}` has no map of N(0, I): `coordinates` has looked"
    return found


def coordinates(kind: str, prior: Prior, params: Mapping[str, Param], data: Env) -> Coordinates:
    """Coordinates by the `coordinates` option of a train block. A prior with a law that has no map of N(0, I)
    (a mixture of vectors, say) gets unconstrained ones."""
    if kind == "rosenblatt" and all(has_transport(draw.law) for draw in prior.draws):
        return Rosenblatt(prior, params, data)
    return Unconstrained(prior, params, data)

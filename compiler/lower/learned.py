"""Laws known by draws: coordinates of a prior in a file, and pairs as a table of simulations."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from numpyro.distributions import biject_to

from bsi.compiler.ir import Learned, Param, Prior, Program
from bsi.compiler.lower.coordinates import Coordinates, Params
from bsi.compiler.lower.expr import Env, table_array
from bsi.compiler.lower.forward import ROW
from bsi.compiler.lower.supports import constraint
from bsi.runtime.training import Table

_SPLIT_SEED = 0


def arrays(program: Program, learned: Learned) -> dict[str, np.ndarray]:
    """The tables of a learned law by name, (rows, *shape)."""
    return {name: table_array(program.tables[digest]) for name, digest in learned.columns}


class Drawn(Coordinates):
    """Coordinates of a prior that draws alone tell. `draw` takes one of the draws, any as likely as any other."""

    gaussian = False

    def __init__(self, prior: Prior, params: Mapping[str, Param], data: Env, draws: Mapping[str, np.ndarray]):
        super().__init__(prior, params, data)
        self.draws = {name: jnp.asarray(draws[name], jnp.float32) for name in prior.params}
        self.rows = len(self.draws[prior.params[0]])

    def draw(self, key: PRNGKeyArray) -> tuple[Float[Array, " m"], Params]:
        row = jr.randint(key, (), 0, self.rows)
        params = {name: values[row] for name, values in self.draws.items()}
        return self.from_params(params), params

    def table(self) -> Table:
        """All draws, as rows without entries."""
        z = np.asarray(jax.jit(jax.vmap(self.from_params))(self.draws))
        return Table(z, np.zeros((self.rows, 0), np.float32))

    def parted(self, share: float) -> tuple[Drawn, Drawn]:
        """The same map with all draws but a random `share`, and with that share."""
        order = np.random.default_rng(_SPLIT_SEED).permutation(self.rows)
        cut = self.rows - max(1, int(share * self.rows))
        return self._with_rows(order[:cut]), self._with_rows(order[cut:])

    def _with_rows(self, rows: np.ndarray) -> Drawn:
        other = copy.copy(self)
        other.draws, other.rows = {name: values[rows] for name, values in self.draws.items()}, len(rows)
        return other


class Empirical(Drawn):
    """The bijector of each support, then median 0 and the central 68 % of the draws in [-1, 1]."""

    def __init__(self, prior: Prior, params: Mapping[str, Param], data: Env, draws: Mapping[str, np.ndarray]):
        super().__init__(prior, params, data, draws)
        self.affine = all(params[name].support.kind == "real" for name in self.shapes)
        self.bijectors = {name: biject_to(constraint(params[name].support, {})) for name in self.shapes}
        free = np.asarray(jax.vmap(self._unconstrain)(self.draws), np.float64)
        low, middle, high = np.quantile(free, [0.1587, 0.5, 0.8413], axis=0)
        spread = (high - low) / 2
        self.mean = jnp.asarray(middle, jnp.float32)
        # most draws equal, but not all (the checker's promise): then the sd is what there is
        self.scale = jnp.asarray(np.where(spread > 1e-6 * free.std(0), spread, free.std(0)), jnp.float32)

    def to_params(self, z: Float[Array, " m"]) -> Params:
        parts = self.split(self.mean + self.scale * z)
        return {name: bijector(parts[name]) for name, bijector in self.bijectors.items()}

    def from_params(self, params: Params) -> Float[Array, " m"]:
        return (self._unconstrain(params) - self.mean) / self.scale

    def log_jacobian(self, z: Float[Array, " m"]) -> Float[Array, ""]:
        parts = self.split(self.mean + self.scale * z)
        total = jnp.sum(jnp.log(self.scale))
        for name, bijector in self.bijectors.items():
            total += jnp.sum(bijector.log_abs_det_jacobian(parts[name], bijector(parts[name])))
        return total

    def _unconstrain(self, params: Params) -> Array:
        return self.flat({name: bijector.inv(params[name]) for name, bijector in self.bijectors.items()})


class Quantised(Drawn):
    """Of one param whose values are levels between its bounds: bounds at -1 and 1, the same map for every entry, and
    draws clipped to the bounds. So values may lie at a bound, and a pixel may be constant."""

    affine = True
    limit = 1.0

    def __init__(self, prior: Prior, params: Mapping[str, Param], data: Env, draws: Mapping[str, np.ndarray]):
        super().__init__(prior, params, data, draws)
        assert prior.learned is not None and prior.learned.levels is not None
        (self.name,) = prior.params
        support = params[self.name].support
        assert support.lower is not None and support.upper is not None  # the checker's promise
        self.lower, self.upper = float(support.lower.value), float(support.upper.value)
        self.levels = prior.learned.levels

    @property
    def half(self) -> float:
        """Half of the distance of the bounds."""
        return (self.upper - self.lower) / 2

    def to_params(self, z: Float[Array, " m"]) -> Params:
        return self.split(_clipped((self.lower + self.upper) / 2 + self.half * z, self.lower, self.upper))

    def from_params(self, params: Params) -> Float[Array, " m"]:
        return (self.flat(params) - (self.lower + self.upper) / 2) / self.half

    def log_jacobian(self, z: Float[Array, " m"]) -> Float[Array, ""]:
        return jnp.asarray(self.m * math.log(self.half))


@jax.custom_jvp
def _clipped(x: Array, lower: float, upper: float) -> Array:
    """Within bounds, and with the derivative of the identity: a likelihood still pulls at a pixel beyond them."""
    return jnp.clip(x, lower, upper)


@_clipped.defjvp
def _clipped_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    return _clipped(*primals), tangents[0]


class PriorAlone:
    """The forward model of a prior without a likelihood: rows have no entries."""

    p = 0

    def __init__(self, coordinates: Coordinates):
        self.coordinates, self.m = coordinates, coordinates.m

    def simulate(self, key: PRNGKeyArray, n: int) -> tuple[Float[Array, "n m"], Float[Array, "n 0"]]:
        z, _ = jax.vmap(self.coordinates.draw)(jr.split(key, n))
        return z, jnp.zeros((n, 0))


def pairs_table(program: Program, learned: Learned, coordinates: Coordinates) -> Table:
    """The pairs of a learned likelihood as a table of simulations in working coordinates."""
    columns = arrays(program, learned)
    rows = np.asarray(columns.pop(ROW), np.float32).reshape(learned.rows, -1)
    params = {name: jnp.asarray(values, jnp.float32) for name, values in columns.items()}
    return Table(np.asarray(jax.vmap(coordinates.from_params)(params)), rows)

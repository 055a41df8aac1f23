"""A prior and a likelihood as a forward model: simulations for training, rows for observations, densities."""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.compiler.ir import Likelihood, Observation, Program, Simulated
from bsi.compiler.lower.coordinates import Coordinates
from bsi.compiler.lower.expr import Env, evaluate, table_array
from bsi.compiler.lower.laws import draw_from, log_density
from bsi.compiler.lower.missing import marginal_log_density
from bsi.compiler.lower.simulators import Shared
from bsi.compiler.simulator_calls import SimulatorFailure, solver_notes

Params = Mapping[str, Array]
ROW = "%x"  # the observed row's name in a likelihood's draws
_LOOK_FOR = "look for a division by zero, a log of a negative number or an overflow in the likelihood"


def data_env(program: Program) -> dict[str, np.ndarray]:
    """Arrays of all declared data."""
    arrays = {name: table_array(program.tables[data.digest]) for name, data in program.data.items()}
    return {name: np.asarray(a, np.int32 if a.dtype.kind == "i" else np.float32) for name, a in arrays.items()}


def draw_row(likelihood: Likelihood, key: PRNGKeyArray, params: Params, data: Env) -> Array:
    """One row given the params, nuisance variables drawn and dropped."""
    env = {**data, **params}
    shared = Shared(likelihood)
    shared.start(env, jr.fold_in(key, len(likelihood.draws)))
    for i, draw in enumerate(likelihood.draws):
        env[draw.target] = draw_from(draw.law, env, jr.fold_in(key, i))
        shared.advance(env)
    row = env[ROW] if likelihood.result is None else evaluate(likelihood.result, env)
    return jnp.broadcast_to(row, likelihood.shape)


def log_likelihood(
    likelihood: Likelihood, params: Params, rows: Array, data: Env, seen: Array | None = None
) -> Float[Array, " n"]:
    """Log density of every row of an explicit likelihood. `rows` has a leading axis; entries where `seen` is 0 are
    integrated out. Where a simulator failed it is minus infinity: those params are left out."""
    assert likelihood.explicit
    env = {**data, **params}
    shared = Shared(likelihood)
    shared.start(env)
    law = likelihood.draws[-1].law
    if seen is None:
        density = jax.vmap(lambda row: log_density(law, env, row))(rows)
    else:
        density = jax.vmap(lambda row, there: marginal_log_density(law, env, row, there))(rows, seen)
    return jnp.where(jnp.isnan(density), -jnp.inf, density) if shared.calls else density


class Forward:
    """`simulate(key, n)` draws n pairs in working coordinates and flattened rows, or sets of `rows` rows one after the
    other; see `runtime.training.Simulator`."""

    def __init__(self, coordinates: Coordinates, likelihood: Likelihood, data: Env, rows: int = 1):
        self.coordinates, self.likelihood, self.data, self.rows = coordinates, likelihood, data, rows
        self.m, self.p = coordinates.m, rows * math.prod(likelihood.shape)

    def simulate(self, key: PRNGKeyArray, n: int) -> tuple[Float[Array, "n m"], Float[Array, "n p"]]:
        def one(key: PRNGKeyArray) -> tuple[Array, Array]:
            prior, row = jr.split(key)
            z, params = self.coordinates.draw(prior)
            keys = [row] if self.rows == 1 else jr.split(row, self.rows)
            x = [jnp.ravel(draw_row(self.likelihood, key, params, self.data)) for key in keys]
            return z, jnp.concatenate(x).astype(z.dtype)

        return jax.vmap(one)(jr.split(key, n))


def observed_rows(program: Program, observation: Observation, data: Env) -> np.ndarray:
    """The rows of an observation set, (rows, *shape of the likelihood).

    Raises:
        SimulatorFailure: simulated rows are not finite.
    """
    likelihood = program.likelihoods[observation.likelihood]
    if not isinstance(observation.source, Simulated):
        rows = table_array(program.tables[observation.source])
        return rows.reshape(observation.rows, *likelihood.shape)
    params = {
        name: jnp.broadcast_to(jnp.asarray(value, float), program.params[name].shape)
        for name, value in observation.source.values
    }
    keys = jr.split(jr.key(observation.source.seed), observation.rows)
    rows = np.asarray(jax.jit(jax.vmap(lambda key: draw_row(likelihood, key, params, data)))(keys))
    bad = int((~np.isfinite(rows.reshape(len(rows), -1)).all(-1)).sum())
    if bad:
        message = f"{bad} of {len(rows)} simulated rows of `{observation.name}` are not finite"
        raise SimulatorFailure("R108", observation.name, message, " ".join(solver_notes(likelihood)) or _LOOK_FOR)
    return rows

"""Simulator calls: one value wherever a call stands, randomness of its own for every stochastic one, promised bounds.

The environment in which expressions are evaluated carries, beside the arrays, under hidden names: the key of a row's
stochastic calls, the calls of the row that are done, and the host of user code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, PRNGKeyArray

from bsi.compiler.fold import references
from bsi.compiler.ir import Expr, Simulator
from bsi.compiler.lower import python_host
from bsi.compiler.lower.equations import ode, sde
from bsi.compiler.lower.expr import Env, evaluate
from bsi.compiler.simulator_calls import calls_in

KEY, DONE = "%key", "%done"

KINDS: dict[str, Callable[[Expr, Env, tuple[Array, ...], PRNGKeyArray | None], Array]] = {
    "ode": ode,
    "sde": sde,
    "python": python_host.run,
}


def simulate(call: Expr, env: Env) -> Array:
    """Result of a simulator call; `nan` where a solve failed or the result breaks its declared bounds."""
    done = env.get(DONE, {})
    if call in done:
        return done[call]
    simulator: Simulator = call.value
    arguments = tuple(evaluate(arg, env) for arg in call.args)
    result = KINDS[simulator.kind](call, env, arguments, _key(simulator, env))
    return result if simulator.integer else _bounded(result, simulator.bounds)


def _key(simulator: Simulator, env: Env) -> PRNGKeyArray | None:
    if simulator.draw is None:
        return None
    key = jr.fold_in(env[KEY], simulator.draw)
    for index in simulator.indices:
        key = jr.fold_in(key, env[index])
    return key


def _bounded(value: Array, bounds: tuple[float | None, float | None]) -> Array:
    low, high = (b if b is not None else s * jnp.inf for b, s in zip(bounds, (-1, 1), strict=True))
    return jnp.where((value >= low) & (value <= high), value, jnp.nan)


class Shared:
    """The simulator calls of a law, each computed once for a row, as soon as what it needs is drawn.

    A call inside a loop that depends on the loop's index stays where it is.
    """

    def __init__(self, node: Any):
        self.calls = [call for call in dict.fromkeys(calls_in(node)) if not _inside_another(call)]

    def start(self, env: dict[str, Any], key: PRNGKeyArray | None = None) -> None:
        """Make `env` ready for the calls of one row; `key` feeds the stochastic ones."""
        env[DONE] = {}
        if key is not None:
            env[KEY] = key
        self.advance(env)

    def advance(self, env: dict[str, Any]) -> None:
        """Compute every call whose references are known by now."""
        for call in self.calls:
            if call not in env[DONE] and references(call) <= env.keys():
                env[DONE][call] = simulate(call, env)


def _inside_another(call: Expr) -> bool:
    """Whether a call stands in the equations of another simulator, whose state or arguments it needs."""
    return any(name.startswith(("%p", "%u", "%t")) for name in references(call))

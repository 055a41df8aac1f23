"""Differential equations of simulators, solved by Diffrax, one row at a time; callers `vmap`.

Every row has steps of its own, and so its own accuracy and failure. Measured on `examples/lynx_hare` (2 cores): 1 000
simulations of prior draws take 18 ms so, and 11 ms as one solve with steps in common (their largest error controlled).
A gradient of four chains takes 0.37 ms by sensitivities, which compile three times faster, and 0.83 ms by checkpoints.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import lineax
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.compiler.ir import Expr, Simulator
from bsi.compiler.lower.expr import Env, evaluate

STATE, TIME = "%u", "%t"
_SENSITIVITIES = 32  # most arguments whose derivatives are solved for along with the state
_AUTO_STEPS = 1_000  # of an sde: Option "dt", word `auto`

ODE_SOLVERS: dict[str, Callable[[], diffrax.AbstractSolver]] = {
    "tsit5": diffrax.Tsit5,
    "dopri5": diffrax.Dopri5,
    "dopri8": diffrax.Dopri8,
    "bosh3": diffrax.Bosh3,
    "heun": diffrax.Heun,
    "kvaerno3": diffrax.Kvaerno3,
    "kvaerno5": diffrax.Kvaerno5,
}
SDE_SOLVERS: dict[str, Callable[[], diffrax.AbstractSolver]] = {
    "euler": diffrax.Euler,
    "milstein": diffrax.ItoMilstein,
    "euler_heun": diffrax.EulerHeun,
    "heun": diffrax.Heun,
    "stratonovich_milstein": diffrax.StratonovichMilstein,
}


class _Equation:
    """The expressions of an `ode` or `sde` as functions of a flat state, with the arguments filled in."""

    def __init__(self, call: Expr, env: Env, arguments: tuple[Array, ...]):
        simulator: Simulator = call.value
        self.shape = call.shape
        self.options = dict(simulator.options)
        self.expressions = dict(simulator.expressions)
        self.env = {**env, **{f"%p{i}": value for i, value in enumerate(arguments)}}
        self.state = self.expressions["init"].shape
        self.times = np.asarray(self.expressions["saveat"].value, float).reshape(-1)
        self.t0 = self.options["t0"]

    @property
    def init(self) -> Float[Array, " state"]:
        return jnp.ravel(evaluate(self.expressions["init"], self.env)).astype(float)

    def at(self, name: str, t: Any, y: Float[Array, " state"], shape: tuple[int, ...]) -> Array:
        """The expression `name` at a time and a state."""
        value = evaluate(self.expressions[name], {**self.env, STATE: y.reshape(self.state), TIME: t})
        return jnp.broadcast_to(value, shape).astype(y.dtype)

    def field(self, name: str) -> Callable[[Any, Array, Any], Array]:
        return lambda t, y, args: jnp.ravel(self.at(name, t, y, self.state))

    def rows(self, ys: Float[Array, "time state"]) -> Array:
        """The result at the times of `saveat`, from the states there."""
        values = ys.reshape(-1, *self.state)
        if "output" in self.expressions:
            shape = self.expressions["output"].shape
            values = jax.vmap(lambda t, y: self.at("output", t, y, shape))(jnp.asarray(self.times), ys)
        return values.reshape(self.shape)


# ---------------------------------------------------------------- ordinary


def ode(call: Expr, env: Env, arguments: tuple[Array, ...], key: PRNGKeyArray | None) -> Array:
    """States at the times of `saveat`, or the output there; `nan` where the solve failed.

    Differentiable forwards and backwards by the arguments: their sensitivities are solved for along with the state,
    by the steps that the state needs, and multiplied with what is asked for. That is the exact derivative of the steps
    taken, and needs no checkpoints. With many arguments Diffrax's recursive checkpoints take over, backwards only.
    """
    real = {i: value for i, value in enumerate(arguments) if jnp.issubdtype(value.dtype, jnp.floating)}
    flat, unravel = ravel_pytree(real)

    def solve(flat: Array, adjoint: diffrax.AbstractAdjoint) -> Array:
        return _solved(_Equation(call, env, tuple({**dict(enumerate(arguments)), **unravel(flat)}.values())), adjoint)

    if flat.size > _SENSITIVITIES:
        return solve(flat, diffrax.RecursiveCheckpointAdjoint())
    forward = jax.custom_jvp(lambda flat: solve(flat, diffrax.ForwardMode()))

    @forward.defjvp
    def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
        (flat,), (direction,) = primals, tangents

        def along(basis: Array) -> tuple[Array, Array]:
            return jax.jvp(lambda flat: solve(flat, diffrax.ForwardMode()), (flat,), (basis,))

        value, sensitivity = jax.vmap(along, out_axes=(None, -1))(jnp.eye(flat.size, dtype=flat.dtype))
        return value, sensitivity @ direction

    return forward(flat)


def _solved(equation: _Equation, adjoint: diffrax.AbstractAdjoint) -> Array:
    options = equation.options
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(equation.field("rhs")),
        ODE_SOLVERS[options["solver"]](),
        t0=equation.t0,
        t1=equation.times[-1],
        dt0=None,
        y0=equation.init,
        saveat=diffrax.SaveAt(ts=jnp.asarray(equation.times)),
        stepsize_controller=diffrax.PIDController(rtol=options["rtol"], atol=options["atol"]),
        max_steps=options["max_steps"],
        adjoint=adjoint,
        throw=False,
    )
    good = solution.result == diffrax.RESULTS.successful
    assert solution.ys is not None
    return equation.rows(jnp.where(good, solution.ys, jnp.nan))


# ---------------------------------------------------------------- stochastic


def sde(call: Expr, env: Env, arguments: tuple[Array, ...], key: PRNGKeyArray | None) -> Array:
    """One path at the times of `saveat`, or the output there."""
    assert key is not None
    equation = _Equation(call, env, arguments)
    grid = step_times(equation.t0, equation.times, equation.options["dt"])
    terms, shape = _noise(equation)
    path = diffrax.UnsafeBrownianPath(shape=shape, key=key)
    solution = diffrax.diffeqsolve(
        diffrax.MultiTerm(diffrax.ODETerm(equation.field("drift")), diffrax.ControlTerm(terms, path)),
        SDE_SOLVERS[equation.options["solver"]](),
        t0=grid[0],
        t1=grid[-1],
        dt0=None,
        y0=equation.init,
        saveat=diffrax.SaveAt(ts=jnp.asarray(equation.times)),
        stepsize_controller=diffrax.StepTo(grid),
        max_steps=len(grid),
        adjoint=diffrax.ForwardMode(),
        throw=False,
    )
    good = solution.result == diffrax.RESULTS.successful
    assert solution.ys is not None
    return equation.rows(jnp.where(good, solution.ys, jnp.nan))


def _noise(equation: _Equation) -> tuple[Callable[[Any, Array, Any], Any], tuple[int, ...]]:
    """The diffusion as an operator on the noise, and the noise's shape."""
    size = math.prod(equation.state)
    shape = equation.expressions["diffusion"].shape
    if len(shape) <= len(equation.state):
        shape = equation.state
        return lambda t, y, args: lineax.DiagonalLinearOperator(jnp.ravel(equation.at("diffusion", t, y, shape))), (
            size,
        )
    several = shape[-1]

    def operator(t: Any, y: Array, args: Any) -> lineax.AbstractLinearOperator:
        return lineax.MatrixLinearOperator(equation.at("diffusion", t, y, shape).reshape(size, several))

    return operator, (several,)


def step_times(t0: float, times: Float[np.ndarray, " time"], dt: float | str) -> np.ndarray:
    """Ends of the steps: every saved time, and between two of them equal steps of at most `dt`."""
    largest = (times[-1] - t0) / _AUTO_STEPS if dt == "auto" else float(dt)
    ends = np.concatenate([[t0], times[times > t0]])
    parts = [
        np.linspace(a, b, max(math.ceil((b - a) / largest - 1e-9), 1) + 1)[1:] for a, b in itertools.pairwise(ends)
    ]
    return np.concatenate([ends[:1], *parts])

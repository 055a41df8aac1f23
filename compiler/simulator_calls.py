"""Which simulators laws and expressions call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from bsi.compiler.ir import Expr, PythonCode, Simulator


class SimulatorFailure(Exception):
    """What went wrong while a model was simulated, as the parts of a diagnostic at the declaration `name`. `__cause__`
    is what user code raised."""

    def __init__(self, code: str, name: str, message: str, help: str):
        self.code, self.name, self.message, self.help = code, name, message, help
        super().__init__(message)


def calls_in(node: Any) -> Iterator[Expr]:
    """Every simulator call in an expression, a law, a prior or a likelihood; those it needs come before it."""
    if isinstance(node, tuple):
        for item in node:
            yield from calls_in(item)
    elif is_dataclass(node) and not isinstance(node, type):
        for item in fields(node):
            yield from calls_in(getattr(node, item.name))
        if isinstance(node, Expr) and node.op == "simulate":
            yield node


def simulators_in(node: Any) -> list[Simulator]:
    """Simulators that `node` calls, each once."""
    return list(dict.fromkeys(call.value for call in calls_in(node)))


def is_stochastic(node: Any) -> bool:
    """Whether `node` draws random numbers by a simulator."""
    return any(simulator.draw is not None for simulator in simulators_in(node))


def outside_jax(node: Any) -> Simulator | None:
    """A Python simulator that JAX can neither trace nor differentiate, if `node` calls one."""
    return next((s for s in simulators_in(node) if s.code and not dict(s.options)["jax"]), None)


def python_code(node: Any) -> list[PythonCode]:
    """User code that `node` runs."""
    return [simulator.code for simulator in simulators_in(node) if simulator.code]


def solver_notes(node: Any) -> tuple[str, ...]:
    """Why results of the simulators that `node` calls may be `nan`, for people."""
    notes = []
    for simulator in simulators_in(node):
        steps = dict(simulator.options).get("max_steps")
        limit = f"a solve takes more than `max_steps` = {steps:_} steps" if steps else "a path overflows"
        bounds = ", and where its result leaves its declared bounds" if simulator.bounds != (None, None) else ""
        notes += [] if simulator.code else [f"`{simulator.name}` gives `nan` where {limit}{bounds}"]
    return tuple(notes)

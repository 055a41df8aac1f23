"""User code in a model: it needs permission to run, and what goes wrong in it is a diagnostic at its simulator.

A model can be read, checked and planned without running any of its Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bsi.compiler.ir import Program
from bsi.compiler.simulator_calls import SimulatorFailure, simulators_in
from bsi.dsl.diagnostic import Diagnostic, Label
from bsi.failure import JobFailure, about

if TYPE_CHECKING:
    from bsi.compiler.lower.python_host import Host


def refusals(program: Program) -> list[Diagnostic]:
    """One diagnostic for every simulator whose Python code a run of `program` would call."""
    laws = (*program.priors.values(), *program.likelihoods.values())
    called = {simulator.name: simulator.code for simulator in simulators_in(laws) if simulator.code}
    return [
        Diagnostic(
            "E0617",
            f"`{name}` runs `{code.function}` of `{code.module}`, which needs your permission",
            Label(program.spans[name]),
            notes=(f"the code is in {code.file}",),
            help="if you trust it, run with `--allow-python`, or `bsi.load(..., allow_python=True)`",
        )
        for name, code in called.items()
    ]


@contextmanager
def failures_named(program: Program, host: Host | None) -> Iterator[None]:
    """A job's work: whatever it fails by, user code that failed meanwhile is the reason that is told.

    Raises:
        JobFailure: user code failed, or a simulation that cannot be left out.
    """
    try:
        yield
    except SimulatorFailure as failure:
        raise _named(program, failure) from failure.__cause__
    except JobFailure:
        if host and (failure := host.take()):
            raise _named(program, failure) from failure.__cause__
        raise
    if host and (failure := host.take()):
        raise _named(program, failure) from failure.__cause__


def _named(program: Program, failure: SimulatorFailure) -> JobFailure:
    return JobFailure(about(program, failure.name, failure.code, failure.message, help=failure.help))

"""User code needs permission: a model can be read, checked and planned without running any of its Python."""

from __future__ import annotations

from bsi.compiler.ir import Program
from bsi.compiler.simulator_calls import simulators_in
from bsi.dsl.diagnostic import Diagnostic, Label


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

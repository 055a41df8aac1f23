"""Run-time failures: they carry a diagnostic that points at the declaration whose job failed."""

from __future__ import annotations

from bsi.compiler.ir import Program
from bsi.dsl.diagnostic import Diagnostic, Label


class JobFailure(Exception):
    """A job that could not finish. What other jobs computed is kept."""

    def __init__(self, diagnostic: Diagnostic):
        self.diagnostic = diagnostic
        super().__init__(f"{diagnostic.code}: {diagnostic.message}")


def about(
    program: Program,
    name: str,
    code: str,
    message: str,
    *,
    label: str = "",
    notes: tuple[str, ...] = (),
    help: str = "",
) -> Diagnostic:
    """A run-time diagnostic at the declaration of `name`."""
    span = program.spans.get(name)
    return Diagnostic(code, message, Label(span, label) if span else None, notes=notes, help=help or None)

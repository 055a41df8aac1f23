"""Run-time failures: they carry a diagnostic that points at the declaration whose job failed."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from bsi.compiler.ir import Program
from bsi.compiler.plan import Job
from bsi.dsl.diagnostic import Diagnostic, Label

if TYPE_CHECKING:
    from bsi.execute import Run


def no_results(folder: Path) -> Diagnostic:
    """Of a folder that no run has written."""
    return Diagnostic("E0009", f"`{folder}` holds no results", help="name the folder that `bsi run` wrote")


class JobFailure(Exception):
    """A job that could not finish. What other jobs computed is kept."""

    def __init__(self, diagnostic: Diagnostic):
        self.diagnostic = diagnostic
        super().__init__(f"{diagnostic.code}: {diagnostic.message}")


class RunFailure(JobFailure):
    """A run of which some jobs failed: `diagnostics` say why, and `run` holds what the others computed."""

    def __init__(self, run: Run):
        super().__init__(run.failures[0])
        self.run, self.diagnostics = run, run.failures


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


def unforeseen(program: Program, job: Job, error: Exception) -> JobFailure:
    """An exception inside a job: out of memory, or a mistake of ours."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower():
        help = "lower `batch`, `draws` or the size of the net; `bsi plan` estimates the memory of every job"
        return JobFailure(about(program, job.node, "R115", f"`{job.name}` ran out of memory", help=help))
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"in {Path(frame.filename).name}, line {frame.lineno}, in `{frame.name}`"
    message = f"internal error in `{job.name}`: {type(error).__name__}: {text.splitlines()[0]}"
    help = "please report it with the model; `bsi info` names the versions"
    return JobFailure(about(program, job.node, "E0901", message, notes=(where,), help=help))

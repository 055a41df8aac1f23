"""A diagnostic is data; renderers turn it into text, JSON or other formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bsi.dsl.span import Span

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Label:
    """A place and what to say beside it (the text may be empty)."""

    span: Span
    text: str = ""


@dataclass(frozen=True)
class Fix:
    """A safe edit: replace the text under `span`."""

    span: Span
    replacement: str
    description: str


@dataclass(frozen=True)
class Diagnostic:
    """One mistake. Messages are lower-case and quote the user's own names in backticks; only `help` suggests the fix.

    `primary` is None only where no place in a file exists (a file that cannot be read, a bad `--set`).
    """

    code: str
    message: str
    primary: Label | None = None
    secondary: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    fixes: tuple[Fix, ...] = ()

    @property
    def severity(self) -> Severity:
        return "warning" if self.code.startswith("W") else "error"

    def sort_key(self) -> tuple[str, int, str]:
        return (self.primary.span.file, self.primary.span.start, self.code) if self.primary else ("", -1, self.code)


def has_errors(diagnostics: list[Diagnostic]) -> bool:
    return any(d.severity == "error" for d in diagnostics)


class BsiError(Exception):
    """Raised by the public API when a model cannot be used: carries the diagnostics."""

    def __init__(self, diagnostics: list[Diagnostic]):
        self.diagnostics = diagnostics
        super().__init__("\n".join(f"{d.severity}[{d.code}]: {d.message}" for d in diagnostics))

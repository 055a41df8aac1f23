"""Printing for people on stderr, results on stdout; nothing here decides anything."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping

from bsi.dsl.diagnostic import Diagnostic
from bsi.dsl.span import Source


def say(text: str) -> None:
    """A line for people."""
    sys.stderr.write(text + "\n")


def out(text: str) -> None:
    """A result, for people or programs."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def use_colour() -> bool:
    """Colour on a terminal, unless NO_COLOR says otherwise (https://no-color.org)."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int | None:
    """Columns of the terminal; None when the output is no terminal and lines may be long."""
    return shutil.get_terminal_size().columns if sys.stderr.isatty() else None


def columns() -> int | None:
    """The same for what is printed on stdout."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def show_diagnostics(diagnostics: Iterable[Diagnostic], sources: Mapping[str, Source]) -> None:
    """Diagnostics as text on stderr, in the order of the file."""
    from bsi.dsl.render.text import render_text

    ordered = sorted(diagnostics, key=Diagnostic.sort_key)
    if ordered:
        say(render_text(ordered, sources, colour=use_colour(), width=width()))


def internal_error(error: Exception) -> None:
    """A mistake of ours: where it happened, and that it is ours."""
    import traceback

    traceback.print_exception(error)
    help = "please report it with the lines above and the model; `bsi info` names the versions"
    show_diagnostics([Diagnostic("E0901", f"internal error: {type(error).__name__}: {error}", help=help)], {})


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Left-aligned columns, as wide as their content."""
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in [columns, *rows]]
    return "\n".join(lines)

"""What the user wrote, for docstrings and comments of the program."""

from __future__ import annotations

import textwrap

from bsi.compiler.ir import Program
from bsi.compiler.numpyro_text.layout import WIDTH

INDENT = 4  # of a docstring


def source_of(program: Program, name: str) -> str:
    """The text of a declaration."""
    span = program.spans[name]
    return program.sources[span.file].text[span.start : span.end]


def comment_of(program: Program, name: str) -> list[str]:
    """What the user says about a declaration at the end of its line, as a comment."""
    span = program.spans[name]
    rest = program.sources[span.file].text[span.end :].partition("\n")[0]
    before, mark, comment = rest.partition("#")
    return [f"# {comment.strip()}"] if mark and not before.strip() else []


def docstring(text: str) -> list[str]:
    """A declaration as a docstring: on one line where it fits, else as the user wrote it."""
    text = text.replace("\\", "\\\\").replace('"""', "'''")
    lines = [part for line in text.splitlines() for part in _cut(line)]
    if len(lines) == 1:
        return [f'"""{lines[0]}"""']
    return [f'"""{lines[0]}', *lines[1:], '"""']


def _cut(line: str) -> list[str]:
    width = WIDTH - INDENT - 3
    return textwrap.wrap(line, width, break_on_hyphens=False) if len(line) > width else [line]


def opening(program: Program) -> str:
    """The first comment of the model, or its name."""
    lines = [line.strip() for line in program.source.text.splitlines()]
    comment: list[str] = []
    for line in lines:
        if line.startswith("#"):
            comment.append(line.lstrip("# "))
        elif comment or (line and not line.startswith("bsi ")):
            break
    text = " ".join(comment) or f"{program.name}, as a NumPyro program."
    return text.replace("\\", "\\\\").replace('"""', "'''")

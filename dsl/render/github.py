"""Diagnostics as workflow commands, which GitHub shows beside the changed lines of a pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bsi.dsl.diagnostic import Diagnostic
from bsi.dsl.render.data import region
from bsi.dsl.span import Source


def render_github(diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source]) -> str:
    """One `::error file=...,line=...::message` line a diagnostic."""
    return "".join(_command(diagnostic, sources) + "\n" for diagnostic in diagnostics)


def _command(diagnostic: Diagnostic, sources: Mapping[str, Source]) -> str:
    properties = {"title": f"{diagnostic.severity}[{diagnostic.code}]"}
    if diagnostic.primary:
        place = region(diagnostic.primary.span, sources)
        names = {"line": "line", "endLine": "end_line"}
        if place.get("line") == place.get("end_line"):  # columns are refused where a place has several lines
            names |= {"col": "column", "endColumn": "end_column"}
        known = {name: str(place[key]) for name, key in names.items() if key in place}
        properties = {"file": diagnostic.primary.span.file, **known, **properties}
    text = "\n".join([diagnostic.message, *([f"help: {diagnostic.help}"] if diagnostic.help else [])])
    listed = ",".join(f"{name}={_escaped(value, ',:')}" for name, value in properties.items())
    return f"::{diagnostic.severity} {listed}::{_escaped(text)}"


def _escaped(text: str, also: str = "") -> str:
    for character in "%\r\n" + also:
        text = text.replace(character, f"%{ord(character):02X}")
    return text

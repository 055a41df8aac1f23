"""`--set NAME=VALUE`: replaces a let, dim, sweep, path or values of data before anything is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import PurePath
from typing import Any

from bsi.compiler.environment import NOUNS
from bsi.compiler.report import Report, suggest
from bsi.compiler.tables import FORMATS
from bsi.dsl import ast
from bsi.dsl.parser import parse
from bsi.dsl.span import Source, Span


def apply(
    declarations: tuple[ast.Declaration, ...], given: Mapping[str, str], report: Report
) -> tuple[ast.Declaration, ...]:
    """Declarations with the given values; a bad override is reported without a place."""
    rest = dict(given)
    result = [
        _replaced(d, rest.pop(d.name.id), report) if not isinstance(d, ast.Check) and d.name.id in rest else d
        for d in declarations
    ]
    known = [d.name.id for d in declarations if isinstance(d, ast.Let | ast.Dim | ast.Sweep | ast.Data | ast.Observe)]
    configured = {d.name.id for d in declarations if isinstance(d, ast.Net | ast.Train | ast.Sample | ast.Observe)}
    for name in rest:
        near = suggest(name, known)
        help = f"did you mean `{near}`?" if near else None
        if name.rpartition(".")[0] in configured:
            help = "options are no names: give this one the value of a `let`, and set that"
        report.add("E0210", f"cannot set `{name}`: nothing is declared under this name", None, help=help)
    return tuple(result)


def _replaced(declaration: ast.Declaration, text: str, report: Report) -> ast.Declaration:
    match declaration:
        case ast.Let(parameters=None) | ast.Dim():
            value = _expression(declaration.name.id, text, declaration.name.span, report)
            return replace(declaration, value=value) if value else declaration
        case ast.Sweep():
            value = _expression(declaration.name.id, text, declaration.name.span, report)
            return replace(declaration, values=value) if value else declaration
        case ast.Data() | ast.Observe():
            text = _source(declaration.source, text)
            first = _path(declaration.source, text)
            if first:
                assert isinstance(declaration.source, ast.Call)
                path = replace(first, value=ast.String(first.value.span, text))
                arguments = (path, *declaration.source.arguments[1:])
                return replace(declaration, source=replace(declaration.source, arguments=arguments))
            value = _expression(declaration.name.id, text, declaration.name.span, report)
            if value and isinstance(declaration, ast.Observe) and _ends_simulation(declaration, text):
                return replace(declaration, source=value, options=replace(declaration.options, items=()))
            return replace(declaration, source=value) if value else declaration
    assert not isinstance(declaration, ast.Check)
    report.add(
        "E0210",
        f"cannot set `{declaration.name.id}`: it is a {NOUNS[type(declaration)]}",
        None,
        help="lets, dims, sweeps and data can be set",
    )
    return declaration


def written(source: Source, given: Mapping[str, str]) -> str:
    """The text of `source` with the given values in place of its own; those of imported files are left out."""
    edits = [
        edit
        for declaration in parse(source)[0].declarations
        if not isinstance(declaration, ast.Check) and declaration.name.id in given
        for edit in _edits(declaration, given[declaration.name.id])
    ]
    text = source.text
    for span, replacement in sorted(edits, reverse=True):
        text = text[: span.start] + replacement + text[span.end :]
    return text


def _edits(declaration: ast.Declaration, text: str) -> list[tuple[Span, str]]:
    match declaration:
        case ast.Dim(value=None, name=name):
            return [(replace(name.span, start=name.span.end), f" = {text}")]
        case ast.Let(value=ast.Node() as value) | ast.Dim(value=ast.Node() as value) | ast.Sweep(values=value):
            return [(value.span, text)]
        case ast.Data(source=origin) | ast.Observe(source=origin):
            text = _source(origin, text)
            path = _path(origin, text)
            edits = [(path.value.span, f'"{text}"') if path else (origin.span, text)]
            if isinstance(declaration, ast.Observe) and _ends_simulation(declaration, text):
                edits.append((declaration.options.span, ""))
            return edits
    return []


def _source(source: ast.Expr, text: str) -> str:
    """A path may be given with its quotes, and instead of a source that is no file."""
    path = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if isinstance(source, ast.Call) and source.function.id == "file":
        return path
    return f'file("{path}")' if PurePath(path).suffix in FORMATS and "(" not in path else text


def _ends_simulation(declaration: ast.Observe, text: str) -> bool:
    """Whether given rows take the place of simulated ones, whose options (a seed) then mean nothing."""
    simulated = isinstance(declaration.source, ast.Call) and declaration.source.function.id == "simulate"
    return simulated and bool(declaration.options.items) and not text.startswith("simulate(")


def _path(source: ast.Expr, text: str) -> ast.Argument | None:
    """The argument of `file(...)` that a path takes the place of; None where `text` replaces the whole source."""
    whole = text.startswith(("file(", "[", "simulate("))
    if whole or not isinstance(source, ast.Call) or source.function.id != "file" or not source.arguments:
        return None
    return source.arguments[0]


def _expression(name: str, text: str, place: Span, report: Report) -> Any:
    """`text` as an expression that stands, for messages, at `place`."""
    prefix = "let value = "
    module, mistakes = parse(Source("<set>", f"bsi 1\n{prefix}{text}\n"))
    found = [d for d in module.declarations if isinstance(d, ast.Let)]
    if mistakes or len(found) != 1:
        report.add("E0210", f"cannot set `{name}`: `{text}` is not an expression", None)
        return None
    return _moved(found[0].value, place)


def _moved(node: Any, place: Span) -> Any:
    """The tree `node` with every span at `place`."""
    if isinstance(node, tuple):
        return tuple(_moved(item, place) for item in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    changes = {f.name: _moved(getattr(node, f.name), place) for f in fields(node) if f.name != "span"}
    return replace(node, span=place, **changes)

"""Where values come from: `file(...)`, an inline list, a number. Reads, then checks them against the declared type."""

from __future__ import annotations

import array
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from bsi.compiler import expressions, fold, missing, sizes, value_types
from bsi.compiler.environment import Environment
from bsi.compiler.functions import CALLABLE
from bsi.compiler.ir import Data, Origin, Table
from bsi.compiler.members import belong
from bsi.compiler.report import counted, suggest
from bsi.compiler.shapes import show
from bsi.compiler.tables import TableError
from bsi.dsl import ast

FILE_ARGUMENTS = ("path", "key", "columns", "index")
_OF_ROWS = {
    "E0604": 'if it is not known, say so: `{ missing = "nan" }`',
    "E0605": "a set has one row at least: without any, leave its factor out of the posterior",
}


def call_of(source: ast.Expr, name: str) -> ast.Call | None:
    return source if isinstance(source, ast.Call) and source.function.id == name else None


def raw(env: Environment, declaration: ast.Data | ast.Observe) -> Table | None:
    """The values of a declaration as they stand, before its type is known; None when it simulates or failed."""
    return env.once("raw", declaration.name.id, lambda: _raw(env, declaration))


def _raw(env: Environment, declaration: ast.Data | ast.Observe) -> Table | None:
    source = declaration.source
    if call_of(source, "simulate") and isinstance(declaration, ast.Observe):
        return None
    if of_file := call_of(source, "file"):
        return _of_file(env, declaration, of_file)
    if isinstance(source, ast.Call) and not _is_function(env, source.function.id):
        known = ["file", "simulate"] if isinstance(declaration, ast.Observe) else ["file"]
        near = suggest(source.function.id, known)
        help = f"did you mean `{near}`?" if near else 'write `file("name.csv", key = "y")` or a list'
        env.report.add("E0608", f"`{source.function.id}` is not a source of data", source.function, help=help)
        return None
    value = expressions.constant_value(env, source, f"`{declaration.name.id}`")
    known = expressions.known_value(env, source, value, "inline data") if value else None
    if value is None or known is None:
        return None
    entries = fold.flat(known)
    bad = next((i for i, x in enumerate(entries) if not math.isfinite(x)), None)
    if bad is not None:
        at = source.items[bad] if isinstance(source, ast.ListExpr) and len(value.shape) == 1 else source
        env.report.add("E0604", f"entry {bad} of `{declaration.name.id}` is not a finite number", at)
        return None
    table = Table(value.shape, array.array("q" if value.integer else "d", entries), value.integer)
    return missing.marked(table, missing.marker(env, declaration))


def _is_function(env: Environment, name: str) -> bool:
    return name in CALLABLE or isinstance(env.declarations.get(name), ast.Let | ast.Simulator)


def _of_file(env: Environment, declaration: ast.Data | ast.Observe, call: ast.Call) -> Table | None:
    marker = missing.marker(env, declaration)
    hints = _OF_ROWS if isinstance(declaration, ast.Observe) else {}
    table = file(env, call, holes=marker == "nan", hints=hints)
    return missing.marked(table, marker) if table else None


def file(
    env: Environment, call: ast.Call, *, holes: bool = False, hints: Mapping[str, str] = MappingProxyType({})
) -> Table | None:
    """The table that `file(...)` names. With `holes`, entries that are no numbers become NaN; `hints` are the help of
    codes that have none of their own."""
    places: dict[str, ast.Node] = {}
    given: dict[str, Any] = {}
    for position, argument in enumerate(call.arguments):
        name = argument.name.id if argument.name else "path" if position == 0 else ""
        if name not in FILE_ARGUMENTS or name in given:
            near = suggest(name, FILE_ARGUMENTS) if name else None
            problem = f"`file` has no argument `{name}`" if name else "only the path of `file` has no name"
            help = (
                f"did you mean `{near}`?" if near else 'it is `file("path", key = "...", columns = [...], index = 0)`'
            )
            message = problem if name not in given else f"`{name}` is given twice"
            at = argument.name if near and argument.name and name not in given else argument
            env.report.add("E0608", message, at, help=help, fix=near if at is argument.name else None)
            return None
        value = _file_argument(argument.value, name)
        if value is None:
            wanted = {"index": "a whole number", "columns": "a list of texts in quotes"}.get(name, "text in quotes")
            env.report.add("E0608", f"`{name}` of `file` is {wanted}", argument.value)
            return None
        places[name], given[name] = argument.value, value
    if "path" not in given:
        env.report.add("E0608", "`file` needs a path", call, help='write `file("name.csv", key = "y")`')
        return None
    path = Path(call.span.file).parent / given.pop("path")
    also = {"holes": True} if holes else {}
    try:
        return replace(env.read_table(path, **given, **also), origin=Origin(str(path), **given))
    except TableError as error:
        at = places.get(error.argument, places.get("columns", places["path"]))
        help = error.help or hints.get(error.code)
        env.report.add(error.code, error.message, at, help=help, fix=_meant(at, error))
        return None


def _meant(at: ast.Node, error: TableError) -> str | None:
    """The text in quotes that would mend `error`; not for a path of keys, of which one part may be wrong."""
    if error.near is None or not isinstance(at, ast.String) or (error.argument == "key" and "." in at.value):
        return None
    text = error.near if error.argument == "key" else str(PurePosixPath(at.value).with_name(error.near))
    return f'"{text}"' if text.isprintable() and not set('"\\') & set(text) else None


def _file_argument(node: ast.Expr, name: str) -> Any:
    match name, node:
        case "index", ast.Number(value=int() as value):
            return value
        case "columns", ast.ListExpr(items=items) if items and all(isinstance(item, ast.String) for item in items):
            return tuple(item.value for item in items if isinstance(item, ast.String))
        case "path" | "key", ast.String(value=value) if value:
            return value
    return None


def report_rank(env: Environment, declaration: ast.Data | ast.Observe, rank: int, shape: tuple[int, ...]) -> None:
    """The values have another number of axes than the type."""
    type = declaration.type if isinstance(declaration, ast.Data) else declaration.likelihood
    env.report.add(
        "E0606",
        f"`{declaration.name.id}` is declared with {_axes(rank)}, but these values have {_axes(len(shape))}",
        declaration.source,
        f"shape {show(shape)}",
        also=[(type, "declared here")],
    )


def _axes(n: int) -> str:
    return "no axes" if n == 0 else "1 axis" if n == 1 else f"{n} axes"


def data(env: Environment, declaration: ast.Data) -> Data | None:
    """Declared data, its values kept in `env.tables`."""
    return env.once("data", declaration.name.id, lambda: _data(env, declaration))


def _data(env: Environment, declaration: ast.Data) -> Data | None:
    table = raw(env, declaration)
    type = value_types.value_type(env, declaration.type)
    if table is None or type is None:
        return None
    if table.shape != type.shape:
        report_shape(
            env, declaration, table.shape, type.shape, f"`{declaration.name.id}` needs {type.text}", declaration.type
        )
        return None
    table = typed(env, declaration, table, type, declaration.type)
    if table is None:
        return None
    env.tables[table.digest] = table
    env.data_values[declaration.name.id] = fold.table_value(table)
    return Data(declaration.name.id, type.shape, table.integer, table.digest, type.dims)


def report_shape(
    env: Environment,
    declaration: ast.Data | ast.Observe,
    got: tuple[int, ...],
    wanted: tuple[int, ...],
    needs: str,
    declared: ast.Node,
) -> None:
    if len(got) == len(wanted) and sizes.disagreement(env, declaration, got):
        return
    if len(got) != len(wanted):
        report_rank(env, declaration, len(wanted), got)
        return
    label = counted(got[0], "value") if len(got) == 1 else f"shape {show(got)}"
    env.report.add(
        "E0606",
        f"{needs}, but this has shape {show(got)}",
        declaration.source,
        label,
        also=[(declared, "declared here")],
    )


def whole(env: Environment, name: str, table: Table, at: ast.Node, also: Sequence[tuple[ast.Node, str]] = ()) -> bool:
    """Whether the values of something declared `int` are whole numbers of 32 bits; the first other one is told."""

    def first(wrong: Callable[[float], bool]) -> float | None:
        return next(filter(wrong, table.values), None)

    fraction = None if table.integer else first(lambda x: not math.isfinite(x) or x != math.floor(x))
    wide = first(lambda x: not -fold.WIDEST <= x < fold.WIDEST) if fraction is None else None
    if fraction is not None:
        holds, help = f"{fraction:g}", "declare it `real`, or round the values"
    elif wide is not None:
        holds, help = f"{int(wide)}, which takes more than 32 bits", "declare it `real`, which keeps about 7 digits"
    else:
        return True
    env.report.add("E0614", f"`{name}` is declared `int`, but holds {holds}", at, also=also, help=help)
    return False


def typed(
    env: Environment, declaration: ast.Data | ast.Observe, table: Table, type: value_types.ValueType, declared: ast.Node
) -> Table | None:
    """`table` as whole or real numbers, within the type's bounds."""
    also = [(declared, "declared here")]
    if type.integer and not whole(env, declaration.name.id, table, declaration.source, also):
        return None
    code = "q" if type.integer else "d"
    table = replace(
        table,
        values=array.array(code, (int(x) if type.integer else float(x) for x in table.values)),
        integer=type.integer,
    )
    low, high = (bound.value if bound else None for bound in (type.lower, type.upper))
    good = within(env, declaration, table, low, high, declared, "its type")
    if good and type.kind != "real":
        good = belong(env, declaration.source, declaration.name.id, fold.table_value(table), type.support, also)
    return table if good else None


def within(
    env: Environment,
    declaration: ast.Data | ast.Observe,
    table: Table,
    low: float | None,
    high: float | None,
    declared: ast.Node,
    whose: str,
) -> bool:
    """Whether all values lie in [low, high]; reports the first that does not."""
    for place, x in enumerate(table.values):
        if (low is not None and x < low) or (high is not None and x > high):
            side = (
                f"below the lower bound {low:g}" if low is not None and x < low else f"above the upper bound {high:g}"
            )
            env.report.add(
                "E0607",
                f"entry {place} of `{declaration.name.id}` is {x:g}, {side} of {whose}",
                declaration.source,
                also=[(declared, "declared here")],
            )
            return False
    return True

"""Laws known only by draws: `learned file(...)` and `learned pairs(...)` -> tables whose rows are draws.

A name of the law (a param, or the observed row) takes its array as `name = "key"`, from a csv also as a list of
columns; without one its key is the name itself. A prior over one param may name it by `key` or `columns` as any file.
"""

from __future__ import annotations

import array
import math
from collections.abc import Mapping
from dataclasses import replace

from bsi.compiler import fold, sources, supports, unknowns, value_types
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Learned, Likelihood, Table
from bsi.compiler.report import counted, listed, suggest
from bsi.compiler.shapes import show
from bsi.dsl import ast

MINIMUM = 100  # draws: fewer say nothing of the tails, and a network would learn them by heart
OBSERVED = "%x"
_ROUNDING = 1e-6  # of a value in single precision, relative to the span of all levels
_LEAVE_OUT = "leave such draws out of the file"


def likelihood(env: Environment, declaration: ast.Likelihood, law: ast.Learned) -> Likelihood | None:
    """`learned pairs(...)`: simulations that somebody made before."""
    given = unknowns.arguments(env, declaration.given, declaration.name)
    type = value_types.value_type(env, declaration.type)
    if law.source.function.id != "pairs":
        env.report.add(
            "E0423",
            f"a likelihood is learned from pairs, not from `{law.source.function.id}`",
            law.source.function,
            help=f'write `learned pairs("pairs.npz", {_example(declaration)})`; a law needs no `learned`',
        )
        return None
    if law.options.items:
        env.report.add("E0501", "a learned likelihood takes no options", law.options)
    if given is None or type is None:
        return None
    types = {param.name.id: unknowns.param_type(env, param) for param in given}
    name = declaration.observed.id
    if name in types or any(t is None for t in types.values()):
        return None
    known = {k: t for k, t in types.items() if t}
    found = columns(env, law.source, {**known, name: type})
    if found is None:
        return None
    own = tuple((OBSERVED if k == name else k, digest) for k, digest in found.columns)
    names = tuple(types)
    return Likelihood(
        declaration.name.id, type.shape, names, (), None, False, name, type.dims, Learned(own, found.rows)
    )


def _example(declaration: ast.Likelihood) -> str:
    names = [name.id for name in (*declaration.given, declaration.observed)]
    return ", ".join(f'{name} = "{name}"' for name in names)


def columns(
    env: Environment, call: ast.Call, types: Mapping[str, value_types.ValueType], levels: int | None = None
) -> Learned | None:
    """The tables that a source names, one for every name of `types`, checked against its type and kept in `env.tables`.

    With `levels` all values are among that many equal steps from bound to bound.
    """
    places = _places(env, call, types)
    tables = (
        {name: sources.file(env, place, hints={"E0604": _LEAVE_OUT}) for name, place in places.items()}
        if places
        else {}
    )
    found = {name: table for name, table in tables.items() if table}
    if places is None or len(found) < len(types):
        return None
    checked = {name: _draws(env, places[name], name, found[name], types[name], levels) for name in types}
    drawn = {name: table for name, table in checked.items() if table}
    if len(drawn) < len(types) or not _of_one_length(env, call, drawn):
        return None
    env.tables.update({table.digest: table for table in drawn.values()})
    rows = next(iter(drawn.values())).shape[0]
    return Learned(tuple((name, table.digest) for name, table in drawn.items()), rows)


def _places(env: Environment, call: ast.Call, types: Mapping[str, value_types.ValueType]) -> dict[str, ast.Call] | None:
    """One `file(...)` call for every name."""
    names = {name.rpartition(".")[2]: name for name in types}  # an imported param has its file's alias before it
    keyed: dict[str, ast.Argument] = {}
    rest: list[ast.Argument] = []
    for argument in call.arguments:
        name = names.get(argument.name.id) if argument.name else None
        if name:
            keyed[name] = argument
        else:
            rest.append(argument)
    if len(types) == 1 and not keyed:
        return {name: replace(call, arguments=tuple(rest)) for name in types}
    for argument in rest:
        if argument.name:
            name = argument.name.id
            near = suggest(name, names)
            help = f"did you mean `{near}`?" if near else "write " + ", ".join(f'`{n} = "KEY"`' for n in names)
            message = f"`{call.function.id}` takes the keys of {listed(names)} here, not `{name}`"
            env.report.add("E0428", message, argument, help=help)
            return None
    return {own: replace(call, arguments=(*rest, _key(call, name, keyed.get(own)))) for name, own in names.items()}


def _key(call: ast.Call, name: str, given: ast.Argument | None) -> ast.Argument:
    if given is None:
        return ast.Argument(call.span, ast.Name(call.span, "key"), ast.String(call.span, name))
    word = "columns" if isinstance(given.value, ast.ListExpr) else "key"
    return replace(given, name=ast.Name(given.span, word))


def _draws(
    env: Environment, call: ast.Call, name: str, table: Table, type: value_types.ValueType, levels: int | None
) -> Table | None:
    """`table` as draws of one name, (rows, *shape)."""
    at = call.arguments[-1]
    rows, size = (table.shape[0] if table.shape else 0), math.prod(type.shape)
    if table.shape not in ((rows, *type.shape), (rows, size)):
        wanted = ", ".join(["rows", *map(str, type.shape)])
        env.report.add(
            "E0606",
            f"draws of `{name}` need shape [{wanted}], but these have shape {show(table.shape)}",
            at,
            help=_reordered(table.shape, type.shape) or f"`{name}` has {type.text}, and every row is one draw",
        )
        return None
    if rows < MINIMUM:  # all arrays of a file are as long: told once
        env.once("few draws", str(call.span), lambda: _few(env, rows, at))
        return None
    values = table.values
    if type.integer and not sources.whole(env, name, table, at):
        return None
    values = map(int, values) if type.integer else values
    table = Table((rows, *type.shape), array.array("q" if type.integer else "d", values), type.integer)
    good = _inside(env, at, name, table, type, closed=type.integer or levels is not None)
    if levels is None:
        return table if good and _varied(env, at, name, table, size) else None
    return table if good and _quantised(env, at, name, table, type, levels) else None


def _reordered(got: tuple[int, ...], wanted: tuple[int, ...]) -> str | None:
    """Help for images with their channels first."""
    if len(got) == 4 and len(wanted) == 3 and got[1:] == (wanted[2], *wanted[:2]):
        return "channels come last here: save `x.transpose(0, 2, 3, 1)`"
    return None


def _few(env: Environment, rows: int, at: ast.Node) -> bool:
    env.report.add(
        "E0622",
        f"a law cannot be learned from {counted(rows, 'draw')}",
        at,
        help=f"it takes {MINIMUM} at least, and thousands to see its tails",
    )
    return True


def _inside(env: Environment, at: ast.Node, name: str, table: Table, type: value_types.ValueType, closed: bool) -> bool:
    """Whether all draws are of the type. Unless `closed`, none may be at a bound, where working coordinates are
    infinite."""
    wrong = supports.first_wrong(type.kind, fold.table_value(table)) if type.kind in supports.KINDS else None
    if wrong:
        (draw, *_), what = wrong
        env.report.add("E0621", f"draw {draw} of `{name}` {what}", at, help=_LEAVE_OUT)
        return False
    low, high = (bound.value if bound else None for bound in (type.lower, type.upper))

    def outside(x: float) -> bool:
        below = low is not None and (x < low if closed else x <= low)
        return below or (high is not None and (x > high if closed else x >= high))

    if not (outside(min(table.values)) or outside(max(table.values))):
        return True
    place, x = next((place, x) for place, x in enumerate(table.values) if outside(x))
    below = low is not None and x <= low
    side, word = ("below" if below else "above"), ("lower" if below else "upper")
    at_bound = x == (low if below else high)
    help = f"widen the bounds of `{name}`; or {_LEAVE_OUT}"
    if at_bound and low is not None and high is not None:
        help = f"if the values are whole steps between the bounds, say how many: `{{ levels = ... }}`; else {help}"
    env.report.add(
        "E0621",
        f"draw {place // math.prod(table.shape[1:])} of `{name}` is {x:g}, {'at' if at_bound else side} the {word} "
        f"bound{'' if at_bound else f' {low if below else high:g}'} of its type",
        at,
        help=help,
    )
    return False


def _quantised(
    env: Environment, at: ast.Node, name: str, table: Table, type: value_types.ValueType, levels: int
) -> bool:
    """Whether all values are on `levels` equal steps from bound to bound, up to the rounding of single precision."""
    assert type.lower is not None and type.upper is not None
    low, high = type.lower.value, type.upper.value
    step = (high - low) / (levels - 1)
    off = {x for x in set(table.values) if abs((x - low) / step - round((x - low) / step)) > _ROUNDING * levels}
    if not off:
        return True
    place, x = next((place, x) for place, x in enumerate(table.values) if x in off)
    below = low + step * math.floor((x - low) / step)
    env.report.add(
        "E0445",
        f"draw {place // math.prod(table.shape[1:])} of `{name}` is {x:g}, between the levels {below:g} and "
        f"{below + step:g}: {levels} levels from {low:g} to {high:g} are {step:g} apart",
        at,
        help="give the number of levels and the bounds that the data have; or leave `levels` out",
    )
    return False


def _varied(env: Environment, at: ast.Node, name: str, table: Table, size: int) -> bool:
    """Whether no entry is the same in all draws. A row that is observed may well be constant in places."""
    if not isinstance(env.declarations.get(name), ast.Param):
        return True
    for entry in range(size):
        column = table.values[entry::size]
        if min(column) == max(column):
            which = f"entry {entry} of `{name}`" if size > 1 else f"`{name}`"
            env.report.add(
                "E0623",
                f"{which} is {column[0]:g} in every draw",
                at,
                help="a known value is `data`, not a param",
            )
            return False
    return True


def _of_one_length(env: Environment, call: ast.Call, drawn: Mapping[str, Table]) -> bool:
    lengths = {name: table.shape[0] for name, table in drawn.items()}
    if len(set(lengths.values())) == 1:
        return True
    said = _listed_counts(lengths)
    env.report.add(
        "E0620", f"draws must belong together row by row, but there are {said}", call, help="leave out the extra rows"
    )
    return False


def _listed_counts(lengths: Mapping[str, int]) -> str:
    """100 of `theta` and 99 of `x`."""
    parts = [f"{n} of `{name}`" for name, n in lengths.items()]
    return f"{', '.join(parts[:-1])} and {parts[-1]}"

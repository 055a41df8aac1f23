"""Constant expressions: build `Expr` nodes, fold those whose arguments are all constant, read values of others."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

from bsi.compiler.functions import FUNCTIONS
from bsi.compiler.ir import Expr, Table
from bsi.compiler.shapes import Shape, broadcast

WIDEST = 2**31  # of whole numbers at run time: those beyond are real
LARGEST = 4096  # entries: larger constants (`eye(1_000)`) stay symbolic
MOST_WORK = 100_000  # operations: more than that is not computed while checking


class ConstantError(Exception):
    """Arithmetic on constants that has no value: division by zero, log of a negative number."""


def constant(value: Any) -> Expr:
    """`value` is a number, a boolean or nested tuples of numbers of one shape."""
    integer = all(isinstance(entry, int) and -WIDEST <= entry < WIDEST for entry in flat(value))
    return Expr("const", value=value, shape=shape_of(value), integer=integer)


def shape_of(value: Any) -> Shape:
    return (len(value), *(shape_of(value[0]) if value else ())) if isinstance(value, tuple) else ()


def flat(value: Any) -> list[Any]:
    """Entries of a nested tuple, row-major."""
    return [entry for item in value for entry in flat(item)] if isinstance(value, tuple) else [value]


def nested(entries: Any, shape: Shape) -> Any:
    """Row-major `entries` as nested tuples of `shape`."""
    if not shape:
        return entries[0]
    step = math.prod(shape[1:])
    return tuple(nested(entries[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0]))


def _gathered(entries: list[Any], shape: Shape, strides: list[int]) -> list[Any]:
    """Entries at every place of `shape`, row-major, by strides into `entries`."""
    places = itertools.product(*map(range, shape))
    return [entries[sum(k * stride for k, stride in zip(place, strides, strict=True))] for place in places]


def spread(value: Any, shape: Shape) -> list[Any]:
    """Entries of `value` broadcast to `shape`, row-major."""
    own = shape_of(value)
    if own == shape:
        return flat(value)
    padded = (1,) * (len(shape) - len(own)) + own
    strides = [0 if padded[i] == 1 else math.prod(padded[i + 1 :]) for i in range(len(padded))]
    return _gathered(flat(value), shape, strides)


def moved(value: Any, source: int, target: int) -> Any:
    """`value` with its axis `source` at `target`."""
    shape = shape_of(value)
    order = list(range(len(shape)))
    order.insert(target, order.pop(source))
    inside = tuple(shape[axis] for axis in order)
    return nested(_gathered(flat(value), inside, [math.prod(shape[axis + 1 :]) for axis in order]), inside)


def elementwise(python: Callable[..., Any], values: list[Any]) -> Any:
    shape = broadcast(*map(shape_of, values))
    columns = [spread(value, shape) for value in values]
    return nested([python(*entries) for entries in zip(*columns, strict=True)], shape)


def _line_by_line(python: Callable[..., Any], value: Any, axis: int | None) -> Any:
    """A function of one line of numbers (to a number, or to a list) along an axis, or on all entries at once."""
    if axis is None:
        return python(flat(value))
    last = len(shape_of(value)) - 1

    def inside(part: Any) -> Any:
        if isinstance(part[0], tuple):
            return tuple(map(inside, part))
        line = python(list(part))
        return tuple(line) if isinstance(line, list) else line

    result = inside(moved(value, axis, last))
    return moved(result, last, axis) if len(shape_of(result)) > last else result


def apply(op: str, args: tuple[Expr, ...], shape: Shape, integer: bool, axis: int | None = None) -> Expr:
    """The expression `op(args)`, folded when it can be.

    Raises: ConstantError.
    """
    result = Expr(op, args, axis, shape, integer)
    if math.prod(shape) > LARGEST or any(arg.op != "const" for arg in args):
        return result
    value = _value(result, [arg.value for arg in args])
    return result if value is None else Expr("const", value=value, shape=shape, integer=integer)


def where(condition: Expr, yes: Expr, no: Expr, shape: Shape) -> Expr:
    """`if condition then yes else no`, folded when all three are constant."""
    integer = yes.integer and no.integer
    if any(arg.op != "const" for arg in (condition, yes, no)):
        return Expr("where", (condition, yes, no), None, shape, integer)
    value = elementwise(lambda c, a, b: a if c else b, [condition.value, yes.value, no.value])
    return Expr("const", value=value if integer else _as_real(value), shape=shape, integer=integer)


def _value(node: Expr, values: list[Any]) -> Any:
    """The value of a function of known arguments, or None when only the runtime can compute it."""
    row = FUNCTIONS[node.op]
    match row.rule:
        case "stack":
            return moved(tuple(values), 0, node.value)
        case "concat":
            parts = [moved(value, node.value, 0) for value in values]
            return moved(tuple(itertools.chain(*parts)), 0, node.value)
        case "reshape" | "flatten":
            return nested(flat(values[0]), node.shape)
    if row.python is None:
        return None
    try:
        if row.rule == "elementwise":
            value = elementwise(row.python, values)
        elif row.rule in ("reduce", "along", "diff"):
            value = _line_by_line(row.python, values[0], node.value)
        else:
            value = row.python(*values)
    except ZeroDivisionError:
        raise ConstantError("division by zero") from None
    except OverflowError:
        raise ConstantError("the result is too large for a number") from None
    except ValueError as error:
        name = row.name if row.name != "pow" else "^"
        detail = "" if "math domain" in str(error) or "expected" in str(error) else f": {error}"
        raise ConstantError(f"`{name}` has no value here{detail}") from None
    return value if node.integer or row.kind == "bool" else _as_real(value)


def _as_real(value: Any) -> Any:
    return tuple(map(_as_real, value)) if isinstance(value, tuple) else float(value)


def evaluate(node: Expr, known: Mapping[str, Any]) -> Any:
    """Value of `node` with `known` values for the names it refers to (nested tuples), or None when it has none or takes
    long.

    Raises: ConstantError.
    """
    return _evaluate(node, known) if _work(node) <= MOST_WORK else None


def _work(node: Expr) -> int:
    """About how many operations on numbers a node takes."""
    if node.op in ("const", "ref"):
        return 0
    if node.op == "map":
        return node.value[1] * (1 + _work(node.args[0]))
    if node.op in ("scan", "fold"):
        return node.args[2].shape[0] * (1 + _work(node.args[0])) + sum(map(_work, node.args[1:]))
    return math.prod(node.shape) + sum(map(_work, node.args))


def _evaluate(node: Expr, known: Mapping[str, Any]) -> Any:
    match node.op:
        case "const":
            return node.value
        case "ref":
            return known.get(node.value)
        case "map":
            name, n = node.value
            entries = [_evaluate(node.args[0], {**known, name: i}) for i in range(n)]
            return None if any(entry is None for entry in entries) else tuple(entries)
        case "where":
            return _chosen(node, known)
        case "scan" | "fold":
            return _recurrence(node, known)
    values = [_evaluate(arg, known) for arg in node.args]
    if any(value is None for value in values):
        return None
    if node.op == "index":
        return picked(values[0], node.value, values)
    return _value(node, values) if node.op in FUNCTIONS else None


def _chosen(node: Expr, known: Mapping[str, Any]) -> Any:
    condition, yes, no = node.args
    choice = _evaluate(condition, known)
    if choice is None:
        return None
    if not isinstance(choice, tuple) and yes.shape == no.shape:
        return _evaluate(yes if choice else no, known)
    try:
        branches = [_evaluate(branch, known) for branch in (yes, no)]
    except ConstantError:
        return None  # perhaps only where the condition does not choose it
    return None if None in branches else elementwise(lambda c, a, b: a if c else b, [choice, *branches])


def _recurrence(node: Expr, known: Mapping[str, Any]) -> Any:
    body, *rest = node.args
    state, *sequences = (_evaluate(arg, known) for arg in rest)
    if state is None or None in sequences:
        return None
    states = []
    for entries in zip(*sequences, strict=True):
        state = _evaluate(body, {**known, **dict(zip(node.value, (state, *entries), strict=True))})
        if state is None:
            return None
        states.append(state)
    return tuple(states) if node.op == "scan" else state


def picked(value: Any, spec: tuple[tuple[Any, ...], ...], values: list[Any]) -> Any:
    """`value[spec]`, for a spec as in `ir.Expr`; an index out of range has no value.

    Raises: ConstantError.
    """
    if not spec:
        return value
    kind, *where = spec[0]
    if kind == "slice":
        return tuple(picked(entry, spec[1:], values) for entry in value[where[0] : where[1]])
    index = where[0] if kind == "at" else values[where[0]]
    if any(not 0 <= i < len(value) for i in flat(index)):
        raise ConstantError("an index is out of range")
    if isinstance(index, tuple):
        return tuple(picked(value[i], spec[1:], values) for i in index)
    return picked(value[index], spec[1:], values)


def table_value(table: Table) -> Any:
    """A table as nested tuples."""
    return nested(list(table.values), table.shape)


def references(node: Expr) -> set[str]:
    """Names that `node` refers to and does not bind itself: params, data, sweeps, canonical locals."""
    match node.op:
        case "ref":
            return {node.value}
        case "map":
            return references(node.args[0]) - {node.value[0]}
        case "scan" | "fold":
            return (references(node.args[0]) - set(node.value)).union(*map(references, node.args[1:]))
        case "simulate":  # names of its own are its arguments, state and time; the rest is data
            inside = set().union(*(references(inner) for _, inner in node.value.expressions))
            outside = {name for name in inside if not name.startswith("%")}
            return outside.union(node.value.indices, *map(references, node.args))
    return set().union(*map(references, node.args))


def is_boolean(node: Expr) -> bool:
    """Whether the entries of `node` are true or false."""
    match node.op:
        case "const":
            return all(isinstance(entry, bool) for entry in flat(node.value))
        case "map" | "index" | "stack":
            return is_boolean(node.args[0])
        case "where":
            return is_boolean(node.args[1])
    return node.op in FUNCTIONS and FUNCTIONS[node.op].kind == "bool"

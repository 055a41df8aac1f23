"""Constant expressions: build `Expr` nodes, fold those whose arguments are all constant, read their values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

from bsi.compiler.functions import FUNCTIONS
from bsi.compiler.ir import Expr, Table
from bsi.compiler.shapes import Shape, broadcast

LARGEST = 4096  # entries: larger constants (`eye(1_000)`) stay symbolic


class ConstantError(Exception):
    """Arithmetic on constants that has no value: division by zero, log of a negative number."""


def constant(value: Any) -> Expr:
    """`value` is a number, a boolean or nested tuples of numbers of one shape."""
    integer = all(isinstance(entry, int) for entry in flat(value))
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


def spread(value: Any, shape: Shape) -> list[Any]:
    """Entries of `value` broadcast to `shape`, row-major."""
    own = shape_of(value)
    entries = flat(value)
    if own == shape:
        return entries
    padded = (1,) * (len(shape) - len(own)) + own
    strides = [0 if padded[i] == 1 else math.prod(padded[i + 1 :]) for i in range(len(padded))]
    places = itertools.product(*map(range, shape))
    return [entries[sum(k * stride for k, stride in zip(place, strides, strict=True))] for place in places]


def elementwise(python: Callable[..., Any], values: list[Any]) -> Any:
    shape = broadcast(*map(shape_of, values))
    columns = [spread(value, shape) for value in values]
    return nested([python(*entries) for entries in zip(*columns, strict=True)], shape)


def apply(op: str, args: tuple[Expr, ...], shape: Shape, integer: bool) -> Expr:
    """The expression `op(args)`, folded when it can be.

    Raises: ConstantError.
    """
    row = FUNCTIONS[op]
    result = Expr(op, args, None, shape, integer)
    if row.python is None or math.prod(shape) > LARGEST or any(arg.op != "const" for arg in args):
        return result
    return Expr("const", value=_value(result, [arg.value for arg in args]), shape=shape, integer=integer)


def _value(node: Expr, values: list[Any]) -> Any:
    row = FUNCTIONS[node.op]
    assert row.python is not None
    try:
        value = elementwise(row.python, values) if row.rule == "elementwise" else row.python(*values)
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
    """Value of `node` with `known` values for the data it refers to (nested tuples), or None when it has none.

    Raises: ConstantError.
    """
    if node.op == "const":
        return node.value
    if node.op == "ref":
        return known.get(node.value)
    values = [evaluate(arg, known) for arg in node.args]
    if any(value is None for value in values):
        return None
    row = FUNCTIONS.get(node.op)
    return _value(node, values) if row and row.python and node.value is None else None


def table_value(table: Table) -> Any:
    """A table as nested tuples."""
    return nested(list(table.values), table.shape)


def references(node: Expr) -> set[str]:
    """Names that `node` refers to: params, data, sweeps, canonical locals."""
    own = {node.value} if node.op == "ref" else set()
    return own.union(*(references(arg) for arg in node.args))


def is_boolean(node: Expr) -> bool:
    if node.op == "const":
        return all(isinstance(entry, bool) for entry in flat(node.value))
    if node.op == "where":
        return is_boolean(node.args[1])
    return node.op in FUNCTIONS and FUNCTIONS[node.op].kind == "bool"

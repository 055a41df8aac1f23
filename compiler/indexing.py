"""Indexing and slices: from 0, every static index checked against the size of its axis."""

from __future__ import annotations

from typing import Any

from bsi.compiler import expressions, fold, shapes
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr
from bsi.compiler.report import counted
from bsi.compiler.scope import Scope
from bsi.dsl import ast


def index(
    env: Environment, node: ast.Index, base: Expr, items: tuple[ast.Expr | ast.Slice, ...], scope: Scope
) -> Expr | None:
    """`base[items]`; a vector of whole numbers picks several entries of its axis."""
    if len(items) > len(base.shape):
        what = counted(len(base.shape), "axis").replace("axiss", "axes") if base.shape else "no axes"
        env.report.add(
            "E0311",
            f"{counted(len(items), 'index').replace('indexs', 'indices')} for a value with {what}",
            node,
            f"this has {shapes.described(base.shape)}" if not base.shape else "",
            also=[(node.base, shapes.described(base.shape))] if base.shape else [],
        )
        return None
    dynamic: list[Expr] = []
    spec: list[tuple[Any, ...]] = []
    shape: list[int] = []
    for item, size in zip(items, base.shape, strict=False):
        if isinstance(item, ast.Slice):
            ends = _slice(env, item, size, scope)
            if ends is None:
                return None
            spec.append(("slice", *ends))
            shape.append(ends[1] - ends[0])
            continue
        value = elaborate_index(env, item, size, scope)
        if value is None:
            return None
        if value.op == "const" and not value.shape:
            spec.append(("at", value.value))
            continue
        if value.shape and any(arg.shape for arg in dynamic):
            env.report.add("E0311", "only one index can be a vector", item, help="write a comprehension instead")
            return None
        spec.append(("dynamic", len(dynamic) + 1))
        dynamic.append(value)
        shape.extend(value.shape)
    shape.extend(base.shape[len(items) :])
    spec.extend(("slice", 0, size) for size in base.shape[len(items) :])
    if base.op == "const" and not dynamic:
        return fold.constant(_pick(base.value, spec))
    return Expr("index", (base, *dynamic), tuple(spec), tuple(shape), base.integer)


def elaborate_index(env: Environment, item: ast.Expr, size: int, scope: Scope) -> Expr | None:
    """One index of an axis of `size` entries: whole, and in range wherever that can be known."""
    value = expressions.elaborate(env, item, scope)
    if value is None:
        return None
    if not value.integer or fold.is_boolean(value) or len(value.shape) > 1:
        got = "a matrix" if value.integer and len(value.shape) > 1 else "not one"
        env.report.add("E0304", f"an index is a whole number, and this is {got}", item)
        return None
    low, high = _range(env, value, scope)
    if low is not None and high is not None and not (low >= 0 and high < size):
        _out_of_range(env, item, value, low, high, size)
        return None
    return value


def _range(env: Environment, value: Expr, scope: Scope) -> tuple[int | None, int | None]:
    if value.op == "ref" and value.value in scope.ranges:
        return 0, scope.ranges[value.value] - 1
    try:
        known = fold.evaluate(value, env.data_values)
    except fold.ConstantError:
        known = None
    return (min(fold.flat(known)), max(fold.flat(known))) if known is not None else (None, None)


def _out_of_range(env: Environment, item: ast.Expr, value: Expr, low: int, high: int, size: int) -> None:
    wrong = high if high >= size else low
    valid = f"the {counted(size, 'entry').replace('entrys', 'entries')} of this axis count from 0 to {size - 1}"
    if value.op == "const":
        message = f"index {wrong} is out of range: {valid}"
    else:
        message = f"this index reaches {wrong}, out of range: {valid}"
    help = None
    if wrong == size:
        help = "did you count from 1? Indices start at 0"
    elif wrong < 0:
        help = f"indices do not count from the end: write `{size + wrong}`" if size + wrong >= 0 else None
    env.report.add("E0303", message, item, help=help)


def _slice(env: Environment, item: ast.Slice, size: int, scope: Scope) -> tuple[int, int] | None:
    ends: list[int] = []
    for end, default in ((item.lower, 0), (item.upper, size)):
        if end is None:
            ends.append(default)
            continue
        value = expressions.elaborate(env, end, scope)
        if value is None:
            return None
        if value.op != "const" or value.shape or not value.integer:
            env.report.add("E0308", "the ends of a slice must be constant whole numbers", end)
            return None
        if not 0 <= value.value <= size:
            env.report.add("E0303", f"slice end {value.value} is out of range: this axis has size {size}", end)
            return None
        ends.append(value.value)
    start, stop = ends
    if start >= stop:
        env.report.add("E0303", f"the slice {start}:{stop} is empty", item)
        return None
    return start, stop


def _pick(value: Any, spec: list[tuple[Any, ...]]) -> Any:
    if not spec:
        return value
    kind, *where = spec[0]
    if kind == "at":
        return _pick(value[where[0]], spec[1:])
    return tuple(_pick(entry, spec[1:]) for entry in value[where[0] : where[1]])

"""Indexing and slices: from 0, every static index checked against the size of its axis."""

from __future__ import annotations

import itertools
import math
from typing import Any

from bsi.compiler import expressions, fold, shapes, sizes
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr
from bsi.compiler.report import counted
from bsi.compiler.scope import Scope
from bsi.dsl import ast

MOST_TURNS = 4096  # of the loops around an index: more are not tried one by one


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
            shape.append(size if ends == (0, size) else ends[1] - ends[0])
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
    spec.extend(("slice", 0, int(size)) for size in base.shape[len(items) :])
    if base.op == "const" and all(arg.op == "const" for arg in dynamic):
        picked = fold.picked(base.value, tuple(spec), [base.value, *(arg.value for arg in dynamic)])
        return Expr("const", value=picked, shape=tuple(shape), integer=base.integer)
    return Expr("index", (base, *dynamic), tuple(spec), tuple(shape), base.integer)


def elaborate_index(env: Environment, item: ast.Expr, size: int, scope: Scope) -> Expr | None:
    """One index of an axis of `size` entries: whole, and in range wherever that can be known."""
    value = expressions.elaborate(env, item, scope)
    if value is None:
        return None
    if not value.integer or fold.is_boolean(value) or len(value.shape) > 1:
        got = "a matrix" if value.integer and len(value.shape) > 1 else "not one"
        divided = isinstance(item, ast.Binary) and item.operator == "/"
        help = "`/` gives real numbers: `floor_divide(a, b)` gives whole ones" if divided else None
        env.report.add("E0304", f"an index is a whole number, and this is {got}", item, help=help)
        return None
    reached = _reached(env, value, scope)
    if reached is not None and not (reached[0] >= 0 and reached[1] < size):
        _out_of_range(env, item, value, *reached, size)
        return None
    _suspicious(env, item, value, size, scope)
    return value


def _reached(env: Environment, value: Expr, scope: Scope) -> tuple[int, int] | None:
    """Smallest and largest index in all turns of the loops around, where the conditions around hold; None when they are
    not known while compiling, or never hold."""
    if not scope.holds and value.op == "ref" and value.value in scope.ranges:
        return 0, scope.ranges[value.value] - 1
    names = set().union(fold.references(value), *map(fold.references, scope.holds))
    loops = {name: n for name, n in scope.ranges.items() if name in names}
    if math.prod(loops.values()) > MOST_TURNS:
        return None
    found: list[int] = []
    for turn in itertools.product(*map(range, loops.values())):
        known = {**env.data_values, **dict(zip(loops, turn, strict=True))}
        try:
            if not all(_may_hold(condition, known) for condition in scope.holds):
                continue
            index = fold.evaluate(value, known)
        except fold.ConstantError:
            return None
        if index is None:
            return None
        found.extend(fold.flat(index))
    return (min(found), max(found)) if found else None


def _may_hold(condition: Expr, known: dict[str, Any]) -> bool:
    value = fold.evaluate(condition, known)
    return value is None or any(fold.flat(value))


def _suspicious(env: Environment, item: ast.Expr, value: Expr, size: int, scope: Scope) -> None:
    """An index that counts one dim used on an axis of another."""
    counted_dim = (
        shapes.dim_of(scope.ranges[value.value]) if value.op == "ref" and value.value in scope.ranges else None
    )
    axis_dim = shapes.dim_of(size)
    if counted_dim and axis_dim and counted_dim != axis_dim:
        name = item.id if isinstance(item, ast.Name) else "this index"
        env.report.add(
            "W0408",
            f"`{name}` counts `{counted_dim}`, but this axis is `{axis_dim}`",
            item,
            also=[(env.name_of(dim), "declared here") for dim in (counted_dim, axis_dim) if dim in env.declarations],
            help="index by data of whole numbers that map one dim to the other",
        )


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
    elif wrong < 0 and value.op != "const":
        help = "start later, `for i in range(1, n)`, or ask first, `if i > 0 then ... else ...`"
    elif wrong < 0:
        help = f"indices do not count from the end: write `{size + wrong}`" if size + wrong >= 0 else None
    env.report.add("E0303", message, item, help=help)


def _slice(env: Environment, item: ast.Slice, size: int, scope: Scope) -> tuple[int, int] | None:
    ends: list[int] = []
    for end, default in ((item.lower, 0), (item.upper, int(size))):
        if end is None:
            ends.append(default)
            continue
        value = sizes.whole(env, end, scope, "the end of a slice")
        if value is None:
            return None
        if not 0 <= value <= size:
            help = None if value >= 0 else f"slices do not count from the end: write `{size + value}`"
            env.report.add("E0303", f"slice end {value} is out of range: this axis has size {size}", end, help=help)
            return None
        ends.append(int(value))
    start, stop = ends
    if start >= stop:
        env.report.add("E0303", f"the slice {start}:{stop} is empty", item)
        return None
    return start, stop

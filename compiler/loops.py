"""Loops over a range: comprehensions and reductions.

Names that a loop binds are canonical by their depth, so that renaming one changes no key: `%i0` is the index of the
outermost loop, `%s1` the state and `%e1.0` the first element of a recurrence (`recurrences.py`) inside it.
"""

from __future__ import annotations

import math
from dataclasses import replace

from bsi.compiler import expressions, fold, sizes
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr
from bsi.compiler.scope import Scope
from bsi.dsl import ast


def comprehension(env: Environment, node: ast.Comprehension, scope: Scope) -> Expr | None:
    """`[element for i in n]`, for a size or a vector of constant whole numbers; with a reducer, its reduction."""
    over = _range(env, node.range, scope)
    if over is None:
        return None
    n, numbers = over
    variable = f"%i{scope.depth}"
    index = Expr("ref", value=variable, integer=True)
    inner = replace(scope, ranges={**scope.ranges, variable: n}, depth=scope.depth + 1)
    inner = inner.bind(node.variable.id, index if numbers is None else _entry(numbers, index))
    element = expressions.elaborate(env, node.element, inner)
    if element is None or not (node.reducer is None or expressions.is_kind(env, node.element, element, False)):
        return None
    mapped = _computed(Expr("map", (element,), (variable, n), (n, *element.shape), element.integer))
    if node.reducer is None:
        return mapped
    return expressions.folded(env, node, node.reducer, (mapped,), element.shape, element.integer, 0)


def _range(env: Environment, node: ast.Expr, scope: Scope) -> tuple[int, Expr | None] | None:
    """How often a loop runs, and the numbers it runs over where those are not 0, 1, 2, ..."""
    value = expressions.elaborate(env, node, scope.fixed("the range of a loop"))
    if value is None:
        return None
    if len(value.shape) == 1 and value.op == "const" and value.integer and not fold.is_boolean(value):
        return value.shape[0], value
    if value.shape:
        help = "loop over indices: `[a[i] for i in n]`"
        env.report.add("E0305", "a loop runs over a size or over constant whole numbers", node, help=help)
        return None
    n = sizes.positive(env, node, value)
    return None if n is None else (n, None)


def _entry(numbers: Expr, index: Expr) -> Expr:
    """`numbers[index]`, by arithmetic where they count up by one."""
    first, *_ = numbers.value
    if numbers.value == tuple(range(first, first + len(numbers.value))):
        return index if first == 0 else Expr("add", (index, fold.constant(first)), integer=True)
    return Expr("index", (numbers, index), (("dynamic", 1),), (), True)


def _computed(mapped: Expr) -> Expr:
    """The value of a comprehension of constants, where it has one."""
    if fold.references(mapped) or math.prod(mapped.shape) > fold.LARGEST:
        return mapped
    try:
        value = fold.evaluate(mapped, {})
    except fold.ConstantError:
        return mapped  # perhaps of an entry that nobody reads
    return mapped if value is None else Expr("const", value=value, shape=mapped.shape, integer=mapped.integer)


def whole_numbers(env: Environment, operands: tuple[ast.Expr, ...], scope: Scope) -> Expr | None:
    """`range(n)` and `range(a, b)`: constants."""
    ends = [sizes.whole(env, operand, scope, "the end of a range") for operand in operands]
    if any(end is None for end in ends):
        return None
    start, stop = ends if len(ends) == 2 else (0, *ends)
    assert start is not None and stop is not None
    if start >= stop:
        env.report.add("E0305", f"the range from {start} to {stop} is empty", operands[-1])
        return None
    value = tuple(range(start, stop))
    return Expr("const", value=value, shape=(stop if start == 0 else stop - start,), integer=True)

"""Loops without recursion: comprehensions and reductions over a range, and recurrences over the entries of arrays.

Names that a loop binds are canonical by their depth, so that renaming one changes no key: `%i0` is the index of the
outermost loop, `%s1` the state and `%e1.0` the first element of a recurrence inside it.
"""

from __future__ import annotations

import math
from dataclasses import replace

from bsi.compiler import calls, expressions, fold, shapes, sizes
from bsi.compiler.environment import Environment
from bsi.compiler.functions import CALLABLE
from bsi.compiler.ir import Expr
from bsi.compiler.report import counted
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
    value = expressions.elaborate(env, node, replace(scope, stage="the range of a loop"))
    if value is None:
        return None
    if len(value.shape) == 1 and value.op == "const" and value.integer and not fold.is_boolean(value):
        return value.shape[0], value
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


# ---------------------------------------------------------------- recurrences


def recurrence(env: Environment, node: ast.Call, operands: tuple[ast.Expr, ...], scope: Scope) -> Expr | None:
    """`scan(step, init, x, ...)` and `fold`: `state = step(state, x[t], ...)` over the leading axis of every x."""
    step, *rest = operands
    function = _step(env, node, step, len(operands) - 1)
    values = [expressions.elaborate(env, operand, scope) for operand in rest]
    given = tuple(value for value in values if value)
    if function is None or len(given) < len(values):
        return None
    init, *sequences = given
    if not all(expressions.is_kind(env, operand, value, False) for operand, value in zip(rest, given, strict=True)):
        return None
    n = _length(env, node, rest[1:], sequences)
    if n is None:
        return None
    depth = scope.depth
    names = (f"%s{depth}", *(f"%e{depth}.{k}" for k in range(len(sequences))))
    entries = [
        Expr("ref", value=f"%e{depth}.{k}", shape=x.shape[1:], integer=x.integer) for k, x in enumerate(sequences)
    ]
    body = _fixed_point(env, node, function, rest[0], init, names[0], entries, scope)
    if body is None:
        return None
    shape = (n, *body.shape) if node.function.id == "scan" else body.shape
    return Expr(node.function.id, (body, init, *sequences), names, shape, body.integer)


def _step(env: Environment, node: ast.Call, step: ast.Expr, count: int) -> ast.Let | None:
    """The user function that a recurrence names, of `count` arguments."""
    declaration = env.declarations.get(step.id) if isinstance(step, ast.Name) else None
    op = node.function.id
    example = f"`let step(state, x) = ...`, then `{op}(step, init, xs)`"
    if isinstance(step, ast.Name) and declaration is None and step.id not in CALLABLE:
        env.unknown(step, "function", (let.name.id for let in env.all(ast.Let) if let.parameters is not None))
        return None
    if not isinstance(step, ast.Name) or not isinstance(declaration, ast.Let) or declaration.parameters is None:
        message = f"the first argument of `{op}` is the name of a function that the file declares"
        env.report.add("E0315", message, step, help=example)
        return None
    env.used.add(step.id)
    if len(declaration.parameters) != count:
        takes = counted(len(declaration.parameters), "argument")
        env.report.add(
            "E0315",
            f"`{op}` calls `{step.id}` with {counted(count, 'argument')}, the state first, but it takes {takes}",
            step,
            also=[(declaration.name, "declared here")],
            help=example,
        )
        return None
    return declaration


def _length(env: Environment, node: ast.Call, operands: list[ast.Expr], sequences: list[Expr]) -> int | None:
    """Entries of the leading axes, which must agree."""
    for operand, sequence in zip(operands, sequences, strict=True):
        if not sequence.shape:
            env.report.add("E0301", f"`{node.function.id}` runs over arrays, but this is a single number", operand)
            return None
    try:
        n = shapes.meet(*(sequence.shape[0] for sequence in sequences))
        if n is None:
            raise shapes.ShapeError("the arrays that it runs over have different lengths")
    except shapes.ShapeError as error:
        expressions.misfit(env, node, f"`{node.function.id}`: ", error, zip(operands, sequences, strict=True))
        return None
    return n


def _fixed_point(
    env: Environment,
    node: ast.Call,
    function: ast.Let,
    at: ast.Expr,
    init: Expr,
    name: str,
    entries: list[Expr],
    scope: Scope,
) -> Expr | None:
    """The body of a recurrence: the next state, of the same shape as the state. Whole numbers become real when the
    body makes them so."""
    inner = replace(scope, depth=scope.depth + 1, draws=None)  # a draw a step would need a key a step
    parameters = [parameter.id for parameter in function.parameters or ()]
    for integer in (True, False) if init.integer else (False,):
        state = Expr("ref", value=name, shape=init.shape, integer=integer)
        body = calls.inline(env, function, dict(zip(parameters, (state, *entries), strict=True)), inner)
        if body is None or not expressions.is_kind(env, function.value, body, False):
            return None
        if body.integer or not integer:
            break
    try:
        shape = shapes.same(init.shape, body.shape)
    except shapes.DimError as error:
        expressions.misfit(env, node, f"`{node.function.id}`: ", error, ((at, init), (function.value, body)))
        return None
    if shape is None:
        env.report.add(
            "E0316",
            f"the state starts as {shapes.described(init.shape)}, but `{function.name.id}` makes it "
            f"{shapes.described(body.shape)}",
            at,
            also=[(function.value, shapes.described(body.shape))],
            help=f"start with the shape that `{function.name.id}` gives, for example `zeros(...)`",
        )
        return None
    return body

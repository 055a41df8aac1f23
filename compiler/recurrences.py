"""Recurrences without recursion: `scan` and `fold` of a user function over the leading axis of arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bsi.compiler import calls, expressions, shapes
from bsi.compiler.environment import Environment
from bsi.compiler.functions import CALLABLE
from bsi.compiler.ir import Expr
from bsi.compiler.report import counted
from bsi.compiler.scope import Scope
from bsi.dsl import ast


@dataclass(frozen=True)
class _Step:
    """The user function of a recurrence: `given` are the values of its first parameters, those in `left` take the state
    and the elements."""

    function: ast.Let
    given: dict[str, Expr | None]
    left: tuple[str, ...]


def recurrence(env: Environment, node: ast.Call, operands: tuple[ast.Expr, ...], scope: Scope) -> Expr | None:
    """`scan(step, init, x, ...)` and `fold`: `state = step(state, x[t], ...)` over the leading axis of every x. A step
    that needs other values has them filled in first: `scan(step(a, b), init, x)`."""
    first, *rest = operands
    step = _step(env, node, first, len(rest), scope)
    values = [expressions.elaborate(env, operand, scope) for operand in rest]
    given = tuple(value for value in values if value)
    if step is None or len(given) < len(values):
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
        Expr("ref", value=name, shape=x.shape[1:], integer=x.integer)
        for name, x in zip(names[1:], sequences, strict=True)
    ]
    body = _fixed_point(env, node, step, rest[0], init, names[0], entries, scope)
    if body is None:
        return None
    shape = (n, *body.shape) if node.function.id == "scan" else body.shape
    return Expr(node.function.id, (body, init, *sequences), names, shape, body.integer)


def _step(env: Environment, node: ast.Call, step: ast.Expr, count: int, scope: Scope) -> _Step | None:
    """The user function that a recurrence names, with `count` parameters left."""
    op = node.function.id
    example = f"`let step(state, x) = ...`, then `{op}(step, init, xs)`"
    name = step.function if isinstance(step, ast.Call) else step
    declaration = env.declarations.get(name.id) if isinstance(name, ast.Name) else None
    if isinstance(name, ast.Name) and declaration is None and name.id not in CALLABLE:
        env.unknown(name, "function", (let.name.id for let in env.all(ast.Let) if let.parameters is not None))
        return None
    if not isinstance(name, ast.Name) or not isinstance(declaration, ast.Let) or declaration.parameters is None:
        message = f"the first argument of `{op}` is the name of a function that the file declares"
        env.report.add("E0315", message, step, help=example)
        return None
    env.used.add(name.id)
    arguments = step.arguments if isinstance(step, ast.Call) else ()
    names = [parameter.id for parameter in declaration.parameters]
    if len(names) - len(arguments) != count:
        takes = counted(len(names), "argument")
        wanted = f"{counted(count, 'argument')}, the state first"
        problem = f"`{op}` calls `{name.id}` with {wanted}, but it takes {takes}"
        if arguments:
            problem = f"`{op}` calls `{name.id}` with {wanted}, after {len(arguments)} of its {takes}"
        env.report.add("E0315", problem, step, also=[(declaration.name, "declared here")], help=example)
        return None
    if isinstance(step, ast.Call):
        bound = calls.bind_arguments(env, step, names[: len(arguments)], declaration.name)
        if bound is None:
            return None
        given = {parameter: expressions.elaborate(env, a.value, scope) for parameter, a in bound.items()}
        if any(value is None for value in given.values()):
            return None
        return _Step(declaration, given, tuple(names[len(arguments) :]))
    return _Step(declaration, {}, tuple(names))


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
    step: _Step,
    at: ast.Expr,
    init: Expr,
    name: str,
    entries: list[Expr],
    scope: Scope,
) -> Expr | None:
    """The body of a recurrence: the next state, of the same shape as the state. Whole numbers become real when the
    body makes them so."""
    inner = replace(scope, depth=scope.depth + 1, draws=None)  # a draw a step would need a key a step
    function = step.function
    state = Expr("ref", value=name, shape=init.shape, integer=init.integer)
    body = _applied(env, step, state, entries, inner)
    if body and state.integer and not body.integer:
        body = _applied(env, step, replace(state, integer=False), entries, inner)
    if body is None or not expressions.is_kind(env, function.value, body, False):
        return None
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


def _applied(env: Environment, step: _Step, state: Expr, entries: list[Expr], scope: Scope) -> Expr | None:
    values = {**step.given, **dict(zip(step.left, (state, *entries), strict=True))}
    return calls.inline(env, step.function, values, scope)

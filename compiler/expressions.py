"""Expressions: syntax -> typed `ir.Expr` with static shapes; dims become numbers, lets and functions are inlined.

A result of None means that something inside was already reported.
"""

from __future__ import annotations

from collections.abc import Iterable

from bsi.compiler import (
    branches,
    calls,
    fold,
    indexing,
    loops,
    operand_domains,
    ranges,
    shapes,
    sizes,
    sources,
    value_types,
)
from bsi.compiler.environment import Environment
from bsi.compiler.functions import ALIASES, CALLABLE, CONSTANTS, FUNCTIONS, OPERATORS
from bsi.compiler.ir import Expr, labelled
from bsi.compiler.scope import Scope
from bsi.dsl import ast

BOOLEANS = {"true": True, "false": False}
LOGICAL = frozenset({"and", "or", "not", "any", "all"})

CONSTANT = Scope()


def elaborate(env: Environment, node: ast.Expr, scope: Scope) -> Expr | None:
    """The typed form of `node`."""
    match node:
        case ast.Number(value=value):
            return fold.constant(value)
        case ast.Name():
            return _name(env, node, scope)
        case ast.Unary(operator="+", operand=operand):
            return elaborate(env, operand, scope)
        case ast.Unary(operator=operator, operand=operand):
            return apply(env, node, "neg" if operator == "-" else "not", (operand,), scope)
        case ast.Binary(operator=operator, left=left, right=right):
            return apply(env, node, OPERATORS[operator], (left, right), scope)
        case ast.Call():
            return calls.call(env, node, scope)
        case ast.ListExpr(items=()):
            env.report.add(
                "E0310", "an empty list has no shape", node, help="use `zeros(n)` for an array of a known size"
            )
            return None
        case ast.ListExpr(items=items):
            return _list(env, node, items, scope)
        case ast.Index(base=base, items=items):
            value = elaborate(env, base, scope)
            return indexing.index(env, node, value, items, scope) if value else None
        case ast.Conditional():
            return branches.conditional(env, node, scope)
        case ast.Comprehension():
            return loops.comprehension(env, node, scope)
        case ast.String() | ast.Configured():
            what = "text" if isinstance(node, ast.String) else f"`{node.name.id} {{ ... }}`"
            env.report.add("E0304", f"a number is needed here, not {what}", node)
    return None


def constant_value(env: Environment, node: ast.Expr, what: str, sweeps: bool = False) -> Expr | None:
    """`node` as an expression without params; `what` names its use in messages."""
    return elaborate(env, node, Scope(owner=what, sweeps=sweeps, stage=what))


def known_value(env: Environment, node: ast.Expr, value: Expr, what: str) -> object | None:
    """The number or nested tuple that `value` stands for, data included; else reports that it is not constant."""
    try:
        result = fold.evaluate(value, env.data_values)
    except fold.ConstantError as error:
        env.report.add("E0309", str(error), node)
        return None
    if result is None:
        message = f"{what} must be known while compiling, and this expression is too involved for that"
        env.report.add("E0308", message, node, help="write its value, or put it into data")
    return result


# ---------------------------------------------------------------- names


def _name(env: Environment, name: ast.Name, scope: Scope) -> Expr | None:
    if name.id in scope.locals:
        env.used.add(f"{scope.owner}/{name.id}")
        value = scope.locals[name.id]
        if value and (late := fold.references(value) & (scope.late - env.data_values.keys())):
            what = (
                f"the index `{name.id}`: it is the same in every turn of a loop" if late <= scope.ranges.keys() else ""
            )
            return _too_late(env, name, scope, what or f"`{name.id}`: it is fixed before anything is sampled")
        return value
    if name.id in scope.later:
        line = env.line_of(scope.later[name.id])
        env.report.add(
            "E0207",
            f"`{name.id}` is used before it is drawn",
            name,
            also=[(scope.later[name.id], "drawn here")],
            help=f"a body is read from top to bottom: move line {line} up",
        )
        return None
    declaration = env.declarations.get(name.id)
    if declaration is None:
        if name.id in CONSTANTS:
            return fold.constant(CONSTANTS[name.id])
        if name.id in BOOLEANS:
            return fold.constant(BOOLEANS[name.id])
        known = {*scope.locals, *CONSTANTS, *BOOLEANS, *_values(env)}
        if name.id in CALLABLE:
            env.report.add("E0204", f"`{name.id}` is a function, not a value", name, help=f"call it: `{name.id}(...)`")
        else:
            env.unknown(name, "value", known, ALIASES)
        return None
    env.used.add(name.id)
    if name.id in env.twice:
        return None
    match declaration:
        case ast.Dim():
            size = sizes.dim(env, declaration)
            return fold.constant(size) if size is not None else None
        case ast.Data():
            data = sources.data(env, declaration)
            return Expr("ref", value=data.name, shape=data.shape, integer=data.integer) if data else None
        case ast.Let(parameters=None):
            return let(env, declaration)
        case ast.Let():
            env.report.add("E0204", f"`{name.id}` is a function, not a value", name, help=f"call it: `{name.id}(...)`")
        case ast.Param():
            return _param(env, name, declaration, scope)
        case ast.Sweep() if scope.sweeps:
            return Expr("ref", value=name.id)
        case ast.Sweep() if scope.stage:
            return _too_late(env, name, scope, f"the sweep `{name.id}`: it is the same at every point of a sweep")
        case ast.Sweep():
            env.report.add(
                "E0204",
                f"the sweep `{name.id}` is used outside a power or an option",
                name,
                help="a sweep changes what is asked, never a law: use it as an exponent or as an option's value",
            )
        case ast.Simulator():
            env.report.add("E0204", f"`{name.id}` is a simulator, not a value", name, help=f"call it: `{name.id}(...)`")
        case _:
            env.wrong_kind(name, "a value")
    return None


def _values(env: Environment) -> list[str]:
    return [d.name.id for d in env.declarations.values() if isinstance(d, ast.Dim | ast.Data | ast.Let | ast.Param)]


def _too_late(env: Environment, name: ast.Name, scope: Scope, on: str) -> None:
    declared = name.id in env.declarations and name.id not in scope.locals
    also = [(env.name_of(name.id), "declared here")] if declared else []
    help = "use numbers, dims, data and lets only"
    env.report.add("E0314", f"{scope.stage} cannot depend on {on}", name, also=also, help=help)


def _param(env: Environment, name: ast.Name, declaration: ast.Param, scope: Scope) -> Expr | None:
    if scope.stage:
        return _too_late(env, name, scope, f"the param `{name.id}`: it is fixed before anything is sampled")
    if name.id not in scope.params:
        if not scope.owner or not scope.params:
            message = f"the param `{name.id}` is unknown until it is sampled, so it cannot be used here"
            help = f"make a function of it: `let name({name.id}) = ...`" if not scope.owner else None
            if env.calls:
                help = f"give it to `{env.calls[-1]}` as an argument"
        else:
            message = f"`{name.id}` is not an argument of {scope.owner}"
            help = f"add `{name.id}` to the arguments of {scope.owner}"
        env.report.add("E0206", message, name, also=[(declaration.name, "declared here")], help=help)
        return None
    type = value_types.value_type(env, declaration.type)
    return Expr("ref", value=name.id, shape=type.shape) if type else None


def let(env: Environment, declaration: ast.Let) -> Expr | None:
    """Value of a `let` without parameters."""

    def value() -> Expr | None:
        found = elaborate(env, declaration.value, CONSTANT)
        return labelled(found, declaration.name.id) if found else None

    return env.once("let", declaration.name.id, value)


# ---------------------------------------------------------------- operators and functions


def apply(env: Environment, node: ast.Expr, op: str, operands: tuple[ast.Expr, ...], scope: Scope) -> Expr | None:
    """`op` of operands as they are written."""
    args = tuple(elaborate(env, operand, scope) for operand in operands)
    if any(arg is None for arg in args):
        return None
    return combine(env, node, op, operands, tuple(arg for arg in args if arg), scope)


def combine(
    env: Environment,
    node: ast.Expr,
    op: str,
    operands: tuple[ast.Expr, ...],
    args: tuple[Expr, ...],
    scope: Scope,
    sizes: tuple[int, ...] = (),
    axis: int | None = None,
) -> Expr | None:
    """`op(args, sizes, axis = axis)`, with its shape and kind checked."""
    row = FUNCTIONS[op]
    options = {} if row.axis is None else {"axis": axis}
    for operand, arg in zip(operands, args, strict=True):
        if not is_kind(env, operand, arg, op in LOGICAL):
            return None
    try:
        shape = shapes.apply(row.rule, [arg.shape for arg in args], sizes, **options)
    except shapes.ShapeError as error:
        name = f"`{op}`: " if isinstance(node, ast.Call) else ""
        misfit(env, node, name, error, zip(operands, args, strict=True))
        return None
    operand_domains.note(env, op, operands, args, scope)
    integer = row.kind == "int" or (row.kind == "same" and all(arg.integer for arg in args))
    if op == "pow" and integer and not (args[1].op == "const" and all(n >= 0 for n in fold.flat(args[1].value))):
        integer = False
    every = (*args, *map(fold.constant, sizes))
    if integer and args and row.kind == "same":
        integer = ranges.is_narrow(Expr(op, every, axis, shape, True), env.data_values, scope.ranges)
    return folded(env, node, op, every, shape, integer, axis)


def is_kind(env: Environment, node: ast.Expr, value: Expr, logical: bool) -> bool:
    """Whether `value` is true or false where that is needed, and a number where that is; else reports it."""
    if fold.is_boolean(value) == logical:
        return True
    wanted, got = ("true or false", "a number") if logical else ("a number", "true or false")
    help = "compare it: `x > 0`" if logical else "choose numbers: `if c then 1 else 0`"
    env.report.add("E0304", f"{wanted} is needed here, but this is {got}", node, help=help)
    return False


def misfit(
    env: Environment,
    node: ast.Node,
    name: str,
    error: shapes.ShapeError,
    operands: Iterable[tuple[ast.Node, Expr]],
) -> None:
    """Report shapes that do not fit; of two dims that meet, where each is declared."""
    labels: list[tuple[ast.Node, str]] = [(operand, shapes.described(arg.shape)) for operand, arg in operands]
    if isinstance(error, shapes.DimError):
        declared = [(env.name_of(dim), "declared here") for dim in error.dims if dim in env.declarations]
        help = "index one of them by the other, or write a plain number where the dim does not matter"
        env.report.add("E0312", f"{name}{error}", node, also=[*labels, *declared], help=help)
    else:
        env.report.add("E0301", f"{name}{error}", node, also=labels)


def dims_differ(env: Environment, node: ast.Node, value: Expr, wanted: shapes.Shape, owner: str) -> bool:
    """Whether `value` would fit `owner`, of shape `wanted`, but for its dims; then it is reported."""
    error = shapes.clash(value.shape, wanted)
    if error:
        misfit(env, node, f"`{owner}`: ", error, ((node, value),))
    return error is not None


def folded(
    env: Environment,
    node: ast.Expr,
    op: str,
    args: tuple[Expr, ...],
    shape: shapes.Shape,
    integer: bool,
    axis: int | None = None,
) -> Expr | None:
    """`op(args)`, its value when all arguments are constant."""
    try:
        return fold.apply(op, args, shape, integer, axis)
    except fold.ConstantError as error:
        env.report.add("E0309", str(error), node)
        return None


def _list(env: Environment, node: ast.ListExpr, items: tuple[ast.Expr, ...], scope: Scope) -> Expr | None:
    values = [elaborate(env, item, scope) for item in items]
    rows = tuple(value for value in values if value)
    if len(rows) < len(values):
        return None
    logical = fold.is_boolean(rows[0])
    shape: shapes.Shape | None = rows[0].shape
    for item, row in zip(items, rows, strict=True):
        if not is_kind(env, item, row, logical):
            return None
        try:
            shape = shapes.same(shape, row.shape)
        except shapes.DimError as error:
            misfit(env, node, "", error, ((items[0], rows[0]), (item, row)))
            return None
        if shape is None:
            env.report.add(
                "E0310",
                "the entries of this list have different shapes",
                item,
                shapes.described(row.shape),
                also=[(items[0], shapes.described(rows[0].shape))],
            )
            return None
    return folded(env, node, "stack", rows, (len(rows), *shape), all(row.integer for row in rows), 0)


def not_yet(env: Environment, what: str, at: ast.Node) -> None:
    """`what` is of the language, but of a later version."""
    env.report.add("E0211", f"{what} part of the language, but not supported in this version yet", at)

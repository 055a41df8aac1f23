"""Calls in expressions: user functions, inlined at every call, and the rows of `compiler.functions`."""

from __future__ import annotations

from dataclasses import replace

from bsi.compiler import expressions, fold, loops, recurrences, shapes, sizes
from bsi.compiler.environment import Environment
from bsi.compiler.functions import ALIASES, CALLABLE, FUNCTIONS, Function
from bsi.compiler.ir import Expr, labelled
from bsi.compiler.laws import LAWS
from bsi.compiler.report import counted, listed
from bsi.compiler.scope import Scope
from bsi.dsl import ast

WRONG = -1  # an axis that was reported


def call(env: Environment, node: ast.Call, scope: Scope) -> Expr | None:
    name = node.function
    declaration = env.declarations.get(name.id)
    if isinstance(declaration, ast.Let) and declaration.parameters is not None:
        env.used.add(name.id)
        return _inline(env, node, declaration, scope)
    if declaration is not None and name.id not in CALLABLE:
        env.used.add(name.id)
        if isinstance(declaration, ast.Simulator):
            from bsi.compiler import simulators  # here, since declared types need expressions first

            return simulators.call(env, node, declaration, scope)
        env.wrong_kind(name, "a function")
        return None
    if name.id in LAWS:
        env.report.add(
            "E0204", f"`{name.id}` is a law, not a function", name, help=f"draw from it: `name ~ {name.id}(...)`"
        )
        return None
    if name.id not in CALLABLE:
        functions = (d.name.id for d in env.all(ast.Let) if d.parameters is not None)
        known = {*CALLABLE, *functions, *(d.name.id for d in env.all(ast.Simulator))}
        env.unknown(name, "function", known, ALIASES)
        return None
    return _built_in(env, node, scope)


def _inline(env: Environment, node: ast.Call, function: ast.Let, scope: Scope) -> Expr | None:
    assert function.parameters is not None
    bound = bind_arguments(env, node, [parameter.id for parameter in function.parameters], function.name)
    if bound is None:
        return None
    values = {name: expressions.elaborate(env, argument.value, scope) for name, argument in bound.items()}
    return inline(env, function, values, scope)


def inline(env: Environment, function: ast.Let, values: dict[str, Expr | None], scope: Scope) -> Expr | None:
    """The body of a user function with its parameters bound to `values`."""
    inner = scope.inside(f"`{function.name.id}`", values)
    # The stack of functions being inlined is what shows recursion, so this result is never kept.
    calls = env.calls
    if function.name.id in calls:
        env.cycle(calls[calls.index(function.name.id) :])
        return None
    calls.append(function.name.id)
    try:
        value = expressions.elaborate(env, function.value, inner)
        return labelled(value, function.name.id) if value else None
    finally:
        calls.pop()


def bind_arguments(
    env: Environment, node: ast.Call, names: list[str], declared: ast.Name | None = None
) -> dict[str, ast.Argument] | None:
    """Arguments by parameter name, or None after a report."""
    bound: dict[str, ast.Argument] = {}
    also = [(declared, "declared here")] if declared else []
    signature = f"`{node.function.id}({', '.join(names)})`"
    for position, argument in enumerate(node.arguments):
        name = argument.name.id if argument.name else names[position] if position < len(names) else None
        if name is None:
            env.report.add(
                "E0209",
                f"`{node.function.id}` takes {counted(len(names), 'argument')}, not {len(node.arguments)}",
                argument,
                "one too many",
                also=also,
                help=f"it is {signature}",
            )
            return None
        if name not in names or name in bound:
            problem = f"`{name}` is given twice" if name in bound else f"`{node.function.id}` has no argument `{name}`"
            env.report.add("E0208", problem, argument, also=also, help=f"it is {signature}")
            return None
        bound[name] = argument
    missing = [name for name in names if name not in bound]
    if missing:
        env.report.add(
            "E0209",
            f"`{node.function.id}` also needs {listed(missing)}",
            node,
            also=also,
            help=f"it is {signature}",
        )
        return None
    return bound


def _built_in(env: Environment, node: ast.Call, scope: Scope) -> Expr | None:
    row = FUNCTIONS[node.function.id]
    axis = _axis(env, node, row, scope)
    operands = tuple(argument.value for argument in node.arguments if not argument.name)
    if axis == WRONG or not _arity(env, node, row, len(operands)):
        return None
    if row.rule == "scan":
        return recurrences.recurrence(env, node, operands, scope)
    if row.rule == "range":
        return loops.whole_numbers(env, operands, scope)
    count = len(operands) if row.sizes is None else row.sizes
    plain = replace(scope, stage="", late=frozenset())  # the size of a param is known, its value is not
    inner = plain if row.rule == "size" else scope
    values = [expressions.elaborate(env, operand, inner) for operand in operands[:count]]
    counts = [sizes.size(env, operand, scope) for operand in operands[count:]]
    args = tuple(value for value in values if value)
    given = tuple(n for n in counts if n is not None)
    if len(args) < len(values) or len(given) < len(counts):
        return None
    if axis is None and row.axis != "all":
        axis = max(len(args[0].shape) - 1, 0) if row.axis == "last" else 0 if row.axis else None
    if row.rule == "size":
        return _size(env, node, operands[0], args[0], axis or 0)
    return expressions.combine(env, node, row.name, operands[:count], args, scope, given, axis)


def _axis(env: Environment, node: ast.Call, row: Function, scope: Scope) -> int | None:
    """The argument `axis = k`: a number, None where there is none, `WRONG` after a report."""
    axis: int | None = None
    for argument in node.arguments:
        if argument.name is None:
            continue
        if row.axis is None or argument.name.id != "axis":
            problem = "has no named arguments" if row.axis is None else f"has no argument `{argument.name.id}`"
            help = "its only named argument is `axis`" if row.axis else None
            env.report.add("E0208", f"`{row.name}` {problem}", argument, help=help)
            return WRONG
        value = expressions.elaborate(env, argument.value, scope)
        if value is None:
            return WRONG
        if value.op != "const" or value.shape or not value.integer or fold.is_boolean(value) or value.value < 0:
            negative = value.op == "const" and value.integer and not value.shape
            help = "axes count from 0, at the front" if negative else None
            env.report.add("E0304", "an axis is a constant whole number, 0 or more", argument.value, help=help)
            return WRONG
        axis = value.value
    return axis


def _arity(env: Environment, node: ast.Call, row: Function, n: int) -> bool:
    fewest, most = row.arity
    if fewest <= n and (most is None or n <= most):
        return True
    wanted = counted(fewest, "argument") if fewest == most else f"at least {counted(fewest, 'argument')}"
    if most is not None and n > most > fewest:
        wanted = f"at most {counted(most, 'argument')}"
    help = f"`{row.name}`: {row.doc}"
    if row.name in ("min", "max") and n == 2:
        help = f"use `{row.name}imum(a, b)` for the {row.name}imum of two values"
    elif n == most == 1 or (row.axis and n == fewest + 1):
        help += f"; the axis is named: `{row.name}(x, axis = 0)`"
    env.report.add("E0209", f"`{row.name}` takes {wanted}, not {n}", node, help=help)
    return False


def _size(env: Environment, node: ast.Call, operand: ast.Expr, value: Expr, axis: int) -> Expr | None:
    if axis >= len(value.shape):
        problem = f"there is no axis {axis}: this has {shapes.described(value.shape)}"
        env.report.add("E0301", f"`size`: {problem if value.shape else 'a single number has no size'}", operand)
        return None
    return fold.constant(value.shape[axis])

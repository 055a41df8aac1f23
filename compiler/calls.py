"""Calls in expressions: user functions, inlined at every call, and the rows of `compiler.functions`."""

from __future__ import annotations

from bsi.compiler import expressions, fold, shapes, sizes
from bsi.compiler.environment import NOUNS, Environment, article
from bsi.compiler.functions import ALIASES, CALLABLE, FUNCTIONS
from bsi.compiler.ir import Expr, labelled
from bsi.compiler.laws import LAWS
from bsi.compiler.report import counted, listed
from bsi.compiler.scope import Scope
from bsi.dsl import ast


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
        if not isinstance(declaration, ast.Import):
            env.report.add(
                "E0204",
                f"`{name.id}` is {article(NOUNS[type(declaration)])}, not a function",
                name,
                also=[(env.name_of(name.id), "declared here")],
            )
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
    inner = Scope(owner=f"`{function.name.id}`", locals=values, ranges=scope.ranges, draws=scope.draws)
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
    for argument in node.arguments:
        if argument.name:
            env.report.add("E0208", f"`{row.name}` has no named arguments", argument)
            return None
    fewest, most = row.arity
    n = len(node.arguments)
    if n < fewest or (most is not None and n > most):
        wanted = counted(fewest, "argument") if fewest == most else f"at least {counted(fewest, 'argument')}"
        help = f"`{row.name}`: {row.doc}"
        if row.name in ("min", "max") and n == 2:
            help = f"use `{row.name}imum(a, b)` for the {row.name}imum of two values"
        env.report.add("E0209", f"`{row.name}` takes {wanted}, not {n}", node, help=help)
        return None
    operands = tuple(argument.value for argument in node.arguments)
    if row.rule in ("fill", "eye", "linspace"):
        return _constructor(env, node, row.rule, operands, scope)
    if row.rule == "size":
        value = expressions.elaborate(env, operands[0], scope)
        if value and not value.shape:
            env.report.add("E0301", "`size`: a single number has no size", operands[0])
            return None
        return fold.constant(value.shape[0]) if value else None
    return expressions.apply(env, node, row.name, operands, scope)


def _constructor(
    env: Environment, node: ast.Call, rule: str, operands: tuple[ast.Expr, ...], scope: Scope
) -> Expr | None:
    op = node.function.id
    static = operands[-1:] if rule == "linspace" else operands
    counts = [sizes.size(env, operand, scope) for operand in static]
    ends = [expressions.elaborate(env, operand, scope) for operand in operands[: len(operands) - len(static)]]
    if any(n is None for n in counts) or any(end is None for end in ends):
        return None
    given = [n for n in counts if n is not None]
    args = (*(end for end in ends if end), *(fold.constant(n) for n in given))
    for operand, end in zip(operands, ends, strict=False):
        if end and end.shape:
            env.report.add("E0301", f"`{op}` needs single numbers, not {shapes.described(end.shape)}", operand)
            return None
    shape = (given[0], given[0]) if rule == "eye" else tuple(given)
    return expressions.folded(env, node, op, args, shape, False)

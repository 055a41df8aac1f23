"""Conditionals: `if c then a else b`, elementwise where the condition is an array."""

from __future__ import annotations

from bsi.compiler import expressions, fold, shapes
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr
from bsi.compiler.scope import Scope
from bsi.dsl import ast


def conditional(env: Environment, node: ast.Conditional, scope: Scope) -> Expr | None:
    condition = expressions.elaborate(env, node.condition, scope)
    yes, no = expressions.elaborate(env, node.yes, scope), expressions.elaborate(env, node.no, scope)
    if not (condition and yes and no):
        return None
    if not fold.is_boolean(condition):
        env.report.add(
            "E0304", "a condition is needed here, but this is a number", node.condition, help="compare it: `x > 0`"
        )
        return None
    try:
        shape = shapes.broadcast(condition.shape, yes.shape, no.shape)
    except shapes.ShapeError as error:
        env.report.add(
            "E0301",
            str(error),
            node,
            also=[(node.yes, shapes.described(yes.shape)), (node.no, shapes.described(no.shape))],
        )
        return None
    if condition.op == "const" and isinstance(condition.value, bool) and yes.shape == no.shape:
        return yes if condition.value else no
    return Expr("where", (condition, yes, no), None, shape, yes.integer and no.integer)

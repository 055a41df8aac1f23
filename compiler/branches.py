"""Conditionals: `if c then a else b`, elementwise where the condition is an array."""

from __future__ import annotations

from dataclasses import replace

from bsi.compiler import expressions, fold, shapes
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr
from bsi.compiler.scope import Scope
from bsi.dsl import ast


def conditional(env: Environment, node: ast.Conditional, scope: Scope) -> Expr | None:
    """The chosen branch alone when the condition is one constant: the other need not even fit."""
    condition = expressions.elaborate(env, node.condition, scope)
    if condition is None or not expressions.is_kind(env, node.condition, condition, True):
        return None
    if condition.op == "const" and not condition.shape:
        return expressions.elaborate(env, node.yes if condition.value else node.no, scope)
    yes = expressions.elaborate(env, node.yes, replace(scope, holds=(*scope.holds, condition)))
    no = expressions.elaborate(env, node.no, replace(scope, holds=(*scope.holds, opposite(condition))))
    if yes is None or no is None or not expressions.is_kind(env, node.no, no, fold.is_boolean(yes)):
        return None
    try:
        shape = shapes.broadcast(condition.shape, yes.shape, no.shape)
    except shapes.ShapeError as error:
        parts = ((node.condition, condition), (node.yes, yes), (node.no, no))
        expressions.misfit(env, node, "", error, [part for part in parts if part[1].shape or part[1] is not condition])
        return None
    return fold.where(condition, yes, no, shape)


def opposite(condition: Expr) -> Expr:
    """`not condition`."""
    return Expr("not", (condition,), None, condition.shape)

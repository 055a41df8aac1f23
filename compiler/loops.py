"""Loops without recursion: comprehensions, and reductions over a range."""

from __future__ import annotations

from dataclasses import replace

from bsi.compiler import expressions, sizes
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr
from bsi.compiler.scope import Scope
from bsi.dsl import ast


def comprehension(env: Environment, node: ast.Comprehension, scope: Scope) -> Expr | None:
    n = sizes.size(env, node.range, scope)
    if n is None:
        return None
    variable = f"%i{len(scope.ranges)}"
    inner = replace(scope, ranges={**scope.ranges, variable: n})
    inner = inner.bind(node.variable.id, Expr("ref", value=variable, integer=True))
    element = expressions.elaborate(env, node.element, inner)
    if element is None:
        return None
    mapped = Expr("map", (element,), (variable, n), (n, *element.shape), element.integer)
    if node.reducer is None:
        return mapped
    return Expr(node.reducer, (mapped,), 0, element.shape, element.integer)

"""Dims and sizes: named sizes, read from data where they have no value."""

from __future__ import annotations

from bsi.compiler import expressions, sources
from bsi.compiler.environment import Environment
from bsi.compiler.scope import Scope
from bsi.dsl import ast


def size(env: Environment, node: ast.Expr, scope: Scope | None = None) -> int | None:
    """A size written as an expression: a positive whole constant."""
    value = expressions.elaborate(env, node, scope or expressions.CONSTANT)
    if value is None:
        return None
    if value.op != "const":
        env.report.add("E0308", "a size must be a constant", node, help="sizes are fixed while compiling: use a `dim`")
        return None
    if value.shape or not value.integer or isinstance(value.value, bool) or value.value < 1:
        shown = "a list" if value.shape else repr(value.value)
        env.report.add("E0305", f"a size is a positive whole number, not {shown}", node)
        return None
    return value.value


def dim(env: Environment, declaration: ast.Dim) -> int | None:
    """The size that a dim names."""
    name = declaration.name.id
    if declaration.value is not None:
        value = declaration.value
        return env.once("dim", name, lambda: size(env, value))
    return env.once("dim", name, lambda: _inferred(env, declaration))


def _inferred(env: Environment, declaration: ast.Dim) -> int | None:
    """Read from the first data or observation set, in the order of the file, that has this dim as an axis."""
    name = declaration.name.id
    simulated: ast.Observe | None = None
    unread = False
    for user in env.declarations.values():
        axes: tuple[ast.Expr, ...]
        if isinstance(user, ast.Data):
            axes = user.type.dims
        elif isinstance(user, ast.Observe):
            likelihood = env.declarations.get(user.likelihood.id)
            if not isinstance(likelihood, ast.Likelihood) or (user.rows == () and not likelihood.type.dims):
                continue
            rows = () if user.rows is None else user.rows or (ast.Number(user.span, 0, "0"),)
            axes = (*rows, *likelihood.type.dims)
        else:
            continue
        places = [axis for axis, node in enumerate(axes) if isinstance(node, ast.Name) and node.id == name]
        if not places:
            continue
        if isinstance(user, ast.Observe) and sources.call_of(user.source, "simulate"):
            simulated = user
            continue
        raw = sources.raw(env, user)
        if raw is None:
            unread = True  # what is wrong with the file has been reported
            continue
        shape = raw.shape
        if len(shape) == len(axes):
            return shape[places[0]]
        sources.report_rank(env, user, len(axes), shape)
        return None
    if not unread:
        what = f"the dim `{name}` has no value, and no data has it as an axis"
        if simulated:
            what = (
                f"the dim `{name}` has no value, and `{simulated.name.id}` cannot give it one: its rows are simulated"
            )
        env.report.add("E0306", what, declaration.name, help=f"give it a value: `dim {name} = 10`")
    return None

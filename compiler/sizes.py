"""Dims and sizes: named sizes, read from data where they have no value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bsi.compiler import expressions, sources
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr
from bsi.compiler.scope import Scope
from bsi.compiler.shapes import Axis
from bsi.dsl import ast


def size(env: Environment, node: ast.Expr, scope: Scope | None = None, what: str = "a size") -> int | None:
    """A size written as an expression: a positive whole constant, an `Axis` where it is a dim's."""
    value = expressions.elaborate(env, node, replace(scope or expressions.CONSTANT, stage=what))
    return positive(env, node, value) if value else None


def positive(env: Environment, node: ast.Expr, value: Expr) -> int | None:
    """A size, from its expression."""
    n = _number(env, node, value, "a size")
    if n is not None and n < 1:
        env.report.add("E0305", f"a size is a positive whole number, not {n}", node)
        return None
    return n


def whole(env: Environment, node: ast.Expr, scope: Scope, what: str) -> int | None:
    """A constant whole number of any sign."""
    value = expressions.elaborate(env, node, replace(scope, stage=what))
    return _number(env, node, value, what) if value else None


def _number(env: Environment, node: ast.Expr, value: Expr, what: str) -> int | None:
    known = expressions.known_value(env, node, value, what)
    if known is None:
        return None
    if value.shape or not value.integer or isinstance(known, bool):
        shown = "a list" if value.shape else str(known).lower() if isinstance(known, bool) else repr(known)
        kind = "a positive whole number" if what == "a size" else "a whole number"
        env.report.add("E0305", f"{what} is {kind}, not {shown}", node)
        return None
    assert isinstance(known, int)
    return known


def dim(env: Environment, declaration: ast.Dim) -> Axis | None:
    """The size that a dim names."""
    name = declaration.name.id
    value = declaration.value

    def found() -> Axis | None:
        n = _inferred(env, declaration) if value is None else size(env, value, what=f"the dim `{name}`")
        return None if n is None else Axis(n, name)

    return env.once("dim", name, found)


def _inferred(env: Environment, declaration: ast.Dim) -> int | None:
    """Read from the data and observation sets that have this dim as an axis; all must agree."""
    name = declaration.name.id
    simulated: ast.Observe | None = None
    unread = False
    misfit: tuple[ast.Data | ast.Observe, int, tuple[int, ...]] | None = None
    found: list[tuple[ast.Data | ast.Observe, ast.Node, int]] = []
    for user, axes in _users(env):
        places = [axis for axis, node in enumerate(axes) if isinstance(node, ast.Name) and node.id == name]
        if not places:
            continue
        if isinstance(user, ast.Observe) and sources.call_of(user.source, "simulate"):
            simulated = user
            continue
        raw = sources.raw(env, user)
        if raw is None:
            unread = True  # what is wrong with the file has been reported
        elif len(raw.shape) != len(axes):
            misfit = misfit or (user, len(axes), raw.shape)
        else:
            found.extend((user, axes[place], raw.shape[place]) for place in places)
    if found:
        return _agreed(env, name, found)
    if misfit:
        sources.report_rank(env, *misfit)
    elif not unread:
        what = f"the dim `{name}` has no value, and no data has it as an axis"
        if simulated:
            what = (
                f"the dim `{name}` has no value, and `{simulated.name.id}` cannot give it one: its rows are simulated"
            )
        env.report.add("E0306", what, declaration.name, help=f"give it a value: `dim {name} = 10`")
    return None


def _users(env: Environment) -> Iterator[tuple[ast.Data | ast.Observe, tuple[ast.Expr, ...]]]:
    """Data and observation sets with the sizes of their axes as they are written, rows first."""
    for user in env.declarations.values():
        if isinstance(user, ast.Data):
            yield user, user.type.dims
        elif isinstance(user, ast.Observe):
            likelihood = env.declarations.get(user.likelihood.id)
            if isinstance(likelihood, ast.Likelihood) and (user.rows != () or likelihood.type.dims):
                rows = () if user.rows is None else user.rows or (ast.Number(user.span, 0, "0"),)
                yield user, (*rows, *likelihood.type.dims)


def _agreed(env: Environment, name: str, found: list[tuple[ast.Data | ast.Observe, ast.Node, int]]) -> int | None:
    first, place, n = found[0]
    other = next((entry for entry in found if entry[2] != n), None)
    if other is None:
        return n
    user, at, m = other
    env.report.add(
        "E0313",
        f"`{name}` is {n} by `{first.name.id}`, but {m} by `{user.name.id}`",
        at,
        f"{m} entries along this axis",
        also=[(place, f"{n} entries along this axis")],
        help=f"give each its own dim, or say which is right: `dim {name} = {n}`",
    )
    return None

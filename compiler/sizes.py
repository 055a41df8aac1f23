"""Dims and sizes: named sizes, read from data where they have no value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bsi.compiler import expressions, sources
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr
from bsi.compiler.scope import Scope
from bsi.compiler.shapes import Axis
from bsi.dsl import ast


def size(env: Environment, node: ast.Expr, scope: Scope | None = None, what: str = "a size") -> int | None:
    """A size written as an expression: a positive whole constant, an `Axis` where it is a dim's."""
    value = expressions.elaborate(env, node, (scope or expressions.CONSTANT).fixed(what))
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
    value = expressions.elaborate(env, node, scope.fixed(what))
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
    """Read from the first data or observation set that has this dim as an axis: of those that are written out or in a
    file, else of those that are computed, which may need the dim themselves."""
    name = declaration.name.id
    found = _first(env, name)
    if isinstance(found, _Use):
        return found.size
    if found is not None:
        sources.report_rank(env, *found)
        return None
    users = [user for user, axes in _users(env) if any(_names(axis, name) for axis in axes)]
    simulated = [user for user in users if _is_simulated(user)]
    if len(simulated) == len(users):  # else what is wrong with a file has been reported
        what = f"the dim `{name}` has no value, and no data has it as an axis"
        if simulated:
            user = simulated[-1].name.id
            what = f"the dim `{name}` has no value, and `{user}` cannot give it one: its rows are simulated"
        env.report.add("E0306", what, declaration.name, help=f"give it a value: `dim {name} = 10`")
    return None


@dataclass(frozen=True)
class _Use:
    """An axis of data that a dim is read from."""

    user: ast.Data | ast.Observe
    axis: ast.Expr
    size: int


def _first(env: Environment, name: str) -> _Use | tuple[ast.Data | ast.Observe, int, tuple[int, ...]] | None:
    """The axis that the dim `name` is read from; or the data that should have had it, with the number of axes declared
    and the shape found; None when nothing can be read."""
    misfit = None
    for user, axes in sorted(_users(env), key=lambda entry: not _is_written(entry[0].source)):
        place = next((place for place, axis in enumerate(axes) if _names(axis, name)), None)
        raw = None if place is None or _is_simulated(user) else sources.raw(env, user)
        if raw is None or place is None:
            continue
        if len(raw.shape) == len(axes):
            return _Use(user, axes[place], raw.shape[place])
        misfit = misfit or (user, len(axes), raw.shape)
    return misfit


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


def _names(axis: ast.Expr, name: str) -> bool:
    return isinstance(axis, ast.Name) and axis.id == name


def _is_simulated(user: ast.Data | ast.Observe) -> bool:
    return isinstance(user, ast.Observe) and sources.call_of(user.source, "simulate") is not None


def _is_written(source: ast.Expr) -> bool:
    """Whether a source is a file, or numbers that stand in the text."""
    match source:
        case ast.Number() | ast.Call():
            return True
        case ast.Unary(operand=operand):
            return _is_written(operand)
        case ast.ListExpr(items=items):
            return all(map(_is_written, items))
    return False


def disagreement(env: Environment, user: ast.Data | ast.Observe, shape: tuple[int, ...]) -> bool:
    """Report, and say whether, data of this shape disagree about a dim that was read from other data."""
    axes = next((axes for other, axes in _users(env) if other is user), ())
    for axis, size in zip(axes, shape, strict=False):
        declaration = env.declarations.get(axis.id) if isinstance(axis, ast.Name) else None
        if not isinstance(declaration, ast.Dim) or declaration.value is not None:
            continue
        name, first = declaration.name.id, _first(env, declaration.name.id)
        if isinstance(first, _Use) and first.user is not user and first.size != size:
            env.report.add(
                "E0313",
                f"`{name}` is {first.size} by `{first.user.name.id}`, but {size} by `{user.name.id}`",
                axis,
                f"{size} entries along this axis",
                also=[(first.axis, f"{first.size} entries along this axis")],
                help=f"give each its own dim, or say which is right: `dim {name} = {first.size}`",
            )
            return True
    return False

"""The types of nuisance variables: they are drawn without a declaration, so their laws' arguments tell their shapes."""

from __future__ import annotations

from bsi.compiler import distributions, expressions, shapes
from bsi.compiler.environment import Environment
from bsi.compiler.report import listed
from bsi.compiler.scope import Scope
from bsi.compiler.value_types import ValueType
from bsi.dsl import ast


def nuisance_type(env: Environment, call: ast.Call, scope: Scope) -> ValueType | None:
    """The shape that the arguments of a law broadcast to.

    The arguments are elaborated twice (here, and against the shape found here); reports are not repeated.
    """
    row = distributions.row_of(env, call)
    if row is None:
        return None
    batches: list[shapes.Shape] = []
    sizes: dict[str, int] = {}
    inside: list[shapes.Shape] = []
    position = 0
    for argument in call.arguments:
        inner = argument.value if row.components != (0, 0) and argument.name is None else None
        if isinstance(inner, ast.Call) and distributions.is_law(inner):
            type = nuisance_type(env, inner, scope)
            if type is None:
                return None
            inside.append(type.shape)
            continue
        name = argument.name.id if argument.name else None
        axes = next((a.axes for i, a in enumerate(row.arguments) if a.name == name or (not name and i == position)), ())
        position += 1
        value = expressions.elaborate(env, argument.value, scope)
        if value is None:
            return None
        batches.append(value.shape[: len(value.shape) - len(axes)])
        if len(axes) <= len(value.shape):
            sizes.update(zip(axes, value.shape[len(value.shape) - len(axes) :], strict=True))
    unknown = [axis for axis in dict.fromkeys(row.axes) if axis not in sizes]
    if unknown:
        env.report.add(
            "E0415",
            f"nothing tells how large this draw of `{row.name}` is",
            call,
            help=f"a nuisance variable has the shape of its law's arguments, and none has the axis {listed(unknown)}",
        )
        return None
    try:
        event = tuple(sizes[axis] for axis in row.axes)
        shape = shapes.broadcast(*inside, shapes.broadcast(*batches) + event)
    except shapes.ShapeError as error:
        env.report.add("E0301", f"arguments of `{row.name}`: {error}", call)
        return None
    return ValueType(shape, tuple(map(str, shape)), row.integer, None, None)

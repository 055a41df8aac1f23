"""Dims, sizes and types: named sizes, read from data where they have no value; shapes and bounds of declared types."""

from __future__ import annotations

from dataclasses import dataclass

from bsi.compiler import expressions, fold, sources
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr
from bsi.compiler.report import suggest
from bsi.compiler.scope import Scope
from bsi.dsl import ast

LATER_TYPES = frozenset(
    {"simplex", "ordered", "positive_ordered", "cholesky_corr", "covariance", "unit_vector", "corr_matrix"}
)


@dataclass(frozen=True)
class ValueType:
    """`dims` are the names of dims, or sizes as text, for messages and results."""

    shape: tuple[int, ...]
    dims: tuple[str, ...]
    integer: bool
    lower: Expr | None
    upper: Expr | None

    @property
    def text(self) -> str:
        """`shape [d] = [2]`, or `a single number`."""
        if not self.shape:
            return "a single number"
        named, plain = f"[{', '.join(self.dims)}]", f"[{', '.join(map(str, self.shape))}]"
        return f"shape {named} = {plain}" if named != plain else f"shape {plain}"


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


def value_type(env: Environment, node: ast.Type) -> ValueType | None:
    """A declared type. Reports unknown types, bad bounds and bad sizes, once."""
    key = f"{node.span.start}"
    return env.once("type", key, lambda: _value_type(env, node))


def _value_type(env: Environment, node: ast.Type) -> ValueType | None:
    base = node.base.id
    if base in LATER_TYPES:
        env.report.add(
            "E0211", f"the type `{base}` is part of the language, but not supported in this version yet", node
        )
        return None
    if base not in ("real", "int"):
        nearest = suggest(base, ["real", "int", *LATER_TYPES], {"float": "real", "vector": "real", "integer": "int"})
        env.report.add(
            "E0307",
            f"no type is called `{base}`",
            node.base,
            help=f"did you mean `{nearest}`?" if nearest else "types are `real` and `int`",
        )
        return None
    bounds = _bounds(env, node)
    counts = [size(env, item) for item in node.dims]
    if bounds is None or any(n is None for n in counts):
        return None
    shape = tuple(n for n in counts if n is not None)
    dims = tuple(
        item.id if isinstance(item, ast.Name) and isinstance(env.declarations.get(item.id), ast.Dim) else str(n)
        for item, n in zip(node.dims, shape, strict=True)
    )
    return ValueType(shape, dims, base == "int", bounds.get("lower"), bounds.get("upper"))


def _bounds(env: Environment, node: ast.Type) -> dict[str, Expr] | None:
    bounds: dict[str, Expr] = {}
    for argument in node.bounds:
        name = argument.name.id if argument.name else ""
        if name not in ("lower", "upper") or name in bounds:
            problem = f"`{name}` is given twice" if name in bounds else f"`{name}` is not a bound of a type"
            env.report.add("E0307", problem, argument, help="bounds are `lower` and `upper`")
            return None
        value = expressions.constant_value(env, argument.value, "a bound")
        if value is None:
            return None
        if value.op != "const" or value.shape or fold.is_boolean(value):
            env.report.add("E0308", "a bound must be a constant number", argument.value)
            return None
        bounds[name] = fold.constant(float(value.value))
    if len(bounds) == 2 and not bounds["lower"].value < bounds["upper"].value:
        low, high = bounds["lower"].value, bounds["upper"].value
        env.report.add("E0307", f"the lower bound {low:g} is not below the upper bound {high:g}", node)
        return None
    return bounds

"""Declared types: shapes, bounds and kinds."""

from __future__ import annotations

from dataclasses import dataclass

from bsi.compiler import expressions, fold, sizes
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr
from bsi.compiler.report import suggest
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


def value_type(env: Environment, node: ast.Type) -> ValueType | None:
    """A declared type. Reports unknown types, bad bounds and bad sizes, once."""
    key = f"{node.span.file}:{node.span.start}"
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
    counts = [sizes.size(env, item) for item in node.dims]
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

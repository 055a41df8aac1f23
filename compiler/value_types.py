"""Declared types: shapes, bounds and kinds."""

from __future__ import annotations

from dataclasses import dataclass

from bsi.compiler import expressions, fold, sizes, supports
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr, Support
from bsi.compiler.report import listed, suggest
from bsi.dsl import ast


@dataclass(frozen=True)
class ValueType:
    """`dims` are the names of dims, or sizes as text, for messages and results. `kind` is `real` or a row of
    `compiler.supports.KINDS`, the trailing axes of whose values are part of `shape`."""

    shape: tuple[int, ...]
    dims: tuple[str, ...]
    integer: bool
    lower: Expr | None
    upper: Expr | None
    kind: str = "real"

    @property
    def support(self) -> Support:
        """Where the type says that values lie."""
        if self.kind != "real":
            return Support(self.kind)
        return supports.interval(self.lower, self.upper, self.integer)

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
    kind = supports.KINDS.get(base)
    if base not in ("real", "int") and kind is None:
        known = ["real", "int", *supports.KINDS]
        nearest = suggest(base, known, supports.ALIASES)
        env.report.add(
            "E0307",
            f"no type is called `{base}`",
            node.base,
            help=f"did you mean `{nearest}`?" if nearest else f"types are {listed(known)}",
            fix=nearest,
        )
        return None
    if kind and node.bounds:
        env.report.add("E0307", f"`{base}` takes no bounds", node.bounds[0], help=f"its values are {kind.plural}")
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
    if kind is None:
        return ValueType(shape, dims, base == "int", bounds.get("lower"), bounds.get("upper"))
    if not shape:
        env.report.add("E0414", f"`{base}` needs a size", node, help=f"write `{base}[3]`: {kind.doc}, here k = 3")
        return None
    if not large_enough(env, node.dims[-1], base, shape[-1], f"`{base}`"):
        return None
    again = kind.axes - 1  # a matrix is declared by its one size
    return ValueType(shape + shape[-1:] * again, dims + dims[-1:] * again, False, None, None, base)


def large_enough(env: Environment, at: ast.Node, kind: str, size: int, what: str) -> bool:
    """Whether values of a kind can have this size; else reports it for `what`."""
    least = supports.KINDS[kind].least
    if size < least:
        entries = "entries" if supports.KINDS[kind].axes == 1 else "rows"
        env.report.add("E0414", f"{what} needs at least {least} {entries}, not {size}", at)
    return size >= least


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

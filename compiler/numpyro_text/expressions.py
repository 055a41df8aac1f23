"""Expressions as Python text.

The value of a user's `let` becomes a variable of that name; a comprehension over single numbers becomes arithmetic on
whole arrays where every index runs along one axis, and `jax.vmap` otherwise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bsi.compiler import fold
from bsi.compiler.functions import FUNCTIONS
from bsi.compiler.ir import Expr
from bsi.compiler.numpyro_text.functions import ATOM, LOOSE, OPERATORS, PRODUCT, RISKY, SIGN, TEMPLATES
from bsi.compiler.numpyro_text.layout import WIDTH, filled
from bsi.compiler.numpyro_text.names import fresh

INDICES = "ijklmn"
CONSTANTS = {math.pi: "jnp.pi", math.e: "jnp.e", math.inf: "jnp.inf"}
HOISTED = 12  # arrays of more numbers than this get a line of their own
LAMBDA = 60  # characters; a longer function of a loop is a `def`


@dataclass
class Writer:
    """Text of expressions in one Python function.

    `names` are the names that can be referred to, `bound` those of them that a loop binds. `lines` receive variables
    and functions in the order in which they are needed; what depends on no loop stands in the `outer` writer.
    """

    names: Mapping[str, str]
    taken: set[str]
    lines: list[str] = field(default_factory=list)
    bound: frozenset[str] = frozenset()
    outer: Writer | None = None
    known: dict[Expr, str] = field(default_factory=dict)
    simulator: Callable[[Writer, Expr], str] | None = None  # the text of a simulator's call

    def text(self, expr: Expr, level: int = LOOSE) -> str:
        """`expr` for a place that needs to bind at least as tightly as `level`."""
        text, own = self._written(expr)
        return f"({text})" if own < level else text

    def _written(self, expr: Expr) -> tuple[str, int]:
        long = expr.op == "const" and math.prod(expr.shape) > HOISTED and _said_shortly(expr.value) is None
        label = expr.label or ("values" if long else "solution" if expr.op == "simulate" else "")
        return (self.variable(expr, label), ATOM) if label else self._plain(expr)

    def variable(self, expr: Expr, label: str) -> str:
        """The name of a variable that holds `expr`, outside all loops that it does not depend on."""
        if self.outer and loop_names(expr) <= self.outer.bound:
            return self.outer.variable(expr, label)
        if expr not in self.known:
            text, _ = self._plain(expr)
            if text.isidentifier():
                return text
            self.known[expr] = name = fresh(label, self.taken)
            if expr.op == "const" and math.prod(expr.shape) > HOISTED and _said_shortly(expr.value) is None:
                self.lines += array_lines(name, [literal(x) for x in fold.flat(expr.value)], expr.shape)
            else:
                self.lines.append(f"{name} = {text}")
        return self.known[expr]

    def _plain(self, expr: Expr) -> tuple[str, int]:
        written = _WRITERS.get(expr.op)
        if written:
            return written(self, expr)
        if expr.op in OPERATORS:
            operator = OPERATORS[expr.op]
            left, right = self.text(expr.args[0], operator.left), self.text(expr.args[1], operator.right)
            tight = operator.symbol == "**" and all(re.fullmatch(r"-?[\w.]+", side) for side in (left, right))
            return f"{left}**{right}" if tight else f"{left} {operator.symbol} {right}", operator.level
        texts = [self.text(arg) for arg in expr.args]
        text = TEMPLATES[expr.op].format(
            *texts, args=", ".join(texts), first=texts[0], rest=", ".join(texts[1:]), axis=_axis(expr)
        )
        return text, SIGN if text.startswith("-") else ATOM

    def _map(self, expr: Expr) -> tuple[str, int]:
        name, n = expr.value
        whole = whole_array(expr.args[0], name, n)
        if whole:
            return self._plain(whole)
        index = next(letter for letter in INDICES if letter not in self.names.values())
        return f"jax.vmap({self._function('entry', {name: index}, expr.args[0])})(jnp.arange({n}))", ATOM

    def _recurrence(self, expr: Expr) -> tuple[str, int]:
        body, start, *sequences = expr.args
        state, *entries = expr.value
        taken = set(self.names.values())
        inner = {state: fresh("state", taken), **{entry: fresh("x", taken) for entry in entries}}
        first = literal_as_real(start) if start.op == "const" and not body.integer else self.text(start)
        step = self._function(body.label or "step", inner, replace(body, label=""))
        states = f"states({', '.join([step, first, *map(self.text, sequences)])})"
        return states if expr.op == "scan" else f"{states}[-1]", ATOM

    def _function(self, name: str, inner: dict[str, str], body: Expr) -> str:
        """A function of the names of a loop: a lambda, or the name of a `def` where that is long."""
        names = {**self.names, **inner}
        bound = self.bound | inner.keys()
        writer = Writer(names, self.taken | set(inner.values()), bound=bound, outer=self, simulator=self.simulator)
        text = writer.text(body)
        arguments = ", ".join(inner.values())
        if not writer.lines and len(text) <= LAMBDA:
            return f"lambda {arguments}: {text}"
        name = fresh(name, self.taken)
        self.lines.append(f"def {name}({arguments}):")
        self.lines += [f"    {line}" for line in (*writer.lines, f"return {text}")]
        return name

    def _simulate(self, expr: Expr) -> tuple[str, int]:
        assert self.simulator is not None
        return self.simulator(self, expr), ATOM

    def _index(self, expr: Expr) -> tuple[str, int]:
        base, *dynamic = expr.args
        items: list[str] = []
        vector: int | None = None
        for axis, item in enumerate(expr.value):
            match item:
                case ("at", k):
                    items.append(str(k))
                case ("dynamic", position):
                    vector = axis if dynamic[position - 1].shape else vector
                    items.append(self.text(dynamic[position - 1]))
                case ("slice", start, stop):
                    whole = (start, stop) == (0, base.shape[axis])
                    items.append(":" if whole else f"{start or ''}:{'' if stop == base.shape[axis] else stop}")
        text = self.text(base, ATOM)
        kinds = [item[0] for item in expr.value]
        if vector is not None and len(kinds) - kinds.count("slice") > 1:
            # NumPy would move the axis of a vector that stands apart from other indices: it comes last, alone.
            left = [
                ":" if axis != vector else item
                for axis, item in enumerate(items)
                if kinds[axis] == "slice" or axis == vector
            ]
            items[vector] = ":"
            return f"{text}[{', '.join(items)}][{', '.join(left)}]", ATOM
        while items and items[-1] == ":":
            items.pop()
        return f"{text}[{', '.join(items)}]" if items else text, ATOM

    def _stack(self, expr: Expr) -> tuple[str, int]:
        rows = self._listed(expr)
        if rows is not None:
            return f"jnp.array({rows})", ATOM
        return f"jnp.stack([{', '.join(self.text(arg) for arg in expr.args)}]{_axis(expr)})", ATOM

    def _listed(self, expr: Expr) -> str | None:
        """A nested list of single numbers, or None where whole arrays stand in it."""
        if not expr.shape:
            return self.text(expr)
        if expr.op == "const":
            return literal(expr.value)
        if expr.op != "stack" or expr.value:
            return None
        items = [None if arg.shape and arg.label else self._listed(arg) for arg in expr.args]
        return None if None in items else f"[{', '.join(item or '' for item in items)}]"

    def _where(self, expr: Expr) -> tuple[str, int]:
        condition, yes, no = expr.args
        if not any(map(risky, (yes, no))):
            return f"jnp.where({', '.join(map(self.text, expr.args))})", ATOM
        chosen = self.variable(condition, "chosen")
        texts = [self.text(guarded(branch, condition, sign)) for branch, sign in ((yes, True), (no, False))]
        return f"jnp.where({', '.join([chosen, *texts])})", ATOM

    def _guard(self, expr: Expr) -> tuple[str, int]:
        value, condition = expr.args
        chosen = self.variable(condition, "chosen")
        return f"guarded({self.text(value)}, {chosen if expr.value else f'jnp.logical_not({chosen})'})", ATOM


def _axis(expr: Expr) -> str:
    """`, axis=k`, where leaving it out would mean another one."""
    row = FUNCTIONS.get(expr.op)
    if row is None or row.axis is None or expr.value is None:
        return ""
    plain = expr.value == 0 if expr.op in ("concat", "stack") else len(expr.args[0].shape) == 1
    return "" if plain else f", axis={expr.value}"


_WRITERS: dict[str, Callable[[Writer, Expr], tuple[str, int]]] = {
    "const": lambda writer, expr: constant(expr.value),
    "ref": lambda writer, expr: (writer.names[expr.value], ATOM),
    "neg": lambda writer, expr: (f"-{writer.text(expr.args[0], SIGN)}", SIGN),
    "range": lambda writer, expr: (f"jnp.arange({expr.value})", ATOM),
    "map": Writer._map,
    "scan": Writer._recurrence,
    "fold": Writer._recurrence,
    "index": Writer._index,
    "simulate": Writer._simulate,
    "stack": Writer._stack,
    "where": Writer._where,
    "guard": Writer._guard,
}


# ---------------------------------------------------------------- conditionals


def risky(expr: Expr) -> bool:
    """Whether a gradient may be infinite or NaN somewhere."""
    row = FUNCTIONS.get(expr.op)
    return expr.op in RISKY or bool(row and row.domain) or any(map(risky, expr.args))


def guarded(expr: Expr, condition: Expr, sign: bool) -> Expr:
    """A branch whose numbers have gradients only where the condition is `sign`."""
    if expr.op == "const":
        return expr
    if expr.op in FUNCTIONS and FUNCTIONS[expr.op].rule == "elementwise":
        return replace(expr, args=tuple(guarded(arg, condition, sign) for arg in expr.args), label="")
    return Expr("guard", (expr, condition), sign, expr.shape, expr.integer)


# ---------------------------------------------------------------- numbers


def constant(value: Any) -> tuple[str, int]:
    """A number, or an array of numbers by the shortest way to say it; and how tightly that binds."""
    if not isinstance(value, tuple):
        text = literal(value)
        return text, SIGN if text.startswith("-") else ATOM
    return _said_shortly(value) or (f"jnp.array({literal(value)})", ATOM)


def _said_shortly(value: Any) -> tuple[str, int] | None:
    """A multiple of the identity, or one number everywhere."""
    entries, shape = fold.flat(value), fold.shape_of(value)
    if len(shape) == 2 and shape[0] == shape[1] > 1:
        diagonal = entries[0]
        identity = [diagonal if i == j else 0 for i in range(shape[0]) for j in range(shape[0])]
        if diagonal != 0 and entries == identity:
            eye = f"jnp.eye({shape[0]})"
            return (eye, ATOM) if diagonal == 1 else (f"{literal(diagonal)} * {eye}", PRODUCT)
    if len(entries) > 3 and len(set(entries)) == 1:
        return f"jnp.full([{', '.join(map(str, shape))}], {literal(entries[0])})", ATOM
    return None


def literal(value: Any) -> str:
    """A number or a nested list of numbers."""
    if isinstance(value, tuple):
        return f"[{', '.join(literal(item) for item in value)}]"
    if isinstance(value, bool | int):
        return str(value)
    if math.isnan(value):
        return "jnp.nan"
    name = CONSTANTS.get(abs(value))
    return f"{'-' if value < 0 else ''}{name}" if name else repr(float(value))


def array_lines(name: str, numbers: list[str], shape: tuple[int, ...]) -> list[str]:
    """`name = jnp.array(...)`, with many numbers a line: formatters would put one number a line."""
    one = f"{name} = jnp.array({_rows(numbers, shape)})"
    if len(one) <= WIDTH:
        return [one]
    shaped = f".reshape({', '.join(map(str, shape))})" if len(shape) > 1 else ""
    return ["# fmt: off", f"{name} = jnp.array([", *filled(numbers, "    "), f"]){shaped}", "# fmt: on"]


def _rows(numbers: list[str], shape: tuple[int, ...]) -> str:
    if len(shape) == 1:
        return f"[{', '.join(numbers)}]"
    size = len(numbers) // shape[0]
    return f"[{', '.join(_rows(numbers[k * size : (k + 1) * size], shape[1:]) for k in range(shape[0]))}]"


def literal_as_real(expr: Expr) -> str:
    """A constant as real numbers."""
    return constant(fold.nested([float(x) for x in fold.flat(expr.value)], expr.shape))[0]


# ---------------------------------------------------------------- loops


def loop_names(expr: Expr) -> set[str]:
    """Names of loops around `expr` that it depends on."""
    return {name for name in fold.references(expr) if name.startswith("%")}


def whole_array(element: Expr, name: str, n: int) -> Expr | None:
    """`[element for name in n]` as arithmetic on whole arrays, or None where that is not the same thing.

    The loop's index itself becomes an expression `range`, its values.
    """
    if name not in loop_names(element):
        return None
    if element.op == "ref":
        return Expr("range", value=n, shape=(n,), integer=True)
    if element.op == "index":
        return _along(element, name, n)
    rule = FUNCTIONS[element.op].rule if element.op in FUNCTIONS else element.op
    if element.shape or rule not in ("elementwise", "where"):
        return None
    args = [arg if name not in loop_names(arg) and not arg.shape else whole_array(arg, name, n) for arg in element.args]
    if any(arg is None for arg in args):
        return None
    return replace(element, args=tuple(arg for arg in args if arg), shape=(n,))


def _along(element: Expr, name: str, n: int) -> Expr | None:
    """`a[i]` as `a`, and `a[i + k]` as the slice `a[k : n + k]`."""
    base, *dynamic = element.args
    if element.value != (("dynamic", 1),) or loop_names(base) or len(base.shape) != 1:
        return None
    start = _offset(dynamic[0], name)
    if start is None or start < 0 or start + n > base.shape[0]:
        return None
    return replace(element, args=(base,), value=(("slice", start, start + n),), shape=(n,))


def _offset(index: Expr, name: str) -> int | None:
    """k of the index `name + k`."""
    match index:
        case Expr(op="ref", value=value) if value == name:
            return 0
        case Expr(op="add" | "sub", args=(Expr(op="ref", value=value), Expr(op="const", value=int() as k))):
            return (k if index.op == "add" else -k) if value == name else None
        case Expr(op="add", args=(Expr(op="const", value=int() as k), Expr(op="ref", value=value))):
            return k if value == name else None
    return None

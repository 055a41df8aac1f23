"""Law calls: `normal(theta, 0.5)` for a value of known shape -> `ir.Law`, with shapes, domains and support checked."""

from __future__ import annotations

import math
from dataclasses import replace

from bsi.compiler import domains, expressions, fold, operand_domains, shapes, supports, value_types
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr, Law, Support
from bsi.compiler.laws import ALIASES, LAWS, Argument, Bound, Last, LawRow
from bsi.compiler.report import counted, listed
from bsi.compiler.scope import Scope
from bsi.compiler.supports import interval
from bsi.compiler.value_types import ValueType
from bsi.dsl import ast

# One call of every law that takes laws, for messages.
EXAMPLES = {
    "mixture": "mixture([0.3, 0.7], normal(0, 1), normal(5, 1))",
    "truncated": "truncated(normal(0, 1), lower = 0)",
    "ordered": "ordered(normal(0, 5))",
    "zero_inflated": "zero_inflated(0.2, poisson(3))",
    "hurdle": "hurdle(0.2, poisson(3))",
    "hidden_markov": "hidden_markov([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], normal(0, 1), normal(5, 1))",
}
# Laws of one number that the laws of laws restrict, sort or inflate: continuous ones, or counts.
CONTINUOUS = frozenset({"truncated", "ordered"})
COUNTS = frozenset({"zero_inflated", "hurdle"})


def row_of(env: Environment, call: ast.Call) -> LawRow | None:
    """The law that a call names; reports an unknown one."""
    name = call.function
    row = LAWS.get(name.id)
    if row is None and name.id in env.declarations:
        env.used.add(name.id)
        declaration = env.declarations[name.id]
        if isinstance(declaration, ast.Simulator):
            help = f"write `x = {name.id}(...)` as the last line of a body, or `implicit {name.id}(...)`"
            env.report.add("E0204", f"`{name.id}` is a simulator, not a law", name, help=help)
        else:
            env.wrong_kind(name, "a law")
    elif row is None:
        env.unknown(name, "law", LAWS, ALIASES)
    return row


def law(env: Environment, call: ast.Call, target: ValueType, owner: str, scope: Scope) -> Law | None:
    """The law of `owner`, a value of type `target`. A law of single numbers, for an ordered vector, is that of its
    entries before they are put in order."""
    row = row_of(env, call)
    if row is None:
        return None
    if target.kind in ("ordered", "positive_ordered") and not row.axes:
        return _ordered(env, call, [call], target, owner, scope)
    if row.name == "ordered":
        inner, others = _split(call)
        if others:
            env.report.add("E0209", f"`ordered` takes a law alone, not {counted(len(others), 'argument')}", others[0])
            return None
        return _ordered(env, call, inner, target, owner, scope) if _enough(env, call, row, len(inner)) else None
    return _law(env, call, row, target, owner, scope)


def _law(env: Environment, call: ast.Call, row: LawRow, target: ValueType, owner: str, scope: Scope) -> Law | None:
    inner, others = _split(call) if row.components != (0, 0) else ([], list(call.arguments))
    components: tuple[Law, ...] = ()
    if row.components != (0, 0):
        found = _components(env, call, row, inner, target, owner, scope)
        if found is None:
            return None
        components = found
    values = _arguments(env, call, row, others, scope)
    if values is None:
        return None
    axes = _event_axes(row, components, target)
    if len(target.shape) < axes or (row.name == "hidden_markov" and not target.shape):
        what = {1: "vectors", 2: "matrices"}[axes] if axes else "sequences"
        env.report.add("E0302", f"`{row.name}` is a law of {what}, but `{owner}` is {target.text}", call)
        return None
    checked = _check(env, call, row, values, target, owner, axes, len(components))
    if checked is None:
        return None
    named = {name: value for name, (_, value) in checked.items()}
    order = tuple((argument.name, named[argument.name]) for argument in row.arguments)
    return Law(row.name, order, target.shape, _support(row, components, named), components)


def _support(row: LawRow, components: tuple[Law, ...], named: dict[str, Expr]) -> Support:
    match row.name:
        case "mixture" | "hidden_markov":
            return supports.united([component.support for component in components])
        case "truncated":
            return supports.narrowed(components[0].support, named["lower"], named["upper"])
        case "zero_inflated" | "hurdle":
            return components[0].support
    found = interval(_bound(row.lower, named), _bound(row.upper, named), row.integer)
    return replace(found, kind=row.kind) if row.kind else found


def _ordered(
    env: Environment, call: ast.Call, inner: list[ast.Call], target: ValueType, owner: str, scope: Scope
) -> Law | None:
    """k independent draws in increasing order: the component is the law of one of them, so that its arguments may
    vary over the leading axes, and not along the vector."""
    row = LAWS["ordered"]
    if not target.shape:
        env.report.add("E0302", f"`ordered` is a law of vectors, but `{owner}` is {target.text}", call)
        return None
    entry = ValueType(target.shape[:-1], target.dims[:-1], False, None, None)
    component = _component(env, inner[0], entry, owner, scope, along=target)
    if component is None or not _is_of(env, inner[0], row, component):
        return None
    support = component.support
    positive = support.lower is not None and support.lower.op == "const" and min(fold.flat(support.lower.value)) >= 0
    kind = "positive_ordered" if positive else "ordered"
    return Law("ordered", (), target.shape, replace(support, kind=kind), (component,))


def _component(
    env: Environment, call: ast.Call, entry: ValueType, owner: str, scope: Scope, along: ValueType
) -> Law | None:
    """The law of one entry of an ordered vector. Arguments that vary along the vector are refused: the density would
    need a normaliser without a closed form, which Stan leaves out silently."""
    row = row_of(env, call)
    if row is None:
        return None
    for argument in call.arguments if row.components == (0, 0) else ():
        value = expressions.elaborate(env, argument.value, scope)
        if value is None:
            return None
        if value.shape[-1:] == along.shape[-1:] and not shapes.fits(value.shape, entry.shape):
            env.report.add(
                "E0413",
                f"the entries of the ordered `{owner}` share one law, but this argument has one value for each",
                argument.value,
                help="give one value for all: the k draws of one law are put in order",
            )
            return None
    return law(env, call, entry, f"{owner}[i]", scope)


def _split(call: ast.Call) -> tuple[list[ast.Call], list[ast.Argument]]:
    """Arguments that are laws, and the others."""
    inner = [a.value for a in call.arguments if not a.name and isinstance(a.value, ast.Call) and is_law(a.value)]
    return inner, [a for a in call.arguments if a.value not in inner]


def _enough(env: Environment, call: ast.Call, row: LawRow, given: int) -> bool:
    fewest, most = row.components
    if given >= fewest and (most is None or given <= most):
        return True
    wanted = counted(fewest, "law") if fewest == most else f"at least {counted(fewest, 'law')}"
    help = f"for example `{EXAMPLES[row.name]}`"
    env.report.add("E0412", f"`{row.name}` takes {wanted}, not {given}", call, help=help)
    return False


def _components(
    env: Environment,
    call: ast.Call,
    row: LawRow,
    inner: list[ast.Call],
    target: ValueType,
    owner: str,
    scope: Scope,
) -> tuple[Law, ...] | None:
    """The laws inside a law."""
    if not _enough(env, call, row, len(inner)):
        return None
    laws = [law(env, node, target, owner, scope) for node in inner]
    found = tuple(component for component in laws if component)
    if len(found) < len(laws):
        return None
    what = "a mixture" if row.name == "mixture" else f"`{row.name}`"
    if len({component.support.integer for component in found}) > 1:
        env.report.add("E0412", f"{what} is of continuous laws or of laws of counts, not of both", call)
        return None
    if len({event_axes(component) for component in found}) > 1:
        env.report.add("E0412", f"{what} is of laws of numbers or of laws of vectors, not of both", call)
        return None
    if len({component.support.kind for component in found} - {"real", "interval"}) > 1 or (
        len({component.support.kind in ("real", "interval") for component in found}) > 1
    ):
        shown = listed(component.name for component in found)
        env.report.add("E0412", f"the laws of {what} have different kinds of values: {shown}", call)
        return None
    good = all(_is_of(env, node, row, component) for node, component in zip(inner, found, strict=True))
    return found if good else None


def is_law(call: ast.Call) -> bool:
    """Whether a call names a law rather than a function."""
    return call.function.id in LAWS or call.function.id in ALIASES


def _event_axes(row: LawRow, components: tuple[Law, ...], target: ValueType) -> int:
    if row.name == "hidden_markov":
        return len(target.shape)  # the whole value is one sequence
    return event_axes(components[0]) if components else len(row.axes)


def event_axes(law: Law) -> int:
    """How many last axes of a value are one draw, and not draws beside each other."""
    row = LAWS[law.name]
    if row.name == "hidden_markov":
        return len(law.shape)
    return len(row.axes) or (event_axes(law.components[0]) if law.components else 0)


def _is_of(env: Environment, node: ast.Call, row: LawRow, component: Law) -> bool:
    """Whether a law of laws of single numbers can take this one."""
    if row.name not in CONTINUOUS | COUNTS:
        return True
    counts = row.name in COUNTS
    fits = component.support.integer == counts and not event_axes(component)
    if fits and counts:
        fits = component.support.lower is not None and component.support.lower.value == 0
    if not fits:
        wanted = "a law of counts from 0 up" if counts else "a continuous law of one number"
        env.report.add("E0412", f"`{row.name}` takes {wanted}, not `{component.name}`", node)
    elif row.name == "truncated" and (name := _without_cdf(component)):
        message = f"`{name}` cannot be truncated: its distribution function has no closed form"
        env.report.add("E0412", message, node)
        return False
    return fits


def _without_cdf(law: Law) -> str | None:
    """The first law in `law` whose distribution function has no closed form."""
    if not law.components:
        return None if LAWS[law.name].cdf else law.name
    return next(filter(None, map(_without_cdf, law.components)), None)


def _arguments(
    env: Environment, call: ast.Call, row: LawRow, given: list[ast.Argument], scope: Scope
) -> dict[str, tuple[ast.Expr | None, Expr]] | None:
    """Every argument by name with its syntax (None: a default)."""
    names = [argument.name for argument in row.arguments]
    signature = f"`{row.name}({', '.join(names)})`" if row.components == (0, 0) else f"`{row.name}`: {row.doc}"
    bound: dict[str, ast.Expr] = {}
    for position, argument in enumerate(given):
        name = argument.name.id if argument.name else names[position] if position < len(names) else None
        if name is None:
            env.report.add(
                "E0209",
                f"`{row.name}` takes {counted(len(names), 'argument')}, not {len(given)}",
                argument,
                "one too many",
                help=f"it is {signature}",
            )
            return None
        if name not in names or name in bound:
            problem = f"`{name}` is given twice" if name in bound else f"`{row.name}` has no argument `{name}`"
            env.report.add("E0208", problem, argument, help=f"it is {signature}")
            return None
        bound[name] = argument.value
    missing = [a.name for a in row.arguments if a.name not in bound and a.default is None]
    if missing:
        env.report.add("E0209", f"`{row.name}` also needs {listed(missing)}", call, help=f"it is {signature}")
        return None
    values: dict[str, tuple[ast.Expr | None, Expr]] = {}
    failed = False
    for argument in row.arguments:
        node = bound.get(argument.name)
        value = expressions.elaborate(env, node, scope) if node else fold.constant(argument.default)
        if value and node and fold.is_boolean(value):
            env.report.add("E0304", "a number is needed here, but this is true or false", node)
            value = None
        if value is None:
            failed = True
        else:
            values[argument.name] = (node, value if argument.domain in domains.WHOLE else _as_real(value))
    return None if failed else values


def _as_real(value: Expr) -> Expr:
    """A constant as real numbers, so that `normal(0, 1)` and `normal(0.0, 1.0)` are one law."""
    if value.op != "const" or not value.integer:
        return value
    return fold.constant(fold.nested([float(x) for x in fold.flat(value.value)], value.shape))


def _check(
    env: Environment,
    call: ast.Call,
    row: LawRow,
    values: dict[str, tuple[ast.Expr | None, Expr]],
    target: ValueType,
    owner: str,
    axes: int,
    components: int,
) -> dict[str, tuple[ast.Expr | None, Expr]] | None:
    """Shapes and domains of all arguments; reports each that is wrong."""
    batch, drawn = target.shape[: len(target.shape) - axes], target.shape[len(target.shape) - axes :]
    event = {"k": components} if components else dict(zip(row.axes, drawn, strict=True))
    if not components and drawn != tuple(event[axis] for axis in row.axes):
        env.report.add("E0302", f"`{row.name}` is a law of square matrices, but `{owner}` has {target.text}", call)
        return None
    if row.kind in supports.KINDS and not value_types.large_enough(env, call, row.kind, drawn[-1], f"`{row.name}`"):
        return None
    checked: dict[str, tuple[ast.Expr | None, Expr]] = {}
    good = True
    for argument in row.arguments:
        node, value = values[argument.name]
        at = node or call
        rank = len(argument.axes)
        if rank == 1 and not value.shape and argument.domain in ("real", "positive") and argument.axes == row.axes:
            value = _spread(env, at, value, event["k"])
        inner = value.shape[len(value.shape) - rank :] if rank else ()
        wanted = tuple(event.get(axis, inner[i] if i < len(inner) else 0) for i, axis in enumerate(argument.axes))
        outer = value.shape[: len(value.shape) - rank]
        if len(value.shape) < rank or not shapes.alike(inner, wanted) or not shapes.fits(outer, batch):
            _wrong_shape(env, at, call, row, argument, value, wanted, target, owner, components)
            good = False
        elif not _in_domain(env, at, row, argument, value) or not _above(env, at, row, argument, value, event):
            good = False
        checked[argument.name] = (node, value)
    return checked if good and _bounds_in_order(env, call, row, checked) else None


def _spread(env: Environment, at: ast.Expr, value: Expr, size: int) -> Expr:
    """One number as a vector: `mv_normal(0, ...)`, `dirichlet(1)`."""
    vector = expressions.folded(env, at, "add", (fold.constant((0.0,) * size), value), (size,), False)
    assert vector is not None
    return vector


def _wrong_shape(
    env: Environment,
    at: ast.Node,
    call: ast.Call,
    row: LawRow,
    argument: Argument,
    value: Expr,
    wanted: tuple[int, ...],
    target: ValueType,
    owner: str,
    components: int,
) -> None:
    whole = (*target.shape[: len(target.shape) - len(wanted)], *wanted) if argument.axes else target.shape
    if expressions.dims_differ(env, at, value, whole, owner):
        return
    got = shapes.described(value.shape)
    if argument.axes:
        size = shapes.show(wanted) if all(wanted) else f"[{', '.join(argument.axes)}]"
        whose = f"for {counted(components, 'law')}" if components else f"for `{owner}` of {target.text}"
        message = f"`{argument.name}` of `{row.name}` needs shape {size} {whose}, but this has {got}"
    else:
        verb = "has" if target.shape else "is"
        message = f"`{owner}` {verb} {target.text}, but `{argument.name}` of its law has {got}"
    declaration = env.declarations.get(owner)
    also = [(declaration.type, "declared here")] if isinstance(declaration, ast.Param) else []
    broadcasts = not argument.axes and target.shape
    help = "laws of single numbers broadcast: give one value, or one for every entry" if broadcasts else None
    env.report.add("E0302", message, at, shapes.described(value.shape), also=also, help=help)


# ---------------------------------------------------------------- domains


def _in_domain(env: Environment, at: ast.Node, row: LawRow, argument: Argument, value: Expr) -> bool:
    """Checks what is known while compiling: constants and data."""
    phrase = domains.PHRASES[argument.domain]
    if argument.domain in domains.WHOLE and not value.integer:
        env.report.add(
            "E0401",
            f"`{argument.name}` of `{row.name}` must be {phrase}",
            at,
            help="declare it `int`, or write it without a decimal point",
        )
        return False
    try:
        known = fold.evaluate(value, env.data_values)
    except fold.ConstantError as error:
        env.report.add("E0309", str(error), at)
        return False
    if known is None:
        _doubt(env, at, row, argument, value)
        return True
    if argument.name not in ("lower", "upper") and any(math.isinf(x) for x in fold.flat(known)):
        env.report.add("E0401", f"`{argument.name}` of `{row.name}` must be finite", at)
        return False
    bad = domains.outside(argument.domain, known)
    if bad is None:
        return True
    shown = "" if isinstance(bad, tuple) else f", not {bad:g}"
    env.report.add("E0401", f"`{argument.name}` of `{row.name}` must be {phrase}{shown}", at)
    return False


def _above(env: Environment, at: ast.Node, row: LawRow, argument: Argument, value: Expr, event: dict[str, int]) -> bool:
    """Degrees of freedom below which a matrix is singular."""
    known = fold.evaluate(value, env.data_values) if argument.above else None
    least = event[argument.above] - 1 if argument.above else 0
    bad = next((x for x in fold.flat(known) if not x > least), None) if known is not None else None
    if bad is not None:
        size = f"{least + 1} x {least + 1} matrices"
        env.report.add("E0401", f"`{argument.name}` of `{row.name}` must be above {least} for {size}, not {bad:g}", at)
    return bad is None


def _doubt(env: Environment, at: ast.Node, row: LawRow, argument: Argument, value: Expr) -> None:
    """Notes what stands where a domain is not the whole line, to be compared with it once all supports are known."""
    if value.op == "ref" and argument.domain not in ("real", *domains.WHOLE):
        env.doubts.append((at, row.name, argument, value.value))
    elif value.op != "ref" and argument.domain in domains.BOUNDS:
        name, bounds = f"`{argument.name}` of `{row.name}`", domains.BOUNDS[argument.domain]
        operand_domains.note_argument(env, at, name, value, bounds, domains.PHRASES[argument.domain])


def _bounds_in_order(
    env: Environment, call: ast.Call, row: LawRow, values: dict[str, tuple[ast.Expr | None, Expr]]
) -> bool:
    """Constant bounds of a support must be in order."""
    low_name, high_name = ("lower", "upper") if row.name == "truncated" else (row.lower, row.upper)
    if not (isinstance(low_name, str) and isinstance(high_name, str)):
        return True
    try:
        low, high = (fold.evaluate(values[name][1], env.data_values) for name in (low_name, high_name))
    except fold.ConstantError:
        return True  # reported with the argument
    if low is None or high is None:
        return True
    for name, bound in ((low_name, low), (high_name, high)):
        if len({math.isinf(x) for x in fold.flat(bound)}) > 1:
            env.report.add("E0401", f"`{name}` of `{row.name}` must be finite everywhere, or nowhere", call)
            return False
    shape = shapes.broadcast(fold.shape_of(low), fold.shape_of(high))
    pairs = zip(fold.spread(low, shape), fold.spread(high, shape), strict=True)
    bad = next(((a, b) for a, b in pairs if not a < b), None)
    if bad:
        message = f"`{low_name}` of `{row.name}` must be below `{high_name}`, but {bad[0]:g} is not below {bad[1]:g}"
        env.report.add("E0401", message, call)
    return bad is None


def _bound(bound: Bound, values: dict[str, Expr]) -> Expr | None:
    if isinstance(bound, str):
        return values[bound]
    if isinstance(bound, Last):
        return fold.constant(values[bound.argument].shape[-1] - 1 + bound.plus)
    return None if bound is None else fold.constant(bound)

"""Law calls: `normal(theta, 0.5)` for a value of known shape -> `ir.Law`, with shapes, domains and support checked."""

from __future__ import annotations

import math
from typing import Any

from bsi.compiler import expressions, fold, shapes
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr, Law, Support
from bsi.compiler.laws import ALIASES, LATER, LAWS, Argument, Bound, Domain, Last, LawRow
from bsi.compiler.report import counted, listed
from bsi.compiler.scope import Scope
from bsi.compiler.value_types import ValueType
from bsi.dsl import ast

PHRASES: dict[Domain, str] = {
    "real": "a number",
    "positive": "positive",
    "nonnegative": "non-negative",
    "unit": "between 0 and 1",
    "natural": "a whole number, 0 or more",
    "probabilities": "non-negative and sum to 1",
    "positive_definite": "symmetric and positive definite",
    "cholesky": "lower triangular with a positive diagonal",
}


def row_of(env: Environment, call: ast.Call) -> LawRow | None:
    """The law that a call names; reports an unknown one."""
    name = call.function
    if name.id in LATER and name.id not in env.declarations:
        env.report.add(
            "E0211", f"the law `{name.id}` is part of the language, but not supported in this version yet", name
        )
        return None
    row = LAWS.get(name.id)
    if row is None and name.id in env.declarations:
        env.used.add(name.id)
        declaration = env.declarations[name.id]
        if not isinstance(declaration, ast.Import | ast.Simulator):
            env.wrong_kind(name, "a law")
    elif row is None:
        env.unknown(name, "law", LAWS, ALIASES)
    return row


def law(env: Environment, call: ast.Call, target: ValueType, owner: str, scope: Scope) -> Law | None:
    """The law of `owner`, a value of type `target`."""
    row = row_of(env, call)
    if row is None:
        return None
    taken = _components(env, call, row, target, owner, scope)
    if taken is None:
        return None
    components, arguments = taken
    values = _arguments(env, call, row, arguments, scope)
    if values is None:
        return None
    axes = _component_axes(components) if components else len(row.axes)
    if len(target.shape) < axes:
        env.report.add("E0302", f"`{row.name}` is a law of vectors, but `{owner}` is {target.text}", call)
        return None
    checked = _check(env, call, row, values, target, owner, axes, len(components))
    if checked is None:
        return None
    if row.name == "truncated" and not _can_truncate(env, call, components[0]):
        return None
    named = {name: value for name, (_, value) in checked.items()}
    integer = components[0].support.integer if components else row.integer
    if row.name == "mixture":
        support = _mixed(components)
    elif row.name == "truncated":
        support = _narrowed(components[0].support, named)
    else:
        support = interval(_bound(row.lower, named), _bound(row.upper, named), integer)
    order = tuple((argument.name, named[argument.name]) for argument in row.arguments)
    return Law(row.name, order, target.shape, support, components)


def _components(
    env: Environment, call: ast.Call, row: LawRow, target: ValueType, owner: str, scope: Scope
) -> tuple[tuple[Law, ...], list[ast.Argument]] | None:
    """Arguments that are laws, and the others."""
    if row.components == (0, 0):
        return (), list(call.arguments)
    inner = [a for a in call.arguments if not a.name and isinstance(a.value, ast.Call) and is_law(a.value)]
    others = [a for a in call.arguments if a not in inner]
    fewest, most = row.components
    if len(inner) < fewest or (most is not None and len(inner) > most):
        wanted = counted(fewest, "law") if fewest == most else f"at least {counted(fewest, 'law')}"
        example = "mixture([0.3, 0.7], normal(0, 1), normal(5, 1))"
        if row.name == "truncated":
            example = "truncated(normal(0, 1), lower = 0)"
        env.report.add("E0412", f"`{row.name}` takes {wanted}, not {len(inner)}", call, help=f"for example `{example}`")
        return None
    laws = [law(env, a.value, target, owner, scope) for a in inner if isinstance(a.value, ast.Call)]
    found = tuple(component for component in laws if component)
    if len(found) < len(laws):
        return None
    if len({component.support.integer for component in found}) > 1:
        env.report.add("E0412", "a mixture is of continuous laws or of laws of counts, not of both", call)
        return None
    if len({_component_axes((component,)) for component in found}) > 1:
        env.report.add("E0412", "a mixture is of laws of numbers or of laws of vectors, not of both", call)
        return None
    return found, others


def is_law(call: ast.Call) -> bool:
    """Whether a call names a law rather than a function."""
    return call.function.id in LAWS or call.function.id in ALIASES


def _component_axes(components: tuple[Law, ...]) -> int:
    first = components[0]
    return _component_axes(first.components) if first.components else len(LAWS[first.name].axes)


def _can_truncate(env: Environment, call: ast.Call, component: Law) -> bool:
    if component.support.integer or component.components or LAWS[component.name].axes:
        env.report.add("E0412", f"`truncated` takes a continuous law of one number, not `{component.name}`", call)
        return False
    return True


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
            values[argument.name] = (node, _as_real(value) if argument.domain != "natural" else value)
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
    batch = target.shape[: len(target.shape) - axes]
    event = dict(zip(row.axes, target.shape[len(batch) :], strict=True)) if row.axes else {}
    if components and row.arguments[0].axes:
        event["k"] = components
    checked: dict[str, tuple[ast.Expr | None, Expr]] = {}
    good = True
    for argument in row.arguments:
        node, value = values[argument.name]
        at = node or call
        rank = len(argument.axes)
        if rank == 1 and not value.shape and "k" in event and argument.domain == "real" and argument.axes == row.axes:
            value = expressions.folded(
                env, at, "add", (fold.constant((0.0,) * event["k"]), value), (event["k"],), False
            )
            assert value is not None
        inner = value.shape[len(value.shape) - rank :] if rank else ()
        wanted = tuple(event.get(axis, inner[i] if i < len(inner) else 0) for i, axis in enumerate(argument.axes))
        outer = value.shape[: len(value.shape) - rank]
        if len(value.shape) < rank or inner != wanted or not shapes.fits(outer, batch):
            _wrong_shape(env, at, call, row, argument, value, wanted, target, owner, components)
            good = False
        elif not _in_domain(env, at, row, argument, value):
            good = False
        checked[argument.name] = (node, value)
    return checked if good and _ordered(env, call, row, checked) else None


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
    phrase = PHRASES[argument.domain]
    if argument.domain == "natural" and not value.integer:
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
    bad = outside(argument.domain, known)
    if bad is None:
        return True
    shown = "" if isinstance(bad, tuple) else f", not {bad:g}"
    env.report.add("E0401", f"`{argument.name}` of `{row.name}` must be {phrase}{shown}", at)
    return False


def outside(domain: Domain, known: Any) -> Any:
    """The first entry (or, for constraints on whole arrays, the array) outside `domain`; None when all is well."""
    entries = fold.flat(known)
    match domain:
        case "positive":
            return next((x for x in entries if not x > 0), None)
        case "nonnegative" | "natural":
            return next((x for x in entries if not x >= 0), None)
        case "unit":
            return next((x for x in entries if not 0 <= x <= 1), None)
        case "probabilities":
            return next((v for v in _vectors(known, 1) if min(v) < 0 or abs(math.fsum(v) - 1) > 1e-6), None)
        case "positive_definite":
            return next((m for m in _vectors(known, 2) if not _positive_definite(m)), None)
        case "cholesky":
            return next((m for m in _vectors(known, 2) if not _lower_triangular(m)), None)
        case "real":
            return next((x for x in entries if math.isnan(x)), None)


def _vectors(value: Any, rank: int) -> list[Any]:
    """The trailing arrays of `rank` axes."""
    if len(fold.shape_of(value)) == rank:
        return [value]
    return [item for part in value for item in _vectors(part, rank)]


def _positive_definite(matrix: Any) -> bool:
    """By Cholesky factorisation."""
    n = len(matrix)
    if any(abs(matrix[i][j] - matrix[j][i]) > 1e-9 * (abs(matrix[i][j]) + 1) for i in range(n) for j in range(i)):
        return False
    factor: list[list[float]] = []
    for i in range(n):
        row: list[float] = []
        for j in range(i + 1):
            rest = matrix[i][j] - sum(row[k] * (factor[j] if j < i else row)[k] for k in range(j))
            if i == j and not rest > 0:
                return False
            row.append(math.sqrt(rest) if i == j else rest / factor[j][j])
        factor.append(row)
    return True


def _lower_triangular(matrix: Any) -> bool:
    n = len(matrix)
    return all(matrix[i][i] > 0 and not any(matrix[i][i + 1 :]) for i in range(n))


def _doubt(env: Environment, at: ast.Node, row: LawRow, argument: Argument, value: Expr) -> None:
    """Notes a bare param as a `positive` argument, to be compared with its support once all priors are known."""
    if value.op == "ref" and argument.domain in ("positive", "nonnegative", "unit"):
        env.doubts.append((at, row.name, argument, value.value))


def _ordered(env: Environment, call: ast.Call, row: LawRow, values: dict[str, tuple[ast.Expr | None, Expr]]) -> bool:
    """Constant bounds of a support must be in order."""
    if not (isinstance(row.lower, str) and isinstance(row.upper, str)) and row.name != "truncated":
        return True
    low_name, high_name = ("lower", "upper") if row.name == "truncated" else (str(row.lower), str(row.upper))
    try:
        low, high = (fold.evaluate(values[name][1], env.data_values) for name in (low_name, high_name))
    except fold.ConstantError:
        return True  # reported with the argument
    if low is None or high is None:
        return True
    shape = shapes.broadcast(fold.shape_of(low), fold.shape_of(high))
    pairs = zip(fold.spread(low, shape), fold.spread(high, shape), strict=True)
    bad = next(((a, b) for a, b in pairs if not a < b), None)
    if bad:
        message = f"`{low_name}` of `{row.name}` must be below `{high_name}`, but {bad[0]:g} is not below {bad[1]:g}"
        env.report.add("E0401", message, call)
    return bad is None


# ---------------------------------------------------------------- supports


def _narrowed(support: Support, values: dict[str, Expr]) -> Support:
    """A support cut at `lower` and `upper`, which default to no cut."""
    cut = interval(values["lower"], values["upper"])
    return interval(cut.lower or support.lower, cut.upper or support.upper)


def _bound(bound: Bound, values: dict[str, Expr]) -> Expr | None:
    if isinstance(bound, str):
        return values[bound]
    if isinstance(bound, Last):
        return fold.constant(values[bound.argument].shape[-1] - 1)
    return None if bound is None else fold.constant(bound)


def interval(lower: Expr | None, upper: Expr | None, integer: bool = False) -> Support:
    """Infinite bounds are no bounds; constants are floats."""
    lower, upper = (_tidy(bound) for bound in (lower, upper))
    return Support("interval" if lower or upper else "real", lower, upper, integer)


def _tidy(bound: Expr | None) -> Expr | None:
    if bound is None or bound.op != "const" or bound.shape:
        return bound
    return None if math.isinf(bound.value) else fold.constant(float(bound.value))


def _mixed(components: tuple[Law, ...]) -> Support:
    """The smallest interval around all components' supports; a bound that cannot be compared is dropped."""
    integer = components[0].support.integer
    bounds: list[Expr | None] = []
    for side, pick in (("lower", min), ("upper", max)):
        own = [getattr(component.support, side) for component in components]
        if any(bound is None for bound in own):
            bounds.append(None)
        elif all(bound == own[0] for bound in own):
            bounds.append(own[0])
        elif all(bound.op == "const" and not bound.shape for bound in own):
            bounds.append(pick(own, key=lambda bound: bound.value))
        else:
            bounds.append(None)
    return interval(bounds[0], bounds[1], integer)

"""Priors and likelihoods: a law or a body of draws -> draws in canonical form, explicit or implicit."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bsi.compiler import distributions, expressions, shapes, sizes
from bsi.compiler.distributions import interval
from bsi.compiler.environment import Environment
from bsi.compiler.expressions import Scope
from bsi.compiler.ir import Draw, Expr, Law, Likelihood, Param, Prior, Support
from bsi.compiler.report import listed
from bsi.compiler.sizes import ValueType
from bsi.dsl import ast

OBSERVED = "%x"


# ---------------------------------------------------------------- params


def param_type(env: Environment, declaration: ast.Param) -> ValueType | None:
    """The declared type of a param; whole-number params are refused."""
    type = sizes.value_type(env, declaration.type)
    if type and type.integer:
        env.report.add(
            "E0405",
            f"`{declaration.name.id}` is a whole number, but params must be continuous",
            declaration.type.base,
            help="declare it `real`, or sum it out by hand: `mixture(weights, ...)` is a sum over a discrete choice",
        )
        return None
    return type


def arguments(env: Environment, names: tuple[ast.Name, ...], owner: ast.Name) -> tuple[ast.Param, ...] | None:
    """The params that a prior, likelihood or posterior is over."""
    found: dict[str, ast.Param | None] = {}
    for name in names:
        if name.id in found:
            env.report.add("E0202", f"`{name.id}` is an argument of `{owner.id}` twice", name)
            continue
        found[name.id] = env.find(name, ast.Param)
    good = tuple(param for param in found.values() if param)
    return good if len(good) == len(names) else None


# ---------------------------------------------------------------- priors


def prior(env: Environment, declaration: ast.Prior) -> Prior | None:
    """A prior with its draws in the order of the body."""
    return env.once("prior", declaration.name.id, lambda: _prior(env, declaration))


def _prior(env: Environment, declaration: ast.Prior) -> Prior | None:
    params = arguments(env, declaration.params, declaration.name)
    if isinstance(declaration.law, ast.Learned | ast.Implicit):
        kind = "learned" if isinstance(declaration.law, ast.Learned) else "implicit"
        _not_yet(env, f"{kind} priors are", declaration.law)
        return None
    if params is None:
        return None
    types = {param.name.id: param_type(env, param) for param in params}
    scope = Scope(owner=f"`{declaration.name.id}`")
    if isinstance(declaration.law, ast.Call):
        if len(params) > 1:
            names = [param.name.id for param in params]
            body = "; ".join(f"{name} ~ {declaration.law.function.id}(...)" for name in names)
            env.report.add("E0403", f"`{declaration.name.id}` is over {listed(names)}, but is a single law",
                           declaration.law, help=f"write a body: `{{ {body} }}`")  # fmt: skip
            return None
        draws = _draw(env, params[0].name.id, declaration.law, types[params[0].name.id], scope)
        return Prior(declaration.name.id, (params[0].name.id,), (draws,)) if draws else None
    draws = _prior_body(env, declaration, declaration.law, types, scope)
    return Prior(declaration.name.id, tuple(types), draws) if draws else None


def _prior_body(
    env: Environment, declaration: ast.Prior, body: ast.Body, types: dict[str, ValueType | None], scope: Scope
) -> tuple[Draw, ...] | None:
    places = {s.name.id: s.name.span for s in body.statements}
    done: dict[str, ast.Name] = {}
    draws: list[Draw | None] = []
    for statement in body.statements:
        name = statement.name.id
        scope = replace(scope, later={k: v for k, v in places.items() if k not in done and k != name})
        if name in done:
            env.report.add("E0202", f"`{name}` is defined twice in this body", statement.name,
                           also=[(done[name], "first here")])  # fmt: skip
            continue
        done[name] = statement.name
        if isinstance(statement, ast.Bind):
            if not statement.let:
                env.report.add("E0403", f"`{name}` is computed, but a prior draws its params", statement,
                               help=f"write `let {name} = ...`, or draw it: `{name} ~ LAW`")  # fmt: skip
            value = expressions.elaborate(env, statement.value, scope)
            scope = scope.bind(name, value)
            draws.extend([None] * (value is None))
        elif name not in types:
            _not_an_argument(env, declaration, statement.name)
            scope = scope.bind(name, None)
            draws.append(None)
        else:
            draws.append(_draw(env, name, statement.law, types[name], scope))
            scope = replace(scope, params=scope.params | {name})
    missing = [name for name in types if name not in done]
    if missing:
        env.report.add("E0403", f"`{declaration.name.id}` never draws {listed(missing)}", declaration.name,
                       help=f"add `{missing[0]} ~ LAW` to its body")  # fmt: skip
    kept = tuple(draw for draw in draws if draw)
    return kept if len(kept) == len(draws) and not missing else None


def _not_an_argument(env: Environment, declaration: ast.Prior, name: ast.Name) -> None:
    known = env.declarations.get(name.id)
    names = [param.id for param in declaration.params]
    if isinstance(known, ast.Param):
        env.used.add(name.id)
        env.report.add("E0403", f"`{name.id}` is drawn, but is not an argument of `{declaration.name.id}`", name,
                       help=f"write `prior {declaration.name.id}({', '.join([*names, name.id])})`")  # fmt: skip
    elif known:
        env.wrong_kind(name, "a param")
    else:
        env.unknown(name, "param", names)


def _draw(env: Environment, target: str, call: ast.Call, type: ValueType | None, scope: Scope) -> Draw | None:
    row = distributions.row_of(env, call)
    if row is None or type is None:
        return None
    if row.integer:
        env.report.add("E0405", f"`{row.name}` gives whole numbers, but params must be continuous", call.function,
                       help="sum it out by hand: `mixture(weights, ...)` is a sum over a discrete choice")  # fmt: skip
        return None
    law = distributions.law(env, call, type, target, scope)
    return Draw(target, law) if law and _agrees(env, target, call, type, law) else None


def _agrees(env: Environment, target: str, call: ast.Call, type: ValueType, law: Law) -> bool:
    """Declared bounds, where there are any, must be those of the law's support."""
    declared = interval(type.lower, type.upper)
    if declared.kind == "real" and type.lower is None and type.upper is None:
        return True
    if (declared.lower, declared.upper) == (law.support.lower, law.support.upper):
        return True
    declaration = env.declarations[target]
    assert isinstance(declaration, ast.Param)
    env.report.add(
        "E0402",
        f"`{target}` is declared on {_shown(declared)}, but `{law.name}` draws from {_shown(law.support)}",
        call,
        also=[(declaration.type, "declared here")],
        help=_remedy(call, declared, law),
    )
    return False


def _shown(support: Support) -> str:
    if support.kind == "real":
        return "the whole line"
    low, high = (
        "..." if bound and bound.op != "const" or bound and bound.shape else f"{bound.value:g}" if bound else infinite
        for bound, infinite in ((support.lower, "-inf"), (support.upper, "inf"))
    )
    return f"({low}, {high})"


def _remedy(call: ast.Call, declared: Support, law: Law) -> str:
    """What would make law and bounds agree."""
    bounds = []
    for name, bound, own in (
        ("lower", declared.lower, law.support.lower),
        ("upper", declared.upper, law.support.upper),
    ):
        if bound and bound != own:
            bounds.append(f"{name} = {bound.value:g}")
    half = {"normal": "half_normal", "cauchy": "half_cauchy", "student_t": "half_student_t"}.get(law.name)
    if half and bounds == ["lower = 0"]:
        return f"use `{half}`, or `truncated({law.name}(...), lower = 0)`"
    inside = all(
        own is None or (bound is not None and own.op == "const" and not own.shape and pick(own.value, bound.value))
        for own, bound, pick in (
            (law.support.lower, declared.lower, lambda a, b: a <= b),
            (law.support.upper, declared.upper, lambda a, b: a >= b),
        )
    )
    if inside and bounds and not law.components:
        return f"use `truncated({law.name}(...), {', '.join(bounds)})`, or remove the bounds"
    own = [
        f"{name} = {bound.value:g}"
        for name, bound in (("lower", law.support.lower), ("upper", law.support.upper))
        if bound and bound.op == "const" and not bound.shape
    ]
    return f"declare `real<{', '.join(own)}>`, or remove the bounds" if own else "remove the bounds: the law decides"


# ---------------------------------------------------------------- likelihoods


@dataclass(frozen=True)
class _Row:
    """The observed row of a likelihood."""

    name: ast.Name
    type: ValueType


def likelihood(env: Environment, declaration: ast.Likelihood) -> Likelihood | None:
    """A likelihood in canonical form: nuisances are `%0`, `%1`, ..., the observed row is `%x`."""
    return env.once("likelihood", declaration.name.id, lambda: _likelihood(env, declaration))


def _likelihood(env: Environment, declaration: ast.Likelihood) -> Likelihood | None:
    given = arguments(env, declaration.given, declaration.name)
    type = sizes.value_type(env, declaration.type)
    if isinstance(declaration.law, ast.Learned | ast.Implicit):
        kind = "learned" if isinstance(declaration.law, ast.Learned) else "implicit SIMULATOR"
        _not_yet(env, f"`{kind}` likelihoods are", declaration.law)
        return None
    if given is None or type is None:
        return None
    names = tuple(param.name.id for param in given)
    scope = Scope(owner=f"`{declaration.name.id}`", params=frozenset(names))
    row = _Row(declaration.observed, type)
    draws: tuple[Draw, ...] | None
    result: Expr | None = None
    if isinstance(declaration.law, ast.Call):
        draw = _observed(env, row, declaration.law, scope)
        draws = (draw,) if draw else None
    else:
        draws, result = _body(env, declaration, declaration.law, row, scope)
    if draws is None:
        return None
    explicit = result is None and len(draws) == 1
    name = declaration.name.id
    return Likelihood(name, type.shape, names, draws, result, explicit, declaration.observed.id, type.dims)


def _observed(env: Environment, row: _Row, call: ast.Call, scope: Scope) -> Draw | None:
    found = distributions.law(env, call, row.type, row.name.id, scope)
    if found and found.support.integer != row.type.integer:
        name, base = row.name.id, "int" if found.support.integer else "real"
        kinds = ("whole", "real") if found.support.integer else ("real", "whole")
        env.report.add("E0410", f"`{found.name}` gives {kinds[0]} numbers, but `{name}` is declared {kinds[1]}",
                       call.function, also=[(row.name, "declared here")], help=f"declare `{name} : {base}`")  # fmt: skip
        return None
    return Draw(OBSERVED, found) if found else None


def _body(
    env: Environment, declaration: ast.Likelihood, body: ast.Body, row: _Row, scope: Scope
) -> tuple[tuple[Draw, ...] | None, Expr | None]:
    observed = row.name.id
    places = {s.name.id: s.name.span for s in body.statements}
    done: dict[str, ast.Name] = {}
    draws: list[Draw] = []
    result: Expr | None = None
    good = True
    for statement in body.statements:
        name = statement.name.id
        scope = replace(scope, later={k: v for k, v in places.items() if k not in done and k != name})
        if name in done:
            env.report.add("E0202", f"`{name}` is defined twice in this body", statement.name,
                           also=[(done[name], "first here")])  # fmt: skip
            good = False
            continue
        if observed in done:
            env.report.add("E0406", f"`{name}` stands after the observed `{observed}`", statement,
                           also=[(done[observed], "the body ends here")],
                           help=f"move it up: a body ends with `{observed}`")  # fmt: skip
            good = False
            continue
        done[name] = statement.name
        if isinstance(statement, ast.Draw):
            draw = (
                _observed(env, row, statement.law, scope)
                if name == observed
                else _nuisance(env, declaration, statement, len(draws), scope)
            )
            good = good and draw is not None
            if draw:
                draws.append(draw)
            shape, integer = (draw.law.shape, draw.law.support.integer) if draw else ((), False)
            bound = Expr("ref", value=draw.target, shape=shape, integer=integer) if draw else None
            scope = scope.bind(name, bound)
            continue
        value = expressions.elaborate(env, statement.value, scope)
        good = good and value is not None
        if name == observed and not statement.let:
            result = _result(env, row, statement, value) if value else None
            good = good and result is not None
        elif not statement.let or name == observed:
            _misplaced(env, row, statement)
            good = False
        scope = scope.bind(name, value)
    if observed not in done:
        env.report.add("E0406", f"the body of `{declaration.name.id}` never gives `{observed}`", declaration.observed,
                       help=f"end it with `{observed} ~ LAW` or `{observed} = EXPR`")  # fmt: skip
        good = False
    if good:
        _unused(env, body, observed, scope)
    return (tuple(draws) if good else None), result


def _nuisance(
    env: Environment, declaration: ast.Likelihood, statement: ast.Draw, count: int, scope: Scope
) -> Draw | None:
    name = statement.name.id
    if name in scope.params:
        env.report.add("E0403", f"the param `{name}` is drawn in a likelihood", statement.name,
                       help="params are drawn in a prior; a nuisance variable needs a name of its own")  # fmt: skip
        return None
    type = nuisance_type(env, statement.law, scope)
    found = distributions.law(env, statement.law, type, name, scope) if type else None
    return Draw(f"%{count}", found) if found else None


def nuisance_type(env: Environment, call: ast.Call, scope: Scope) -> ValueType | None:
    """A nuisance has no declared type: its shape is what its law's arguments broadcast to.

    The arguments are elaborated twice (here, and against the shape found here); reports are not repeated.
    """
    row = distributions.row_of(env, call)
    if row is None:
        return None
    batches: list[shapes.Shape] = []
    event: shapes.Shape = ()
    for position, argument in enumerate(call.arguments):
        if row.components != (0, 0) and isinstance(argument.value, ast.Call) and argument.name is None:
            inner = distributions.is_law(argument.value)
            if inner:
                type = nuisance_type(env, argument.value, scope)
                if type is None:
                    return None
                batches.append(type.shape)
                continue
        name = argument.name.id if argument.name else None
        axes = next((a.axes for i, a in enumerate(row.arguments) if a.name == name or (not name and i == position)), ())
        value = expressions.elaborate(env, argument.value, scope)
        if value is None:
            return None
        batches.append(value.shape[: len(value.shape) - len(axes)])
        if row.axes and len(axes) <= len(value.shape) and axes:
            event = value.shape[-1:]
    try:
        shape = shapes.broadcast(*batches) + event
    except shapes.ShapeError as error:
        env.report.add("E0301", f"arguments of `{row.name}`: {error}", call)
        return None
    return ValueType(shape, tuple(map(str, shape)), row.integer, None, None)


def _result(env: Environment, row: _Row, statement: ast.Bind, value: Expr) -> Expr | None:
    if value.shape != row.type.shape:
        env.report.add("E0302", f"`{row.name.id}` has {row.type.text}, but this value has {shapes.described(value.shape)}",
                       statement.value, also=[(row.name, "declared here")])  # fmt: skip
        return None
    if row.type.integer and not value.integer:
        env.report.add("E0410", f"`{row.name.id}` is declared `int`, but this value is real", statement.value,
                       also=[(row.name, "declared here")], help=f"declare `{row.name.id} : real`")  # fmt: skip
        return None
    return value


def _misplaced(env: Environment, row: _Row, statement: ast.Bind) -> None:
    name, observed = statement.name.id, row.name.id
    if name == observed:
        env.report.add("E0406", f"`{observed}` is the observed row, not a local", statement.name,
                       help=f"end the body with `{observed} = EXPR`, without `let`")  # fmt: skip
    else:
        env.report.add("E0406", f"`{name}` is neither a local nor the observed `{observed}`", statement.name,
                       help=f"write `let {name} = ...`")  # fmt: skip


def _unused(env: Environment, body: ast.Body, observed: str, scope: Scope) -> None:
    for statement in body.statements:
        name = statement.name.id
        if name != observed and f"{scope.owner}/{name}" not in env.used:
            kind = "drawn" if isinstance(statement, ast.Draw) else "computed"
            env.report.add("W0401", f"`{name}` is {kind}, but never used", statement.name, help="remove it")


def _not_yet(env: Environment, what: str, at: ast.Node) -> None:
    env.report.add("E0211", f"{what} part of the language, but not supported in this version yet", at)


# ---------------------------------------------------------------- supports of params


def params(env: Environment, priors: list[Prior]) -> dict[str, Param]:
    """Every param that a prior draws, with the support of its law."""
    found: dict[str, Param] = {}
    first: dict[str, str] = {}
    for prior in priors:
        for draw in prior.draws:
            declaration = env.declarations[draw.target]
            assert isinstance(declaration, ast.Param)
            type = sizes.value_type(env, declaration.type)
            assert type is not None
            param = Param(draw.target, type.shape, draw.law.support, type.dims)
            if draw.target in found and found[draw.target].support != param.support:
                env.report.add("E0402", f"`{first[draw.target]}` and `{prior.name}` give `{draw.target}` different supports",
                               env.name_of(prior.name), also=[(env.name_of(first[draw.target]), "the other prior")])  # fmt: skip
            found.setdefault(draw.target, param)
            first.setdefault(draw.target, prior.name)
    return {d.name.id: found[d.name.id] for d in env.all(ast.Param) if d.name.id in found}


def doubts(env: Environment, known: dict[str, Param]) -> None:
    """Params used as arguments whose domain they may leave: `normal(0, tau)` with a `tau` that can be negative."""
    for at, law, argument, name in env.doubts:
        param = known.get(name)
        if param is None:
            continue
        lower, upper = (
            bound.value if bound and bound.op == "const" and not bound.shape else None
            for bound in (param.support.lower, param.support.upper)
        )
        bounded_below = lower is not None and lower >= 0 or (lower is None and param.support.lower is not None)
        bounded_above = argument.domain != "unit" or upper is not None and upper <= 1 or (
            upper is None and param.support.upper is not None
        )  # fmt: skip
        if not (bounded_below and bounded_above):
            phrase = distributions.PHRASES[argument.domain]
            env.report.add("W0405", f"`{argument.name}` of `{law}` must be {phrase}, but `{name}` can leave that range",
                           at, also=[(env.name_of(name), f"its prior is on {_shown(param.support)}")],
                           help=f"give `{name}` a law on that range, or transform it")  # fmt: skip

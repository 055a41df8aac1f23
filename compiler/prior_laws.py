"""Priors: a law, or a body that draws every param once -> draws in canonical form."""

from __future__ import annotations

from dataclasses import replace

from bsi.compiler import distributions, expressions
from bsi.compiler.distributions import interval
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Draw, Law, Prior, Support
from bsi.compiler.report import listed
from bsi.compiler.scope import Scope
from bsi.compiler.unknowns import arguments, param_type, shown
from bsi.compiler.value_types import ValueType
from bsi.dsl import ast


def prior(env: Environment, declaration: ast.Prior) -> Prior | None:
    """A prior with its draws in the order of the body."""
    return env.once("prior", declaration.name.id, lambda: _prior(env, declaration))


def _prior(env: Environment, declaration: ast.Prior) -> Prior | None:
    params = arguments(env, declaration.params, declaration.name)
    if isinstance(declaration.law, ast.Learned | ast.Implicit):
        kind = "learned" if isinstance(declaration.law, ast.Learned) else "implicit"
        expressions.not_yet(env, f"{kind} priors are", declaration.law)
        return None
    if params is None:
        return None
    types = {param.name.id: param_type(env, param) for param in params}
    scope = Scope(owner=f"`{declaration.name.id}`")
    if isinstance(declaration.law, ast.Call):
        if len(params) > 1:
            names = [param.name.id for param in params]
            body = "; ".join(f"{name} ~ {declaration.law.function.id}(...)" for name in names)
            env.report.add(
                "E0403",
                f"`{declaration.name.id}` is over {listed(names)}, but is a single law",
                declaration.law,
                help=f"write a body: `{{ {body} }}`",
            )
            return None
        (name,) = types
        draw = _draw(env, name, declaration.law, types[name], scope)
        return Prior(declaration.name.id, (name,), (draw,)) if draw else None
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
            env.report.add(
                "E0202", f"`{name}` is defined twice in this body", statement.name, also=[(done[name], "first here")]
            )
            continue
        done[name] = statement.name
        if isinstance(statement, ast.Bind):
            if not statement.let:
                env.report.add(
                    "E0403",
                    f"`{name}` is computed, but a prior draws its params",
                    statement,
                    help=f"write `let {name} = ...`, or draw it: `{name} ~ LAW`",
                )
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
        env.report.add(
            "E0403",
            f"`{declaration.name.id}` never draws {listed(missing)}",
            declaration.name,
            help=f"add `{missing[0]} ~ LAW` to its body",
        )
    kept = tuple(draw for draw in draws if draw)
    return kept if len(kept) == len(draws) and not missing else None


def _not_an_argument(env: Environment, declaration: ast.Prior, name: ast.Name) -> None:
    known = env.declarations.get(name.id)
    names = [param.id for param in declaration.params]
    if isinstance(known, ast.Param):
        env.used.add(name.id)
        env.report.add(
            "E0403",
            f"`{name.id}` is drawn, but is not an argument of `{declaration.name.id}`",
            name,
            help=f"write `prior {declaration.name.id}({', '.join([*names, name.id])})`",
        )
    elif known:
        env.wrong_kind(name, "a param")
    else:
        env.unknown(name, "param", names)


def _draw(env: Environment, target: str, call: ast.Call, type: ValueType | None, scope: Scope) -> Draw | None:
    row = distributions.row_of(env, call)
    if row is None or type is None:
        return None
    if row.integer:
        env.report.add(
            "E0405",
            f"`{row.name}` gives whole numbers, but params must be continuous",
            call.function,
            help="sum it out by hand: `mixture(weights, ...)` is a sum over a discrete choice",
        )
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
        f"`{target}` is declared on {shown(declared)}, but `{law.name}` draws from {shown(law.support)}",
        call,
        also=[(declaration.type, "declared here")],
        help=_remedy(call, declared, law),
    )
    return False


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

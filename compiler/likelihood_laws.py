"""Likelihoods: a law or a body -> draws in canonical form, explicit or implicit."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

from bsi.compiler import distributions, expressions, learned, shapes, value_types
from bsi.compiler.agreement import agrees
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Draw, Expr, Likelihood
from bsi.compiler.nuisances import nuisance_type
from bsi.compiler.scope import Scope
from bsi.compiler.simulator_calls import is_stochastic
from bsi.compiler.unknowns import arguments
from bsi.compiler.value_types import ValueType
from bsi.dsl import ast

OBSERVED = "%x"


@dataclass(frozen=True)
class _Row:
    """The observed row of a likelihood."""

    name: ast.Name
    type: ValueType


def likelihood(env: Environment, declaration: ast.Likelihood) -> Likelihood | None:
    """A likelihood in canonical form: nuisances are `%0`, `%1`, ..., the observed row is `%x`."""
    return env.once("likelihood", declaration.name.id, lambda: _likelihood(env, declaration))


def named(env: Environment, name: str | None) -> Likelihood | None:
    """The likelihood of this name, if there is one and it is sound."""
    declaration = env.declarations.get(name or "")
    return likelihood(env, declaration) if isinstance(declaration, ast.Likelihood) else None


def _likelihood(env: Environment, declaration: ast.Likelihood) -> Likelihood | None:
    if isinstance(declaration.law, ast.Learned):
        return learned.likelihood(env, declaration, declaration.law)
    given = arguments(env, declaration.given, declaration.name)
    type = value_types.value_type(env, declaration.type)
    if given is None or type is None:
        return None
    names = tuple(param.name.id for param in given)
    scope = Scope(owner=f"`{declaration.name.id}`", params=frozenset(names), draws=itertools.count())
    row = _Row(declaration.observed, type)
    draws: tuple[Draw, ...] | None
    result: Expr | None = None
    match declaration.law:
        case ast.Call() as law:
            draw = _observed(env, row, law, scope)
            draws = (draw,) if draw else None
        case ast.Implicit(call=call):
            result = _simulated(env, row, call, scope)
            draws = () if result else None
        case body:
            draws, result = _body(env, declaration, body, row, scope)
    if draws is None:
        return None
    explicit = result is None and len(draws) == 1 and not is_stochastic(draws)
    name = declaration.name.id
    return Likelihood(name, type.shape, names, draws, result, explicit, declaration.observed.id, type.dims)


def _observed(env: Environment, row: _Row, call: ast.Call, scope: Scope) -> Draw | None:
    found = distributions.law(env, call, row.type, row.name.id, scope)
    if found and found.support.integer != row.type.integer:
        name, base = row.name.id, "int" if found.support.integer else "real"
        kinds = ("whole", "real") if found.support.integer else ("real", "whole")
        env.report.add(
            "E0410",
            f"`{found.name}` gives {kinds[0]} numbers, but `{name}` is declared {kinds[1]}",
            call.function,
            also=[(row.name, "declared here")],
            help=f"declare `{name} : {base}`",
        )
        return None
    if found and row.type.kind != "real" and not agrees(env, row.name.id, row.name, call, row.type, found):
        return None
    return Draw(OBSERVED, found) if found else None


def _simulated(env: Environment, row: _Row, call: ast.Call, scope: Scope) -> Expr | None:
    """`implicit simulator(theta)`."""
    declaration = env.find(call.function, ast.Simulator)
    value = expressions.elaborate(env, call, scope) if declaration else None
    return _result(env, row, call, value) if value else None


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
            env.report.add(
                "E0202", f"`{name}` is defined twice in this body", statement.name, also=[(done[name], "first here")]
            )
            good = False
            continue
        if observed in done:
            env.report.add(
                "E0406",
                f"`{name}` stands after the observed `{observed}`",
                statement,
                also=[(done[observed], "the body ends here")],
                help=f"move it up: a body ends with `{observed}`",
            )
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
            result = _result(env, row, statement.value, value) if value else None
            good = good and result is not None
        elif not statement.let or name == observed:
            _misplaced(env, row, statement)
            good = False
        scope = scope.bind(name, value)
    if observed not in done:
        env.report.add(
            "E0406",
            f"the body of `{declaration.name.id}` never gives `{observed}`",
            declaration.observed,
            help=f"end it with `{observed} ~ LAW` or `{observed} = EXPR`",
        )
        good = False
    if good:
        _unused(env, body, observed, scope)
    return (tuple(draws) if good else None), result


def _nuisance(
    env: Environment, declaration: ast.Likelihood, statement: ast.Draw, count: int, scope: Scope
) -> Draw | None:
    name = statement.name.id
    if name in scope.params:
        env.report.add(
            "E0403",
            f"the param `{name}` is drawn in a likelihood",
            statement.name,
            help="params are drawn in a prior; a nuisance variable needs a name of its own",
        )
        return None
    type = nuisance_type(env, statement.law, scope)
    found = distributions.law(env, statement.law, type, name, scope) if type else None
    return Draw(f"%{count}", found) if found else None


def _result(env: Environment, row: _Row, node: ast.Expr, value: Expr) -> Expr | None:
    if expressions.dims_differ(env, node, value, row.type.shape, row.name.id):
        return None
    if not shapes.alike(value.shape, row.type.shape):
        env.report.add(
            "E0302",
            f"`{row.name.id}` has {row.type.text}, but this value has {shapes.described(value.shape)}",
            node,
            also=[(row.name, "declared here")],
        )
        return None
    if row.type.integer and not value.integer:
        env.report.add(
            "E0410",
            f"`{row.name.id}` is declared `int`, but this value is real",
            node,
            also=[(row.name, "declared here")],
            help=f"declare `{row.name.id} : real`",
        )
        return None
    return value


def _misplaced(env: Environment, row: _Row, statement: ast.Bind) -> None:
    name, observed = statement.name.id, row.name.id
    if name == observed:
        env.report.add(
            "E0406",
            f"`{observed}` is the observed row, not a local",
            statement.name,
            help=f"end the body with `{observed} = EXPR`, without `let`",
        )
    else:
        env.report.add(
            "E0406",
            f"`{name}` is neither a local nor the observed `{observed}`",
            statement.name,
            help=f"write `let {name} = ...`",
        )


def _unused(env: Environment, body: ast.Body, observed: str, scope: Scope) -> None:
    for statement in body.statements:
        name = statement.name.id
        if name != observed and f"{scope.owner}/{name}" not in env.used:
            kind = "drawn" if isinstance(statement, ast.Draw) else "computed"
            env.report.add("W0401", f"`{name}` is {kind}, but never used", statement.name, help="remove it")

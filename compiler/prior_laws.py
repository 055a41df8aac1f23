"""Priors: a law, or a body that draws every param once -> draws in canonical form."""

from __future__ import annotations

from dataclasses import replace

from bsi.compiler import configure, distributions, expressions, learned
from bsi.compiler.agreement import agrees
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Draw, Learned, Prior
from bsi.compiler.laws import LAWS
from bsi.compiler.report import listed, suggest
from bsi.compiler.scope import Scope
from bsi.compiler.supports import shown
from bsi.compiler.unknowns import arguments, param_type
from bsi.compiler.value_types import ValueType
from bsi.dsl import ast


def prior(env: Environment, declaration: ast.Prior) -> Prior | None:
    """A prior with its draws in the order of the body."""
    return env.once("prior", declaration.name.id, lambda: _prior(env, declaration))


def _prior(env: Environment, declaration: ast.Prior) -> Prior | None:
    params = arguments(env, declaration.params, declaration.name)
    if isinstance(declaration.law, ast.Implicit):
        expressions.not_yet(env, "implicit priors are", declaration.law)
        return None
    if params is None:
        return None
    types = {param.name.id: param_type(env, param) for param in params}
    if isinstance(declaration.law, ast.Learned):
        return _learned(env, declaration, declaration.law, types)
    if isinstance(declaration.law, ast.Call):
        draws = _single(env, declaration, declaration.law, types)
    else:
        scope = Scope(owner=f"`{declaration.name.id}`")
        draws = _prior_body(env, declaration, declaration.law, types, scope)
    return Prior(declaration.name.id, tuple(types), draws) if draws else None


def _single(
    env: Environment, declaration: ast.Prior, call: ast.Call, types: dict[str, ValueType | None]
) -> tuple[Draw, ...] | None:
    """A prior that is one law."""
    if len(types) > 1:
        body = "; ".join(f"{name} ~ {call.function.id}(...)" for name in types)
        help = f"write a body: `{{ {body} }}`"
        if isinstance(declaration.law, ast.Learned):
            help = "learn it from a file of draws: a law is learned for one param"
        env.report.add(
            "E0403", f"`{declaration.name.id}` is over {listed(types)}, but is a single law", call, help=help
        )
        return None
    (name,) = types
    draw = _draw(env, name, call, types[name], Scope(owner=f"`{declaration.name.id}`"))
    return (draw,) if draw else None


# ---------------------------------------------------------------- learned priors


def _learned(
    env: Environment, declaration: ast.Prior, law: ast.Learned, types: dict[str, ValueType | None]
) -> Prior | None:
    """`learned LAW` is simulated and has the law for its oracle; `learned file(...)` may be given one."""
    source = law.source
    if distributions.is_law(source):
        if law.options.items:
            env.report.add("E0501", "a prior learned from a law takes no options: the law is its oracle", law.options)
        draws = _single(env, declaration, source, types)
        return Prior(declaration.name.id, tuple(types), draws, Learned()) if draws else None
    if source.function.id != "file":
        near = suggest(source.function.id, ["file", *LAWS])
        env.report.add(
            "E0423",
            f"a prior is learned from a file of draws or from a law, not from `{source.function.id}`",
            source.function,
            help=f"did you mean `{near}`?" if near else 'write `learned file("draws.npz")`, or `learned normal(0, 1)`',
        )
        return None
    options = configure.options(env, "prior", "learned", law.options)
    oracle = _oracle(env, declaration, law.options, types)
    known = {name: type for name, type in types.items() if type}
    if options is None or len(known) < len(types):
        return None
    levels, network = (dict(options)[name] for name in ("levels", "network"))
    if levels is not None and not _bounded(env, law.options, known):
        return None
    found = learned.columns(env, source, known, levels)
    if oracle is None or found is None:
        return None
    return Prior(declaration.name.id, tuple(types), oracle, replace(found, levels=levels, network=network))


def _bounded(env: Environment, options: ast.Options, types: dict[str, ValueType]) -> bool:
    """Whether levels can lie between bounds: of one param that has both."""
    (name, type), *rest = types.items()
    if not rest and type.kind == "real" and type.lower is not None and type.upper is not None:
        return True
    declaration = env.declarations[name]
    assert isinstance(declaration, ast.Param)
    absent = [word for word, bound in (("lower", type.lower), ("upper", type.upper)) if bound is None]
    what = f"there are {listed(types)}" if rest else f"`{name}` has no {' and no '.join(absent)} bound"
    env.report.add(
        "E0444",
        f"`levels` lie between the bounds of one param, but {what}",
        next(item for item in options.items if item.name.id == "levels"),
        also=[(declaration.type, "declared here")],
        help="leave `levels` out" if rest else f"declare `param {name} : real<lower = LOW, upper = HIGH>[...]`",
    )
    return False


def _oracle(
    env: Environment, declaration: ast.Prior, given: ast.Options, types: dict[str, ValueType | None]
) -> tuple[Draw, ...] | None:
    """The density that references use: a law, or a prior over the same params; () without one, None after a report."""
    good, draws = True, ()
    for option in given.items:
        value = option.value
        if option.name.id != "oracle" or (isinstance(value, ast.Name) and value.id == "none"):
            continue
        if isinstance(value, ast.Call) and distributions.is_law(value) and len(types) == 1:
            found = _single(env, declaration, value, types)
        elif isinstance(value, ast.Name):
            found = _prior_as_oracle(env, declaration, value)
        else:
            what = "a law" if len(types) == 1 else f"the name of a prior over {listed(types)}"
            env.report.add("E0424", f"the oracle of `{declaration.name.id}` is {what}", value)
            found = None
        if found is None or not _on_the_declared_support(env, option, found, types):
            good = False
        else:
            draws = found
    return draws if good else None


def _prior_as_oracle(env: Environment, declaration: ast.Prior, name: ast.Name) -> tuple[Draw, ...] | None:
    other = env.find(name, ast.Prior)
    found = prior(env, other) if other else None
    if other is None or found is None:
        return None
    if found.learned or set(found.params) != {param.id for param in declaration.params}:
        problem = "learned itself" if found.learned else f"over {listed(found.params)}"
        env.report.add(
            "E0424",
            f"the oracle of `{declaration.name.id}` is an explicit prior over the same params, but `{name.id}` is "
            f"{problem}",
            name,
            also=[(other.name, "declared here")],
        )
        return None
    return found.draws


def _on_the_declared_support(
    env: Environment, option: ast.Option, draws: tuple[Draw, ...], types: dict[str, ValueType | None]
) -> bool:
    """Draws in a file have only the declared type to tell where they may lie, so the oracle must lie there too."""
    for draw in draws:
        type = types[draw.target]
        if type is not None and draw.law.support != type.support:
            declaration = env.declarations[draw.target]
            assert isinstance(declaration, ast.Param)
            env.report.add(
                "E0424",
                f"the oracle draws `{draw.target}` from {shown(draw.law.support)}, but it is declared on "
                f"{shown(type.support)}",
                option,
                also=[(declaration.type, "declared here")],
                help="give the param the bounds of its oracle",
            )
            return False
    return True


# ---------------------------------------------------------------- bodies


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
            left = [it for it in types if it not in places and it not in done]
            meant = None if name in env.declarations else left[0] if len(left) == 1 else suggest(name, left)
            if meant:  # misspelled here, and therefore neither left out nor unknown
                done[meant] = statement.name
                scope = replace(scope, params=scope.params | {meant})
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
    law = distributions.law(env, call, type, target, scope) if type else None
    if law is None or type is None:
        return None
    if law.support.integer:
        env.report.add(
            "E0405",
            f"`{law.name}` gives whole numbers, but params must be continuous",
            call.function,
            help="sum it out by hand: `mixture(weights, ...)` is a sum over a discrete choice",
        )
        return None
    declaration = env.declarations[target]
    assert isinstance(declaration, ast.Param)
    return Draw(target, law) if agrees(env, target, declaration.type, call, type, law) else None

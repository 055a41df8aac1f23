"""Posteriors: products of factors with powers; and the sweeps that powers and options range over."""

from __future__ import annotations

import itertools
import math

from bsi.compiler import expressions, fold, likelihood_laws, observations, prior_laws, unknowns
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr, Factor, Observation, Posterior, Sweep
from bsi.compiler.report import listed
from bsi.compiler.shapes import described
from bsi.dsl import ast


def sweep(env: Environment, declaration: ast.Sweep) -> Sweep | None:
    """The values of a sweep."""
    return env.once("sweep", declaration.name.id, lambda: _sweep(env, declaration))


def _sweep(env: Environment, declaration: ast.Sweep) -> Sweep | None:
    what = f"the sweep `{declaration.name.id}`"
    value = expressions.constant_value(env, declaration.values, what)
    known = expressions.known_value(env, declaration.values, value, what) if value else None
    if value is None or known is None:
        return None
    if len(value.shape) != 1 or fold.is_boolean(value):
        env.report.add(
            "E0302",
            f"{what} needs a list of numbers, but this has {described(value.shape)}",
            declaration.values,
            help="write `[0.5, 1, 2]` or `linspace(0, 4, 9)`",
        )
        return None
    return Sweep(declaration.name.id, tuple(float(x) for x in fold.flat(known)))


def posterior(env: Environment, declaration: ast.Posterior) -> Posterior | None:
    """A posterior with every factor checked."""
    return env.once("posterior", declaration.name.id, lambda: _posterior(env, declaration))


def _posterior(env: Environment, declaration: ast.Posterior) -> Posterior | None:
    params = unknowns.arguments(env, declaration.params, declaration.name)
    factors = [_factor(env, declaration, factor) for factor in declaration.factors]
    covered = params is not None and _covered(env, declaration)
    _count_twice(env, declaration)
    kept = tuple(factor for factor in factors if factor)
    if params is None or len(kept) < len(factors) or not covered:
        return None
    return Posterior(declaration.name.id, tuple(param.name.id for param in params), kept)


def _covered(env: Environment, declaration: ast.Posterior) -> bool:
    """Each param in exactly one prior factor, and no other param anywhere."""
    own = [name.id for name in declaration.params]
    first: dict[str, ast.Name] = {}
    foreign: dict[str, ast.Name] = {}
    good = True
    for factor in declaration.factors:
        if factor.observation is None and not isinstance(env.declarations.get(factor.law.id), ast.Prior):
            good = False  # reported with the factor
            continue
        for name in factor.params:
            if name.id not in own:
                if isinstance(env.declarations.get(name.id), ast.Param):
                    foreign.setdefault(name.id, name)
                good = False
            elif factor.observation is None and name.id in first:
                env.report.add(
                    "E0404", f"`{name.id}` is in two prior factors", name, also=[(first[name.id], "the first")]
                )
                good = False
            elif factor.observation is None:
                first[name.id] = name
    if foreign:
        verb = "are not arguments" if len(foreign) > 1 else "is not an argument"
        env.report.add(
            "E0404",
            f"{listed(foreign)} {verb} of `{declaration.name.id}`",
            next(iter(foreign.values())),
            help=f"write `posterior {declaration.name.id}({', '.join([*own, *foreign])})`",
        )
    missing = [name for name in declaration.params if name.id not in first]
    if good and missing:  # a factor that is wrong itself may have been meant as the missing one
        names = [name.id for name in missing]
        priors = [p.name.id for p in env.all(ast.Prior) if any(param.id in names for param in p.params)]
        many = len(names) > 1
        env.report.add(
            "E0404",
            f"{listed(names)} {'have' if many else 'has'} no prior factor in `{declaration.name.id}`",
            missing[0],
            help=f"multiply by the prior `{priors[0]}`"
            if priors
            else f"declare `prior p({', '.join(names)}) = LAW`, and multiply by it",
        )
    return good and not missing


def _factor(env: Environment, declaration: ast.Posterior, factor: ast.Factor) -> Factor | None:
    if factor.observation is None:
        return _prior_factor(env, factor)
    law = env.find(factor.law, ast.Likelihood)
    set_ = env.find(factor.observation, ast.Observe)
    observed = observations.observation(env, set_) if set_ else None
    if law is None or set_ is None:
        _power(env, factor, None)
        return None
    if set_.likelihood.id != law.name.id:
        if isinstance(env.declarations.get(set_.likelihood.id), ast.Likelihood):
            env.report.add(
                "E0409",
                f"`{set_.name.id}` holds rows of `{set_.likelihood.id}`, not of `{law.name.id}`",
                factor.observation,
                also=[(set_.likelihood, "declared here")],
                help=f"write `{set_.likelihood.id}({set_.name.id} | ...)`",
            )
        return None
    likelihood = likelihood_laws.likelihood(env, law)
    # A likelihood that failed because a param is missing among its own is not told again where it is given that param.
    added = likelihood is None and {name.id for name in factor.params} > {name.id for name in law.given}
    good = not added and _same_params(env, factor, law.given, law.name)
    power = _power(env, factor, observed)
    if not good or likelihood is None or observed is None or power is None:
        return None
    return Factor("likelihood", law.name.id, set_.name.id, power)


def _prior_factor(env: Environment, factor: ast.Factor) -> Factor | None:
    declaration = env.declarations.get(factor.law.id)
    if isinstance(declaration, ast.Likelihood):
        env.used.add(factor.law.id)
        sets = [name.id for name in factor.params if isinstance(env.declarations.get(name.id), ast.Observe)]
        env.used.update(sets)
        given = ", ".join(name.id for name in declaration.given)
        env.report.add(
            "E0411",
            f"`{factor.law.id}` is a likelihood, and needs an observation set",
            factor,
            also=[(declaration.name, "declared here")],
            help=f"write `{factor.law.id}({sets[0] if sets else 'SET'} | {given})`",
        )
        return None
    law = env.find(factor.law, ast.Prior)
    power = _power(env, factor, None)
    if law is None or not _same_params(env, factor, law.params, law.name):
        return None
    prior = prior_laws.prior(env, law)
    if power is None or prior is None:
        return None
    if power.shape:
        env.report.add(
            "E0302", f"a power of a prior is one number, but this has {described(power.shape)}", factor.power or factor
        )
        return None
    if any(x == 0 for x in power_values(env, power) or ()):
        env.report.add(
            "W0403",
            f"`{factor.law.id}^0` leaves no prior: the posterior may be improper",
            factor.power or factor,
            help="a small positive power keeps it proper",
        )
    return Factor("prior", law.name.id, None, power)


def _same_params(env: Environment, factor: ast.Factor, declared: tuple[ast.Name, ...], law: ast.Name) -> bool:
    given, wanted = [name.id for name in factor.params], [name.id for name in declared]
    if given == wanted:
        return True
    known = [isinstance(env.declarations.get(name.id), ast.Param) for name in declared]  # else: reported with the law
    unknown = [name for name in factor.params if env.find(name, ast.Param) is None]
    if not unknown and all(known):
        bar = f"{factor.observation.id} | " if factor.observation else ""
        env.report.add(
            "E0411",
            f"`{law.id}` is over {listed(wanted)}, not {listed(given)}",
            factor,
            also=[(law, "declared here")],
            help=f"write `{law.id}({bar}{', '.join(wanted)})`",
        )
    return False


def power_values(env: Environment, power: Expr) -> list[float] | None:
    """Every value a power takes: its own, or over its sweeps; all entries of a power that is a vector."""
    sweeps: dict[str, tuple[float, ...]] = {}
    for name in sorted(fold.references(power)):
        declaration = env.declarations.get(name)
        if isinstance(declaration, ast.Sweep):
            found = sweep(env, declaration)
            if found is None:
                return None
            sweeps[name] = found.values
    values: list[float] = []
    for point in itertools.product(*sweeps.values()):
        try:
            value = fold.evaluate(power, {**env.data_values, **dict(zip(sweeps, point, strict=True))})
        except fold.ConstantError:
            return None
        if value is None:
            return None
        values += map(float, fold.flat(value))
    return values


def _power(env: Environment, factor: ast.Factor, observed: Observation | None) -> Expr | None:
    if factor.power is None:
        return fold.constant(1.0)
    what = f"the power of `{factor.law.id}`"
    value = expressions.constant_value(env, factor.power, what, sweeps=True)
    if value is None:
        return None
    if fold.is_boolean(value):
        env.report.add("E0304", "a number is needed here, but this is true or false", factor.power)
        return None
    sweeps = [env.declarations[n] for n in fold.references(value) if isinstance(env.declarations.get(n), ast.Sweep)]
    if any(sweep(env, s) is None for s in sweeps if isinstance(s, ast.Sweep)):
        return None
    if not sweeps:
        known = expressions.known_value(env, factor.power, value, what)
        if known is None:
            return None
        value = fold.constant(tuple(map(float, known)) if isinstance(known, tuple) and value.shape[1:] == () else known)
        value = value if value.shape else fold.constant(float(value.value))
    bad = next((x for x in power_values(env, value) or () if not 0 <= x < math.inf), None)
    if bad is not None:
        places = [(s.values, "its values") for s in sweeps if isinstance(s, ast.Sweep)]
        env.report.add(
            "E0408",
            f"a power must be non-negative and finite, not {bad:g}",
            factor.power,
            also=places,
            help="a power of 0 drops the factor" if bad < 0 else None,
        )
        return None
    if factor.observation and observed and value.shape and value.shape != (observed.rows,):
        env.report.add(
            "E0302",
            f"a power is one number or one for each of the {observed.rows} rows of `{observed.name}`, "
            f"but this has {described(value.shape)}",
            factor.power,
        )
        return None
    return value


def _count_twice(env: Environment, declaration: ast.Posterior) -> None:
    first: dict[tuple[str, str], ast.Factor] = {}
    for factor in declaration.factors:
        if factor.observation is None:
            continue
        name = (factor.law.id, factor.observation.id)
        if name in first:
            env.report.add(
                "W0404",
                f"`{name[1]}` is counted twice in `{declaration.name.id}`",
                factor,
                also=[(first[name], "the first time")],
                help=f"use one factor with a power: `{name[0]}(...)^2`",
            )
        first.setdefault(name, factor)

"""`check evidence(s)`: whether the sweep of a sample leads from its prior alone to its posterior."""

from __future__ import annotations

import math

from bsi.compiler import fold, likelihood_laws, missing, posteriors
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr, Factor, Options, Posterior, Sample
from bsi.compiler.report import listed
from bsi.dsl import ast

PATH = "`sweep lambda in [(i / 10)^5 for i in 11]`, and `f(obs | theta)^lambda`"


def path(posterior: Posterior) -> list[str]:
    """The sweeps that powers of likelihoods depend on; evidence needs one."""
    powers = [factor.power for factor in posterior.factors if factor.kind == "likelihood"]
    return sorted(set().union(*map(fold.references, powers)))


def settled(env: Environment, call: ast.Call, sample: Sample, options: Options) -> Options | None:
    """`options`, if `sample` allows the integral; else None, after a report."""
    declaration = env.declarations[sample.posterior]
    assert isinstance(declaration, ast.Posterior)
    posterior = posteriors.posterior(env, declaration)
    assert posterior is not None, "a sample is of a sound posterior"
    sound = _densities(env, call, posterior) and missing.has_marginals(env, call, posterior)
    return options if sound and _path(env, call, declaration, posterior) else None


def _densities(env: Environment, call: ast.Call, posterior: Posterior) -> bool:
    for factor in posterior.factors:
        declaration = env.declarations[factor.law]
        if isinstance(declaration, ast.Likelihood):
            found = likelihood_laws.likelihood(env, declaration)
            if found and not found.explicit:
                message = f"`evidence` needs the density of every likelihood, and `{factor.law}` has none"
                also, help = [(declaration.law, "only simulated")], "compare models by their draws instead: `c2st`"
                env.report.add("E0575", message, call, also=also, help=help)
                return False
    return True


def _path(env: Environment, call: ast.Call, declaration: ast.Posterior, posterior: Posterior) -> bool:
    """Whether likelihoods alone have powers, and these go from 0 to 1 (or to a constant) in proportion to one sweep."""
    likelihoods = [factor for factor in posterior.factors if factor.kind == "likelihood"]
    sweeps = path(posterior)
    written = {(f.law.id, f.observation and f.observation.id): f for f in declaration.factors}
    also: ast.Node = declaration.name
    if not likelihoods:
        problem, help = f"`{posterior.name}` is its prior, which has no likelihood to integrate", "name another sample"
    elif len(sweeps) != 1:
        what = "no sweep as a power" if not sweeps else f"the sweeps {listed(sweeps)} as powers, not one"
        problem, help = f"its likelihoods have {what}", f"write {PATH}"
    elif bent := next((f for f in posterior.factors if not _straight(env, f, sweeps[0])), None):
        of_prior = bent.kind == "prior"
        wanted = "`1`" if of_prior else f"`{sweeps[0]}`, or a constant times it"
        problem = f"the power of `{bent.law}` is not {wanted}"
        also = written[bent.law, bent.observation]
        help = "leave the prior's power out: it would need a normaliser" if of_prior else f"write {PATH}"
    elif lacks := [end for end in (0.0, 1.0) if end not in _values(env, sweeps[0])]:
        problem = f"`{sweeps[0]}` does not take the value {' and '.join(f'{end:g}' for end in lacks)}"
        also = env.name_of(sweeps[0])
        help = "0 is the prior alone, 1 the posterior: the integral is between them"
    else:
        return True
    message = f"`evidence` needs powers from prior to posterior: {problem}"
    env.report.add("E0574", message, call, also=[(also, "declared here")], help=help)
    return False


def _straight(env: Environment, factor: Factor, sweep: str) -> bool:
    if factor.kind == "prior":
        return factor.power.op == "const" and factor.power.value == 1
    end = _at(env, factor.power, sweep, 1.0)
    return all(
        math.isclose(x, value * y, rel_tol=1e-6, abs_tol=1e-12)
        for value in (*_values(env, sweep), 0.0)
        for x, y in zip(_at(env, factor.power, sweep, value), end, strict=True)
    )


def _at(env: Environment, power: Expr, sweep: str, value: float) -> list[float]:
    found = fold.evaluate(power, {**env.data_values, sweep: value})
    return [math.nan] if found is None else [float(x) for x in fold.flat(found)]


def _values(env: Environment, sweep: str) -> tuple[float, ...]:
    declaration = env.declarations[sweep]
    assert isinstance(declaration, ast.Sweep)
    found = posteriors.sweep(env, declaration)
    return found.values if found else ()

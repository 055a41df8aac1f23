"""Lints of samplers whose draws are known to be biased, and which option takes the bias away."""

from __future__ import annotations

from bsi.compiler import affine, fits, observations, posteriors
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Choice, Factor, Options, Posterior
from bsi.dsl import ast

PLAIN = ("sum", "fnpse")  # compositions that add scores as they are, and need no covariances of rows
CORRECTED = ("smc", "predictor_corrector", "langevin")  # samplers that take steps on the sum of scores itself


def lint(env: Environment, declaration: ast.Sample, posterior: Posterior, options: Options, route: str) -> None:
    """What a sampler without a corrector gets wrong however long its networks are trained."""
    values = dict(options)
    if values["correct"] is not None:
        return
    _of_a_learned_prior(env, declaration, posterior)
    if values["compose"] == "sum":
        _of_a_sum(env, declaration, posterior)
    elif route == "amortised" and declaration.method.function.id not in CORRECTED:
        _of_powers(env, declaration, posterior, values["compose"])


def needs_composition(env: Environment, posterior: Posterior) -> bool:
    """Whether scores of several factors, or of powers, must be combined."""
    rows = 0
    for factor in posterior.factors:
        if factor.power.op != "const" or factor.power.value != 1:
            return True
        declaration = env.declarations.get(factor.observation or "")
        if isinstance(declaration, ast.Observe):
            found = observations.observation(env, declaration)
            rows += found.rows if found else 0
    return rows > 1


def _of_a_sum(env: Environment, declaration: ast.Sample, posterior: Posterior) -> None:
    if needs_composition(env, posterior):
        option = next(o for o in declaration.options.items if o.name.id == "compose")
        env.report.add(
            "W0406",
            "a plain sum of scores is biased for several rows, and for powers other than 1",
            option,
            help="use `compose = gauss`; `correct` takes away what bias is left",
        )


def _of_a_learned_prior(env: Environment, declaration: ast.Sample, posterior: Posterior) -> None:
    for factor in posterior.factors:
        prior = fits.learned_prior(env, factor.law) if factor.kind == "prior" else None
        if prior and (factor.power.op != "const" or factor.power.value != 1):
            env.report.add(
                "W0430",
                f"a power of the learned prior `{prior.name}` is exact only if it is Gaussian in working coordinates",
                declaration.method,
                help="the score of a power is not a multiple of the score once there is noise; leave the power at 1, "
                "or take the bias away: `ddim(...) { correct = smc }`, or `correct = mala`",
            )


def _of_powers(env: Environment, declaration: ast.Sample, posterior: Posterior, compose: str | Choice) -> None:
    """W0447, once for a sampler."""
    (prior, *_) = [factor.law for factor in posterior.factors if factor.kind == "prior"]
    written = env.declarations[posterior.name]
    assert isinstance(written, ast.Posterior)
    for factor, place in zip(posterior.factors, written.factors, strict=True):
        if factor.kind == "prior" or not _has_power(env, factor) or affine.is_gaussian(env, prior, factor.law):
            continue
        name = compose.name if isinstance(compose, Choice) else compose
        env.report.add(
            "W0447",
            f"a power of `{factor.law}` is exact by `compose = {name}` only if posteriors of its rows are Gaussian",
            declaration.method,
            also=[(place.power or place, "a power other than 1")],
            help="take the bias away: `ddim(...) { correct = smc }`, or `correct = mala`",
        )
        return


def _has_power(env: Environment, factor: Factor) -> bool:
    """Whether a power is anything but 0, which drops the factor, and 1."""
    found = posteriors.power_values(env, factor.power)
    return found is None or any(x not in (0, 1) for x in found)

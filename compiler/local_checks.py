"""`lc2st`: which samples it can judge. It draws again at simulated data, so the sampler must be one that can."""

from __future__ import annotations

from bsi.compiler import likelihood_laws, observations, posteriors
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Choice, Posterior, Sample
from bsi.dsl import ast

METRICS = frozenset({"lc2st"})
_OTHERWISE = "judge it by a reference, or another sampler of the same posterior"


def suits(env: Environment, call: ast.Call, sample: Sample) -> bool:
    """Whether `sample` can be drawn again at other data, else a report."""
    declaration = env.declarations[sample.posterior]
    assert isinstance(declaration, ast.Posterior)
    posterior = posteriors.posterior(env, declaration)
    if posterior is None:
        return False
    why, help = _cannot_repeat(sample) or _cannot_simulate(env, posterior) or (None, _OTHERWISE)
    if why is None:
        return True
    message = f"`{call.function.id}` draws again at simulated data, but {why}"
    env.report.add("E0595", message, call, also=[(env.name_of(sample.name), "declared here")], help=help)
    return False


def _cannot_repeat(sample: Sample) -> tuple[str, str] | None:
    """Why the sampler is bound to its data, and what to do instead."""
    if sample.reference:
        return f"`{sample.name}` is a reference", "name a sample of trained scores"
    if sample.route != "amortised":
        return f"`{sample.name}` is guided by the likelihood at the observed data", _OTHERWISE
    if sample.method in ("smc", "one_step"):
        return f"`{sample.method}` does not draw one by one from a score", _OTHERWISE
    options = dict(sample.options)
    if options["covariance"] == "sampled":
        return f"the covariances of `{sample.name}` are sampled at the observed data", "use `covariance = moments`"
    correct = options["correct"]
    if isinstance(correct, Choice) and correct.name != "langevin":
        return f"`{correct.name}` corrects the draws of `{sample.name}` as a whole", "check a sample without `correct`"
    return None


def _cannot_simulate(env: Environment, posterior: Posterior) -> tuple[str, str] | None:
    """Why there are no simulated data for the posterior, and what to do instead."""
    sets = [factor for factor in posterior.factors if factor.observation is not None]
    if not sets:
        return f"`{posterior.name}` has no data", _OTHERWISE
    for factor in posterior.factors:
        if factor.power.op != "const" or factor.power.value != 1:
            help = "only with all powers 1 is a posterior the law of params given data"
            return f"`{posterior.name}` has a power of `{factor.law}`", help
    for factor in sets:
        law, rows = env.declarations[factor.law], env.declarations[factor.observation or ""]
        assert isinstance(law, ast.Likelihood) and isinstance(rows, ast.Observe)
        likelihood, observation = likelihood_laws.likelihood(env, law), observations.observation(env, rows)
        if likelihood is not None and likelihood.learned:
            return f"`{factor.law}` is learned from pairs, and simulates no rows", _OTHERWISE
        if observation is not None and observation.missing is not None:
            return f"`{factor.observation}` has missing entries", "check a posterior of the rows that are whole"
    return None

"""`lc2st`, `sbc` and `tarp`: which samples they can judge. They draw again at simulated data, so the sampler must be
one that can; and they mean what they say where all powers are 1.
"""

from __future__ import annotations

from bsi.compiler import likelihood_laws, observations, posteriors
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Choice, Factor, Posterior, Sample
from bsi.dsl import ast

CALIBRATION = frozenset({"sbc", "tarp"})  # of all data, and of posteriors with powers: they fail, as they should
METRICS = CALIBRATION | {"lc2st"}
_OTHERWISE = "judge it by a reference, or another sampler of the same posterior"


def suits(env: Environment, call: ast.Call, sample: Sample) -> bool:
    """Whether `sample` can be drawn again at other data, else a report."""
    declaration = env.declarations[sample.posterior]
    assert isinstance(declaration, ast.Posterior)
    posterior = posteriors.posterior(env, declaration)
    if posterior is None:
        return False
    metric = call.function.id
    powered = None if metric in CALIBRATION else _has_power(posterior)
    why, help = _cannot_repeat(sample) or powered or _cannot_simulate(env, posterior) or (None, _OTHERWISE)
    if why is None:
        if metric in CALIBRATION:
            _lint_powers(env, call, sample, declaration, posterior)
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


def _has_power(posterior: Posterior) -> tuple[str, str] | None:
    for factor in posterior.factors:
        if factor.power.op != "const" or factor.power.value != 1:
            help = "only with all powers 1 is a posterior the law of params given data"
            return f"`{posterior.name}` has a power of `{factor.law}`", help
    return None


def _lint_powers(
    env: Environment, call: ast.Call, sample: Sample, written: ast.Posterior, posterior: Posterior
) -> None:
    """W0454, of the first power under which coverage does not hold."""
    metric = call.function.id
    for factor, place in zip(posterior.factors, written.factors, strict=True):
        others = _uncovered(env, factor, metric)
        if not others:
            continue
        low, high = min(others) < 1, max(others) > 1
        width = "wider or narrower" if low and high else "wider" if low else "narrower"
        where = "" if factor.power.op == "const" else " where this is not 1"
        env.report.add(
            "W0454",
            f"coverage holds only at powers 1: `{metric}` fails{where}, as `{posterior.name}` is {width} on purpose",
            place.power or place,
            also=[(call, "the check"), (env.name_of(sample.name), "what is checked")],
            help="check a sample of the posterior without powers; its fit is the same",
        )
        return


def _uncovered(env: Environment, factor: Factor, metric: str) -> list[float]:
    """The values of a power at which ranks are not uniform. A likelihood to the power 0 leaves the law of params given
    the other data, which is right for `sbc`, but not given all, from which `tarp` has its references."""
    sound = (0, 1) if metric == "sbc" and factor.kind == "likelihood" else (1,)
    return [x for x in posteriors.power_values(env, factor.power) or () if x not in sound]


def _cannot_simulate(env: Environment, posterior: Posterior) -> tuple[str, str] | None:
    """Why there are no simulated data for the posterior, and what to do instead."""
    sets = [factor for factor in posterior.factors if factor.observation is not None]
    if not sets:
        return f"`{posterior.name}` has no data", _OTHERWISE
    for factor in sets:
        law, rows = env.declarations[factor.law], env.declarations[factor.observation or ""]
        assert isinstance(law, ast.Likelihood) and isinstance(rows, ast.Observe)
        likelihood, observation = likelihood_laws.likelihood(env, law), observations.observation(env, rows)
        if likelihood is not None and likelihood.learned:
            return f"`{factor.law}` is learned from pairs, and simulates no rows", _OTHERWISE
        if observation is not None and observation.missing is not None:
            return f"`{factor.observation}` has missing entries", "check a posterior of the rows that are whole"
    return None

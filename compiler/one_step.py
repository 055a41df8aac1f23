"""`sample s = one_step(post, fast)`: draws of a distilled fit, and which posteriors it can be asked for."""

from __future__ import annotations

from bsi.compiler import distill, fits, missing, observations
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Asked, Factor, Observation, Options, Posterior, Sample, SweepRef, Train
from bsi.compiler.report import listed
from bsi.dsl import ast

METHOD = "one_step"
_ROUNDING = 1e-9


def sample(env: Environment, declaration: ast.Sample, posterior: Posterior, options: Options) -> Sample | None:
    """A sampler of one pass, or a few, of a distilled fit."""
    fit = _fit(env, declaration.method)
    if fit is None:
        return None
    good = _same_laws(env, declaration.method, posterior, fit)
    good = good and _learned(env, declaration.method, posterior, fit)
    if not good or not _steps(env, declaration, options, fit):
        return None
    return Sample(declaration.name.id, METHOD, posterior.name, (fit.name,), None, options, False)


def refused(env: Environment, call: ast.Call, name: ast.Name) -> bool:
    """Whether a sampler of scores, or a metric of them, is given a distilled fit; reports it."""
    declaration = env.declarations.get(name.id)
    if not isinstance(declaration, ast.Train) or not distill.is_distilled(declaration):
        return False
    env.used.add(name.id)
    fit = fits.train(env, declaration)
    first = call.arguments[0].value
    if fit is not None:
        message = f"`{name.id}` makes draws and has no score, which `{call.function.id}` needs"
        help = f"name its teacher `{fit.teacher}`"
        if isinstance(first, ast.Name) and first != name:
            help = f"write `{METHOD}({first.id}, {name.id})`, or {help}"
        env.report.add("E0554", message, name, also=[(declaration.name, "declared here")], help=help)
    return True


def _fit(env: Environment, method: ast.Call) -> Train | None:
    """The distilled fit that a sampler names."""
    names = [argument.value for argument in method.arguments[1:] if not argument.name]
    first = names[0] if names else None
    if len(names) != 1 or len(method.arguments) != 2 or not isinstance(first, ast.Name):
        known = [d.name.id for d in env.all(ast.Train) if distill.is_distilled(d)]
        help = f"write `{METHOD}(POSTERIOR, {known[0]})`" if known else "declare one: `train fast = distill(FIT)`"
        env.report.add("E0556", f"`{METHOD}` takes a posterior and the name of a distilled fit", method, help=help)
        return None
    declaration = env.find(first, ast.Train)
    if declaration is None:
        return None
    if not distill.is_distilled(declaration):
        message = f"`{METHOD}` needs a distilled fit, and `{first.id}` is a `{declaration.objective.function.id}`"
        help = f"distil it, `train fast = distill({first.id})`, and name that"
        env.report.add("E0556", message, first, also=[(declaration.name, "declared here")], help=help)
        return None
    return fits.train(env, declaration)


def _same_laws(env: Environment, method: ast.Call, posterior: Posterior, fit: Train) -> bool:
    """Whether a fit is of the laws of a posterior."""
    laws = dict.fromkeys(factor.law for factor in posterior.factors)
    own = [name for name in (fit.prior, fit.likelihood) if name]
    if set(laws) == set(own):
        return True
    message = f"`{fit.name}` is distilled from {listed(own)}, but `{posterior.name}` is of {listed(laws)}"
    env.report.add("E0505", message, method.arguments[1], also=[(env.name_of(fit.name), "declared here")])
    return False


def _learned(env: Environment, method: ast.Call, posterior: Posterior, fit: Train) -> bool:
    """Whether a posterior is one that a fit has seen: of whole rows, as many and at such powers."""
    told = fit.asked or Asked((1.0, 1.0), ((1, 1.0, 1.0, False),) if fit.likelihood else ())
    what = _beyond(told, distill.asked_of(env, posterior), fit)
    if what is not None and distill.learnable(env, method, posterior, fit):
        also = [(env.name_of(fit.name), "declared here")]
        learn = f"train {fit.name} = distill({fit.teacher}, {posterior.name})"
        help = f"write `{learn}`, or sample its teacher: `flow_ode({posterior.name}, {fit.teacher})`"
        message = f"`{posterior.name}` has {what}"
        env.report.add("E0555", message, method.arguments[0], also=also, help=help)
    if what is not None:
        return False
    for factor in posterior.factors:
        found = _set(env, factor)
        if found and missing.partial(env, found):
            message = f"`{found.name}` has missing entries, which a distilled fit cannot see"
            also = [(env.name_of(found.name), "declared here")]
            help = "sample a `score` fit that learns of rows with holes"
            env.report.add("E0557", message, method, also=also, help=help)
            return False
    return True


def _beyond(told: Asked, asked: Asked, fit: Train) -> str | None:
    """What of a posterior a distilled fit has not learned."""
    rows, known = (sum(count for count, _, _, _ in sets) for sets in (asked.sets, told.sets))
    if rows > known:
        return f"{rows} rows, but `{fit.name}` has learned {known if known > 1 else 'one'}"
    low, high = min((s[1] for s in told.sets), default=1.0), max((s[2] for s in told.sets), default=1.0)
    powers = [(f"of `{fit.prior}`", asked.prior, told.prior)]
    powers += [(f"of `{fit.likelihood}`", (least, most), (low, high)) for _, least, most, _ in asked.sets]
    for what, (least, most), (low, high) in powers:
        if least < low - _ROUNDING or most > high + _ROUNDING:
            between = f"powers from {low:g} to {high:g}" if high > low else f"the power {low:g}"
            asks = f"powers {what} from {least:g} to {most:g}" if most > least else f"the power {least:g} {what}"
            return f"{asks}, but `{fit.name}` has learned {between}"
    return None


def _set(env: Environment, factor: Factor) -> Observation | None:
    declaration = env.declarations.get(factor.observation or "")
    return observations.observation(env, declaration) if isinstance(declaration, ast.Observe) else None


def _steps(env: Environment, declaration: ast.Sample, options: Options, fit: Train) -> bool:
    """Several steps are only of a map that has learned where to stop between."""
    steps = dict(options)["steps"]
    if dict(fit.options)["method"] != "regression" or steps == 1:
        return True
    option = next(item for item in declaration.options.items if item.name.id == "steps")
    said = f"`{steps.name}`" if isinstance(steps, SweepRef) else f"{steps}"
    env.report.add(
        "E0558",
        f"`{fit.name}` has learned by regression to take one step, not {said}",
        option,
        also=[(env.name_of(fit.name), "declared here")],
        help=f"remove it, or train `{fit.name}` with `method = flow_map`",
    )
    return False

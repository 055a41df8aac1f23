"""`check sensitivity(s)`: what is raised to powers, how that can be done, and options that say otherwise.

A component is a factor of the posterior, named by its prior or its set, or the law of one param inside a prior. Draws
at another power come of weights, where the component has a density, or of the sampler itself, where a network's score
is composed with any power.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bsi.compiler import expressions, fits, fold, images, likelihood_laws, missing, posteriors, prior_laws
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Factor, Likelihood, Options, Posterior, Prior, Sample
from bsi.compiler.report import listed, suggest
from bsi.compiler.routes import AMORTISED
from bsi.dsl import ast

POWERS = (0.5, 0.8, 1.25, 2.0)


@dataclass(frozen=True)
class Component:
    """`param` is set where only its own law is meant."""

    name: str
    factor: Factor
    param: str | None = None

    @property
    def of_prior(self) -> bool:
        return self.factor.kind == "prior"


def components(
    posterior: Posterior, priors: Mapping[str, Prior], chosen: tuple[str, ...] | None = None
) -> list[Component]:
    """Those that are named, in their order; by default the factors."""
    known = list(_known(posterior, priors))
    if chosen is None:
        return [component for component in known if component.param is None]
    return [component for name in chosen for component in known if component.name == name]


def _known(posterior: Posterior, priors: Mapping[str, Prior]) -> Iterator[Component]:
    for factor in posterior.factors:
        yield Component(factor.observation or factor.law, factor)
    for factor in posterior.factors:
        for draw in priors[factor.law].draws if factor.kind == "prior" else ():
            yield Component(draw.target, factor, draw.target)


def has_density(law: Prior | Likelihood, reference: bool) -> bool:
    """Whether the draws of a sample can be weighted by a power of `law`. The oracle of a prior that was learned from
    draws is the law of references alone."""
    if isinstance(law, Prior):
        return bool(law.draws) and (reference or law.learned is None or not law.learned.columns)
    return law.explicit


def samples_powers(sample: Sample) -> bool:
    """Whether the method of `sample` draws at any powers without more training."""
    return "compose" in dict(sample.options)


def settled(env: Environment, call: ast.Call, sample: Sample, options: Options) -> Options | None:
    """`options` with `components` and `powers` as values; None after a report."""
    given = {argument.name.id: argument.value for argument in call.arguments if argument.name}
    declaration = env.declarations[sample.posterior]
    assert isinstance(declaration, ast.Posterior)
    posterior = posteriors.posterior(env, declaration)
    assert posterior is not None, "a sample is of a sound posterior"
    priors = {f.law: _prior(env, f.law) for f in posterior.factors if f.kind == "prior"}
    values = dict(options)
    powers = None if values["powers"] is None else _powers(env, given["powers"])
    known = list(_known(posterior, priors))
    chosen = None if values["components"] is None else _chosen(env, given["components"], known, posterior)
    if any(values[name] is not None and value is None for name, value in (("powers", powers), ("components", chosen))):
        return None
    values |= {"powers": powers, "components": chosen}
    if not _possible(env, call, sample, components(posterior, priors, chosen), str(values["method"])):
        return None
    return tuple(sorted(values.items()))


def _powers(env: Environment, node: ast.Expr) -> tuple[float, ...] | None:
    value = expressions.constant_value(env, node, "the option `powers`")
    known = expressions.known_value(env, node, value, "the option `powers`") if value else None
    if value is None or known is None:
        return None
    powers = tuple(float(x) for x in fold.flat(known)) if len(value.shape) == 1 and not fold.is_boolean(value) else ()
    wrong = next((x for x in powers if not 0 < x < math.inf or x == 1), None)
    if powers and wrong is None:
        return tuple(sorted(set(powers)))
    why = f"not {wrong:g}" if wrong is not None else "in a list"
    help = "the power 1 is the sample itself" if wrong == 1 else "write `powers = [0.5, 2]`"
    env.report.add("E0571", f"`powers` of `sensitivity` are positive numbers other than 1, {why}", node, help=help)
    return None


def _chosen(env: Environment, node: ast.Expr, known: list[Component], posterior: Posterior) -> tuple[str, ...] | None:
    names = node.items if isinstance(node, ast.ListExpr) else (node,)
    own = [component.name for component in known]
    wrong = next((name for name in names if not isinstance(name, ast.Name) or name.id not in own), None)
    chosen = tuple(name.id for name in names if isinstance(name, ast.Name))
    if wrong is None and chosen and len(set(chosen)) == len(chosen):
        return chosen
    also = [(env.name_of(posterior.name), "declared here")]
    if isinstance(wrong, ast.Name):
        near = suggest(wrong.id, own)
        message = f"`{wrong.id}` is no prior, no set and no param with a law of its own in `{posterior.name}`"
        help = f"did you mean `{near}`?" if near else f"there are {listed(own)}"
        env.report.add("E0573", message, wrong, also=also, help=help, fix=near)
    else:
        message = "`components` is a list of names of priors, sets or params, each once"
        env.report.add("E0573", message, wrong or node, help=f"write `components = [{own[0]}]`")
    return None


def _possible(env: Environment, call: ast.Call, sample: Sample, chosen: list[Component], method: str) -> bool:
    """Whether every component can be scaled in the way that is asked for; reports the first that cannot."""
    again = samples_powers(sample) and _composes(env, sample, chosen)
    for component in chosen:
        law = _prior(env, component.factor.law) if component.of_prior else _likelihood(env, component.factor.law)
        by_weights = has_density(law, sample.reference)
        by_draws = again and component.param is None
        if method == "resample" and not by_draws:
            only = f"`{component.name}` is a part of a prior, and samplers know the whole"
            help = "leave `method` out: weights do it" if by_weights else "name the whole prior"
            _refuse(env, call, component, sample, only if again else _cannot(sample), help)
            return False
        if method != "resample" and not by_weights and (method == "psis" or not by_draws):
            why = f"has no density to weight draws with, and {_cannot(sample)}"
            help = "sample by the score of a network that composes: `ddim`, `flow_ode`"
            if by_draws:
                why, help = "has no density to weight draws with", "leave `method` out: the sampler draws again"
            _refuse(env, call, component, sample, f"`{component.name}` {why}", help)
            return False
        if method != "resample" and by_weights and not component.of_prior:
            declaration = env.declarations[sample.posterior]
            assert isinstance(declaration, ast.Posterior)
            posterior = posteriors.posterior(env, declaration)
            if posterior is None or not missing.has_marginals(env, call, posterior):
                return False
    return True


def _refuse(env: Environment, call: ast.Call, component: Component, sample: Sample, why: str, help: str) -> None:
    env.report.add(
        "E0572",
        f"powers of `{component.name}` cannot be tried: {why}",
        call,
        also=[(env.name_of(component.factor.law), "declared here"), (env.name_of(sample.name), "declared here")],
        help=help,
    )


def _cannot(sample: Sample) -> str:
    return f"`{sample.method}` does not draw at other powers"


def _composes(env: Environment, sample: Sample, chosen: list[Component]) -> bool:
    """Networks on images learn no covariances, so that their likelihoods have one power only (E0443)."""
    if sample.route != AMORTISED:
        return True
    declared = (env.declarations.get(name) for name in sample.fits)
    trains = [fits.train(env, declaration) for declaration in declared if isinstance(declaration, ast.Train)]
    learned = [prior.learned for c in chosen if c.of_prior if (prior := fits.learned_prior(env, c.factor.law))]
    nets = [train.network for train in trains if train] + [own.network for own in learned if own and own.network]
    return not any(net.kind in images.NETS for net in nets)


def _prior(env: Environment, name: str) -> Prior:
    declaration = env.declarations[name]
    assert isinstance(declaration, ast.Prior)
    found = prior_laws.prior(env, declaration)
    assert found is not None, "a factor is of a sound law"
    return found


def _likelihood(env: Environment, name: str) -> Likelihood:
    declaration = env.declarations[name]
    assert isinstance(declaration, ast.Likelihood)
    found = likelihood_laws.likelihood(env, declaration)
    assert found is not None, "a factor is of a sound law"
    return found

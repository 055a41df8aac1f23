"""Routes to a posterior: `amortised` has one network for prior and posterior, `guided` one for the prior at most, and
the density of the likelihood does the rest."""

from __future__ import annotations

from bsi.compiler import fits, likelihood_laws
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Choice, Options, Posterior
from bsi.compiler.options import COMPOSE
from bsi.compiler.report import listed
from bsi.compiler.simulator_calls import outside_jax
from bsi.dsl import ast

Given = list[tuple[ast.Name, fits.Laws]]
GUIDED, AMORTISED = "guided", "amortised"
COVARIANCES = {GUIDED: ("jacobian", "isotropic"), AMORTISED: ("moments", "sampled")}


def route(
    env: Environment, declaration: ast.Sample, posterior: Posterior, options: Options, given: Given
) -> str | None:
    """The route of a sampler: as its option says, else as the fits that it names, else by the laws: `guided` if the
    prior is learned and every likelihood has a density. None after a report."""
    asked = dict(options)["route"]
    likelihoods = [factor.law for factor in posterior.factors if factor.kind == "likelihood"]
    learned = [f.law for f in posterior.factors if f.kind == "prior" and fits.learned_prior(env, f.law)]
    by_fits = dict.fromkeys(GUIDED if laws.likelihood is None else AMORTISED for _, laws in given)
    if not likelihoods:
        found = AMORTISED if asked == "auto" else asked
        return found if found == AMORTISED or not _nothing_guides(env, declaration, posterior) else None
    if len(by_fits) > 1 or (given and asked not in ("auto", next(iter(by_fits)))):
        _contradiction(env, declaration, asked, given)
        return None
    if given:
        found = next(iter(by_fits))
    elif asked != "auto":
        found = asked
    else:
        found = GUIDED if learned and all(_obstacle(env, law) is None for law in likelihoods) else AMORTISED
    return found if found == AMORTISED or _have_densities(env, declaration, likelihoods) else None


def settled(env: Environment, declaration: ast.Sample, options: Options, route: str) -> Options | None:
    """`options` with the route, and the covariance that `auto` means on it; None after a report of one that belongs to
    the other route."""
    values = dict(options) | {"route": route}
    given = {item.name.id: item for item in declaration.options.items}
    known = COVARIANCES[route]
    if values["covariance"] == "auto":
        values["covariance"] = known[0]
    combined = route == GUIDED and values["compose"] != COMPOSE.default
    for name, wrong in (("covariance", values["covariance"] not in known), ("compose", combined)):
        if wrong:
            help = f"use {listed(known, 'or')}" if name == "covariance" else "remove it: no scores are combined"
            value = values[name]
            said = value.name if isinstance(value, Choice) else value
            env.report.add("E0529", f"`{name} = {said}` means nothing on the route `{route}`", given[name], help=help)
            return None
    return tuple(sorted(values.items()))


def _contradiction(env: Environment, declaration: ast.Sample, asked: str, given: Given) -> None:
    """Report fits that the option, or another fit, speaks against."""
    alone = [name for name, laws in given if laws.likelihood is None]
    paired = [name for name, laws in given if laws.likelihood is not None]
    if alone and paired:
        message = f"`{alone[0].id}` is a fit of the prior alone, which guides, and `{paired[0].id}` is not"
        env.report.add("E0527", message, paired[0], also=[(alone[0], "here")], help="name fits of one kind")
        return
    name, laws = given[0]
    option = next(item for item in declaration.options.items if item.name.id == "route")
    what = "learns the prior alone" if laws.likelihood is None else f"learns `{laws.likelihood}` too"
    other = GUIDED if laws.likelihood is None else AMORTISED
    env.report.add(
        "E0527",
        f"`route = {asked}` cannot use `{name.id}`, which {what}",
        option,
        also=[(env.name_of(name.id), "declared here")],
        help=f"remove one of them: `{name.id}` means `route = {other}`",
    )


def _nothing_guides(env: Environment, declaration: ast.Sample, posterior: Posterior) -> bool:
    option = next(item for item in declaration.options.items if item.name.id == "route")
    message = f"`{posterior.name}` has no likelihood that could guide"
    env.report.add("E0530", message, option, help="remove `route`: a prior is sampled as it is")
    return True


def _have_densities(env: Environment, declaration: ast.Sample, likelihoods: list[str]) -> bool:
    for law in likelihoods:
        why = _obstacle(env, law)
        if why:
            declared = env.declarations[law]
            assert isinstance(declared, ast.Likelihood)
            env.report.add(
                "E0528",
                f"the route `guided` needs the density of `{law}`, which {why}",
                declaration.method,
                also=[(declared.name, "declared here")],
                help="train a network of it: `train fit = score(PRIOR, LIKELIHOOD)`, and name that fit",
            )
            return False
    return True


def _obstacle(env: Environment, name: str) -> str | None:
    """Why a likelihood cannot guide."""
    declaration = env.declarations.get(name)
    law = likelihood_laws.likelihood(env, declaration) if isinstance(declaration, ast.Likelihood) else None
    if law is None:
        return None
    if law.learned:
        return "is learned from pairs"
    if not law.explicit:
        return "is implicit: it can only be simulated"
    slow = outside_jax(law)
    return f"calls `{slow.name}`, Python outside JAX, which has no gradient" if slow else None

"""Samplers: the fits they use, the densities they need, and what their scores are composed of."""

from __future__ import annotations

from bsi.compiler import (
    affine,
    biases,
    configure,
    correctors,
    densities,
    exact,
    fits,
    images,
    missing,
    one_step,
    posteriors,
    routes,
    row_sets,
    stored,
)
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Options, Posterior, Sample, Train
from bsi.compiler.options import Block
from bsi.compiler.report import listed
from bsi.dsl import ast


def sample(env: Environment, declaration: ast.Sample, implied: dict[str, Train]) -> Sample | None:
    """A declared sampler. Fits that it needs and nobody declared are added to `implied`."""
    return env.once("sample", declaration.name.id, lambda: _sample(env, declaration, implied))


def _sample(env: Environment, declaration: ast.Sample, implied: dict[str, Train]) -> Sample | None:
    method = declaration.method
    schema = configure.block(env, "sample", method.function)
    if schema is None:
        _use(env, method)
        return None
    options = configure.options(env, "sample", method.function.id, declaration.options)
    if configure.misplaced(env, method, "sample"):
        _use(env, method)
        return None
    first = _posterior_argument(env, method, schema)
    if method.function.id == "stored":
        draws = stored.options(env, method, first) if first and options is not None else None
        return Sample(declaration.name.id, "stored", first.name.id, (), None, draws, True) if first and draws else None
    found = posteriors.posterior(env, first) if first else None
    if schema.reference:
        good = _no_fits(env, method) and _has_density(env, method, first) and affine.suits(env, method, found)
        if found is None or options is None or not good or not missing.has_marginals(env, method, found):
            return None
        return Sample(declaration.name.id, method.function.id, found.name, (), None, options, True)
    if method.function.id == one_step.METHOD:
        _use(env, method)
        return one_step.sample(env, declaration, found, options) if found and options is not None else None
    given = _given_fits(env, method)
    if found is None or given is None:
        return None
    if options is None:
        return None
    route = routes.route(env, declaration, found, options, given)
    settled = routes.settled(env, declaration, options, route) if route else None
    if route is None or settled is None or not correctors.suits(env, declaration, settled, route):
        return None
    if route == routes.GUIDED and not missing.has_marginals(env, method, found):
        return None
    settled = correctors.settled(env, declaration, found, settled)
    if settled is None:
        return None
    used = _fits(env, declaration, found, given, route, implied, row_sets.implied(settled))
    if used is None or not _composable(env, declaration, found, settled, used):
        return None
    settled = row_sets.settled(env, declaration, settled, used)
    if settled is None or not _sampled(env, declaration, settled, used):
        return None
    if not correctors.fits_scores(env, declaration, settled, used):
        return None
    biases.lint(env, declaration, found, settled, route)
    names = tuple(fit.name for fit in used)
    return Sample(declaration.name.id, method.function.id, found.name, names, route, settled, False)


def _use(env: Environment, method: ast.Call) -> None:
    """What a refused sampler names is not unused."""
    env.used.update(a.value.id for a in method.arguments if isinstance(a.value, ast.Name))


def _posterior_argument(env: Environment, method: ast.Call, schema: Block) -> ast.Posterior | None:
    name = method.arguments[0].value if method.arguments else None
    if not isinstance(name, ast.Name) or method.arguments[0].name:
        env.report.add(
            "E0511",
            f"`{method.function.id}` takes {schema.arguments}",
            method,
            help=f"write `{method.function.id}(POSTERIOR)`",
        )
        return None
    return env.find(name, ast.Posterior)


def _no_fits(env: Environment, method: ast.Call) -> bool:
    if len(method.arguments) <= 1:
        return True
    _use(env, method)
    env.report.add(
        "E0506",
        f"`{method.function.id}` is a reference: it uses the laws themselves and takes no fit",
        method.arguments[1],
        help="remove it",
    )
    return False


def _has_density(env: Environment, method: ast.Call, posterior: ast.Posterior | None) -> bool:
    """A reference needs the density of every factor."""
    found = densities.obstacle(env, posterior) if posterior else None
    if found:
        densities.report(env, method, found, method.function.id)
    return found is None


def _given_fits(env: Environment, method: ast.Call) -> list[tuple[ast.Name, fits.Laws]] | None:
    named: list[tuple[ast.Name, fits.Laws]] = []
    good = True
    for argument in method.arguments[1:]:
        if argument.name or not isinstance(argument.value, ast.Name):
            env.report.add(
                "E0511",
                f"`{method.function.id}` takes a posterior and names of fits",
                argument,
                help="options stand in braces: `{ draws = 1_000 }`" if argument.name else None,
            )
            good = False
            continue
        if one_step.refused(env, method, argument.value):
            good = False
            continue
        declaration = env.find(argument.value, ast.Train)
        found = fits.laws(env, declaration) if declaration else None
        # The fit's own mistakes are reported where it is declared.
        if found is None or declaration is None or fits.train(env, declaration) is None:
            good = False
        else:
            named.append((argument.value, found))
    return named if good else None


def _fits(
    env: Environment,
    declaration: ast.Sample,
    posterior: Posterior,
    given: list[tuple[ast.Name, fits.Laws]],
    route: str,
    implied: dict[str, Train],
    rows: int,
) -> list[Train] | None:
    """One fit for each likelihood of the posterior, or on the route `guided` one of a learned prior: named, else the
    only one declared for its laws, else implied, of sets of `rows` rows."""
    priors = [factor.law for factor in posterior.factors if factor.kind == "prior"]
    likelihoods = list(dict.fromkeys(factor.law for factor in posterior.factors if factor.kind == "likelihood"))
    if len(priors) > 1:
        env.report.add(
            "E0509",
            f"`{declaration.method.function.id}` needs one prior over all params, but `{posterior.name}` "
            f"has {listed(priors)}",
            declaration.method,
            help="draw all params in the body of one prior",
        )
        return None
    wanted = [fits.Laws(priors[0], likelihood) for likelihood in likelihoods]
    if not likelihoods or route == routes.GUIDED:
        wanted = [fits.Laws(priors[0], None)] if fits.learned_prior(env, priors[0]) else []
    chosen: dict[fits.Laws, ast.Name] = {}
    for name, found in given:
        if found not in wanted or found in chosen:
            needs = listed(w.text.strip("`") for w in wanted) or "no fit"
            message = f"`{name.id}` is {found.text}, but `{posterior.name}` needs {needs}"
            if found in chosen:
                message = f"`{chosen[found].id}` and `{name.id}` are fits of the same laws"
            env.report.add("E0505", message, name, also=[(env.name_of(name.id), "declared here")])
            return None
        chosen[found] = name
    names = [chosen[w].id if w in chosen else fits.default(env, declaration, w, implied, rows) for w in wanted]
    declared = _declared_trains(env, names)
    if not all(names) or not missing.seen(env, declaration.method, posterior, declared):
        return None
    known = implied | {fit.name: fit for fit in declared}
    trains = [known[name] for name in names if name in known]
    return trains if _one_space(env, declaration, trains) else None


def _composable(
    env: Environment, declaration: ast.Sample, posterior: Posterior, options: Options, trains: list[Train]
) -> bool:
    """Composition needs covariances, which networks on images do not learn, unless scores are added as they are."""
    of_images = next((fit for fit in trains if fit.likelihood and fit.network.kind in images.NETS), None)
    if of_images is None or dict(options)["compose"] in biases.PLAIN or not biases.needs_composition(env, posterior):
        return True
    env.report.add(
        "E0443",
        f"several rows, and powers other than 1, cannot be composed from `{of_images.name}`: a "
        f"`{of_images.network.kind}` learns no covariances of an image",
        declaration.method,
        also=[(env.name_of(of_images.name), "declared here")] if not of_images.implied else (),
        help="add scores as they are, `ddim(...) { compose = sum, correct = langevin }`; or, where the likelihood has "
        "a density, learn the prior alone and use `route = guided`",
    )
    return False


def _sampled(env: Environment, declaration: ast.Sample, options: Options, trains: list[Train]) -> bool:
    """Covariances are estimated only where they are not known."""
    table = next((fit for fit in trains if fit.objective == exact.OBJECTIVE), None)
    if table is None or dict(options)["covariance"] != "sampled":
        return True
    option = next(item for item in declaration.options.items if item.name.id == "covariance")
    env.report.add(
        "E0583",
        f"`covariance = sampled` estimates by draws what `{table.name}` knows exactly",
        option,
        also=[(env.name_of(table.name), "declared here")],
        help="remove it",
    )
    return False


def _one_space(env: Environment, declaration: ast.Sample, trains: list[Train]) -> bool:
    """Scores are added up, so all fits must speak of the same coordinates."""
    spaces = {fit.name: dict(fit.options)["coordinates"] for fit in trains}
    if len(set(spaces.values())) < 2:
        return True
    said = " and ".join(f"`{name}` has {kind} ones" for name, kind in spaces.items())
    env.report.add(
        "E0430",
        f"the fits of one posterior need the same working coordinates, but {said}",
        declaration.method,
        also=[(env.name_of(name), spaces[name]) for name in spaces if name in env.declarations],
        help="give all of them the same `coordinates`",
    )
    return False


def _declared_trains(env: Environment, names: list[str | None]) -> list[Train]:
    """Those of the fits that the user wrote."""
    declarations = [env.declarations.get(name or "") for name in names]
    found = [fits.train(env, declaration) for declaration in declarations if isinstance(declaration, ast.Train)]
    return [fit for fit in found if fit]

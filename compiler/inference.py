"""Fits and samplers: which laws a fit learns, which fits a sampler uses, and the fits nobody wrote down."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bsi.compiler import configure, likelihood_laws, missing, observations, posteriors, prior_laws, stored
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Net, Options, Posterior, Prior, Sample, Simulator, Train
from bsi.compiler.options import BLOCKS, Block
from bsi.compiler.report import counted, listed
from bsi.compiler.simulator_calls import outside_jax
from bsi.dsl import ast

_TABLE = 10_000  # simulations of a forward model that JAX cannot run, unless the model says how many


@dataclass(frozen=True)
class Laws:
    """What a fit learns, by name."""

    prior: str
    likelihood: str | None

    @property
    def text(self) -> str:
        return f"`score({', '.join(name for name in (self.prior, self.likelihood) if name)})`"


# ---------------------------------------------------------------- fits


def train(env: Environment, declaration: ast.Train) -> Train | None:
    """A declared fit."""
    return env.once("train", declaration.name.id, lambda: _train(env, declaration))


def _train(env: Environment, declaration: ast.Train) -> Train | None:
    call = declaration.objective
    if configure.block(env, "train", call.function) is None:
        return None
    options = configure.options(env, "train", call.function.id, declaration.options)
    found = laws(env, declaration)
    if found is None or options is None:
        return None
    rest = tuple(option for option in options if option[0] != "network")
    settled = _settled(env, declaration, found, missing.settled(env, found.likelihood, rest))
    if settled is None:
        return None
    network = _fitted(env, declaration, found, dict(options)["network"])
    if network is None:
        return None
    return Train(declaration.name.id, call.function.id, found.prior, found.likelihood, network, settled)


def _fitted(env: Environment, declaration: ast.Train, found: Laws, network: Net) -> Net | None:
    """A net with what it must know of the laws: `set` the shape of a row."""
    if network.kind != "set":
        return network
    law = env.declarations.get(found.likelihood or "")
    likelihood = likelihood_laws.likelihood(env, law) if isinstance(law, ast.Likelihood) else None
    if likelihood is None or not likelihood.shape:
        what = f"a row of `{found.likelihood}` is a single number" if likelihood else "a prior alone has no rows"
        option = next(item for item in declaration.options.items if item.name.id == "network")
        env.report.add(
            "E0431",
            f"a `set` net sees the elements of a row, but {what}",
            option,
            help="use `resmlp`; rows of an observation set are combined without a net",
        )
        return None
    return replace(network, options=tuple(sorted((dict(network.options) | {"row": likelihood.shape}).items())))


def _settled(env: Environment, declaration: ast.Train, found: Laws, options: Options) -> Options | None:
    """Options that follow from the laws: a learned prior has no Rosenblatt map, pairs are simulations already."""
    given = {item.name.id: item for item in declaration.options.items}
    values = dict(options)
    fixed = _fixed_simulations(env, found)
    good = True
    if _learned_prior(env, found.prior) and values["coordinates"] == "rosenblatt":
        env.report.add(
            "E0425",
            f"`coordinates = rosenblatt` needs the quantiles of a prior, but `{found.prior}` is learned",
            given["coordinates"],
            also=[(env.name_of(found.prior), "declared here")],
            help="remove it",
        )
        good = False
    if fixed and values["simulations"] is not None:
        env.report.add(
            "E0427",
            f"`{fixed}` is learned from a file, which decides how many simulations there are",
            given["simulations"],
            also=[(env.name_of(fixed), "declared here")],
            help="remove it",
        )
        good = False
    slow = _outside_jax(env, found)
    if slow and "simulations" in given and values["simulations"] is None:
        env.report.add(
            "E0619",
            f"`{slow.name}` is Python outside JAX, which cannot simulate anew at every step",
            given["simulations"],
            also=[(env.name_of(slow.name), "declared here")],
            help=f"write a number, or leave it out: `simulations = {_TABLE:_}`",
        )
        good = False
    return resolved(env, found, options) if good else None


def resolved(env: Environment, found: Laws, options: Options) -> Options:
    """`options` with the coordinates that `auto` means, and a table of simulations where none can be fresh."""
    values = dict(options)
    if values["coordinates"] == "auto":
        values["coordinates"] = "unconstrained" if _learned_prior(env, found.prior) else "rosenblatt"
    if values["simulations"] is None and _outside_jax(env, found):
        values["simulations"] = _TABLE
    return tuple(values.items())


def _outside_jax(env: Environment, found: Laws) -> Simulator | None:
    """A Python simulator that the laws call and JAX cannot trace."""
    prior, law = (env.declarations.get(name or "") for name in (found.prior, found.likelihood))
    first = prior_laws.prior(env, prior) if isinstance(prior, ast.Prior) else None
    second = likelihood_laws.likelihood(env, law) if isinstance(law, ast.Likelihood) else None
    return outside_jax((first, second))


def _learned_prior(env: Environment, name: str) -> Prior | None:
    declaration = env.declarations.get(name)
    found = prior_laws.prior(env, declaration) if isinstance(declaration, ast.Prior) else None
    return found if found and found.learned else None


def _fixed_simulations(env: Environment, found: Laws) -> str | None:
    """The law whose file is the table that a fit trains on."""
    declaration = env.declarations.get(found.likelihood or found.prior)
    law = declaration.law if isinstance(declaration, ast.Prior | ast.Likelihood) else None
    return (found.likelihood or found.prior) if isinstance(law, ast.Learned) and _from_file(law) else None


def _from_file(law: ast.Learned) -> bool:
    return law.source.function.id in ("file", "pairs")


def laws(env: Environment, declaration: ast.Train) -> Laws | None:
    """The prior and the likelihood that a fit names, in either order, once they are known to be sound."""
    return env.once("laws", declaration.name.id, lambda: _laws(env, declaration))


def _laws(env: Environment, declaration: ast.Train) -> Laws | None:
    call = declaration.objective
    priors: list[ast.Prior] = []
    likelihoods: list[ast.Likelihood] = []
    good = True
    for argument in call.arguments:
        name = argument.value
        found = env.declarations.get(name.id) if isinstance(name, ast.Name) else None
        if argument.name or not isinstance(name, ast.Name):
            env.report.add("E0511", f"`{call.function.id}` takes the names of a prior and a likelihood", argument)
            good = False
        elif isinstance(found, ast.Prior):
            env.used.add(name.id)
            priors.append(found)
        elif isinstance(found, ast.Likelihood):
            env.used.add(name.id)
            likelihoods.append(found)
        elif found is not None:
            env.used.add(name.id)
            env.wrong_kind(name, "a prior or a likelihood")
            good = False
        else:
            known = [d.name.id for d in (*env.all(ast.Prior), *env.all(ast.Likelihood))]
            env.unknown(name, "prior or likelihood", known)
            good = False
    if not good:
        return None
    alone = len(priors) == 1 and isinstance(priors[0].law, ast.Learned)
    if len(priors) != 1 or len(likelihoods) > 1 or not (likelihoods or alone):
        got = f"{counted(len(priors), 'prior')} and {counted(len(likelihoods), 'likelihood')}"
        env.report.add(
            "E0511",
            f"`{call.function.id}` learns one prior with one likelihood, or a learned prior alone, not {got}",
            call,
            help="write `score(p, f)`",
        )
        return None
    if not likelihoods:
        return Laws(priors[0].name.id, None) if prior_laws.prior(env, priors[0]) else None
    own = {name.id for name in priors[0].params}
    missing = [name.id for name in likelihoods[0].given if name.id not in own]
    if missing:
        env.report.add(
            "E0511",
            f"`{likelihoods[0].name.id}` needs {listed(missing)}, which `{priors[0].name.id}` does not draw",
            call,
            also=[(priors[0].name, "declared here")],
        )
        return None
    rest = own - {name.id for name in likelihoods[0].given}
    if rest and isinstance(likelihoods[0].law, ast.Learned):
        env.report.add(
            "E0429",
            f"the pairs of `{likelihoods[0].name.id}` say nothing of {listed(sorted(rest))}, which "
            f"`{priors[0].name.id}` draws",
            call,
            also=[(likelihoods[0].name, "declared here")],
            help="pairs are draws of all params of the prior with a row each",
        )
        return None
    sound = prior_laws.prior(env, priors[0]) is not None and likelihood_laws.likelihood(env, likelihoods[0]) is not None
    return Laws(priors[0].name.id, likelihoods[0].name.id) if sound else None


# ---------------------------------------------------------------- samplers

ELSEWHERE = (
    "compare two samplers instead, or check against stored draws; simulation-based checks (`sbc`, `tarp`, `lc2st`) "
    "need no density"
)


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
    first = _posterior_argument(env, method, schema)
    if method.function.id == "stored":
        draws = stored.options(env, method, first) if first and options is not None else None
        return Sample(declaration.name.id, "stored", first.name.id, (), None, draws, True) if first and draws else None
    found = posteriors.posterior(env, first) if first else None
    if schema.reference:
        good = _no_fits(env, method) and _has_density(env, method, first)
        if found is None or options is None or not good or not missing.has_marginals(env, method, found):
            return None
        return Sample(declaration.name.id, method.function.id, found.name, (), None, options, True)
    given = _given_fits(env, method)
    if found is None or given is None:
        return None
    fits = _fits(env, declaration, found, given, implied)
    if fits is None or options is None:
        return None
    _lint_sum(env, declaration, found, dict(options)["compose"])
    _lint_power(env, declaration, found)
    return Sample(declaration.name.id, method.function.id, found.name, fits, "amortised", options, False)


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
    for factor in posterior.factors if posterior else ():
        declaration = env.declarations.get(factor.law.id)
        why = label = None
        help = ELSEWHERE
        if isinstance(declaration, ast.Prior):
            if (prior := _learned_prior(env, factor.law.id)) and not prior.draws:
                why, label = "is learned from draws, which have none", "a file of draws"
                help = f"give it one, `learned file(...) {{ oracle = LAW }}`; or {ELSEWHERE}"
        elif isinstance(declaration, ast.Likelihood) and (law := likelihood_laws.likelihood(env, declaration)):
            if law.learned:
                why, label = "is learned from pairs, which have none", "a file of simulations"
            elif not law.explicit:
                why, label = "is implicit: it can only be simulated", "draws nuisance variables, or computes the row"
            elif slow := outside_jax(law):
                why = f"calls `{slow.name}`, Python outside JAX, which has no gradient"
                label = "calls it"
                help = "write the function in JAX and say `jax = true`, or sample by a trained network"
        if why and label and isinstance(declaration, ast.Prior | ast.Likelihood):
            env.report.add(
                "E0407",
                f"`{method.function.id}` needs a density, but `{factor.law.id}` {why}",
                method,
                also=[(declaration.law, label)],
                help=help,
            )
            return False
    return True


def _given_fits(env: Environment, method: ast.Call) -> list[tuple[ast.Name, Laws]] | None:
    fits: list[tuple[ast.Name, Laws]] = []
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
        declaration = env.find(argument.value, ast.Train)
        found = laws(env, declaration) if declaration else None
        # The fit's own mistakes are reported where it is declared.
        if found is None or declaration is None or train(env, declaration) is None:
            good = False
        else:
            fits.append((argument.value, found))
    return fits if good else None


def _fits(
    env: Environment,
    declaration: ast.Sample,
    posterior: Posterior,
    given: list[tuple[ast.Name, Laws]],
    implied: dict[str, Train],
) -> tuple[str, ...] | None:
    """One fit for each likelihood of the posterior: named, else the only one declared for its laws, else implied."""
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
    wanted = [Laws(priors[0], likelihood) for likelihood in likelihoods]
    if not likelihoods and _learned_prior(env, priors[0]):
        wanted = [Laws(priors[0], None)]
    chosen: dict[Laws, ast.Name] = {}
    for name, found in given:
        if likelihoods and found == Laws(priors[0], None):
            env.report.add(
                "E0211",
                "sampling with a fit of the prior alone (the route `guided`) is part of the language, but not "
                "supported in this version yet",
                name,
                help=f"train {listed(w.text.strip('`') for w in wanted)}",
            )
            return None
        if found not in wanted or found in chosen:
            needs = listed(w.text.strip("`") for w in wanted) or "no fit"
            message = f"`{name.id}` is {found.text}, but `{posterior.name}` needs {needs}"
            if found in chosen:
                message = f"`{chosen[found].id}` and `{name.id}` are fits of the same laws"
            env.report.add("E0505", message, name, also=[(env.name_of(name.id), "declared here")])
            return None
        chosen[found] = name
    fits = [chosen[w].id if w in chosen else _default_fit(env, declaration, w, implied) for w in wanted]
    declared = _declared_trains(env, fits)
    if not all(fits) or not missing.seen(env, declaration.method, posterior, declared):
        return None
    used = [*declared, *(implied[name] for name in fits if name in implied)]
    return tuple(fit for fit in fits if fit) if _one_space(env, declaration, used) else None


def _one_space(env: Environment, declaration: ast.Sample, fits: list[Train]) -> bool:
    """Scores are added up, so all fits must speak of the same coordinates."""
    spaces = {fit.name: dict(fit.options)["coordinates"] for fit in fits}
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
    found = [train(env, declaration) for declaration in declarations if isinstance(declaration, ast.Train)]
    return [fit for fit in found if fit]


def _default_fit(env: Environment, declaration: ast.Sample, wanted: Laws, implied: dict[str, Train]) -> str | None:
    declared = [d for d in env.all(ast.Train) if laws(env, d) == wanted]
    if len(declared) > 1:
        names = [d.name.id for d in declared]
        env.report.add(
            "E0510",
            f"{listed(names)} are fits of the laws of this posterior: say which to use",
            declaration.method,
            also=[(d.name, "declared here") for d in declared],
            help=f"add its name, for example `{names[0]}`, to the arguments",
        )
        return None
    if declared:
        env.used.add(declared[0].name.id)
        return declared[0].name.id if train(env, declared[0]) else None
    taken = next(
        (t.name for t in implied.values() if (t.prior, t.likelihood) == (wanted.prior, wanted.likelihood)), None
    )
    if taken:
        return taken
    name = f"fit_{wanted.likelihood or wanted.prior}".replace(".", "_")
    if name in env.declarations or name in implied:
        name = f"fit_{wanted.prior}_{wanted.likelihood}".replace(".", "_")
    while name in env.declarations or name in implied:
        name += "_"
    block = BLOCKS["train", "score"]
    options = tuple(sorted((o.name, o.default) for o in block.options if o.name != "network"))
    options = resolved(env, wanted, missing.settled(env, wanted.likelihood, options))
    implied[name] = Train(name, "score", wanted.prior, wanted.likelihood, configure.default_net(), options, True)
    return name


def _lint_sum(env: Environment, declaration: ast.Sample, posterior: Posterior, compose: str) -> None:
    if compose == "sum" and needs_composition(env, posterior):
        option = next(o for o in declaration.options.items if o.name.id == "compose")
        env.report.add(
            "W0406",
            "a plain sum of scores is biased for several rows, and for powers other than 1",
            option,
            help="use `compose = gauss`",
        )


def _lint_power(env: Environment, declaration: ast.Sample, posterior: Posterior) -> None:
    for factor in posterior.factors:
        prior = _learned_prior(env, factor.law) if factor.kind == "prior" else None
        if prior and (factor.power.op != "const" or factor.power.value != 1):
            env.report.add(
                "W0430",
                f"a power of the learned prior `{prior.name}` is exact only if it is Gaussian in working coordinates",
                declaration.method,
                help="the score of a power is not a multiple of the score once there is noise; leave the power at 1, "
                "or check by simulation",
            )


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

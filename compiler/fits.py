"""Fits: which laws each learns, the options that follow from these laws, and the fits that nobody wrote down."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from bsi.compiler import bounds, configure, distill, exact, likelihood_laws, missing, networks, prior_laws, row_sets
from bsi.compiler.environment import Environment
from bsi.compiler.ir import NO_NET, Options, Prior, Simulator, Train
from bsi.compiler.options import BLOCKS
from bsi.compiler.report import counted, listed
from bsi.compiler.simulator_calls import outside_jax
from bsi.dsl import ast

_TABLE = 10_000  # simulations of a forward model that JAX cannot run, unless the model says how many
# Passes over a table, unless the model says how many steps: of sbibm's tasks at 10 000 simulations `two_moons` still
# improves after 250, `slcp` is best after 100, and `gaussian_linear_uniform` after 10; so patience is short.
_PASSES = 250
_STEPS = (500, 8_000)  # at least; and at most, what `auto` is on fresh simulations
_PATIENCE = 0.25  # of these steps, without a better held-out loss


@dataclass(frozen=True)
class Laws:
    """What a fit learns, by name."""

    prior: str
    likelihood: str | None
    objective: str = field(default="score", compare=False)  # of the fit that names them; any serves a sampler

    @property
    def text(self) -> str:
        return f"`{self.objective}({', '.join(name for name in (self.prior, self.likelihood) if name)})`"


def train(env: Environment, declaration: ast.Train) -> Train | None:
    """A declared fit."""
    return env.once("train", declaration.name.id, lambda: _train(env, declaration))


def _train(env: Environment, declaration: ast.Train) -> Train | None:
    call = declaration.objective
    if configure.block(env, "train", call.function) is None:
        return None
    options = configure.options(env, "train", call.function.id, declaration.options)
    if distill.is_distilled(declaration):
        return None if options is None else distill.train(env, declaration, options, train)
    found = laws(env, declaration)
    if found is None or options is None:
        return None
    rest = tuple(option for option in options if option[0] != "network")
    if call.function.id == exact.OBJECTIVE:
        rest = exact.settled(rest, _fixed_simulations(env, found) is not None)
    settled = _settled(env, declaration, found, missing.settled(env, found.likelihood, rest))
    if settled is None:
        return None
    if call.function.id == exact.OBJECTIVE:
        if not exact.enough(env, declaration, found.prior, found.likelihood, dict(settled)["simulations"]):
            return None
        return Train(declaration.name.id, call.function.id, found.prior, found.likelihood, NO_NET, settled)
    rows = dict(options).get("rows", 1)
    if not row_sets.possible(env, declaration.options, "rows", found.prior, found.likelihood, rows):
        return None
    given = next((item for item in declaration.options.items if item.name.id == "network"), None)
    chosen = dict(options)["network"]
    network = networks.network(env, found.prior, found.likelihood, given, chosen, declaration.objective, rows)
    if network is None:
        return None
    return Train(declaration.name.id, call.function.id, found.prior, found.likelihood, network, settled)


def _settled(env: Environment, declaration: ast.Train, found: Laws, options: Options) -> Options | None:
    """Options that follow from the laws: a learned prior has no Rosenblatt map, pairs are simulations already."""
    given = {item.name.id: item for item in declaration.options.items}
    values = dict(options)
    fixed = _fixed_simulations(env, found)
    good = True
    if learned_prior(env, found.prior) and values["coordinates"] == "rosenblatt":
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
    if not good:
        return None
    if declaration.objective.function.id in bounds.OBJECTIVES:
        bounded = bounds.settled(env, declaration.options, values, learned_prior(env, found.prior))
        return _resolved(env, found, tuple(bounded.items())) if bounded else None
    return _resolved(env, found, options)


def _resolved(env: Environment, found: Laws, options: Options) -> Options:
    """`options` with what `auto` means of coordinates, and of steps on a table; one where nothing can be fresh."""
    values = dict(options)
    if values["coordinates"] == "auto":
        values["coordinates"] = "unconstrained" if learned_prior(env, found.prior) else "rosenblatt"
    if values["simulations"] is None and _outside_jax(env, found):
        values["simulations"] = _TABLE
    rows = _table_rows(env, found, values["simulations"])
    if rows and values.get("steps") == "auto":
        least, most = _STEPS
        values["steps"] = min(max(least, math.ceil(_PASSES * rows / values["batch"] / 100) * 100), most)
        values["patience"] = int(_PATIENCE * values["steps"]) if values["patience"] == "auto" else values["patience"]
    return tuple(values.items())


def _table_rows(env: Environment, found: Laws, simulations: int | None) -> int | None:
    """Size of the table of params and rows that a fit learns from; None of fresh simulations, and of a prior alone."""
    likelihood = likelihood_laws.named(env, found.likelihood)
    return likelihood.learned.rows if likelihood and likelihood.learned else simulations


def _outside_jax(env: Environment, found: Laws) -> Simulator | None:
    """A Python simulator that the laws call and JAX cannot trace."""
    prior = env.declarations.get(found.prior)
    first = prior_laws.prior(env, prior) if isinstance(prior, ast.Prior) else None
    return outside_jax((first, likelihood_laws.named(env, found.likelihood)))


def learned_prior(env: Environment, name: str) -> Prior | None:
    """The prior `name` if it is learned."""
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
    """The prior and the likelihood that a fit names, in either order, once they are known to be sound; None of a
    distilled fit, which names none."""
    if distill.is_distilled(declaration):
        return None
    return env.once("laws", declaration.name.id, lambda: _laws(env, declaration))


def _laws(env: Environment, declaration: ast.Train) -> Laws | None:
    call = declaration.objective
    priors: list[ast.Prior] = []
    likelihoods: list[ast.Likelihood] = []
    good = not configure.misplaced(env, call, "train")
    for argument in call.arguments if good else ():
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
            help=f"write `{call.function.id}(p, f)`",
        )
        return None
    if not likelihoods:
        return Laws(priors[0].name.id, None, call.function.id) if prior_laws.prior(env, priors[0]) else None
    own = {name.id for name in priors[0].params}
    missing = [name.id for name in likelihoods[0].given if name.id not in own]
    named = (*likelihoods[0].given, *priors[0].params)
    if any(not isinstance(env.declarations.get(name.id), ast.Param) for name in named):
        return None  # reported with the law
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
    return Laws(priors[0].name.id, likelihoods[0].name.id, call.function.id) if sound else None


# ---------------------------------------------------------------- fits that a sampler leaves out


def default(
    env: Environment, declaration: ast.Sample, wanted: Laws, implied: dict[str, Train], rows: int = 1
) -> str | None:
    """The name of a fit that a sampler leaves out: the only one declared for its laws, or one put in `implied`. Fits of
    sets of `rows` rows come first, if it needs them."""
    declared = [d for d in env.all(ast.Train) if laws(env, d) == wanted]
    if rows > 1:
        declared = [d for d in declared if (fit := train(env, d)) and row_sets.of(fit) >= rows] or declared
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
    rows = rows if wanted.likelihood else 1
    same = (wanted.prior, wanted.likelihood, rows)
    taken = next((t.name for t in implied.values() if (t.prior, t.likelihood, row_sets.of(t)) == same), None)
    if taken:
        return taken
    name = f"fit_{wanted.likelihood or wanted.prior}".replace(".", "_")
    name += f"_{rows}" if rows > 1 else ""
    if name in env.declarations or name in implied:
        name = f"fit_{wanted.prior}_{wanted.likelihood}".replace(".", "_")
    while name in env.declarations or name in implied:
        name += "_"
    if not row_sets.possible(env, declaration.options, "compose", wanted.prior, wanted.likelihood, rows):
        return None
    block = BLOCKS["train", "score"]
    defaults = {o.name: o.default for o in block.options if o.name != "network"} | {"rows": rows}
    options = _resolved(env, wanted, missing.settled(env, wanted.likelihood, tuple(sorted(defaults.items()))))
    network = networks.network(env, wanted.prior, wanted.likelihood, None, None, declaration.method, rows)
    if network is None:
        return None
    implied[name] = Train(name, "score", wanted.prior, wanted.likelihood, network, options, True)
    return name

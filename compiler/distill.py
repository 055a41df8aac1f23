"""`train fast = distill(est)`: a network that learns the draws of another fit, one pass a draw."""

from __future__ import annotations

from collections.abc import Callable

from bsi.compiler import configure, images, likelihood_laws, networks, observations, posteriors, prior_laws
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Asked, Factor, Net, Options, Posterior, Train
from bsi.compiler.options import BLOCKS
from bsi.compiler.report import listed
from bsi.compiler.simulator_calls import outside_jax
from bsi.dsl import ast

OBJECTIVE = "distill"
DEFAULT_NET = "mlp", {"width": 128, "depth": 3}  # narrow: its pass is all that a draw costs

TrainOf = Callable[[Environment, ast.Train], Train | None]


def is_distilled(declaration: ast.Declaration | None) -> bool:
    """Whether a declaration is of a fit that makes draws and has no score."""
    return isinstance(declaration, ast.Train) and declaration.objective.function.id == OBJECTIVE


def train(env: Environment, declaration: ast.Train, options: Options, train_of: TrainOf) -> Train | None:
    """A distilled fit of the laws of its teacher, which `train_of` reads."""
    teacher = _teacher(env, declaration.objective, train_of)
    if teacher is None or not _whole_rows(env, declaration, teacher):
        return None
    told, asked = _asked(env, declaration.objective, teacher)
    if not told:
        return None
    given = next((item for item in declaration.options.items if item.name.id == "network"), None)
    chosen = dict(options)["network"] or _default_net(env, teacher)
    place = given or declaration.objective
    if chosen is not None and chosen.kind == "set":
        message = "a `set` net has no place for the time at which a step ends, which a distilled fit is told"
        env.report.add("E0553", message, place, help="use `mlp` or `resmlp`")
        return None
    network = networks.network(env, teacher.prior, teacher.likelihood, given, chosen, declaration.objective)
    if network is None:
        return None
    own = tuple(option for option in options if option[0] != "network")
    settled = tuple(sorted((*own, ("coordinates", dict(teacher.options)["coordinates"]))))
    laws = teacher.prior, teacher.likelihood
    return Train(declaration.name.id, OBJECTIVE, *laws, network, settled, teacher=teacher.name, asked=asked)


def _teacher(env: Environment, call: ast.Call, train_of: TrainOf) -> Train | None:
    """The fit that a distilled one names."""
    env.used.update(a.value.id for a in call.arguments if isinstance(a.value, ast.Name))
    if configure.misplaced(env, call, "train"):
        return None
    names = [argument.value for argument in call.arguments if not argument.name]
    first = names[0] if names else None
    found = env.declarations.get(first.id) if isinstance(first, ast.Name) else None
    few = 1 <= len(names) == len(call.arguments) <= 2 or isinstance(found, ast.Prior | ast.Likelihood)
    if not few or not isinstance(first, ast.Name):
        message = "`distill` takes the name of a fit, its teacher, and of a posterior whose powers and rows it learns"
        env.report.add("E0553", message, call, help="write `distill(FIT)` or `distill(FIT, POSTERIOR)`")
        return None
    if isinstance(found, ast.Prior | ast.Likelihood):
        kind = "prior" if isinstance(found, ast.Prior) else "likelihood"
        message = f"`distill` learns from a fit, not from laws: `{first.id}` is a {kind}"
        help = "train a fit of the laws first, `train est = exact(p, f)`, and write `distill(est)`"
        env.report.add("E0553", message, first, also=[(found.name, "declared here")], help=help)
        return None
    declared = env.find(first, ast.Train)
    if declared is None:
        return None
    if is_distilled(declared):
        message = f"`{first.id}` is distilled itself, and makes draws without a score to learn from"
        also = [(declared.name, "declared here")]
        env.report.add("E0553", message, first, also=also, help="name its teacher")
        return None
    return train_of(env, declared)


def _asked(env: Environment, call: ast.Call, teacher: Train) -> tuple[bool, Asked | None]:
    """(whether all is well, the powers and rows that a posterior besides the teacher asks for, if they are not 1)."""
    if len(call.arguments) == 1:
        return True, None
    name = call.arguments[1].value
    declared = env.find(name, ast.Posterior) if isinstance(name, ast.Name) else None
    if not isinstance(name, ast.Name):
        env.report.add("E0553", "`distill` takes the names of a fit and of a posterior", name)
    found = posteriors.posterior(env, declared) if declared else None
    if found is None or not learnable(env, call.arguments[1], found, teacher):
        return False, None
    asked = asked_of(env, found)
    return True, None if _plain(asked) else asked


def _plain(asked: Asked) -> bool:
    """Whether a posterior is that of one row, or of none, at powers 1."""
    return asked.prior == (1.0, 1.0) and all(one[:3] == (1, 1.0, 1.0) for one in asked.sets) and len(asked.sets) < 2


def asked_of(env: Environment, posterior: Posterior) -> Asked:
    """The powers and rows of a posterior, over its sweeps."""
    ranges = {id(factor): _range(env, factor) for factor in posterior.factors}
    (prior,) = [ranges[id(factor)] for factor in posterior.factors if factor.kind == "prior"]
    sets = []
    for factor in posterior.factors:
        declaration = env.declarations.get(factor.observation or "")
        observed = observations.observation(env, declaration) if isinstance(declaration, ast.Observe) else None
        if observed:
            sets.append((observed.rows, *ranges[id(factor)], bool(factor.power.shape)))
    return Asked(prior, tuple(sets))


def learnable(env: Environment, at: ast.Node, posterior: Posterior, fit: Train) -> bool:
    """Whether posteriors of these laws can be distilled; reports one that cannot."""
    laws, own = {factor.law for factor in posterior.factors}, {fit.prior, fit.likelihood} - {None}
    if laws != own:
        message = f"`{fit.name}` is of {listed(sorted(own))}, but `{posterior.name}` of {listed(sorted(laws))}"
        env.report.add("E0505", message, at, also=[(env.name_of(fit.name), "declared here")])
        return False
    asked = asked_of(env, posterior)
    rows = sum(count for count, _, _, _ in asked.sets)
    law = env.declarations.get(fit.likelihood or "")
    found = likelihood_laws.likelihood(env, law) if isinstance(law, ast.Likelihood) else None
    slow = outside_jax(found) if found else None
    why = None
    if _plain(asked):
        return True
    if fit.network.kind in images.NETS:
        why = f"a `{fit.network.kind}` learns no covariances of an image, by which its scores would be composed"
    elif found and rows > 1 and found.learned:
        why = f"`{found.name}` is learned from pairs, which have one row for each draw of the params"
    elif slow and rows > 1:
        why = f"`{slow.name}` is Python outside JAX, which cannot simulate sets anew"
    if why is None:
        return True
    env.report.add(
        "E0559",
        f"posteriors of several rows, or with powers, cannot be distilled from `{fit.name}`: {why}",
        at,
        also=[(env.name_of(fit.name), "declared here")],
        help=f"sample `{fit.name}` itself",
    )
    return False


def _range(env: Environment, factor: Factor) -> tuple[float, float]:
    """The least and the largest power of a factor."""
    values = posteriors.power_values(env, factor.power)
    return (min(values), max(values)) if values else (1.0, 1.0)


def _whole_rows(env: Environment, declaration: ast.Train, teacher: Train) -> bool:
    """Whether a teacher takes rows as they are; reports one that takes parts of them, or sets."""
    options = dict(teacher.options)
    what = "rows with holes" if options.get("missing") is not None else "sets of rows"
    if options.get("missing") is None and options.get("rows", 1) == 1:
        return True
    option = "missing = none" if options.get("missing") is not None else "rows = 1"
    env.report.add(
        "E0557",
        f"`{teacher.name}` has learned of {what}, which a distilled fit cannot see",
        declaration.objective,
        also=[(env.name_of(teacher.name), "declared here")],
        help=f"write `{option}` in `{teacher.name}`, or sample it as it is",
    )
    return False


def _default_net(env: Environment, teacher: Train) -> Net | None:
    """A narrow net; None where the prior has one of its own."""
    law = env.declarations.get(teacher.prior)
    prior = prior_laws.prior(env, law) if isinstance(law, ast.Prior) else None
    if prior is not None and prior.learned and prior.learned.network:
        return None
    kind, own = DEFAULT_NET
    defaults = {option.name: option.default for option in BLOCKS["net", kind].options}
    return Net("", kind, tuple(sorted((defaults | own).items())))

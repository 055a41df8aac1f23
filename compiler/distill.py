"""`train fast = distill(est)`: a network that learns the draws of another fit, one pass a draw."""

from __future__ import annotations

from collections.abc import Callable

from bsi.compiler import configure, networks, prior_laws
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Net, Options, Train
from bsi.compiler.options import BLOCKS
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
    return Train(
        declaration.name.id, OBJECTIVE, teacher.prior, teacher.likelihood, network, settled, teacher=teacher.name
    )


def _teacher(env: Environment, call: ast.Call, train_of: TrainOf) -> Train | None:
    """The fit that a distilled one names."""
    env.used.update(a.value.id for a in call.arguments if isinstance(a.value, ast.Name))
    if configure.misplaced(env, call, "train"):
        return None
    names = [argument.value for argument in call.arguments if not argument.name]
    first = names[0] if names else None
    found = env.declarations.get(first.id) if isinstance(first, ast.Name) else None
    one = len(names) == len(call.arguments) == 1 or isinstance(found, ast.Prior | ast.Likelihood)
    if not one or not isinstance(first, ast.Name):
        env.report.add("E0553", "`distill` takes the name of a fit, its teacher", call, help="write `distill(FIT)`")
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

"""`train ... = exact(p, f)`: no training, so no net; a table of simulations, larger than what it has to tell apart."""

from __future__ import annotations

import math

from bsi.compiler import likelihood_laws, prior_laws, unknowns
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Options
from bsi.dsl import ast

OBJECTIVE = "exact"
SIMULATIONS = 50_000  # unless the model says how many
_EACH = 10  # simulations for every column of a table: below, its covariance is not known


def settled(options: Options, fixed: bool) -> Options:
    """Options with the number of simulations decided: a file that is a table of them (`fixed`) has its own."""
    values = dict(options)
    if values["simulations"] == "auto":
        values["simulations"] = None if fixed else SIMULATIONS
    return tuple(values.items())


def enough(
    env: Environment, declaration: ast.Train, prior: str, likelihood: str | None, simulations: int | None
) -> bool:
    """Whether a table has more rows than columns by far; reports one that has not."""
    first, second = (env.declarations.get(name or "") for name in (prior, likelihood))
    drawn = prior_laws.prior(env, first) if isinstance(first, ast.Prior) else None
    law = likelihood_laws.likelihood(env, second) if isinstance(second, ast.Likelihood) else None
    if drawn is None:
        return False
    params = [env.declarations[name] for name in drawn.params]
    types = [unknowns.param_type(env, param) for param in params if isinstance(param, ast.Param)]
    columns = sum(math.prod(t.shape) for t in types if t) + (math.prod(law.shape) if law else 0)
    learned = law.learned if law else drawn.learned
    rows = simulations or (learned.rows if learned else 0)
    if rows >= _EACH * columns:
        return True
    option = next((item for item in declaration.options.items if item.name.id == "simulations"), None)
    env.report.add(
        "E0550",
        f"{rows:_} simulations of {columns} numbers each are too few for `exact`, which needs {_EACH * columns:_}",
        option or declaration.objective,
        help=f"write `simulations = {SIMULATIONS:_}`, or more" if simulations else "simulate more, or train `score`",
    )
    return False

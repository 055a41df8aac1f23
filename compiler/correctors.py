"""What `correct`, and compositions that are no scores of noised draws, ask of a sampler."""

from __future__ import annotations

from bsi.compiler.environment import Environment
from bsi.compiler.ir import Choice, Options
from bsi.dsl import ast

EXACT = ("mala", "psis")  # by the density of every factor
STEPS = {"langevin": ("ddim",), "smc": ("ddim",), "psis": ("flow_ode",)}  # samplers that a corrector works in
WHY = {
    "langevin": "takes its steps between those of `ddim`, not of",
    "smc": "takes its steps between those of `ddim`, not of",
    "psis": "weights the draws of `flow_ode` by their density, not those of",
}
BRIDGES = ("langevin", "predictor_corrector")  # samplers that need no score of noised draws


def suits(env: Environment, declaration: ast.Sample, options: Options, route: str) -> bool:
    """Whether the sampler can do what its options ask; reports the first that it cannot."""
    values, sampler = dict(options), declaration.method.function.id
    given = {item.name.id: item for item in declaration.options.items}
    correct = values["correct"]
    if values["compose"] == "fnpse" and sampler not in BRIDGES:
        env.report.add(
            "E0541",
            f"`compose = fnpse` is no score of noised draws, which `{sampler}` needs",
            given["compose"],
            help="sample it by `langevin`, or use `compose = gauss`",
        )
        return False
    if not isinstance(correct, Choice):
        return True
    allowed = STEPS.get(correct.name)
    if allowed and sampler not in allowed:
        env.report.add(
            "E0540",
            f"`correct = {correct.name}` {WHY[correct.name]} `{sampler}`",
            given["correct"],
            help=f"sample by `{allowed[0]}`, or use `correct = mala` where every factor has a density",
        )
        return False
    if correct.name == "smc" and route == "guided":
        help = "sample by `smc`, which weights guided steps"
        env.report.add(
            "E0540", "`correct = smc` weights a composition of scores, not guidance", given["correct"], help=help
        )
        return False
    if correct.name in EXACT and values["log_density"] is not None:
        env.report.add(
            "E0542",
            "`log_density` is that of the flow, which corrected draws do not follow",
            given["log_density"],
            also=[(given["correct"], "corrects them")],
            help="remove one of them",
        )
        return False
    return True


def needs_density(options: Options) -> bool:
    """Whether a corrector evaluates every factor."""
    correct = dict(options)["correct"]
    return isinstance(correct, Choice) and correct.name in EXACT

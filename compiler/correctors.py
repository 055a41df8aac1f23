"""What `correct`, and compositions that are no scores of noised draws, ask of a sampler."""

from __future__ import annotations

from typing import Any

from bsi.compiler import densities, images, missing
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Choice, Options, Posterior, Train
from bsi.dsl import ast

AFTERWARDS = ("mala", "psis")  # of the draws that a sampler made
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
            help=f"sample by `{allowed[0]}`, or use `correct = mala`",
        )
        return False
    if correct.name == "smc" and route == "guided":
        help = "sample by `smc`, which weights guided steps"
        env.report.add(
            "E0540", "`correct = smc` weights a composition of scores, not guidance", given["correct"], help=help
        )
        return False
    if correct.name in AFTERWARDS and values["log_density"] is not None:
        env.report.add(
            "E0542",
            "`log_density` is that of the flow, which corrected draws do not follow",
            given["log_density"],
            also=[(given["correct"], "corrects them")],
            help="remove one of them",
        )
        return False
    return True


def settled(env: Environment, declaration: ast.Sample, posterior: Posterior, options: Options) -> Options | None:
    """`options` with what `mala` goes by; None after a report of a density that is needed and not there."""
    correct = dict(options)["correct"]
    if not isinstance(correct, Choice) or correct.name not in AFTERWARDS:
        return options
    asked = dict(correct.options).get("by", "density")
    if asked == "scores":
        return options
    written = env.declarations[posterior.name]
    assert isinstance(written, ast.Posterior)
    obstacle = densities.obstacle(env, written)
    if asked == "auto":
        by = "scores" if obstacle or missing.without_marginals(env, posterior) else "density"
        own = dict(correct.options) | {"by": by}
        return tuple(sorted({**dict(options), "correct": Choice("mala", tuple(sorted(own.items())))}.items()))
    if obstacle:
        otherwise = "use `correct = mala`, which moves draws by scores where there is no density"
        densities.report(env, declaration.method, obstacle, f"correct = {correct.name}", otherwise)
        return None
    return options if missing.has_marginals(env, declaration.method, posterior) else None


def by_scores(correct: Any) -> bool:
    """Whether the value of `correct` moves draws by scores, without the density of some factor."""
    return isinstance(correct, Choice) and dict(correct.options).get("by") == "scores"


def fits_scores(env: Environment, declaration: ast.Sample, options: Options, trains: list[Train]) -> bool:
    """Whether fits know what `mala` by scores asks for; reports one that does not."""
    of_images = next((fit for fit in trains if fit.network.kind in images.NETS), None)
    if of_images is None or not by_scores(dict(options)["correct"]):
        return True
    given = {item.name.id: item for item in declaration.options.items}
    env.report.add(
        "E0564",
        f"`correct = mala` by scores needs covariances, and `{of_images.name}`, a `{of_images.network.kind}`, learns "
        "none of an image",
        given["correct"],
        also=[(env.name_of(of_images.name), "declared here")] if not of_images.implied else (),
        help="take steps on the way, `ddim(...) { correct = langevin }`; where the likelihood guides, sample by `smc`",
    )
    return False

"""Which factors of a posterior have no density, and why."""

from __future__ import annotations

from dataclasses import dataclass

from bsi.compiler import fits, likelihood_laws
from bsi.compiler.environment import Environment
from bsi.compiler.simulator_calls import outside_jax
from bsi.dsl import ast

ELSEWHERE = (
    "compare two samplers instead, or check against stored draws; simulation-based checks (`sbc`, `tarp`, `lc2st`) "
    "need no density"
)


@dataclass(frozen=True)
class Obstacle:
    """A factor without a density that could be evaluated and differentiated."""

    law: str
    why: str
    place: ast.Node
    label: str
    help: str | None = None  # other than what can be done without a density


def obstacle(env: Environment, posterior: ast.Posterior) -> Obstacle | None:
    """The first one."""
    for factor in posterior.factors:
        declaration, name = env.declarations.get(factor.law.id), factor.law.id
        if isinstance(declaration, ast.Prior):
            if (prior := fits.learned_prior(env, name)) and not prior.draws:
                why, help = (
                    "is learned from draws, which have none",
                    "give it one, `learned file(...) { oracle = LAW }`",
                )
                return Obstacle(name, why, declaration.law, "a file of draws", help)
        elif isinstance(declaration, ast.Likelihood) and (law := likelihood_laws.likelihood(env, declaration)):
            if law.learned:
                why = "is learned from pairs, which have none"
                return Obstacle(name, why, declaration.law, "a file of simulations")
            if not law.explicit:
                why, label = "is implicit: it can only be simulated", "draws nuisance variables, or computes the row"
                return Obstacle(name, why, declaration.law, label)
            if slow := outside_jax(law):
                why = f"calls `{slow.name}`, Python outside JAX, which has no gradient"
                help = "write the function in JAX and say `jax = true`, or sample by a trained network"
                return Obstacle(name, why, declaration.law, "calls it", help)
    return None


def report(env: Environment, method: ast.Call, found: Obstacle, what: str, otherwise: str = ELSEWHERE) -> None:
    """E0407: `what` needs a density; `otherwise` can be done without one."""
    help = otherwise
    if found.help:
        help = f"{found.help}; or {otherwise}" if isinstance(env.declarations[found.law], ast.Prior) else found.help
    message = f"`{what}` needs a density, but `{found.law}` {found.why}"
    env.report.add("E0407", message, method, also=[(found.place, found.label)], help=help)

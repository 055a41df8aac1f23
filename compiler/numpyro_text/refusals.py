"""What cannot be written as a NumPyro program, and why: laws without a density, user code, some sets with holes."""

from __future__ import annotations

from bsi.compiler.ir import Factor, Posterior, Program
from bsi.compiler.numpyro_text.densities import event_axes
from bsi.compiler.numpyro_text.quotes import source_of
from bsi.compiler.report import listed
from bsi.compiler.simulator_calls import simulators_in
from bsi.dsl.diagnostic import Diagnostic, Label
from bsi.dsl.span import Span


def refusals(program: Program) -> list[Diagnostic]:
    """One diagnostic a posterior when none can be written; nothing when there is one that can."""
    found = {name: obstacles(program, posterior) for name, posterior in program.posteriors.items()}
    if not found:
        help = "declare one: `posterior post(theta) = p(theta) * f(obs | theta)`"
        return [Diagnostic("E0518", "there is no posterior to write as a NumPyro program", help=help)]
    if not all(found.values()):
        return []
    return [_refusal(program, name, *reasons) for name, reasons in found.items()]


def obstacles(program: Program, posterior: Posterior) -> list[tuple[str, str]]:
    """The laws of a posterior that have no text, in its order, each with the reason."""
    reasons = ((factor.law, _obstacle(program, factor)) for factor in posterior.factors)
    return [(law, reason) for law, reason in reasons if reason]


def _obstacle(program: Program, factor: Factor) -> str | None:
    if factor.kind == "prior":
        return None if program.priors[factor.law].draws else "is learned, and has no `oracle`"
    likelihood = program.likelihoods[factor.law]
    if not likelihood.explicit:
        return "is learned" if likelihood.learned else "can be simulated, but has no density"
    user = [simulator.name for simulator in simulators_in(likelihood) if simulator.code]
    if user:
        return f"calls {listed(user)}, which is Python code of its own"
    holes = program.observations[factor.observation or ""].missing
    law = likelihood.draws[-1].law
    if holes and law.name == "mixture" and event_axes(law):
        return f"is a mixture over vectors, of which `{factor.observation}` misses entries"
    return None


def _refusal(program: Program, posterior: str, first: tuple[str, str], *more: tuple[str, str]) -> Diagnostic:
    law, reason = first
    message = f"`{posterior}` cannot be written as a NumPyro program: `{law}` {reason}"
    secondary = tuple(Label(_name(program, name), f"which {why}") for name, why in more if name != law)
    return Diagnostic(
        "E0518",
        message,
        Label(_name(program, law), reason),
        secondary,
        help="samplers that need simulations only (`flow_ode`, ...) run it as it is",
    )


def _name(program: Program, law: str) -> Span:
    """Where a law's name stands in its declaration."""
    span = program.spans[law]
    name = law.rpartition(".")[2]
    start = span.start + source_of(program, law).index(name)
    return Span(start, start + len(name), span.file)

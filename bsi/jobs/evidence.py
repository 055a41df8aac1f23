"""`evidence`: the log evidence of a posterior from draws along the powers of its likelihoods."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from bsi.compiler.evidence import path
from bsi.compiler.ir import Check, Program
from bsi.compiler.sensitivity import Component
from bsi.dsl.diagnostic import Diagnostic
from bsi.failure import about
from bsi.jobs.context import Context, grid, place
from bsi.jobs.pointwise import log_component
from bsi.runtime.thermodynamic import log_evidence

COARSE = 0.1  # of what the rule may leave between powers: two models are told apart by more


def outcome(context: Context, check: Check) -> dict[str, Any]:
    """Value and standard error; with sweeps besides the path, of the place that the check holds against."""
    program, node = context.program, context.program.samples[check.samples[0]]
    draws, posterior = context.draws(node.name), program.posteriors[node.posterior]
    (sweep,) = path(posterior)
    powers = np.array(program.sweeps[sweep].values)
    order = [i for i in np.argsort(powers, kind="stable") if powers[i] <= 1.0]
    others = tuple(name for name in draws.sweeps if name != sweep)
    factors = [factor for factor in posterior.factors if factor.kind == "likelihood"]
    # every factor as it is at the end of the path: on the way it is raised to the sweep's value
    logs = [log_component(context, node, draws, Component("", factor), {sweep: 1.0}) for factor in factors]
    total = np.moveaxis(np.sum(np.asarray(logs, np.float64), axis=0), draws.sweeps.index(sweep), 0)
    found = []
    for index, point in zip(np.ndindex(total.shape[1:-2]), grid(program, others), strict=True):
        at = place(point).removeprefix(" at ")
        try:
            found.append((log_evidence(powers[order].tolist(), [total[(i, *index)] for i in order]), at))
        except ValueError as error:
            return {"value": None, "standard_error": None, "at": at, "note": str(error)}
    choose = min if (check.operator or "<").startswith(">") else max
    estimate, at = choose(found, key=lambda pair: pair[0].value)
    told = [{"at": where, **asdict(one)} for one, where in found]
    detail = {"kind": "evidence", "sweep": sweep, "points": told}
    return {"value": estimate.value, "standard_error": estimate.standard_error, "at": at, "note": "", "detail": detail}


def warnings(program: Program, check: Check, info: dict[str, Any]) -> list[Diagnostic]:
    """W0451: of a grid that leaves much of the integral to guess."""
    detail = info.get("detail")
    worst = max((point["grid"] for point in detail["points"]), default=0.0) if detail else 0.0
    if detail is None or worst <= COARSE:
        return []
    sweep = detail["sweep"]
    count = 2 * len(program.sweeps[sweep].values) - 2
    message = f"the sweep `{sweep}` is coarse for `{check.text}`: what lies between its values may be {worst:.2g}"
    help = f"take more values near 0: `[(i / {count})^5 for i in {count + 1}]`"
    return [about(program, check.text, "W0451", message, help=help)]

"""What a composition could not do with its rows, and rows that no simulation looks like."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsi.compiler.ir import Program, Sample
from bsi.dsl.diagnostic import Diagnostic
from bsi.failure import about
from bsi.jobs.context import Context
from bsi.runtime.standardise import PartialStandardiser
from bsi.runtime.training import Fit

_OUTSIDE = "outside "
_SIGMAS = 5.0  # by which the number of rows outside must exceed what chance does
_TIMES = 4.0  # by which variances of draws may differ from those that `gauss` took for granted
_PROJECTED = 0.1  # share of the precisions of all rows that may need raising


def outside(context: Context, node: Sample) -> dict[str, float]:
    """Under `outside SET`, how many rows of a set lie farther out than all simulations that its network saw, if
    more than chance explains. Fits without networks tell by their effective number of simulations, and rows with holes
    are not looked at."""
    found = {}
    learned = {context.program.trains[name].likelihood: context.program.trains[name] for name in node.fits}
    for factor in context.program.posteriors[node.posterior].factors:
        train = learned.get(factor.law) if factor.observation else None
        if train is None or factor.observation is None or context.lowered.seen(factor.observation) is not None:
            continue
        reach = context.store.read(context.keys[train.name]).meta["info"].get("reach")
        fit = context.fit(train)
        if reach is None or not isinstance(fit, Fit):
            continue
        rows, (most, simulations) = context.lowered.rows(factor.observation), reach
        count = int(jnp.sum(_squares(fit, jnp.asarray(rows.reshape(len(rows), -1), jnp.float32)) > most))
        expected = len(rows) / simulations
        if count > expected + _SIGMAS * max(expected, 0.01) ** 0.5:
            found[_OUTSIDE + factor.observation] = float(count)
    return found


def _squares(fit: Fit, rows: Float[Array, "n p"]) -> Float[Array, " n"]:
    """Sums of squared features of single rows."""
    whole = fit.score.standardise
    whole = whole.whole if isinstance(whole, PartialStandardiser) else whole
    one = jax.tree.map(lambda column: column[: rows.shape[1]], whole)  # all rows of a set have the same
    return jnp.sum(one(rows) ** 2, -1)


def warnings(program: Program, node: Sample, info: dict[str, Any]) -> list[Diagnostic]:
    """Of rows that were never simulated, and of covariances that had to be repaired."""
    found = []
    for factor in program.posteriors[node.posterior].factors:
        observation = factor.observation or ""
        count = info.get(_OUTSIDE + observation, 0)
        if not count:
            continue
        rows = program.observations[observation].rows
        message = f"{count:_.0f} of {rows:_} rows of `{observation}` lie farther out than any simulation that was seen"
        help = "a network knows nothing there: widen the prior, or look for mistakes and other units in the data"
        found.append(about(program, observation, "W0448", message, help=help))
    found += _of_spread(program, node, info)
    directions, projected = info.get("directions", 0), info.get("projected", 0)
    if projected > _PROJECTED * directions:
        message = f"{projected:_.0f} of {directions:_.0f} precisions of rows of `{node.name}` lie below the prior's, "
        message += f"the lowest by {info.get('shortfall', 0.0):.1%} of the largest"
        help = "they were raised to it: rows that say little, or moments that are learned badly; train longer"
        found.append(about(program, node.name, "W0453", message, help=help))
    if repaired := info.get("repaired", 0):
        message = f"the factors of `{node.name}` leave {repaired:.0f} directions without precision"
        note = f"the lowest eigenvalue of their sum is -{info.get('deficit', 0.0):.1g} of the largest: now it is 1e-4"
        help = "rows that all say nothing of a direction: leave it out, or take fewer rows, as rounding adds up"
        found.append(about(program, node.name, "W0458", message, notes=(note,), help=help))
    return found


def _of_spread(program: Program, node: Sample, info: dict[str, Any]) -> list[Diagnostic]:
    """Of draws that are not as wide as the Gaussian by which their scores were composed."""
    low, high = info.get("narrowest", 1.0), info.get("widest", 1.0)
    if low >= 1 / _TIMES and high <= _TIMES:
        return []
    times = low if low * high < 1 else high
    message = f"draws of `{node.name}` have, in some direction, {times:.2g} times the variance that `gauss` assumes"
    help = (
        "covariances of rows change with the params, so that draws may be far off: use `compose = jac`, or take the "
        "bias away: `ddim(...) { correct = smc }`, or `correct = mala` if every factor has a density"
    )
    return [about(program, node.name, "W0456", message, help=help)]

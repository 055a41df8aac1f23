"""Draws of a posterior at other powers of its factors, by the sampler that drew it: nothing is trained again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bsi.compiler.ir import Expr, Posterior, Program, Sample, Sweep
from bsi.compiler.sensitivity import Component
from bsi.jobs.context import Context
from bsi.jobs.points import PointFailure, Points
from bsi.jobs.sample import draw

Params = dict[str, np.ndarray]  # by name, (n, *shape)


def draws_at_powers(
    context: Context,
    node: Sample,
    components: Sequence[Component],
    points: Sequence[dict[str, float]],
    scales: Sequence[Sequence[float]],
) -> list[list[Params | PointFailure]]:
    """Draws of `node` for every one of `points` of its sweeps and every row of `scales`, which multiplies the powers of
    `components`, a number each; or why there are none: an improper power, or a solver that gave up.

    Those of one point are made of the same noise, so that they differ by the powers and little else.
    """
    program = _scaled(context.program, node, components)
    names = [_name(i) for i in range(len(components))]
    whole = Points(program, node)
    whole.points = [{**point, **dict(zip(names, row, strict=True))} for point in points for row in scales]
    draw(replace(context, program=program), node, whole)
    posterior = program.posteriors[node.posterior]
    params: list[Params | PointFailure] = [
        {name: whole.found[number][name] for name in posterior.params} if number in whole.found else whole.lost[number]
        for number in range(len(whole.points))
    ]
    return [params[begin : begin + len(scales)] for begin in range(0, len(params), len(scales))]


def _scaled(program: Program, node: Sample, components: Sequence[Component]) -> Program:
    """`program` with a sweep for every component, which multiplies the power of its factor."""
    posterior = program.posteriors[node.posterior]
    place = {component.factor: _name(i) for i, component in enumerate(components)}
    factors = tuple(
        replace(f, power=Expr("mul", (f.power, Expr("ref", value=place[f])), shape=f.power.shape)) if f in place else f
        for f in posterior.factors
    )
    posteriors = {**program.posteriors, posterior.name: Posterior(posterior.name, posterior.params, factors)}
    sweeps = {**program.sweeps, **{name: Sweep(name, (1.0,)) for name in place.values()}}
    return replace(program, posteriors=posteriors, sweeps=sweeps)


def _name(index: int) -> str:
    """`%`: no sweep of a model is called so, and random keys do not depend on it."""
    return f"%power{index}"

"""Draws of a posterior at other powers of its factors, by the sampler that drew it: nothing is trained again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array

from bsi.compiler.ir import Expr, Posterior, Program, Sample, Sweep
from bsi.compiler.lower.composed import ImproperPower
from bsi.compiler.sensitivity import Component
from bsi.jobs import correct
from bsi.jobs.context import Context, at_point
from bsi.jobs.points import key_of
from bsi.jobs.sample import AMORTISED, SAMPLERS, Target, composed
from bsi.runtime.samplers import AbstractSampler
from bsi.runtime.stacked import Stack


@dataclass(frozen=True)
class Resampler:
    """Draws of `node` with the powers of `components` multiplied by any numbers."""

    context: Context
    node: Sample
    components: Sequence[Component]

    def draws(self, point: dict[str, float], number: int, scales: Sequence[Sequence[float]]) -> list[Any]:
        """Params by name, (n, *shape), for every row of `scales`, which has a number a component; None where no draws
        can be had: an improper power, or a solver that gave up.

        All are made of the same noise, that of the `number`th point of the sample's own sweeps.
        """
        return list(self._draws(point, number, scales))

    def _draws(
        self, point: dict[str, float], number: int, scales: Sequence[Sequence[float]]
    ) -> Iterator[dict[str, np.ndarray] | None]:
        program = _scaled(self.context.program, self.node, self.components)
        context = replace(self.context, program=program)
        posterior, options = program.posteriors[self.node.posterior], at_point(self.node.options, point)
        target, choice = composed(context, self.node), options["correct"]
        make = (SAMPLERS if self.node.route == "guided" else AMORTISED)[self.node.method]
        corrector = correct.afterwards(context.lowered, posterior, target.coordinates, choice)
        to_params, m = jax.jit(jax.vmap(target.coordinates.to_params)), target.coordinates.m
        key = key_of(options["seed"], point)

        @eqx.filter_jit
        def draw(sampler: AbstractSampler, denoiser: Any) -> tuple[Array, dict[str, Array]]:
            return sampler.sample(denoiser, key, (options["draws"], m))

        context.progress.start(f"sensitivity of {self.node.name}", len(scales), "powers")
        try:
            for scale in scales:
                here = {**point, **dict(zip(map(_name, range(len(scale))), scale, strict=True))}
                try:
                    denoiser, _ = target.at(here)
                except ImproperPower:
                    yield None
                    continue
                sampler = correct.within(make(options), choice, denoiser)
                z, info = draw(sampler, denoiser)
                here_alone = Stack.of([Target(sampler, denoiser, context.lowered.powers(posterior, here))])
                (z,), _ = corrector(here_alone, z[None], jr.fold_in(key, 2)[None])
                context.progress.advance(1)
                sound = not bool(info["failed"]) and bool(jnp.all(jnp.isfinite(z)))
                yield {name: np.asarray(value) for name, value in to_params(z).items()} if sound else None
        finally:
            context.progress.done()


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
    return f"%power{index}"

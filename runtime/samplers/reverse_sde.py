"""The reverse-time SDE through Diffrax, the whole batch as one state.

In the VP state and time `t = ln η`, with `noise = γ`, all members of the family

    du = [a (θ̂ - a u)/2 + γ (a θ̂ - u)/2] dt + √γ s dB

have the marginals of the flow (γ = 0) and of the reverse SDE of Song et al. 2021 (γ = 1). The drift relaxes at rates of
order one at every level, so no step needs to shrink; the noise is additive, so Diffrax's solvers for additive noise
reach strong order 1.5.
"""

from __future__ import annotations

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import lineax
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.composition import temperature
from bsi.runtime.process import signal_noise
from bsi.runtime.samplers.base import AbstractSampler, Stats, start, stats
from bsi.runtime.schedule import CLEAN, NOISE
from bsi.runtime.score import Denoiser

SOLVERS = {"euler": diffrax.Euler, "sea": diffrax.SEA, "shark": diffrax.ShARK, "sra1": diffrax.SRA1}
_STAGES = {"euler": 1, "sea": 1, "shark": 2, "sra1": 2}  # evaluations a step


class ReverseSde(AbstractSampler):
    """`steps` equal steps of `ln η`; the last evaluation returns θ̂ itself.

    `path`: `increments` draws each Brownian increment when it is needed; `tree` gives the same path to any grid.
    """

    solver: str = eqx.field(static=True, default="shark")
    steps: int = eqx.field(static=True, default=100)
    noise: float | Float[Array, ""] = 1.0
    path: str = eqx.field(static=True, default="increments")
    tolerance: float = 1e-2  # of the tree, in units of ln η: below the smallest step
    lower: float = NOISE
    upper: float = CLEAN

    def sample(
        self, denoiser: Denoiser, key: PRNGKeyArray, shape: tuple[int, int], dtype: DTypeLike = jnp.float32
    ) -> tuple[Float[Array, "draws m"], Stats]:
        begin, walk = jr.split(key)
        first, last = jnp.asarray(self.lower, dtype), jnp.asarray(self.upper, dtype)

        def drift(t: Any, u: Array, _: Any) -> Array:
            a, _ = signal_noise(t)
            theta = denoiser(u, t)
            return 0.5 * (a * (theta - a * u) + self.noise * (a * theta - u))

        def diffusion(t: Any, u: Array, _: Any) -> lineax.AbstractLinearOperator:
            _, s = signal_noise(t)
            size = jnp.sqrt(jnp.asarray(self.noise * temperature(denoiser), dtype)) * s
            return size * lineax.IdentityLinearOperator(jax.ShapeDtypeStruct(u.shape, u.dtype))

        area = diffrax.BrownianIncrement if self.solver == "euler" else diffrax.SpaceTimeLevyArea
        step = (last - first) / self.steps
        like = jax.ShapeDtypeStruct(shape, dtype)
        if self.path == "tree":
            brownian = diffrax.VirtualBrownianTree(first, last, self.tolerance, like, walk, area)
        else:
            brownian = diffrax.UnsafeBrownianPath(like, walk, area)
        solution = diffrax.diffeqsolve(
            diffrax.MultiTerm(diffrax.ODETerm(drift), diffrax.ControlTerm(diffusion, brownian)),
            SOLVERS[self.solver](),
            first,
            last,
            step,
            start(denoiser, begin, shape, first, dtype),
            stepsize_controller=diffrax.ConstantStepSize(),
            adjoint=diffrax.DirectAdjoint(),
            max_steps=self.steps + 2,  # rounding may add a step
            throw=False,
        )
        assert solution.ys is not None
        z = denoiser(solution.ys[-1], last)
        failed = ~diffrax.is_successful(solution.result)
        return z, stats(z, self.steps * _STAGES[self.solver] + 2, failed)

"""The probability-flow ODE through Diffrax, the whole batch as one state.

In `y = u/a` and `σ = s/a` the flow is `dy/dσ = (y - θ̂)/σ`, whose Euler step is DDIM. In ln σ the same solvers need many
more steps (METHODS §6).
"""

from __future__ import annotations

from typing import Any

import diffrax
import equinox as eqx
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.process import signal_noise
from bsi.runtime.samplers.base import AbstractSampler, Stats, start, stats
from bsi.runtime.schedule import AbstractSchedule, Karras
from bsi.runtime.score import Denoiser

SOLVERS = {"euler": diffrax.Euler, "heun": diffrax.Heun, "bosh3": diffrax.Bosh3, "tsit5": diffrax.Tsit5}
_STAGES = {"euler": 1, "heun": 2, "bosh3": 3, "tsit5": 6}  # evaluations a step, the first-same-as-last one not counted


class FlowOde(AbstractSampler):
    """Adaptive with `steps = None`, else on the schedule's grid. The last evaluation returns θ̂ itself.

    Running into `max_steps` is reported as `failed` in the stats; the draws are then not draws of anything.
    """

    solver: str = eqx.field(static=True, default="tsit5")
    steps: int | None = eqx.field(static=True, default=None)
    rtol: float | Float[Array, ""] = 1e-4
    atol: float | Float[Array, ""] = 1e-5
    max_steps: int = eqx.field(static=True, default=1000)
    schedule: AbstractSchedule = Karras()

    def sample(
        self, denoiser: Denoiser, key: PRNGKeyArray, shape: tuple[int, int], dtype: DTypeLike = jnp.float32
    ) -> tuple[Float[Array, "draws m"], Stats]:
        grid = self.schedule.grid(2 if self.steps is None else self.steps).astype(dtype)
        sigma = jnp.exp(-0.5 * grid)

        def field(sigma: Any, y: Array, _: Any) -> Array:
            log_snr = -2.0 * jnp.log(sigma)
            a, _ = signal_noise(log_snr)
            return (y - denoiser(a * y, log_snr)) / sigma

        if self.steps is None:
            control, first = diffrax.PIDController(rtol=self.rtol, atol=self.atol), -0.3 * sigma[0]
        else:
            control, first = diffrax.StepTo(sigma), None
        a, _ = signal_noise(grid[0])
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            SOLVERS[self.solver](),
            sigma[0],
            sigma[-1],
            first,
            start(denoiser, key, shape, grid[0], dtype) / a,
            stepsize_controller=control,
            max_steps=self.max_steps if self.steps is None else self.steps,
            throw=False,
            adjoint=diffrax.DirectAdjoint() if self.steps is not None else diffrax.RecursiveCheckpointAdjoint(),
        )
        assert solution.ys is not None
        a, _ = signal_noise(grid[-1])
        z = denoiser(a * solution.ys[-1], grid[-1])
        taken = solution.stats["num_steps"]
        failed = ~diffrax.is_successful(solution.result)
        return z, {**stats(z, taken * _STAGES[self.solver] + 2, failed), "steps": jnp.asarray(taken)}

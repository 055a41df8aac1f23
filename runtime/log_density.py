"""Log density of a denoiser's law by the flow ODE: instantaneous change of variables (Chen et al. 2018; FFJORD 2019).

In VP state and `t = ln η` the flow is `du/dt = a (θ̂ - a u)/2`. Along it, from the data back to the noise,
`ln p(θ) = ln N(u(t₀); a E[θ], s²I) + ∫ ∇·(du/dt) dt`, up to the noise left at the clean end (`s = 5e-4` prior sds).
"""

from __future__ import annotations

import math
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.composition import temperature
from bsi.runtime.process import signal_noise
from bsi.runtime.schedule import CLEAN, NOISE
from bsi.runtime.score import Denoiser

STATES, NUMBERS = 2**14, 2**20  # points times directions of one solve, and their coordinates: what bounds memory


class FlowDensity(eqx.Module):
    """`probes = None`: exact divergence, m derivatives an evaluation; else Hutchinson's estimate with that many random
    signs, which is unbiased for `ln p` and costs one derivative each (Hutchinson 1990)."""

    probes: int | None = eqx.field(static=True, default=None)
    rtol: float = 1e-5
    atol: float = 1e-5
    max_steps: int = eqx.field(static=True, default=4096)
    lower: float = NOISE
    upper: float = CLEAN

    def __call__(
        self, denoiser: Denoiser, z: Float[Array, "n m"], key: PRNGKeyArray | None = None
    ) -> tuple[Float[Array, " n"], dict[str, Array]]:
        """`ln p(z)` of every row in working coordinates, and stats: `evaluations` of one state and `failed`, and of
        every row the `standard_error` of Hutchinson's estimate (0 where the divergence is exact).

        Rows are taken as many at a time as memory allows.

        **Arguments:** `key` is needed with `probes`.
        """
        n, m = z.shape
        directions = m if self.probes is None else self.probes
        size = max(1, min(n, STATES // directions, NUMBERS // (directions * m)))
        count = -(-n // size)
        chunks = jnp.concatenate([z, jnp.broadcast_to(z[-1:], (count * size - n, m))]).reshape(count, size, m)

        def chunk(part: tuple[Array, Array]) -> tuple[Array, dict[str, Array]]:
            number, z = part
            return self._solve(denoiser, z, None if key is None else jr.fold_in(key, number))

        values, stats = jax.lax.map(chunk, (jnp.arange(count), chunks))
        return values.reshape(-1)[:n], {
            "evaluations": jnp.max(stats["evaluations"]),
            "failed": jnp.any(stats["failed"]),
            "standard_error": stats["standard_error"].reshape(-1)[:n],
        }

    def _solve(self, denoiser: Denoiser, z: Float[Array, "n m"], key: PRNGKeyArray | None) -> tuple[Array, dict]:
        n, m = z.shape
        directions = self._directions(key, n, m, z.dtype)

        def field(t: Any, state: tuple[Array, Array], _: Any) -> tuple[Array, Array]:
            u, _ = state
            a, _ = signal_noise(t)

            def velocity(u: Array) -> Array:
                return 0.5 * a * (denoiser(u, t) - a * u)

            # rows do not interact, so one tangent serves all of them
            def along(direction: Array) -> tuple[Array, Array]:
                value, change = jax.jvp(velocity, (u,), (direction,))
                return value, jnp.sum(change * direction, -1)

            value, parts = jax.vmap(along, out_axes=(None, 0))(directions)
            return value, jnp.sum(parts, 0, keepdims=True) if self.probes is None else parts

        clean, noise = jnp.asarray(self.upper, z.dtype), jnp.asarray(self.lower, z.dtype)
        a, _ = signal_noise(clean)
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            diffrax.Tsit5(),
            clean,
            noise,
            jnp.asarray(-0.1, z.dtype),
            (a * z, jnp.zeros((self.probes or 1, n), z.dtype)),
            stepsize_controller=diffrax.PIDController(rtol=self.rtol, atol=self.atol),
            max_steps=self.max_steps,
            throw=False,
        )
        assert solution.ys is not None
        u, estimates = solution.ys[0][-1], solution.ys[1][-1]
        a, s = signal_noise(noise)
        gap = u - a * denoiser(u, noise)
        variance = s**2 * temperature(denoiser)
        base = -0.5 * jnp.sum(gap**2, -1) / variance - 0.5 * m * jnp.log(2 * math.pi * variance)
        spread = jnp.std(estimates, 0) / math.sqrt(max(len(estimates) - 1, 1))
        stats = {
            "evaluations": 6 * solution.stats["num_steps"] + 1,
            "failed": ~diffrax.is_successful(solution.result),
            "standard_error": spread,
        }
        # estimates: ∫ from clean to noise of the divergence = -∫ from noise to clean
        return base + jnp.mean(estimates, 0), stats

    def _directions(self, key: PRNGKeyArray | None, n: int, m: int, dtype: Any) -> Float[Array, "k n m"]:
        if self.probes is None:
            return jnp.broadcast_to(jnp.eye(m, dtype=dtype)[:, None], (m, n, m))
        assert key is not None, "Hutchinson's estimate needs a key"
        return jr.rademacher(key, (self.probes, n, m), dtype)

"""Work against precision: every sampler at 10 to 200 evaluations of an exact denoiser, on a ten-dimensional mixture.

The error is the sliced Wasserstein distance, in standard deviations, of 20 000 draws to 20 000 exact ones; two sets of
exact draws are that far apart too, and their row is the floor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from benchmarks.figure import Figure
from bsi.runtime.metrics import sliced_wasserstein
from bsi.runtime.process import signal_noise
from bsi.runtime.samplers import (
    AbstractSampler,
    BeliefUpdates,
    Ddim,
    DpmSolverPP,
    FlowOde,
    Heun,
    Langevin,
    PredictorCorrector,
    ReverseSde,
)

M, DRAWS, SEEDS = 10, 20_000, 3
EVALUATIONS = (10, 20, 50, 100, 200)
CENTRES = 1.2 * jr.normal(jr.key(0), (4, M))
SCALES = jnp.array([0.1, 0.2, 0.4, 0.05])
WEIGHTS = jnp.array([0.4, 0.3, 0.2, 0.1])

# How a sampler spends a number of evaluations.
SAMPLERS: dict[str, Callable[[int], AbstractSampler]] = {
    "ddim": lambda n: Ddim(n - 1),
    "ddim, eta = 1": lambda n: Ddim(n - 1, eta=1.0),
    "dpmpp": lambda n: DpmSolverPP(n - 1),
    "heun": lambda n: Heun(n // 2),
    "heun, churn": lambda n: Heun(n // 2, churn=0.25 * n),
    "flow_ode, tsit5": lambda n: FlowOde(steps=max(2, (n - 2) // 6)),
    "reverse_sde, shark": lambda n: ReverseSde(steps=(n - 2) // 2),
    "reverse_sde, euler": lambda n: ReverseSde("euler", n - 2),
    "belief, gamma = 1": lambda n: BeliefUpdates(n),
    "belief, gamma = 0": lambda n: BeliefUpdates(n, gamma=0.0),
    "predictor_corrector": lambda n: PredictorCorrector(n // 2, corrections=1),
    "langevin": lambda n: Langevin(max(1, (n - 2) // 5), corrections=5),
}


def denoiser(u: jax.Array, log_snr: jax.Array) -> jax.Array:
    """Exact `E[θ | u]` of the mixture of isotropic normals."""
    a, s = signal_noise(log_snr)
    variance = a**2 * SCALES**2 + s**2
    gap = u[:, None] - a * CENTRES
    log_weight = jnp.log(WEIGHTS) - 0.5 * M * jnp.log(variance) - 0.5 * jnp.sum(gap**2, -1) / variance
    means = CENTRES + (a * SCALES**2 / variance)[:, None] * gap
    return jnp.einsum("nk,nkm->nm", jax.nn.softmax(log_weight), means)


def exact(seed: int) -> np.ndarray:
    which, noise = jr.split(jr.key(seed))
    k = jr.choice(which, 4, (DRAWS,), p=WEIGHTS)
    return np.asarray(CENTRES[k] + SCALES[k][:, None] * jr.normal(noise, (DRAWS, M)))


def error(draws: np.ndarray, seed: int) -> float:
    return sliced_wasserstein(draws, exact(1_000 + seed), seed=seed, resamples=2).value


def _draw(sampler: AbstractSampler, key: jax.Array) -> jax.Array:
    return sampler.sample(denoiser, key, (DRAWS, M))[0]


def measure() -> Iterator[Figure]:
    yield Figure("exact draws (the floor)", [error(exact(seed), seed) for seed in range(SEEDS)], "", "sd")
    for name, make in SAMPLERS.items():
        for evaluations in EVALUATIONS:
            draw = jax.jit(partial(_draw, make(evaluations)))
            errors = [error(np.asarray(draw(jr.key(seed))), seed) for seed in range(SEEDS)]
            yield Figure(f"{name}, {evaluations} evaluations", errors, "", "sd")

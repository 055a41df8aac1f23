"""NumPyro's NUTS and HMC in chunks: one compilation for every length, chain state and power.

Chains run vectorised. Measured on eight schools (10 parameters, 4 chains x 2 000 iterations, 2 cores, warm): vectorised
0.20 s, one after the other 0.32 s, on two threads 0.18 s; of these only the first is also right for a GPU.

Everything runs in float64. It costs nothing measurable there (0.20 s against 0.19 s), and a log density summed
over 1e5 rows has rounding errors of 1e-2 in float32, the size of the energy errors NUTS steers by.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Key, PRNGKeyArray
from numpyro.infer import HMC, NUTS, init_to_uniform
from numpyro.infer.hmc import HMCState

from bsi.runtime.progress import NullProgress, Progress
from bsi.runtime.reference.result import Reference, Thresholds, assess

BUFFER = 256  # most iterations a call; the number of them is an argument, not a shape
PATIENCE = 0.25  # seconds between two reports of progress, as far as single iterations allow

STATISTICS: dict[str, Callable[[HMCState], Array]] = {  # ArviZ's names
    "diverging": lambda state: state.diverging,
    "n_steps": lambda state: state.num_steps,
    "energy": lambda state: state.energy,
    "acceptance_rate": lambda state: state.accept_prob,
    "step_size": lambda state: state.adapt_state.step_size,
}


class NoStartError(ValueError):
    """No point with a finite log density and gradient was found to start a chain from."""


@dataclass(frozen=True)
class _Settings:
    warmup: int
    target_accept: float
    max_tree_depth: int
    dense_mass: bool
    init: Callable[..., Any]
    trajectory_length: float | None

    def kernel(
        self, model: Callable[..., Any], keys: Key[Array, " chain"], model_args: tuple[Any, ...]
    ) -> tuple[HMC, HMCState]:
        """A kernel and its first state. NumPyro's kernel keeps functions of the trace that made it, so every trace
        makes its own, and XLA removes the first state where only the kernel is wanted."""
        common = {
            "target_accept_prob": self.target_accept,
            "dense_mass": self.dense_mass,
            "init_strategy": self.init,
        }
        if self.trajectory_length is None:
            kernel = NUTS(model, max_tree_depth=self.max_tree_depth, **common)
        else:
            kernel = HMC(model, trajectory_length=self.trajectory_length, **common)
        with warnings.catch_warnings():
            # An angle is sampled on the line, as other intervals are; its R-hat tells where that fails.
            warnings.filterwarnings("ignore", "Continuous inference poorly handles circular")
            return kernel, kernel.init(keys, self.warmup, None, model_args, {})


def mcmc(
    model: Callable[..., Any],
    model_args: tuple[Any, ...] = (),
    *,
    key: PRNGKeyArray,
    chains: int = 4,
    warmup: int = 1_000,
    draws: int = 1_000,
    target_accept: float = 0.8,
    max_tree_depth: int = 10,
    dense_mass: bool = False,
    init: Callable[..., Any] = init_to_uniform,
    trajectory_length: float | None = None,
    params: tuple[str, ...] | None = None,
    thresholds: Thresholds | None = None,
    progress: Progress | None = None,
    job: str = "mcmc",
) -> Reference:
    """Sample a NumPyro model by the no-U-turn sampler, or by Hamiltonian Monte Carlo with `trajectory_length`.

    Arguments:
        model: a NumPyro model. Calls with the same object, settings and shapes share one compilation.
        model_args: its positional arguments, arrays; powers belong here, so that a sweep compiles once.
        key: a typed random key.
        chains: at least 2, or R-hat would only compare halves.
        init: a NumPyro initialisation strategy.
        trajectory_length: of every trajectory, step size times steps (Neal 2011); None: where it turns back.
        params: the sites to return, all latent and deterministic ones by default.

    Returns:
        Draws on the constrained scale, statistics, diagnostics and what they fail.

    Raises:
        NoStartError: the log density is not finite anywhere the initialisation looked.
        KeyError: `params` names something that is no site.
    """
    progress = progress or NullProgress()
    settings = _Settings(warmup, target_accept, max_tree_depth, dense_mass, init, trajectory_length)
    with jax.enable_x64(True):
        model_args = jax.tree.map(_to_double, model_args)
        keys = jr.split(key, chains)
        state = _start(model, settings, keys, model_args)
        if not all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves((state.potential_energy, state.z_grad))):
            raise NoStartError("the log density or its gradient is not finite wherever the chains looked for a start")
        kept = []
        progress.start(job, warmup + draws, "iterations")
        try:
            finished, length = 0, 1
            while finished < warmup + draws:
                phase_end = warmup if finished < warmup else warmup + draws
                length = min(length, phase_end - finished)
                began = time.perf_counter()
                state, rows = jax.block_until_ready(_advance(model, settings, state, keys, model_args, length))
                if finished >= warmup:
                    kept.append(jax.tree.map(partial(_rows, length=length), rows))
                finished += length
                live = {
                    "step_size": float(state.adapt_state.step_size.mean()),
                    "accept": float(state.mean_accept_prob.mean()),
                }
                progress.advance(length, **live)
                length = _next_length(length, time.perf_counter() - began)
        finally:
            progress.done()
    sites, statistics = jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *kept)
    return assess({name: sites[name] for name in params or sorted(sites)}, statistics, thresholds)


@partial(jax.jit, static_argnames=("model", "settings"))
def _start(
    model: Callable[..., Any], settings: _Settings, keys: Key[Array, " chain"], model_args: tuple[Any, ...]
) -> HMCState:
    return settings.kernel(model, keys, model_args)[1]


@partial(jax.jit, static_argnames=("model", "settings"))
def _advance(
    model: Callable[..., Any],
    settings: _Settings,
    state: HMCState,
    keys: Key[Array, " chain"],
    model_args: tuple[Any, ...],
    length: int | Array,
) -> tuple[HMCState, Any]:
    """`length <= BUFFER` iterations. Returns the state, and sites and statistics as [BUFFER, chain, ...]."""
    kernel, _ = settings.kernel(model, keys, model_args)

    def record(state: HMCState) -> tuple[Any, dict[str, Array]]:
        return state.z, {name: statistic(state) for name, statistic in STATISTICS.items()}

    def iterate(i: Array, carry: tuple[HMCState, Any]) -> tuple[HMCState, Any]:
        state, rows = carry
        state = kernel.sample(state, model_args, {})
        return state, jax.tree.map(lambda buffer, row: buffer.at[i].set(row), rows, record(state))

    empty = jax.tree.map(lambda leaf: jnp.zeros((BUFFER, *leaf.shape), leaf.dtype), record(state))
    state, (z, statistics) = jax.lax.fori_loop(0, length, iterate, (state, empty))
    sites = jax.vmap(jax.vmap(kernel.postprocess_fn(model_args, {})))(z)
    return state, (sites, statistics)


def _rows(buffer: Array, length: int) -> np.ndarray:
    """The filled part of a buffer, chains first."""
    return np.swapaxes(np.asarray(buffer)[:length], 0, 1)


def _next_length(length: int, seconds: float) -> int:
    """Twice as many iterations while they are fast, half when they are slow."""
    return min(2 * length, BUFFER) if seconds < PATIENCE / 2 else max(length // 2, 1) if seconds > PATIENCE else length


def _to_double(leaf: Any) -> Array:
    array = jnp.asarray(leaf)
    return array.astype(jnp.float64) if jnp.issubdtype(array.dtype, jnp.floating) else array

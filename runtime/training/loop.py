"""The loop: many steps a jitted call; all randomness comes from a step's index, so a resumed run is the same run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from bsi.runtime.training.options import Checkpoint, TrainingOptions

Batch = Callable[[PRNGKeyArray, Int[Array, ""], Any], Any]
"""`(key, step, chunk's data) -> what losses take`."""
Losses = Callable[[Any, PRNGKeyArray, Any], Float[Array, " parts"]]
"""`(parts, key, batch) -> one loss a part`; part i has parameters of its own, so the gradients do not mix."""


class State(eqx.Module):
    """All that a run is, between two chunks. `parts` is a tuple of pytrees of arrays; histories are (chunks, parts)."""

    parts: Any
    ema: Any
    optimisers: Any
    best: Any
    best_loss: Float[Array, " parts"]
    best_step: Int[Array, " parts"]
    step: Int[Array, ""]
    bad_rows: Int[Array, ""]
    train_loss: Float[Array, "chunks parts"]
    held_out_loss: Float[Array, "chunks parts"]


def optimiser(options: TrainingOptions, steps: int) -> optax.GradientTransformation:
    """AdamW on a warmed-up cosine, gradients clipped."""
    rate = optax.warmup_cosine_decay_schedule(0.0, options.learning_rate, min(options.warmup, steps // 4), steps, 0.0)
    return optax.chain(optax.clip_by_global_norm(options.clip), optax.adamw(rate, weight_decay=options.weight_decay))


def initial(parts: Any, optimise: optax.GradientTransformation, chunks: int) -> State:
    """The state before the first step; trace it inside jit."""
    count = len(parts)
    # explicit dtypes: a weakly typed leaf would turn strong after the first chunk and compile everything again
    history = jnp.full((chunks, count), jnp.nan, jnp.float32)
    return State(
        parts=parts,
        ema=parts,
        optimisers=tuple(optimise.init(part) for part in parts),
        best=parts,
        best_loss=jnp.full(count, jnp.inf, jnp.float32),
        best_step=jnp.zeros(count, jnp.int32),
        step=jnp.asarray(0, jnp.int32),
        bad_rows=jnp.asarray(0, jnp.int32),
        train_loss=history,
        held_out_loss=history,
    )


def chunk_runner(
    options: TrainingOptions,
    optimise: optax.GradientTransformation,
    key: PRNGKeyArray,
    length: int,
    batch: Batch,
    losses: Losses,
    validate: Callable[[Any, Any], Float[Array, " parts"]],
) -> Callable[[State, Any], State]:
    """A function of `(state, chunk's data)` that runs `length` steps and validates the averaged weights, by
    `validate(weights, chunk's data)`: all in one jitted call, or, for images on a CPU, a call a step."""
    # XLA takes 50 times as long for the gradient of a convolution inside a loop on a CPU (jaxlib 0.10)
    stepwise = options.architecture.images and jax.default_backend() == "cpu"

    def one(state: State, data: Any) -> tuple[State, Array]:
        batch_key, noise_key = jr.split(jr.fold_in(key, state.step))
        rows, bad = batch(batch_key, state.step, data)

        def total(parts: Any) -> tuple[Array, Array]:
            each = losses(parts, noise_key, rows)
            return jnp.sum(each), each

        gradients, each = jax.grad(total, has_aux=True)(state.parts)
        moved = [optimise.update(g, o, p) for g, o, p in zip(gradients, state.optimisers, state.parts, strict=True)]
        parts = tuple(optax.apply_updates(p, update) for p, (update, _) in zip(state.parts, moved, strict=True))
        decay = jnp.minimum(options.ema, (1.0 + state.step) / (10.0 + state.step))
        ema = jtu.tree_map(lambda old, new: decay * old + (1.0 - decay) * new, state.ema, parts)
        optimisers = tuple(o for _, o in moved)
        state = eqx.tree_at(
            lambda s: (s.parts, s.ema, s.optimisers, s.step, s.bad_rows),
            state,
            (parts, ema, optimisers, state.step + 1, state.bad_rows + bad),
        )
        return state, each

    def close(data: Any, state: State, each: Array) -> State:
        index = state.step // length - 1
        held_out = validate(state.ema, data)
        better = held_out < state.best_loss
        best = tuple(
            jtu.tree_map(lambda new, old, b=b: jnp.where(b, new, old), new, old)
            for new, old, b in zip(state.ema, state.best, better, strict=True)
        )
        return eqx.tree_at(
            lambda s: (s.best, s.best_loss, s.best_step, s.train_loss, s.held_out_loss),
            state,
            (
                best,
                jnp.where(better, held_out, state.best_loss),
                jnp.where(better, state.step, state.best_step),
                state.train_loss.at[index].set(jnp.mean(each, axis=0)),
                state.held_out_loss.at[index].set(held_out),
            ),
        )

    @eqx.filter_jit(donate="all-except-first")
    def whole(data: Any, state: State) -> State:
        state, each = jax.lax.scan(lambda s, _: one(s, data), state, length=length)
        return close(data, state, each)

    single = eqx.filter_jit(lambda data, state: one(state, data), donate="all-except-first")
    last = eqx.filter_jit(close, donate="all-except-first")

    def stepped(data: Any, state: State) -> State:
        each = []
        for _ in range(length):
            state, losses = single(data, state)
            each.append(losses)
        return last(data, state, jnp.stack(each))

    run = stepped if stepwise else whole
    return lambda state, data: run(data, state)


def iterate(
    state: State,
    run: Callable[[State, Any], State],
    data: Callable[[int], Any],
    total: int,
    patience: int | None,
    checkpoint: Checkpoint | None,
    progress: Callable[[int, int, np.ndarray], None] | None,
) -> tuple[State, str | None]:
    """Chunks until `total` steps, or until nothing has improved for `patience` steps, or until a loss is not finite.

    **Returns:** the state and why the run failed, or None.
    """
    if checkpoint is not None:
        loaded = checkpoint.load(state)
        state = state if loaded is None else loaded
    while (step := int(state.step)) < total:
        if patience is not None and step - int(jnp.max(state.best_step)) >= patience:
            break
        state = run(state, data(step))
        done = int(state.step)
        last = np.asarray(state.train_loss)[done * len(state.train_loss) // total - 1]
        if not np.all(np.isfinite(last)):
            return state, f"the loss is not finite after {done} steps"
        if checkpoint is not None:
            checkpoint.save(state)
        if progress is not None:
            progress(done, total, last)
    return state, None

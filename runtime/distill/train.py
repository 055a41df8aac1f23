"""Training of flow maps: by regression on the teacher's draws, or by the equation that a flow map obeys.

`regression` (EXACT, 2025) labels pairs of noise and row with the end of the teacher's flow. `flow_map` lets a map
`X(w, begin, end) = w + (end - begin) U` follow the teacher's velocity b wherever it goes,

    ∂_end X = U + (end - begin) ∂_end U = b(X, end),

one forward derivative, for all pairs of begin and end, so that it may take one step or a few (Lagrangian map
distillation: Boffi, Albergo & Vanden-Eijnden 2024). The Eulerian identity of MeanFlow (Geng et al. 2025) has the same
solution, but derives by w where the flow divides between modes: on two modes its error was twice as large.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.distill.flow_map import AbstractVelocity, FlowMap, RowVelocity, log_snr_of, whitened
from bsi.runtime.distill.measure import MeasureFrame, MeasureVelocity, Seen
from bsi.runtime.distill.teacher import Teacher
from bsi.runtime.nets import MlpArchitecture
from bsi.runtime.nets.base import TIME_FEATURES
from bsi.runtime.process import signal_noise
from bsi.runtime.training.loop import chunk_runner, initial, iterate, optimiser
from bsi.runtime.training.options import Checkpoint, TrainingOptions

STUDENT = MlpArchitecture(width=128, depth=3)  # narrow: its pass is all that a draw costs
_HELD_OUT = 512
_BLOCK, _LEAST = 512, 32  # rows whose flows are solved at once; and posteriors, where one has many
_WHOLE, _INSTANT = 0.25, 0.25  # shares of pairs from noise to data, and of pairs without a step
_NOTHING = 5e-3  # sds by which a teacher misses its frame's Gaussian when there is nothing to learn


@dataclass(frozen=True)
class DistillOptions:
    """`rows` is the number of labels for `regression`, and of posteriors that `flow_map` looks at; `flow_steps` are
    steps of Heun, of two evaluations each, and in the angle, so 32 of them are worth more than 50 of DDIM."""

    method: Literal["regression", "flow_map"] = "regression"
    rows: int = 16_384
    flow_steps: int = 32
    training: TrainingOptions = field(default_factory=lambda: TrainingOptions(architecture=STUDENT))


@dataclass(frozen=True)
class DistillInfo:
    """`error` is the root mean square, in sds of the frame's Gaussian, of one step against the teacher's flow on rows
    and noise that were kept aside, `median` the median over rows; `baseline` is of the Gaussian alone. Where modes part
    the root mean square is of the draws that take the other way. `failed` says why there is no map."""

    steps: int
    error: float
    median: float
    baseline: float
    train_loss: np.ndarray
    held_out_loss: np.ndarray
    failed: str | None = None


def distill(
    teacher: Teacher,
    key: PRNGKeyArray,
    options: DistillOptions,
    *,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[int, int, np.ndarray], None] | None = None,
) -> tuple[FlowMap | None, DistillInfo]:
    """A map that makes a teacher's draws in one step, or a few; None when its training failed."""
    settings, method = options.training, options.method
    keys = dict(zip(("rows", "noise", "net", "train"), jr.split(key, 4), strict=True))
    held_out = _pool(teacher, jr.fold_in(keys["rows"], 1), _HELD_OUT, options.flow_steps)
    baseline = float(jnp.sqrt(jnp.mean((held_out["end"] - held_out["begin"]) ** 2)))
    measures = isinstance(teacher.frame, MeasureFrame)
    template = FlowMap(teacher.frame, velocity_of(measures, *_sizes(held_out), settings, keys["net"]))
    if not math.isfinite(baseline):
        failed = "the flow of its teacher is not finite"
        return None, DistillInfo(0, baseline, baseline, baseline, *_no_losses(), failed)
    if baseline < _NOTHING:
        return template, DistillInfo(0, baseline, baseline, baseline, *_no_losses())
    data = _pool(teacher, jr.fold_in(keys["rows"], 0), options.rows, options.flow_steps * (method == "regression"))
    weights, static = eqx.partition(template.network, eqx.is_inexact_array)

    def assemble(parts: Any) -> FlowMap:
        return eqx.tree_at(lambda f: f.network, template, eqx.combine(parts[0], static))

    def batch(batch_key: PRNGKeyArray, step: Array, data: Any) -> tuple[Any, Array]:
        at = jr.randint(batch_key, (settings.batch,), 0, options.rows)
        return jax.tree.map(lambda v: v[at], data[0]), jnp.asarray(0, jnp.int32)

    def losses(parts: Any, noise_key: PRNGKeyArray, rows: Any) -> Float[Array, " 1"]:
        student = assemble(parts)
        if method == "regression":
            return _one_step_error(student, rows)[None]
        return _equation_error(student, teacher, noise_key, rows)[None]

    def validate(parts: Any, data: Any) -> Float[Array, " 1"]:
        return _one_step_error(assemble(parts), data[1])[None]

    length = min(settings.chunk, settings.steps)
    total = -(-settings.steps // length) * length
    optimise = optimiser(settings, total)
    state = eqx.filter_jit(initial)((weights,), optimise, total // length)
    run = chunk_runner(settings, optimise, keys["train"], length, batch, losses, validate)
    state, failed = iterate(state, run, lambda step: (data, held_out), total, None, checkpoint, progress)
    error = float(jnp.sqrt(state.best_loss[0]))
    better = error < baseline
    found = assemble(state.best) if better else template
    info = DistillInfo(
        steps=int(state.step),
        error=error if better else baseline,
        median=_median_error(found, held_out),
        baseline=baseline,
        train_loss=np.asarray(state.train_loss),
        held_out_loss=np.asarray(state.held_out_loss),
        failed=failed,
    )
    return (None if failed else found), info


def velocity_of(measures: bool, m: int, p: int, options: TrainingOptions, key: PRNGKeyArray) -> AbstractVelocity:
    """A network for m coordinates and rows of p entries, before training: it is 0, so the map is the Gaussian's own."""
    if measures:
        return MeasureVelocity(m, p, options.architecture, key)
    return RowVelocity(size=m, network=options.architecture.build(m, p + TIME_FEATURES, key))


def abstract_velocity(m: int, p: int, options: TrainingOptions, *, measures: bool = False) -> AbstractVelocity:
    """The structure of a map's network, for counting and for reading weights."""
    return eqx.filter_eval_shape(lambda: velocity_of(measures, m, p, options, jr.key(0)))


def _sizes(held_out: dict[str, Any]) -> tuple[int, int]:
    features = held_out["features"]
    rows = features.features if isinstance(features, Seen) else features
    return held_out["begin"].shape[-1], rows.shape[-1]


def _no_losses() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((0, 1)), np.zeros((0, 1))


def _pool(teacher: Teacher, key: PRNGKeyArray, n: int, steps: int) -> dict[str, Any]:
    """Posteriors with noise; with `steps` also with where the teacher's flow takes it, else with what the teacher
    needs."""

    size = min(n, max(_LEAST, _BLOCK // teacher.rows))

    @eqx.filter_jit
    def block(key: PRNGKeyArray) -> dict[str, Any]:
        draw, noise = jr.split(key)
        z, features, given = teacher.draw(draw, size)
        if not steps:
            return {"z": z, "features": features, "given": given}
        begin = jr.normal(noise, z.shape)
        end = teacher.flow(teacher.frame.gaussian(features), begin, given, steps)
        return {"features": features, "begin": begin, "end": end}

    blocks = [block(jr.fold_in(key, i)) for i in range(-(-n // size))]
    return jax.tree.map(lambda *parts: jnp.concatenate(parts)[:n], *blocks)


def _one_step_error(student: FlowMap, rows: Any) -> Float[Array, ""]:
    return jnp.mean(_gap(student, rows) ** 2)


def _median_error(student: FlowMap, rows: Any) -> float:
    gap = eqx.filter_jit(_gap)(student, rows)
    return float(jnp.median(jnp.sqrt(jnp.mean(gap**2, -1))))


def _gap(student: FlowMap, rows: Any) -> Float[Array, "n m"]:
    """How far one step ends from where the teacher's flow does."""
    count = len(rows["begin"])
    moved = student.network(rows["begin"], jnp.zeros(count), jnp.ones(count), rows["features"])
    return rows["begin"] + moved - rows["end"]


def _equation_error(student: FlowMap, teacher: Teacher, key: PRNGKeyArray, rows: Any) -> Float[Array, ""]:
    """The error in the equation of a flow map; what the teacher says is held fixed."""
    z, features, given = rows["z"], rows["features"], rows["given"]
    kind, first, second, noise = jr.split(key, 4)
    which, one, other = (jr.uniform(k, (len(z),)) for k in (kind, first, second))
    begin, end = jnp.minimum(one, other), jnp.maximum(one, other)
    begin, end = jnp.where(which < _WHOLE, 0.0, begin), jnp.where(which < _WHOLE, 1.0, end)
    end = jnp.where(which > 1.0 - _INSTANT, begin, end)
    gaussian = teacher.frame.gaussian(features)
    log_snr = log_snr_of(gaussian, begin)
    a, s = (part[:, None] for part in signal_noise(log_snr))
    w = whitened(gaussian, a * z + s * jr.normal(noise, z.shape), log_snr)
    average, change = jax.jvp(lambda end: student.network(w, begin, end, features), (end,), (jnp.ones_like(end),))
    passed = (end - begin)[:, None]
    there = jax.lax.stop_gradient(w + passed * average)
    return jnp.mean((average + passed * change - teacher.velocity(gaussian, there, end, given)) ** 2)

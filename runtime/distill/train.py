"""Training of flow maps on the way that a teacher's flow takes, `w_0, w_1, …, w_k` for each pair of noise and row.

`regression` (EXACT, 2025) learns its end from its begin, `flow_map` every later point of it from every earlier one, so
that a map may take one step or a few (as consistency trajectory models do: Kim et al. 2024). What is minimised is the
mean distance in sds, a bound of W1 between student and teacher, smoothed at zero. Where modes part, neighbours end on
either side: least squares then puts draws between the modes, 3.5 to 5.7 % of them on two modes, absolute error 1.7 to
2.2 %. Equations of a flow map in place of its way (Lagrangian distillation: Boffi, Albergo & Vanden-Eijnden 2024;
MeanFlow: Geng et al. 2025) ask the teacher in every step of training, at the student's own errors, which narrow kernels
answer by velocities as large as 1/h: in the same time of training W1 on two modes was .07 to .11, here .02 to .05.
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

from bsi.runtime.distill.flow_map import AbstractVelocity, FlowMap, RowVelocity
from bsi.runtime.distill.measure import MeasureFrame, MeasureVelocity, Seen
from bsi.runtime.distill.teacher import Teacher
from bsi.runtime.nets import MlpArchitecture
from bsi.runtime.nets.base import TIME_FEATURES
from bsi.runtime.training.loop import chunk_runner, initial, iterate, optimiser
from bsi.runtime.training.options import Checkpoint, TrainingOptions

STUDENT = MlpArchitecture(width=128, depth=3)  # narrow: its pass is all that a draw costs
_HELD_OUT = 512
_BLOCK, _LEAST = 512, 32  # rows whose flows are solved at once; and posteriors, where one has many
_WHOLE = 0.25  # share of a flow map's steps that go from noise to data
_SMOOTH = 0.03  # sds below which an error counts by its square
_NOTHING = 5e-3  # sds by which a teacher misses its frame's Gaussian when there is nothing to learn


@dataclass(frozen=True)
class DistillOptions:
    """`rows` is the number of ways that are learned; `flow_steps` are steps of Heun, of two evaluations each, and in
    the angle, so 32 of them are worth more than 50 of DDIM."""

    method: Literal["regression", "flow_map"] = "regression"
    rows: int = 16_384
    flow_steps: int = 32
    training: TrainingOptions = field(default_factory=lambda: TrainingOptions(architecture=STUDENT))


@dataclass(frozen=True)
class DistillInfo:
    """`error` is the root mean square, in sds of the frame's Gaussian, of one step against the teacher's flow on rows
    and noise that were kept aside, `median` the median over rows; `baseline` is of the Gaussian alone. Where modes part
    the root mean square is of the draws that take the other way. Losses are in sds. `failed` says why there is no map.
    """

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
    held_out = _pool(teacher, jr.fold_in(keys["rows"], 1), _HELD_OUT, options.flow_steps, ends=True)
    baseline = _root_mean_square(held_out["path"][:, 0] - held_out["path"][:, 1])
    measures = isinstance(teacher.frame, MeasureFrame)
    template = FlowMap(teacher.frame, velocity_of(measures, *_sizes(held_out), settings, keys["net"]))
    if not math.isfinite(baseline):
        failed = "the flow of its teacher is not finite"
        return None, DistillInfo(0, baseline, baseline, baseline, *_no_losses(), failed)
    if baseline < _NOTHING:
        return template, DistillInfo(0, baseline, baseline, baseline, *_no_losses())
    data = _pool(teacher, jr.fold_in(keys["rows"], 0), options.rows, options.flow_steps, ends=method == "regression")
    weights, static = eqx.partition(template.network, eqx.is_inexact_array)

    def assemble(parts: Any) -> FlowMap:
        return eqx.tree_at(lambda f: f.network, template, eqx.combine(parts[0], static))

    def batch(batch_key: PRNGKeyArray, step: Array, data: Any) -> tuple[Any, Array]:
        at = jr.randint(batch_key, (settings.batch,), 0, options.rows)
        return jax.tree.map(lambda v: v[at], data[0]), jnp.asarray(0, jnp.int32)

    def losses(parts: Any, noise_key: PRNGKeyArray, rows: Any) -> Float[Array, " 1"]:
        return _distance(*_some_way(assemble(parts), noise_key, rows))[None]

    def validate(parts: Any, data: Any) -> Float[Array, " 1"]:
        return _distance(*_whole_way(assemble(parts), data[1]))[None]

    length = min(settings.chunk, settings.steps)
    total = -(-settings.steps // length) * length
    optimise = optimiser(settings, total)
    state = eqx.filter_jit(initial)((weights,), optimise, total // length)
    run = chunk_runner(settings, optimise, keys["train"], length, batch, losses, validate)
    state, failed = iterate(state, run, lambda step: (data, held_out), total, None, checkpoint, progress)
    better = float(state.best_loss[0]) < float(_distance(held_out["path"][:, 0], held_out["path"][:, 1]))
    found = assemble(state.best) if better else template
    moved, truth = eqx.filter_jit(_whole_way)(found, held_out)
    info = DistillInfo(
        steps=int(state.step),
        error=_root_mean_square(moved - truth),
        median=float(jnp.median(jnp.sqrt(jnp.mean((moved - truth) ** 2, -1)))),
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
    return held_out["path"].shape[-1], rows.shape[-1]


def _no_losses() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((0, 1)), np.zeros((0, 1))


def _pool(teacher: Teacher, key: PRNGKeyArray, n: int, steps: int, *, ends: bool) -> dict[str, Any]:
    """What a student sees of n posteriors, and for each the way of the teacher's flow from noise, at equal shares; or
    its `ends` alone."""
    size = min(n, max(_LEAST, _BLOCK // teacher.rows))

    @eqx.filter_jit
    def block(key: PRNGKeyArray) -> dict[str, Any]:
        draw, noise = jr.split(key)
        features, given = teacher.draw(draw, size)
        gaussian = teacher.frame.gaussian(features)
        path = teacher.path(gaussian, jr.normal(noise, (size, gaussian.size)), given, steps)
        return {"features": features, "path": path[:, ::steps] if ends else path}

    blocks = [block(jr.fold_in(key, i)) for i in range(-(-n // size))]
    return jax.tree.map(lambda *parts: jnp.concatenate(parts)[:n], *blocks)


def _some_way(
    student: FlowMap, key: PRNGKeyArray, rows: dict[str, Any]
) -> tuple[Float[Array, "n m"], Float[Array, "n m"]]:
    """Where the student goes between two points of each way, and where the teacher went."""
    path = rows["path"]
    n, points, _ = path.shape
    whole, one, other = jr.split(key, 3)
    first = jr.randint(one, (n,), 0, points)
    second = (first + jr.randint(other, (n,), 1, points)) % points
    all_of_it = jr.bernoulli(whole, _WHOLE, (n,))
    begin = jnp.where(all_of_it, 0, jnp.minimum(first, second))
    end = jnp.where(all_of_it, points - 1, jnp.maximum(first, second))
    at = jnp.arange(n)
    return _moved(student, path[at, begin], begin / (points - 1), end / (points - 1), rows), path[at, end]


def _whole_way(student: FlowMap, rows: dict[str, Any]) -> tuple[Float[Array, "n m"], Float[Array, "n m"]]:
    path = rows["path"]
    return _moved(student, path[:, 0], jnp.zeros(len(path)), jnp.ones(len(path)), rows), path[:, -1]


def _moved(student: FlowMap, w: Array, begin: Array, end: Array, rows: dict[str, Any]) -> Float[Array, "n m"]:
    return w + (end - begin)[:, None] * student.network(w, begin, end, rows["features"])


def _distance(w: Float[Array, "n m"], truth: Float[Array, "n m"]) -> Float[Array, ""]:
    """Mean distance a coordinate, smooth at zero."""
    return jnp.mean(jnp.sqrt(jnp.mean((w - truth) ** 2, -1) + _SMOOTH**2)) - _SMOOTH


def _root_mean_square(gap: Float[Array, "n m"]) -> float:
    return float(jnp.sqrt(jnp.mean(gap**2)))

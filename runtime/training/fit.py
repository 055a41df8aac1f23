"""`train`: simulations to a score network and a moment head."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.gaussian import Gaussian, PartialGaussian, standard
from bsi.runtime.moments import MomentHead, MomentNetwork
from bsi.runtime.score import Residual, ScoreNetwork
from bsi.runtime.standardise import PartialStandardiser, Standardiser
from bsi.runtime.training.loop import chunk_runner, initial, iterate, optimiser
from bsi.runtime.training.options import Checkpoint, Simulator, Table, TrainingInfo, TrainingOptions
from bsi.runtime.training.pilot import SimulationError, clean, regression, standardise_rows

_HELD_OUT_ROWS = 4096  # of fresh simulations, on fixed noise
_HELD_OUT_IMAGES = 512  # each of them as dear as many rows, and telling as much
_GATE_SE = 3.0  # the residual must beat the Gaussian by this many standard errors


class Fit(eqx.Module):
    """What training leaves: one network for scores, and one for moments where rows may be composed: not of a prior
    alone, nor of an image, whose covariance has too many entries. See `composition.partial` for sets of `rows`."""

    score: ScoreNetwork
    moments: MomentHead | None
    set_rows: int = eqx.field(static=True, default=1)  # how many rows it takes at once

    @property
    def heads(self) -> tuple[ScoreNetwork | MomentHead, ...]:
        """Those that there are."""
        return (self.score,) if self.moments is None else (self.score, self.moments)

    @property
    def partial(self) -> bool:
        """Whether it takes rows `(x, seen)`, of which entries may be missing."""
        return isinstance(self.score.standardise, PartialStandardiser)


def untrained(
    m: int,
    p: int,
    options: TrainingOptions,
    gaussian_prior: bool,
    key: PRNGKeyArray,
    whole: Standardiser | None = None,
    posterior: Gaussian | PartialGaussian | None = None,
    prior: Gaussian | None = None,
) -> Fit:
    """A fit before training. Under `eqx.filter_eval_shape` it gives the shapes to deserialise weights into."""
    partial = options.partial
    images = options.architecture.images
    composable = p > 0 and not images
    whole = Standardiser(jnp.zeros(p), jnp.ones(p), jnp.zeros(p, bool)) if whole is None else whole
    standardise = PartialStandardiser(whole) if partial else whole
    if images:
        posterior = prior = standard(m, axes=False)
    elif posterior is None and partial:
        posterior = PartialGaussian(jnp.zeros(m), jnp.eye(m), jnp.zeros(p), jnp.eye(p), jnp.zeros((m, p)))
    elif posterior is None:
        posterior = Gaussian(jnp.zeros(m), jnp.zeros((m, p)), jnp.eye(m), jnp.ones(m))
    p = 2 * p if partial else p
    keys = jr.split(key, 3)
    network = options.architecture.build(m, p, keys[0])
    score = ScoreNetwork(
        standardise=standardise,
        posterior=posterior,
        prior=standard(m) if prior is None else prior,
        residual=Residual(network, jr.normal(keys[1], (p,))),
        gate=jnp.ones(()),
        gaussian_prior=gaussian_prior,
    )
    if not composable:
        return Fit(score, None)
    network = MomentNetwork(m, p, options.moment_width, keys[2], options.sets)
    return Fit(score, MomentHead(standardise, posterior, network, jnp.ones(())), options.rows)


def abstract_fit(m: int, p: int, options: TrainingOptions, gaussian_prior: bool = True) -> Fit:
    """The fit's structure with `jax.ShapeDtypeStruct` leaves: `like` for deserialising, before anything runs."""
    return eqx.filter_eval_shape(lambda: untrained(m, p, options, gaussian_prior, jr.PRNGKey(0)))


def parameter_count(m: int, p: int, options: TrainingOptions) -> int:
    """Trained parameters, known before anything runs."""
    fit = abstract_fit(m, p, options)
    leaves = jax.tree_util.tree_leaves(_parts(fit))
    return sum(math.prod(leaf.shape) for leaf in leaves if isinstance(leaf, jax.ShapeDtypeStruct))


def train(
    source: Simulator | Table,
    key: PRNGKeyArray,
    options: TrainingOptions,
    *,
    gaussian_prior: bool = True,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[int, int, np.ndarray], None] | None = None,
) -> tuple[Fit | None, TrainingInfo]:
    """Trains the score and, where rows may be composed, the moments of `z | x`.

    **Arguments:** `gaussian_prior`: z ~ N(0, I) exactly, so no prior is learned. `progress(step, total, losses)` once
    a chunk.

    **Returns:** the fit (None when it failed) and what happened, never an exception for what the simulations do.
    """
    began = time.perf_counter()
    keys = _keys(key)
    elements = options.elements(source.p)
    try:
        standardise = standardise_rows(source, jr.fold_in(keys["pilot"], 0), elements)
    except SimulationError as error:
        return None, _failure(str(error), began)

    partial, images = options.partial, options.architecture.images

    def regress(name: int, rows: int) -> tuple[Gaussian | PartialGaussian, Gaussian, int, int]:
        own = jr.fold_in(keys["pilot"], name)
        return regression(source, own, rows, standardise, gaussian_prior, partial, elements)

    def seen(rows: tuple[Array, ...], key: PRNGKeyArray) -> tuple[Array, ...]:
        z, x, ok = rows
        return z, hide(key, x, options) if partial else x, ok

    # a short training is not worth more pilot simulations than it makes itself
    budget = options.steps * options.batch // options.rows
    posterior, prior, made, bad = (
        (None, None, 0, 0) if images else regress(1, min(options.pilot // options.rows, budget))
    )
    table = isinstance(source, Table)
    finite = table or source.held_out is not None
    length = min(options.chunk, options.steps)
    total = math.ceil(options.steps / length) * length

    constants = (standardise, posterior, prior)
    template = eqx.filter_jit(lambda k: untrained(source.m, source.p, options, gaussian_prior, k, *constants))(
        keys["init"]
    )
    parts, static = eqx.partition(_parts(template), eqx.is_inexact_array)

    def assemble(arrays: Any) -> Fit:
        return _with_parts(template, eqx.combine(arrays, static))

    own_rows, held_rows = _apart(source, options.holdout, keys["held"])
    if table:
        wanted = _HELD_OUT_IMAGES if images else _HELD_OUT_ROWS
        at = np.arange(max(1, wanted // len(held_rows[0])) * len(held_rows[0])) % len(held_rows[0])
        held_rows = tuple(v[at] for v in held_rows)
    else:
        made += len(held_rows[0])
    reach = None if images or not source.p else _reach(source, held_rows, standardise, options.rows)
    held_rows = seen(held_rows, jr.fold_in(keys["held"], 3))
    if images:
        held_rows = _whole_batches(held_rows, options.batch)
    held = held_rows, jr.fold_in(keys["held"], 1)

    def losses(arrays: Any, noise_key: PRNGKeyArray, rows: Any) -> Float[Array, " parts"]:
        per_row = _losses(assemble(arrays), noise_key, rows, options, dropout=True)
        return jnp.stack([jnp.sum(loss * rows[2]) / jnp.maximum(jnp.sum(rows[2]), 1.0) for loss, _ in per_row])

    def validate(arrays: Any, data: Any) -> Float[Array, " parts"]:
        _, (rows, noise_key) = data
        per_row = _held_out_losses(assemble(arrays), noise_key, rows, options)
        return jnp.stack([jnp.sum(loss * rows[2]) / jnp.sum(rows[2]) for loss, _ in per_row])

    def batch(batch_key: PRNGKeyArray, step: Array, data: Any) -> tuple[Any, Array]:
        if isinstance(source, Table):
            z, x, ok, order = data[0]
            at = jax.lax.dynamic_slice_in_dim(order, (step % length) * options.batch, options.batch)
            return seen((z[at], x[at], ok[at]), jr.fold_in(batch_key, 1)), jnp.asarray(0, jnp.int32)
        rows = clean(*source.simulate(batch_key, options.batch))
        return seen(rows, jr.fold_in(batch_key, 1)), jnp.sum(rows[2] == 0.0).astype(jnp.int32)

    def data(step: int) -> Any:
        if own_rows is None:
            return None, held
        return (*own_rows, _epochs(keys["train"], step, length * options.batch, len(own_rows[0]))), held

    optimise = optimiser(options, total)
    state = eqx.filter_jit(initial)(parts, optimise, total // length)
    run = chunk_runner(options, optimise, keys["train"], length, batch, losses, validate)
    patience = options.patience if finite else None
    state, failed = iterate(state, run, data, total, patience, checkpoint, progress)
    fit = assemble(state.best if finite else state.ema)
    gates = _gates(fit, jr.fold_in(keys["held"], 2), held_rows, options)
    fit = eqx.tree_at(lambda f: tuple(part.gate for part in f.heads), fit, gates)
    steps = int(state.step)
    if not table and not images and failed is None and min(gates) == 0.0:
        # composition multiplies its error by √n, and it is all there is
        refined, _, more, worse = regress(2, min(options.refine // options.rows, 4 * budget))
        made, bad = made + more, bad + worse
        own = tuple(posterior if gate else refined for gate in gates)
        fit = eqx.tree_at(_gaussians, fit, own)
    info = TrainingInfo(
        train_loss=np.asarray(state.train_loss),
        held_out_loss=np.asarray(state.held_out_loss),
        steps=steps,
        best_step=tuple(map(int, state.best_step)),
        seconds=time.perf_counter() - began,
        simulations=len(source.z) if isinstance(source, Table) else made + steps * options.batch,
        bad_rows=bad + int(state.bad_rows) + (0 if table else int(jnp.sum(held_rows[2] == 0.0))),
        gates=tuple(map(float, gates)),
        failed=failed,
        reach=reach,
    )
    return (None if failed else fit), info


def _reach(source: Simulator | Table, held_rows: Any, standardise: Standardiser, rows: int) -> tuple[float, int]:
    """See `TrainingInfo`; of a table all of it is looked at."""
    x = np.asarray(source.x, np.float32) if isinstance(source, Table) else np.asarray(held_rows[1])
    features = np.asarray(standardise(jnp.asarray(x[np.isfinite(x).all(-1)]))).reshape(-1, source.p // rows)
    return float(np.square(features).sum(-1).max()), len(features)


def _gaussians(fit: Fit) -> tuple[Any, ...]:
    """The regression below each head."""
    return (fit.score.posterior,) if fit.moments is None else (fit.score.posterior, fit.moments.gaussian)


def held_out(
    source: Simulator | Table, key: PRNGKeyArray, options: TrainingOptions
) -> tuple[Float[np.ndarray, "n m"], Float[np.ndarray, "n p"]]:
    """The finite rows that `train` with this key does not learn from, each once and with all its entries seen."""
    _, (z, x, ok) = _apart(source, options.holdout, _keys(key)["held"])
    x = jnp.concatenate([x, jnp.ones_like(x)], axis=-1) if options.partial else x
    good = np.asarray(ok) > 0
    return np.asarray(z)[good], np.asarray(x)[good]


def hide(key: PRNGKeyArray, x: Float[Array, "n p"], options: TrainingOptions) -> Float[Array, "n q"]:
    """Rows `(x, seen)`: of sets the first rows alone, any number of them as likely as any other; and where entries may
    be missing some hidden at random: none in half of the rows, any share of them in the others."""
    which, share, entry = jr.split(key, 3)
    seen = jnp.ones_like(x)
    if options.missing is not None:
        shares = jr.uniform(share, (len(x), 1)) * jr.bernoulli(which, 0.5, (len(x), 1))
        seen = (jr.uniform(entry, x.shape) >= shares).astype(x.dtype)
    if options.rows > 1:
        count = jr.randint(jr.fold_in(key, 1), (len(x), 1), 1, options.rows + 1)
        place = jnp.arange(x.shape[1]) // (x.shape[1] // options.rows)
        seen = jnp.where(place < count, seen, 0.0)
    return jnp.concatenate([x, seen], axis=-1)


def _parts(fit: Fit) -> tuple[Residual | MomentNetwork, ...]:
    """What is trained."""
    return (fit.score.residual,) if fit.moments is None else (fit.score.residual, fit.moments.network)


def _with_parts(fit: Fit, parts: tuple[Residual | MomentNetwork, ...]) -> Fit:
    return eqx.tree_at(_parts, fit, parts)


def _losses(
    fit: Fit, key: PRNGKeyArray, rows: Any, options: TrainingOptions, dropout: bool
) -> list[tuple[Array, Array]]:
    """Per-row losses of score and moments, each with its Gaussian baseline."""
    z, x, _ = rows
    level, noise, drop, net = jr.split(key, 4)
    n = len(z)
    # stratified with one random shift: each batch covers every noise level evenly
    log_snr, precision = options.objective.levels((jnp.arange(n) + jr.uniform(level)) / n)
    dropped = None if fit.score.gaussian_prior else (jr.uniform(drop, (n,)) < options.null_probability).astype(z.dtype)
    epsilon = jr.normal(noise, z.shape, z.dtype)
    score = fit.score.loss(z, x, epsilon, log_snr, dropped, precision, key=net if dropout else None)
    return [score] if fit.moments is None else [score, fit.moments.loss(z, x)]


def _held_out_losses(fit: Fit, key: PRNGKeyArray, rows: Any, options: TrainingOptions) -> list[tuple[Array, Array]]:
    """`_losses` of rows that may be too many images for one pass: then they are whole batches."""
    if not options.architecture.images:
        return _losses(fit, key, rows, options, dropout=False)
    count = len(rows[0]) // options.batch
    batches = jax.tree.map(lambda v: v.reshape(count, options.batch, *v.shape[1:]), rows)
    each = jax.lax.map(
        lambda one: _losses(fit, one[0], one[1], options, dropout=False), (jr.split(key, count), batches)
    )
    return jax.tree.map(jnp.ravel, each)


def _whole_batches(rows: tuple[Array, ...], batch: int) -> tuple[Array, ...]:
    """Rows, the first ones again at the end, as many as fill batches."""
    at = np.arange(-(-len(rows[0]) // batch) * batch) % len(rows[0])
    return tuple(v[at] for v in rows)


def _gates(fit: Fit, key: PRNGKeyArray, rows: Any, options: TrainingOptions) -> tuple[Array, ...]:
    """1 for a part that beats its Gaussian baseline beyond doubt, else 0: a linear-Gaussian model stays exact."""

    @eqx.filter_jit
    def gains(fit: Fit, key: PRNGKeyArray, rows: Any) -> Array:
        ok = rows[2]
        count = jnp.sum(ok)
        out = []
        for loss, baseline in _held_out_losses(fit, key, rows, options):
            gain = (baseline - loss) * ok
            mean = jnp.sum(gain) / count
            error = jnp.sqrt(jnp.sum(ok * (gain - mean) ** 2) / count / count)
            out.append((mean > _GATE_SE * error).astype(jnp.float32))
        return jnp.stack(out)

    return tuple(gains(fit, key, rows))


def _keys(key: PRNGKeyArray) -> dict[str, PRNGKeyArray]:
    """Keys of what a training draws."""
    return dict(zip(("pilot", "init", "train", "held"), jr.split(key, 4), strict=True))


def _apart(source: Simulator | Table, holdout: float, key: PRNGKeyArray) -> tuple[Any, Any]:
    """Rows to learn from (None: made anew at every step), and those kept aside: `(z, x, 1 where they are finite)`."""
    if isinstance(source, Table):
        return _split(source, holdout, key)
    simulate = source.held_out or source.simulate
    return None, jax.jit(lambda k: clean(*simulate(k, _HELD_OUT_ROWS)))(key)


def _split(table: Table, holdout: float, key: PRNGKeyArray) -> tuple[Any, Any]:
    """Finite rows, shuffled; the last `holdout` of them kept aside."""
    z, x = np.asarray(table.z, np.float32), np.asarray(table.x, np.float32)
    finite = np.flatnonzero(np.isfinite(z).all(-1) & np.isfinite(x).all(-1))
    order = finite[np.asarray(jr.permutation(key, len(finite)))]
    cut = len(order) - max(1, int(holdout * len(order)))

    def part(at: np.ndarray) -> Any:
        return tuple(map(jnp.asarray, (z[at], x[at], np.ones(len(at), np.float32))))

    return part(order[:cut]), part(order[cut:])


def _epochs(key: PRNGKeyArray, step: int, count: int, rows: int) -> Array:
    """Row numbers for the chunk of `count` draws that begins at `step`: whole epochs, each a permutation of its own."""
    epochs = jr.split(jr.fold_in(key, step), -(-count // rows))
    return jnp.concatenate([jr.permutation(k, rows) for k in epochs])[:count]


def _failure(reason: str, began: float) -> TrainingInfo:
    nothing = np.zeros((0, 2))
    return TrainingInfo(nothing, nothing, 0, (0, 0), time.perf_counter() - began, 0, 0, (0.0, 0.0), reason)

"""Log likelihood of every observed row at every draw: what ArviZ's `loo` and `waic` take."""

from __future__ import annotations

import math
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Array

from bsi.compiler.ir import Sample
from bsi.compiler.lower.forward import log_likelihood
from bsi.jobs.context import Context
from bsi.runtime.files import load_arrays, save_arrays

POINTWISE = "log_likelihood.npz"
MOST = 2**25  # numbers of one set, 128 MB: beyond, draws are kept and this is left out
_STATES = 65_536  # draws times rows at once


def save_pointwise(context: Context, node: Sample, folder: Path, draws: dict[str, np.ndarray], leading: int) -> None:
    """Of every set whose likelihood has a density, at `draws` with `leading` axes in front; powers are not applied."""
    program, lowered = context.program, context.lowered
    found: dict[str, np.ndarray] = {}
    for factor in program.posteriors[node.posterior].factors:
        if factor.observation is None or not program.likelihoods[factor.law].explicit:
            continue
        law = program.likelihoods[factor.law]
        lead = next(iter(draws.values())).shape[:leading]
        # what NUTS traced in double precision stays double in JAX's cache of constants
        rows, mask = _single(lowered.rows(factor.observation)), lowered.seen(factor.observation)
        seen = None if mask is None else _single(mask)
        if math.prod(lead) * len(rows) > MOST:
            continue
        flat = {name: array.reshape(-1, *array.shape[leading:]) for name, array in draws.items() if name in law.given}
        size = max(1, _STATES // len(rows))

        @jax.jit
        def evaluate(flat: dict[str, Array], rows: Array, seen: Array | None, law=law, size=size) -> Array:
            return jax.lax.map(
                lambda params: log_likelihood(law, params, rows, lowered.data, seen), flat, batch_size=size
            )

        found[factor.observation] = np.asarray(evaluate(flat, rows, seen)).reshape(*lead, len(rows))
    save_arrays(folder / POINTWISE, found)


def _single(array: np.ndarray) -> np.ndarray:
    return array.astype(jax.dtypes.canonicalize_dtype(array.dtype))


def pointwise(context: Context, sample: str) -> dict[str, np.ndarray]:
    """What was saved: name of a set -> (sweeps..., chain, draw, rows)."""
    return load_arrays(context.folder(sample) / POINTWISE)

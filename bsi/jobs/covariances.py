"""`covariance = sampled`: covariances of rows from draws of their own scores, kept in the store.

They depend on a fit and on rows, and on no power or sampler, so that every point of a sweep and every run shares them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float

from bsi.compiler.ir import Sample, digest
from bsi.jobs.context import Context
from bsi.runtime.covariances import DRAWS, STEPS, sampled_precisions
from bsi.runtime.files import load_arrays, save_arrays
from bsi.runtime.store import Entry
from bsi.runtime.training import Fit

_FILE = "precisions.npz"
_SEED = 0  # not the sampler's: another seed gives other draws of one posterior


def sampled(context: Context, node: Sample) -> Callable[[str, Fit, Array], Float[Array, "n m m"]]:
    """`(likelihood, its fit, what the fit is conditioned on) -> C⁻¹` of every factor."""
    names = {context.program.trains[name].likelihood: name for name in node.fits}

    def precisions(likelihood: str, fit: Fit, x: Array) -> Float[Array, "n m m"]:
        rows = hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()
        inputs = {"fit": context.keys[names[likelihood]], "rows": rows, "draws": DRAWS, "steps": STEPS}
        key = digest("covariances", inputs)
        store = context.store
        with store.lock(key):
            if not isinstance(store.look(key), Entry):
                m = fit.score.prior.size
                found = eqx.filter_jit(sampled_precisions)(fit.score.denoise, m, x, jr.key(_SEED))
                meta = {"name": f"{names[likelihood]} covariances", "model": context.program.name, "inputs": inputs}
                meta["info"] = {}
                arrays = {"precisions": np.asarray(found)}
                store.write(key, "covariances", meta, lambda folder: save_arrays(folder / _FILE, arrays))
            return jnp.asarray(load_arrays(store.read(key).path / _FILE)["precisions"])

    return precisions

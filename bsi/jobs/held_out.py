"""Rows that a fit was not trained on, and what they cost by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from bsi.compiler.ir import Check, Train
from bsi.compiler.lower.bounds import bins, elbo
from bsi.compiler.lower.model import training_options
from bsi.jobs.context import Context
from bsi.runtime.files import load_arrays
from bsi.runtime.metrics import Estimate
from bsi.runtime.metrics.bits import HeldOut, bits_per_dim, bound
from bsi.runtime.training import Fit, Simulator, Table, held_out

TABLE = "table.npz"


def source(context: Context, node: Train, table: Path | None) -> Simulator | Table:
    """What a fit trains on. `table` is the folder of its simulations, where they were stored."""
    if table is None:
        return context.lowered.source(node)
    arrays = load_arrays(table / TABLE)
    return Table(arrays["z"], arrays["x"])


def rows(context: Context, node: Train, own: Simulator | Table) -> HeldOut:
    """The rows that a fit with the source `own` keeps aside."""
    _, prior = context.lowered.laws(node)
    z, x = held_out(own, jr.key(dict(node.options)["seed"]), training_options(node))
    quantised = bins(prior)
    if quantised is not None:
        return HeldOut(z, x, np.zeros(len(z)), quantised)
    log_jacobian = jax.jit(jax.vmap(context.lowered.coordinates_of(node).log_jacobian))
    return HeldOut(z, x, np.asarray(log_jacobian(jnp.asarray(z)), float))


def parts(context: Context, node: Train, fit: Fit, held: HeldOut) -> dict[str, Any] | None:
    """`metrics.bits.bound` of a fit; None where it is not finite, which JSON cannot hold."""
    _, prior = context.lowered.laws(node)
    key = jr.fold_in(jr.key(dict(node.options)["seed"]), 2)
    found = bound(fit.score.denoise, elbo(node, prior), held, key)
    numbers = [found["value"], *found["terms"].values(), *found["integrand"]["values"], *found["finite"]["values"]]
    return found if np.isfinite(numbers).all() else None


def estimate(context: Context, check: Check) -> Estimate:
    """The value of `bits_per_dim(fit)`."""
    node = context.program.trains[check.fits[0]]
    options, (_, prior) = dict(check.options), context.lowered.laws(node)
    stored = dict(node.options)["simulations"] is not None
    own = source(context, node, context.folder(f"{node.name}.simulations") if stored else None)
    held = rows(context, node, own)
    fit, key = context.fit(node), jr.key(options["seed"])
    assert isinstance(fit, Fit), "the checker lets no other fit through"
    return bits_per_dim(fit.score.denoise, elbo(node, prior), held, key, options["steps"])

"""`bsi export`: the one-step sampler of a run as a file that needs neither the language nor the store."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from bsi.api import check_file
from bsi.compiler.distill import OBJECTIVE
from bsi.compiler.ir import Program, Train
from bsi.compiler.passes import smoke, with_seeds
from bsi.compiler.plan import plan
from bsi.dsl.diagnostic import BsiError, Diagnostic
from bsi.dsl.span import Source
from bsi.failure import about, no_results
from bsi.jobs.context import FIT, Context
from bsi.runtime.distill import Measure
from bsi.runtime.export import archive, portable
from bsi.runtime.files import write_atomically
from bsi.runtime.progress import NullProgress
from bsi.runtime.store import Store

FORMATS = ("jax-export",)
PACKAGES = ("bsi-lang", "jax", "jaxlib")
_WHY_NOT = {
    "onnx": "no maintained package turns a JAX program into ONNX; the StableHLO that `jax-export` holds is what other "
    "compilers read",
}


class NotExported(BsiError):
    """Why there is no file, with the texts that its diagnostics point into."""

    def __init__(self, diagnostics: list[Diagnostic], sources: Mapping[str, Source] | None = None):
        super().__init__(diagnostics)
        self.sources = sources or {}


@dataclass(frozen=True)
class _Found:
    """A distilled fit of a run, and the program as it was run."""

    program: Program
    node: Train
    context: Context

    @property
    def key(self) -> str:
        return self.context.keys[self.node.name]


def export(folder: Path, name: str, to: str, out: Path, steps: int, store: Store) -> None:
    """Write the fit `name` of the run in `folder` to the file `out`; draws take `steps` passes of its network.

    Raises:
        NotExported: no such format or run, its model has changed, or the fit makes no draws in one step.
    """
    if to not in FORMATS:
        notes = (_WHY_NOT[to],) if to in _WHY_NOT else ()
        help = f"write `--to {' or '.join(FORMATS)}`"
        raise NotExported([Diagnostic("E0560", f"`bsi export` writes no `{to}`", notes=notes, help=help)])
    found = _found(folder, name, store)
    if steps > 1 and dict(found.node.options)["method"] == "regression":
        message = f"`{name}` has learned by regression to take one step, not {steps}"
        help = f"leave out `--steps`, or train `{name}` with `method = flow_map`"
        raise _refused(found.program, name, "E0558", message, help=help)
    inputs, draws = _sampler(found, steps)
    program, signature = portable(draws, inputs)
    write_atomically(out, archive(program, _description(found, to, steps) | signature, out.name))


def _found(folder: Path, name: str, store: Store) -> _Found:
    lock = _lock(folder)
    file = Path(os.path.normpath(folder / lock["file"]))
    if not file.is_file():
        message = f"the model of the run in `{folder}` is no longer at `{file}`"
        raise NotExported([Diagnostic("E0562", message, help="put it there, or run it from where it is")])
    checked = check_file(file, lock["set"])
    if checked.program is None:
        raise NotExported([d for d in checked.diagnostics if d.severity == "error"], checked.sources)
    program = with_seeds(checked.program, lock["seed"])
    program = smoke(program) if lock["profile"] == "smoke" else program
    node = _distilled(program, name)
    keys = {job.name: job.key for job in plan(program, store)}
    if keys.get(name) != lock["jobs"].get(name):
        message = f"`{name}` is not what it was in the run in `{folder}`: the model, its data or bsi have changed since"
        raise _refused(program, name, "E0562", message, help="run the model again")
    if not store.has(keys[name]):
        message = f"`{name}` is not in the store"
        help = "run the model again, or set BSI_STORE to the store of that run"
        raise _refused(program, name, "E0563", message, help=help)
    return _Found(program, node, Context(program, store, NullProgress(), keys))


def _refused(program: Program, name: str, code: str, message: str, *, help: str) -> NotExported:
    """A diagnostic at the declaration of `name`, if there is one."""
    return NotExported([about(program, name, code, message, help=help)], program.sources)


def _lock(folder: Path) -> dict[str, Any]:
    """What the run's folder says of the run."""
    try:
        lock = json.loads((folder / "bsi.lock").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        lock = {}
    if "file" not in lock:
        raise NotExported([no_results(folder)])
    return lock


def _distilled(program: Program, name: str) -> Train:
    node = program.trains.get(name)
    if node is not None and node.objective == OBJECTIVE:
        return node
    known = ", ".join(f"`{fit.name}`" for fit in program.trains.values() if fit.objective == OBJECTIVE)
    teacher = name if node else "FIT"
    way = f"write `train fast = distill({teacher})`, draw from it, and run"
    message = f"`{name}` makes no draws in one step" if node else f"the model has no fit `{name}`"
    raise _refused(program, name, "E0561", message, help=f"name one that does: {known}" if known else way)


def _sampler(found: _Found, steps: int) -> tuple[dict[str, tuple[int, ...]], Callable[..., Mapping[str, Array]]]:
    """Inputs by name, without the axis of draws, and params as a function of them."""
    node = found.node
    flow_map, space = found.context.distilled(node), found.context.lowered.coordinates_of(node)
    law = found.program.likelihoods[node.likelihood] if node.likelihood else None
    sets = None if node.asked is None else sum(rows for rows, *_ in node.asked.sets)
    lead = () if sets is None else (sets,)
    inputs: dict[str, tuple[int, ...]] = {"noise": (flow_map.size,)}
    if law is not None:
        inputs["row"] = (*lead, *law.shape)
    if sets is not None:
        inputs |= {"power": lead, "prior_power": ()}  # of every row, 0 for one that is not there; and of the prior

    def draws(noise: Array, row: Array | None = None, **powers: Array) -> Mapping[str, Array]:
        n = noise.shape[0]  # a symbol, so no `len`
        seen: Any = jnp.zeros((n, 0))
        if row is not None and law is not None:
            seen = row.reshape(n, *lead, math.prod(law.shape))
        if powers:
            seen = Measure(seen, powers["power"], powers["prior_power"])
        return jax.vmap(space.to_params)(flow_map(noise, seen, steps))

    return inputs, draws


def _description(found: _Found, to: str, steps: int) -> dict[str, Any]:
    """What the file says of itself, but for its inputs and outputs."""
    program, node = found.program, found.node
    dims = {param: list(program.params[param].dims) for param in program.priors[node.prior].params}
    if node.likelihood:
        dims["row"] = list(program.likelihoods[node.likelihood].dims)
    entry = found.context.store.read(found.key)
    return {
        "schema": 1,
        "format": to,
        "model": program.name,
        "fit": node.name,
        "prior": node.prior,
        "likelihood": node.likelihood,
        "steps": steps,
        "dims": dims,
        "key": found.key,
        "sha256": hashlib.sha256((entry.path / FIT).read_bytes()).hexdigest(),
        "error": entry.meta["info"]["error"],  # against the teacher's flow on held-out rows, in sds
        "packages": {name: version(name) for name in PACKAGES},
    }

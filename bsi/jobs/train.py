"""Training a score network and its moment head, from fresh simulations or from a stored table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.random as jr
import numpy as np
from scipy.stats import ks_2samp

from bsi.compiler.exact import OBJECTIVE
from bsi.compiler.ir import Program, Train
from bsi.compiler.lower.model import training_options
from bsi.compiler.simulator_calls import solver_notes
from bsi.dsl.diagnostic import Diagnostic
from bsi.failure import JobFailure, about
from bsi.jobs import distill, exact, held_out
from bsi.jobs.context import FIT, Context
from bsi.runtime.files import save_arrays, save_tree
from bsi.runtime.store import Checkpoint
from bsi.runtime.training import LikelihoodBound, Simulator, Table, TrainingInfo, train

_CHUNK = 8_192
_PRIOR_DRAWS = 16_384
_ALPHA = 1e-6  # chance of refusing pairs that are right


def simulate(context: Context, node: Train, folder: Path) -> dict[str, Any]:
    """The fixed table of simulations that a train block asks for: `z` (n, m) and `x` (n, p)."""
    options = dict(node.options)
    n = options["simulations"]
    forward = context.lowered.forward(node)
    key = jr.fold_in(jr.key(options["seed"]), 1)
    simulated = jax.jit(forward.simulate, static_argnums=1)
    size = min(n, _CHUNK)  # bounds memory, and how long a rejection sampler waits for its slowest row
    parts = []
    context.progress.start(f"simulate {node.name}", n, "simulations")
    try:
        for number in range(-(-n // size)):
            parts.append([np.asarray(part) for part in simulated(jr.fold_in(key, number), size)])
            context.progress.advance(min(size, n - number * size))
    finally:
        context.progress.done()
    z, x = (np.concatenate(columns)[:n] for columns in zip(*parts, strict=True))
    finite = np.isfinite(x).all(-1)
    save_arrays(folder / held_out.TABLE, {"z": z, "x": x})
    return {"simulations": n, "non_finite": int(n - finite.sum())}


def warnings(program: Program, node: Train, info: dict[str, Any]) -> list[Diagnostic]:
    """What a trained fit has not seen: simulations that were left out; or a bound that says nothing."""
    if node.teacher is not None:
        return distill.warnings(program, node, info)
    found = exact.warnings(program, node, info) if node.objective == OBJECTIVE else []
    if "bound" in info and info["bound"] is None:
        help = "some rows lie so close to the edge of their support that they have no density in single precision"
        found.append(about(program, node.name, "W0425", f"the bound of `{node.name}` is not finite", help=help))
    if not info["non_finite"]:
        return found
    left_out = f"{info['non_finite']:_} of {info['simulations']:_} simulations for `{node.name}`"
    message = f"{left_out} are not finite and were left out"
    help = "look for a division by zero, a log of a negative number or an overflow in the forward model"
    notes = solver_notes(program.likelihoods.get(node.likelihood or ""))
    return [*found, about(program, node.likelihood or node.name, "W0606", message, notes=notes, help=help)]


def fit(context: Context, node: Train, table: Path | None, checkpoint: Checkpoint, folder: Path) -> dict[str, Any]:
    """Weights of a train block. `table` is the folder of its simulations, or None for fresh ones."""
    options = dict(node.options)
    if node.teacher is not None:
        source = held_out.source(context, context.program.trains[node.teacher], table)
        return distill.fit(context, node, source, checkpoint, folder)
    source = held_out.source(context, node, table)
    if table is None:
        _refuse_other_prior(context, node, source)
    if isinstance(source, Table) and node.objective == OBJECTIVE:
        return exact.fit(context, node, source, folder)
    settings = training_options(node)
    held, shown = None, _Shown()
    if isinstance(settings.objective, LikelihoodBound):
        held = held_out.rows(context, node, source)
        shown = _Shown(held.nominal(settings.objective.elbo))
    context.progress.start(f"train {node.name}", settings.steps, "steps")
    last = 0

    def report(step: int, total: int, losses: np.ndarray) -> None:
        nonlocal last
        context.progress.advance(step - last, loss=float(shown(losses[0])))
        last = step

    try:
        trained, info = train(
            source,
            jr.key(options["seed"]),
            settings,
            gaussian_prior=context.lowered.coordinates_of(node).gaussian,
            checkpoint=checkpoint,
            progress=report,
        )
    finally:
        context.progress.done()
    if trained is None:
        raise JobFailure(
            about(
                context.program,
                node.likelihood or node.name,
                "R102" if "simulations" in str(info.failed) else "R101",
                f"training `{node.name}` failed: {info.failed}",
                label="simulated from here",
                notes=solver_notes(context.program.likelihoods.get(node.likelihood or "")),
                help="look for a division by zero, a log of a negative number or an overflow in the forward model, "
                "or lower `learning_rate`",
            )
        )
    save_tree(folder / FIT, trained)
    own = {"unit": "bits/dim", "bound": held_out.parts(context, node, trained, held)} if held else {}
    return {
        **own,
        "losses": _curves(info, shown),
        "steps": info.steps,
        "best_step": list(info.best_step),
        "simulations": info.simulations,
        "non_finite": info.bad_rows,
        "gates": list(info.gates),
        "reach": info.reach,
    }


def _refuse_other_prior(context: Context, node: Train, source: Simulator | Table) -> None:
    """Pairs are draws of a joint law, so their params must be draws of the prior that the fit names: tested by the
    largest distance of two distribution functions (Kolmogorov-Smirnov), entry by entry of the working coordinates."""
    if node.likelihood is None or not isinstance(source, Table):
        return
    space = context.lowered.coordinates_of(node)
    drawn, _ = jax.jit(jax.vmap(space.draw))(jr.split(jr.key(0), _PRIOR_DRAWS))
    tests: list[Any] = [ks_2samp(a, b) for a, b in zip(source.z.T, np.asarray(drawn).T, strict=True)]
    worst = int(np.argmin([test.pvalue for test in tests]))
    if tests[worst].pvalue > _ALPHA / len(tests):
        return
    name = next(name for name, place in space.places.items() if place.start <= worst < place.stop)
    raise JobFailure(
        about(
            context.program,
            node.likelihood or node.name,
            "R114",
            f"the pairs of `{node.likelihood}` are not draws of `{node.prior}`: distribution functions of `{name}` "
            f"differ by {tests[worst].statistic:.2g}",
            help="a fit learns the posterior under the prior that the pairs were drawn from: declare that one, or "
            f"learn it, `prior {node.prior}(...) = learned file(...)`",
        )
    )


@dataclass(frozen=True)
class _Shown:
    """A loss as people see it: of a bound all of it, in bits a dimension; `nominal` is what the loss leaves out."""

    nominal: float | None = None

    def __call__(self, loss: Any) -> Any:
        return loss if self.nominal is None else loss / math.log(2.0) + self.nominal


def _curves(info: TrainingInfo, shown: _Shown) -> dict[str, dict[str, list[float]]]:
    """Loss curves of the score network as JSON, one point a chunk of steps; what was not reached is left out."""
    curves = {}
    for name, losses in (("training", info.train_loss[:, 0]), ("held-out", info.held_out_loss[:, 0])):
        steps = np.linspace(0, info.steps, len(losses) + 1)[1:]
        known = np.isfinite(losses)
        curves[name] = {"steps": steps[known].tolist(), "values": shown(np.asarray(losses, float)[known]).tolist()}
    return curves

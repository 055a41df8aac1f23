"""`sensitivity`: how far every marginal moves when a component of the posterior is raised to a power."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bsi.compiler.ir import Check, Program, Sample
from bsi.compiler.sensitivity import POWERS, Component, components, has_density, samples_powers
from bsi.dsl.diagnostic import Diagnostic
from bsi.failure import about
from bsi.jobs.context import Context, Draws, grid, place
from bsi.jobs.points import PointFailure
from bsi.jobs.pointwise import log_component
from bsi.jobs.resample import Params, draws_at_powers
from bsi.runtime import sensitivity as scaling

STEPS = (0.8, 1.25)  # powers whose draws tell the slope at 1: nearer ones move draws by less than their spacing
_SHAPES = 10.0  # k̂ is kept within ±10: a result is a finite number

Table = dict[str, Any]  # JSON


def outcome(context: Context, check: Check) -> Table:
    """Value, standard error and place of the largest sensitivity (for `>` the smallest), and all of them in `detail`.

    `detail` has for every point of the sweeps its `labels`, one a scalar coordinate, its `components`, and the
    `diagnosis` of every coordinate. A component has by each of the `ways`, `psis` and `resample`, of which `best` names
    the one that counts, its `sensitivity` and `standard_error` by coordinate, and `powers` with the `distance` by
    coordinate at each.
    """
    node, options = context.program.samples[check.samples[0]], dict(check.options)
    options["powers"] = options["powers"] or POWERS
    draws = context.draws(node.name)
    found = components(context.program.posteriors[node.posterior], context.program.priors, options["components"])
    names = options["params"] or tuple(draws.params)
    points = grid(context.program, draws.sweeps)
    weighing = [_weighed(context, node, component, options["method"]) for component in found]
    logs = [log_component(context, node, draws, c) if w else None for c, w in zip(found, weighing, strict=True)]
    drawn, powers = drawn_again(context.program, check)
    again = _drawn(context, node, drawn, points, names, powers) if drawn else [[] for _ in points]
    tables = []
    for number, (index, point) in enumerate(zip(np.ndindex(_shape(context, draws)), points, strict=True)):
        x = _matrix({name: draws.params[name][index] for name in names}, 2)
        told: list[Table] = [{"name": c.name, "of": c.factor.kind, "ways": {}} for c in found]
        for entry, log in zip(told, logs, strict=True):
            if log is not None:
                entry["ways"]["psis"] = _by_weights(x, log[index].reshape(-1), options)
        kept = [entry for entry, c in zip(told, found, strict=True) if c in drawn]
        for entry, way in zip(kept, again[number], strict=True):
            entry["ways"]["resample"] = way
        tables.append(_table(place(point).removeprefix(" at "), _labels(draws, names, index), told, options))
    return _worst(check, tables, options)


def drawn_again(program: Program, check: Check) -> tuple[list[Component], list[float]]:
    """The components whose powers the sampler draws at, one component at a time, and these powers."""
    node, options = program.samples[check.samples[0]], dict(check.options)
    if not samples_powers(node) or options["method"] == "psis":
        return [], []
    found = components(program.posteriors[node.posterior], program.priors, options["components"])
    return [c for c in found if c.param is None], sorted({*(options["powers"] or POWERS), *STEPS})


def _weighed(context: Context, node: Sample, component: Component, method: str) -> bool:
    laws = context.program.priors if component.of_prior else context.program.likelihoods
    return method != "resample" and has_density(laws[component.factor.law], node.reference)


def _by_weights(x: np.ndarray, log: np.ndarray, options: dict[str, Any]) -> Table:
    value, error, shape = scaling.weighted_slope(x, log, options["near"])
    moved = [scaling.weights(log, power) for power in options["powers"]]
    return {
        "sensitivity": value.tolist(),
        "standard_error": error.tolist(),
        "pareto_k": float(np.clip(shape, -_SHAPES, _SHAPES)),
        "powers": list(options["powers"]),
        "distance": [scaling.distance(x, x, y_weights=w).tolist() for w, _ in moved],
        "shapes": [float(np.clip(k, -_SHAPES, _SHAPES)) for _, k in moved],
    }


def _drawn(
    context: Context,
    node: Sample,
    drawn: list[Component],
    points: list[dict[str, float]],
    names: Sequence[str],
    powers: list[float],
) -> list[list[Table]]:
    """At every point a way for every component. Powers at which there are no draws are left out."""
    count = len(drawn)
    scales = [(1.0,) * count]
    scales += [tuple(p if i == k else 1.0 for i in range(count)) for k in range(count) for p in powers]

    def ways(found: list[Params | PointFailure]) -> list[Table]:
        start, *rest = (x if isinstance(x, PointFailure) else _matrix({n: x[n] for n in names}, 1) for x in found)
        return [_moved(start, powers, rest[k * len(powers) : (k + 1) * len(powers)]) for k in range(count)]

    return [ways(found) for found in draws_at_powers(context, node, drawn, points, scales)]


def _moved(start: np.ndarray | PointFailure, powers: list[float], tables: list[np.ndarray | PointFailure]) -> Table:
    """`lost` says why there are no draws, at the first power that has none."""
    lost = [str(one) for one in (start, *tables) if isinstance(one, PointFailure)][:1]
    nothing = {"sensitivity": None, "standard_error": None, "powers": [], "distance": [], "lost": lost}
    if isinstance(start, PointFailure):
        return nothing
    known = [(p, there) for p, there in zip(powers, tables, strict=True) if not isinstance(there, PointFailure)]
    near = [(p, there) for p, there in known if p in STEPS]
    if not near:
        return nothing
    value, error = scaling.moved_slope(start, np.stack([x for _, x in near]), np.array([p for p, _ in near]))
    return {
        "sensitivity": value.tolist(),
        "standard_error": error.tolist(),
        "powers": [p for p, _ in known],
        "distance": [scaling.distance(start, x).tolist() for _, x in known],
        "lost": lost,
    }


def _best(component: Table) -> str | None:
    """The way whose sensitivities count: weights, where they can be trusted, else draws."""
    ways = {name: way for name, way in component["ways"].items() if way["sensitivity"] is not None}
    trusted = [name for name, way in ways.items() if way.get("pareto_k", 0.0) <= scaling.GOOD]
    return next(iter(trusted or ways), None)


def _table(at: str, labels: list[str], told: list[Table], options: dict[str, Any]) -> Table:
    largest = {kind: np.zeros(len(labels)) for kind in ("prior", "likelihood")}
    kinds = {entry["of"] for entry in told}
    for entry in told:
        entry["best"] = _best(entry)
        if entry["best"] is not None:
            way = entry["ways"][entry["best"]]
            largest[entry["of"]] = np.maximum(largest[entry["of"]], way["sensitivity"])
    both = kinds == {"prior", "likelihood"}
    pairs = zip(largest["prior"], largest["likelihood"], strict=True)
    diagnosis = [scaling.diagnosis(p, q, options["threshold"]) if both else "" for p, q in pairs]
    return {"at": at, "labels": labels, "components": told, "diagnosis": diagnosis}


def _worst(check: Check, tables: list[Table], options: dict[str, Any]) -> Table:
    """Over the priors, unless `components` are named."""
    detail = {"kind": "sensitivity", "threshold": options["threshold"], "points": tables}
    entries = []
    for table in tables:
        counted = [c for c in table["components"] if options["components"] is not None or c["of"] == "prior"]
        for component in (c for c in counted if c["best"]):
            way = component["ways"][component["best"]]
            for k, label in enumerate(table["labels"]):
                at = ", ".join(filter(None, (f"{label} by {component['name']}", table["at"])))
                entries.append((way["sensitivity"][k], way["standard_error"][k], at))
    if not entries:
        note = "no draws could be had at the powers next to 1"
        return {"value": None, "standard_error": None, "at": "", "note": note, "detail": detail}
    choose = min if (check.operator or "<").startswith(">") else max
    value, error, at = choose(entries)
    return {"value": value, "standard_error": error, "at": at, "note": "", "detail": detail}


def warnings(program: Program, check: Check, info: Table) -> list[Diagnostic]:
    """W0452: of components whose powers could not be tried, or hardly."""
    found = {}
    for table in (info.get("detail") or {}).get("points", ()):
        for component in table["components"]:
            name, way = component["name"], component["ways"].get(component["best"])
            if way is None:
                why = "; ".join(component["ways"]["resample"]["lost"])
                found[name] = f"no draws could be had at powers of `{name}` next to 1: {why}"
            elif way.get("pareto_k", 0.0) > scaling.GOOD:
                shape = f"k̂ = {way['pareto_k']:.2f}, above {scaling.GOOD}"
                found[name] = f"weights at powers of `{name}` next to 1 have {shape}"
    help = "take more draws, or look at heavy tails of the posterior"
    return [about(program, check.text, "W0452", message, help=help) for message in found.values()]


def _shape(context: Context, draws: Draws) -> tuple[int, ...]:
    return tuple(len(context.program.sweeps[name].values) for name in draws.sweeps)


def _matrix(params: dict[str, np.ndarray], leading: int) -> np.ndarray:
    """All entries of params as columns, all leading axes as rows."""
    parts = [array.reshape(int(np.prod(array.shape[:leading])), -1) for array in params.values()]
    return np.concatenate(parts, axis=1)


def _labels(draws: Draws, names: Sequence[str], index: tuple[int, ...]) -> list[str]:
    shapes = {name: draws.params[name][index].shape[2:] for name in names}
    return [
        f"{name}[{', '.join(map(str, entry))}]" if entry else name
        for name in names
        for entry in np.ndindex(shapes[name])
    ]

"""What a plan will take, before anything runs: simulations, parameters, network evaluations, memory, seconds."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from bsi import terminal
from bsi.compiler import local_checks
from bsi.compiler.correctors import AFTERWARDS, by_scores
from bsi.compiler.exact import OBJECTIVE
from bsi.compiler.ir import Check, Choice, Program, Sample, SweepRef, Train
from bsi.compiler.lower.distill import distill_options, distilled_parameters
from bsi.compiler.lower.model import LoweredModel, training_options
from bsi.compiler.one_step import METHOD
from bsi.compiler.plan import Job
from bsi.dsl.diagnostic import Diagnostic
from bsi.foresee import foresee, gigabytes
from bsi.jobs import sensitivity
from bsi.jobs.context import at_point, grid, sweeps_of
from bsi.jobs.density import derivatives
from bsi.runtime.correctors.line import PASSES
from bsi.runtime.covariances import DRAWS as COVARIANCE_DRAWS
from bsi.runtime.covariances import STEPS as COVARIANCE_STEPS
from bsi.runtime.store import Store

MARKS = {"compute": "+", "resume": "~", "reuse": "="}


@dataclass(frozen=True)
class Cost:
    """Of one job. What is not known in advance, or does not apply, is None.

    `evaluations` counts states (draws times rows times points of the sweeps) times steps; a solver with several stages
    takes so many times more. `memory` is in bytes and a lower bound; `seconds` is what the job took last time.
    """

    words: str = ""
    simulations: int | None = None
    parameters: int | None = None
    draws: int | None = None
    evaluations: int | None = None
    memory: int | None = None
    seconds: float | None = None


def action(job: Job) -> str:
    """What a run would do: compute, resume or reuse."""
    return "reuse" if job.reused else "resume" if job.resumes else "compute"


def costs(program: Program, jobs: Sequence[Job], store: Store) -> tuple[dict[str, Cost], list[Diagnostic]]:
    """The cost of every job by name; and what would fail, seen on shapes alone."""
    lowered = LoweredModel(program)
    found: dict[str, Cost] = {}
    wrong: list[Diagnostic] = []
    for job in jobs:
        memory, problem = foresee(program, lowered, job)
        if problem is None:
            counts = _counts(program, lowered, job)
            found[job.name] = Cost(**counts, memory=memory, seconds=store.seconds(program.name, job.name))
        else:
            found[job.name] = Cost()
            wrong.append(problem)
    return found, wrong


def _counts(program: Program, lowered: LoweredModel, job: Job) -> dict[str, Any]:
    match job.kind:
        case "simulate":
            simulations = dict(program.trains[job.node].options)["simulations"]
            return {"words": f"{simulations:_} simulations", "simulations": simulations}
        case "train":
            return _training(program.trains[job.node], lowered)
        case "sample":
            return _sampling(program, program.samples[job.node])
        case "reference":
            return _reference(program, program.samples[job.node])
        case "check":
            return _checking(program, next(check for check in program.checks if check.text == job.node))
    return {}


def _training(train: Train, lowered: LoweredModel) -> dict[str, Any]:
    if train.objective == OBJECTIVE:
        return {"words": "bandwidths by leave-one-out likelihood, no training"}
    if train.teacher is not None:
        return _distilling(train, lowered)
    options = training_options(train)
    table = dict(train.options)["simulations"]
    pairs, drawn = (None if law is None else law.learned for law in lowered.laws(train))
    source = "fresh simulations" if table is None else f"a table of {table:_}"
    if pairs is not None:
        source = f"{pairs.rows:_} pairs"
    elif drawn is not None and drawn.rows:
        source = f"{drawn.rows:_} draws" if train.likelihood is None else f"{source} from {drawn.rows:_} draws"
    rows = dict(train.options).get("rows", 1)
    source += f" of {rows} rows" if rows > 1 else ""
    parameters = lowered.parameter_count(train)
    return {
        "words": f"{options.steps:_} steps × {options.batch} of {source}, {parameters:_} parameters",
        "simulations": options.steps * options.batch if source.startswith("fresh") else None,
        "parameters": parameters,
    }


def _distilling(train: Train, lowered: LoweredModel) -> dict[str, Any]:
    options, parameters = distill_options(train), distilled_parameters(lowered, train)
    learned = f"{options.rows:_} draws of `{train.teacher}`" if options.method == "regression" else f"`{train.teacher}`"
    training = options.training
    words = f"{training.steps:_} steps × {training.batch} of {learned}, {parameters:_} parameters"
    return {"words": words, "parameters": parameters}


def _reference(program: Program, sample: Sample) -> dict[str, Any]:
    options = dict(sample.options)
    if "chains" not in options:
        kind = "stored" if sample.method == "stored" else "exact"
        words = f"{options['draws']:_} {kind} draws{_times(_points(program, sample))}"
        return {"words": words, "draws": options["draws"] * _points(program, sample)}
    draws, points = options["chains"] * options["draws"], _points(program, sample)
    return {"words": f"{draws:_} draws in {options['chains']} chains{_times(points)}", "draws": draws * points}


def _sampling(program: Program, sample: Sample) -> dict[str, Any]:
    options: dict[str, Any] = dict(sample.options)
    posterior = program.posteriors[sample.posterior]
    rows = program.rows_of(posterior)
    if sample.method == METHOD:
        rows = 0  # a pass sees all of them
    points = _points(program, sample)
    steps = options.get("steps")
    words = f"{options['draws']:_} draws" + (f" × {rows} row{'s' if rows > 1 else ''}" if rows else "")
    if isinstance(steps, int):
        one, many = ("pass", "passes") if sample.method == METHOD else ("step", "steps")
        words += f" × {steps} {one if steps == 1 else many}"
    elif not isinstance(steps, SweepRef):
        words += ", adaptive steps"
    density = options.get("log_density")
    if density is not None:
        words += f", their log density by {derivatives(program, sample):_} derivatives a step"
    if sample.route == "guided":
        words += ", guided"
    each = [at_point(sample.options, point).get("steps") for point in grid(program, sweeps_of(program, sample))]
    known = [n for n in each if isinstance(n, int)]
    words += _times(points)
    before = passes = 0
    if isinstance(correct := options.get("correct"), Choice) and correct.name in AFTERWARDS:
        moves = dict(correct.options)["steps"]
        words += f", moved by {moves:_} steps of mala by {'scores' if by_scores(correct) else 'the density'}"
        passes = moves * PASSES * points if by_scores(correct) else 0
    if options.get("covariance") == "sampled":
        words += f", after {COVARIANCE_DRAWS:_} draws of each row × {COVARIANCE_STEPS} steps for covariances"
        before = COVARIANCE_DRAWS * rows * COVARIANCE_STEPS
    return {
        "words": words,
        "draws": options["draws"] * points,
        "evaluations": options["draws"] * max(rows, 1) * (sum(known) + passes) + before
        if len(known) == len(each) and not density
        else None,
    }


def _checking(program: Program, check: Check) -> dict[str, Any]:
    """Of a check that samples again: what its sampler takes, times the powers, or the simulated data."""
    if check.metric in local_checks.METRICS:
        return _repeating(program, check)
    drawn, powers = sensitivity.drawn_again(program, check) if check.metric == "sensitivity" else ([], [])
    if not drawn:
        return {}
    each, times = _sampling(program, program.samples[check.samples[0]]), 1 + len(drawn) * len(powers)
    known = {name: each[name] * times for name in ("draws", "evaluations") if each[name] is not None}
    return {"words": f"`{check.samples[0]}` drawn again at {times} combinations of powers", **known}


def _repeating(program: Program, check: Check) -> dict[str, Any]:
    sample, options = program.samples[check.samples[0]], dict(check.options)
    simulations, draws = options["simulations"], options.get("draws", 1)
    known = tuple((name, simulations * draws if name == "draws" else value) for name, value in sample.options)
    cost = _sampling(program, replace(sample, options=known))
    given = f"{draws:_} draws" if draws > 1 else "a draw"
    words = f"{given} of `{sample.name}` at each of {simulations:_} simulations{_times(_points(program, sample))}"
    return {**cost, "words": words, "simulations": simulations * _points(program, sample)}


def _points(program: Program, sample: Sample) -> int:
    return len(grid(program, sweeps_of(program, sample)))


def _times(points: int) -> str:
    return f" × {points} points" if points > 1 else ""


# ---------------------------------------------------------------- printing


def describe(jobs: Sequence[Job], costs: Mapping[str, Cost], width: int | None) -> str:
    """The plan for people: `+` computes, `~` goes on where it was broken off, `=` reuses. As a table where it fits."""
    rows = [[MARKS[action(job)], job.kind, job.name, _said(job, costs[job.name]), job.reason] for job in jobs]
    table = terminal.table(["", "job", "name", "cost", "why"], rows)
    if width is not None and max(map(len, table.splitlines())) > width:
        table = "\n".join(line for row in rows for line in _narrow(row, width))
    device = _device()
    return f"{table}\non {device['platform']} ({device['kind']})"


def _narrow(row: list[str], width: int) -> list[str]:
    mark, kind, name, cost, why = row
    lines = [f"{mark} {kind} {name}"]
    for text in filter(None, (cost, why)):
        lines += textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="      ")
    return lines


def _said(job: Job, cost: Cost) -> str:
    parts = [cost.words]
    if cost.memory is not None and cost.memory >= 1e8:
        parts.append(f"≥ {gigabytes(cost.memory)}")
    if cost.seconds is not None and cost.seconds >= 1 and not job.reused:
        parts.append(f"{cost.seconds:.0f} s last time")
    return ", ".join(filter(None, parts))


def as_json(program: Program, jobs: Sequence[Job], costs: Mapping[str, Cost]) -> str:
    """The plan as data."""
    rows = [
        {
            "name": job.name,
            "kind": job.kind,
            "key": job.key,
            "action": action(job),
            "reason": job.reason,
            "needs": list(job.needs),
            **{name: value for name, value in asdict(costs[job.name]).items() if name != "words"},
        }
        for job in jobs
    ]
    return json.dumps({"schema": 1, "model": program.name, "device": _device(), "jobs": rows}, indent=2)


def _device() -> dict[str, str]:
    import jax

    device = jax.devices()[0]
    return {"platform": device.platform, "kind": device.device_kind}

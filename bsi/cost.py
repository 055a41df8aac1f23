"""What a plan will take, before anything runs: simulations, parameters, network evaluations, memory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from bsi import terminal
from bsi.compiler.ir import Program, Sample, SweepRef, Train
from bsi.compiler.lower.model import LoweredModel, training_options
from bsi.compiler.plan import Job
from bsi.jobs.context import sweeps_of


def describe(program: Program, jobs: Iterable[Job]) -> str:
    """The plan as a table: `+` computes, `=` reuses."""
    import jax

    lowered = LoweredModel(program)
    rows = [["=" if job.reused else "+", job.kind, job.name, _cost(program, lowered, job), job.reason] for job in jobs]
    device = jax.devices()[0]
    return terminal.table(["", "job", "name", "cost", "why"], rows) + f"\non {device.platform} ({device.device_kind})"


def _cost(program: Program, lowered: LoweredModel, job: Job) -> str:
    match job.kind:
        case "simulate":
            return f"{dict(program.trains[job.node].options)['simulations']:_} simulations"
        case "train":
            return _training(program.trains[job.node], lowered)
        case "sample":
            return _sampling(program, program.samples[job.node])
        case "reference":
            options = dict(program.samples[job.node].options)
            points = _points(program, program.samples[job.node])
            if "chains" not in options:
                return f"{options['draws']:_} stored draws"
            draws = options["chains"] * options["draws"]
            return f"{draws:_} draws in {options['chains']} chains" + (f" × {points} points" if points > 1 else "")
    return ""


def _training(train: Train, lowered: LoweredModel) -> str:
    options = training_options(train)
    simulations = dict(train.options)["simulations"]
    source = "fresh simulations" if simulations is None else f"a table of {simulations:_}"
    return f"{options.steps:_} steps × {options.batch} of {source}, {lowered.parameter_count(train):_} parameters"


def _points(program: Program, sample: Sample) -> int:
    return math.prod(len(program.sweeps[name].values) for name in sweeps_of(program, sample))


def _sampling(program: Program, sample: Sample) -> str:
    options: dict[str, Any] = dict(sample.options)
    posterior = program.posteriors[sample.posterior]
    rows = sum(program.observations[f.observation].rows for f in posterior.factors if f.observation)
    points = _points(program, sample)
    steps = options.get("steps")
    cost = f"{options['draws']:_} draws × {rows} row{'s' if rows > 1 else ''}"
    if isinstance(steps, int):
        cost += f" × {steps} steps"
    elif not isinstance(steps, SweepRef):
        cost += ", adaptive steps"
    return cost + (f" × {points} points" if points > 1 else "")

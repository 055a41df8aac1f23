"""eight_schools against NUTS: C2ST at 10k against 10k, largest mean error over params; three seeds of the fit."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import bsi
from benchmarks.figure import Figure

EXAMPLE = Path(__file__).parents[1] / "examples" / "eight_schools" / "eight_schools.bsi"


def measure() -> Iterator[Figure]:
    found: dict[str, list[float]] = {"c2st": [], "mean_error": [], "training": []}
    for seed in (1, 2, 3):
        with tempfile.TemporaryDirectory() as name:
            run = bsi.load(EXAMPLE).run(name, seed=seed)
        for check in run.checks:
            metric = check.text.partition("(")[0]
            if metric in found and check.value is not None:
                found[metric].append(check.value)
        found["training"] += [job.seconds for job in run.jobs if job.kind == "train" and not job.reused]
    yield Figure("eight_schools, C2ST against NUTS", found["c2st"], "≤ .60")
    yield Figure("eight_schools, largest mean error in sd", found["mean_error"], "≤ .15")
    if found["training"]:
        yield Figure("eight_schools, training", found["training"], "", "s")

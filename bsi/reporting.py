"""report.html from a run's own files, so that `bsi report DIR` can write it again without the model or the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from bsi.runtime.files import write_atomically
from bsi.runtime.report import Check, Draws, Job, Loss, Posterior, Report, render
from bsi.runtime.results import SAMPLE_DIMS, read

NAME = "report.html"


def write_report(folder: Path) -> Path:
    """Write `report.html` into a run's folder from checks.json, bsi.lock, the model's text and the NetCDF files."""
    summary = json.loads((folder / "checks.json").read_text())
    lock = json.loads((folder / "bsi.lock").read_text())
    jobs = summary["jobs"]
    source = folder / f"{lock['model']}.bsi"
    report = Report(
        model=lock["model"],
        source=source.read_text(encoding="utf-8") if source.exists() else "",
        checks=tuple(_check(check, summary["enforced"]) for check in summary["checks"]),
        jobs=tuple(
            Job(
                job["name"],
                job["kind"],
                job["key"],
                job["reused"],
                job["seconds"],
                job["compile_seconds"],
                job["reason"],
                job["status"] if job["status"] in ("failed", "skipped") else "",
            )
            for job in jobs
        ),
        posteriors=tuple(_posteriors(folder, [job["name"] for job in jobs if job["kind"] in ("sample", "reference")])),
        losses=tuple(_loss(job) for job in jobs if job["kind"] == "train" and job["info"].get("losses")),
        facts=_facts(lock),
        notices=()
        if summary["enforced"]
        else ("This was a smoke run: it shows that the model runs, and proves nothing.",),
    )
    write_atomically(folder / NAME, render(report).encode())
    return folder / NAME


def _check(check: dict[str, Any], enforced: bool) -> Check:
    return Check(
        check["text"],
        check["value"],
        check["standard_error"],
        check["bound"],
        check["passed"] if enforced or check["passed"] else None,
        check["note"] or check["at"],
    )


def _loss(job: dict[str, Any]) -> Loss:
    curves = {
        name: (np.asarray(curve["steps"]), np.asarray(curve["values"])) for name, curve in job["info"]["losses"].items()
    }
    return Loss(job["name"], curves)


def _facts(lock: dict[str, Any]) -> dict[str, str]:
    device = lock["device"]
    return {
        "seed": str(lock["seed"]),
        "device": f"{device['platform']} ({device['kind']})",
        "python": lock["python"],
        **{name: lock["packages"][name] for name in ("bsi-lang", "jax", "numpyro")},
    }


def _posteriors(folder: Path, samples: list[str]) -> Iterator[Posterior]:
    trees = {name: read(folder / f"{name}.nc") for name in samples if (folder / f"{name}.nc").exists()}
    for posterior in dict.fromkeys(tree.attrs["posterior"] for tree in trees.values()):
        own = {name: tree for name, tree in trees.items() if tree.attrs["posterior"] == posterior}
        first = next(iter(own.values()))["posterior"].to_dataset()
        sweeps = _sweeps(own)
        yield Posterior(
            posterior, tuple(_labels(first)), tuple(_draws(n, tree, sweeps) for n, tree in own.items()), sweeps
        )


def _sweeps(trees: dict[str, xr.DataTree]) -> dict[str, tuple[float, ...]]:
    """Sweeps of any sample: one that lacks an axis is the same at all its points."""
    found: dict[str, tuple[float, ...]] = {}
    for tree in trees.values():
        dataset = tree["posterior"].to_dataset()
        for name in json.loads(tree.attrs["sweeps"]):
            found[name] = tuple(float(v) for v in dataset[name].values)
    return found


def _labels(dataset: xr.Dataset) -> Iterator[str]:
    for name, array in dataset.data_vars.items():
        own = array.shape[array.dims.index("draw") + 1 :]
        for index in np.ndindex(own):
            yield f"{name}[{', '.join(map(str, index))}]" if index else str(name)


def _draws(name: str, tree: xr.DataTree, sweeps: dict[str, tuple[float, ...]]) -> Draws:
    dataset = tree["posterior"].to_dataset()
    parts = []
    for array in dataset.data_vars.values():
        missing = {sweep: len(values) for sweep, values in sweeps.items() if sweep not in array.dims}
        full = array.expand_dims(missing) if missing else array
        own = [dim for dim in full.dims if dim not in sweeps and dim not in SAMPLE_DIMS]
        values = full.transpose(*sweeps, *SAMPLE_DIMS, *own).values
        lead = len(sweeps) + len(SAMPLE_DIMS)
        parts.append(values.reshape(*values.shape[:lead], -1))
    reference = tree.attrs["reference"] == "true"
    failures = tuple(json.loads(tree.attrs["info"]).get("failures", ()))
    return Draws(name, tree.attrs["method"], np.concatenate(parts, axis=-1), reference, failures)

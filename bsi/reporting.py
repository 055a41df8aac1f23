"""report.html from a run's own files, so that `bsi report DIR` can write it again without the model or the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from bsi import reported_powers as powers
from bsi import reported_ranks as ranks
from bsi.runtime.files import write_atomically
from bsi.runtime.report import Bound, Check, Draws, Images, Job, Loss, Posterior, Report, render
from bsi.runtime.results import SAMPLE_DIMS, read

NAME = "report.html"
WORK = ("evaluations", "steps", "lp_evaluations")
RESIDUAL = "residual_"  # before the name of a set, in sample_stats
SIDE = 6  # of an image, at least: smaller matrices are better read in a table


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
        losses=tuple(_loss(job) for job in jobs if _learned(job)),
        sensitivities=tuple(powers.sensitivities(summary["checks"])),
        evidences=tuple(powers.evidences(summary["checks"])),
        calibrations=tuple(ranks.calibrations(summary["checks"])),
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


def _learned(job: dict[str, Any]) -> bool:
    return job["kind"] == "train" and bool(job["info"].get("losses") or job["info"].get("summary"))


def _loss(job: dict[str, Any]) -> Loss:
    info = job["info"]
    curves = {name: (np.asarray(curve["steps"]), np.asarray(curve["values"])) for name, curve in info["losses"].items()}
    found = _bound(info["bound"]) if info.get("bound") else None
    return Loss(job["name"], curves, info.get("unit", ""), found, info.get("summary", ""))


def _bound(found: dict[str, Any]) -> Bound:
    """From `bsi.runtime.metrics.bits.bound`."""
    integrand, finite = found["integrand"], found["finite"]
    return Bound(
        found["value"],
        found["standard_error"],
        found["rows"],
        found["unit"],
        found["terms"],
        (np.asarray(integrand["log_precision"]), np.asarray(integrand["values"])),
        (np.asarray(finite["steps"]), np.asarray(finite["values"]), np.asarray(finite["standard_errors"])),
    )


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
        first, sweeps = next(iter(own.values())), _sweeps(own)
        params = first["posterior"].to_dataset()
        shapes = {str(name): image for name, array in params.data_vars.items() if (image := _picture(array, sweeps))}
        yield Posterior(
            posterior,
            tuple(_labels(params.drop_vars(shapes), sweeps)),
            tuple(_draws(name, tree, sweeps, set(shapes)) for name, tree in own.items()),
            sweeps,
            tuple(_images(name, shape, own, sweeps) for name, shape in shapes.items()),
            dict(_observed(first)) if shapes else {},
            dict(_given(first, set(shapes.values()))),
        )


def _sweeps(trees: dict[str, xr.DataTree]) -> dict[str, tuple[float, ...]]:
    """Sweeps of any sample: one that lacks an axis is the same at all its points."""
    found: dict[str, tuple[float, ...]] = {}
    for tree in trees.values():
        dataset = tree["posterior"].to_dataset()
        for name in json.loads(tree.attrs["sweeps"]):
            found[name] = tuple(float(v) for v in dataset[name].values)
    return found


def _own(array: xr.DataArray, sweeps: dict[str, tuple[float, ...]]) -> tuple[int, ...]:
    """Shape of one value."""
    return tuple(size for dim, size in array.sizes.items() if dim not in sweeps and dim not in SAMPLE_DIMS)


def _image(shape: tuple[int, ...], least: int = SIDE) -> tuple[int, int, int] | None:
    """Height, width and channels of a value that is shown as a picture."""
    if len(shape) not in (2, 3) or min(shape[:2]) < least:
        return None
    height, width, channels = (*shape, 1)[:3]
    return (height, width, channels) if channels in (1, 3) else None


def _picture(array: xr.DataArray, sweeps: dict[str, tuple[float, ...]]) -> tuple[int, int, int] | None:
    """A covariance is a matrix, but no image: entries of its type are bound to one another."""
    return _image(_own(array, sweeps)) if array.attrs.get("support", "real") in ("real", "interval") else None


def _labels(params: xr.Dataset, sweeps: dict[str, tuple[float, ...]]) -> Iterator[str]:
    for name, array in params.data_vars.items():
        for index in np.ndindex(_own(array, sweeps)):
            yield f"{name}[{', '.join(map(str, index))}]" if index else str(name)


def _values(array: xr.DataArray, sweeps: dict[str, tuple[float, ...]]) -> np.ndarray:
    """[*sweeps, chain, draw, *shape]"""
    missing = {sweep: len(values) for sweep, values in sweeps.items() if sweep not in array.dims}
    full = array.expand_dims(missing) if missing else array
    own = [dim for dim in full.dims if dim not in sweeps and dim not in SAMPLE_DIMS]
    return full.transpose(*sweeps, *(dim for dim in SAMPLE_DIMS if dim in full.dims), *own).values


def _draws(name: str, tree: xr.DataTree, sweeps: dict[str, tuple[float, ...]], images: set[str]) -> Draws:
    arrays = {n: _values(array, sweeps) for n, array in tree["posterior"].to_dataset().data_vars.items()}
    lead = next(iter(arrays.values())).shape[: len(sweeps) + len(SAMPLE_DIMS)]
    parts = [values.reshape(*lead, -1) for n, values in arrays.items() if n not in images]
    info = json.loads(tree.attrs["info"])
    stats = _group(tree, "sample_stats")
    reference = tree.attrs["reference"] == "true"
    return Draws(
        name,
        tree.attrs["method"],
        np.concatenate(parts, axis=-1) if parts else np.empty((*lead, 0)),
        reference,
        tuple(info.get("failures", ())),
        tree.attrs.get("route", ""),
        tuple(json.loads(tree.attrs.get("fits", "[]"))),
        info.get("evaluations"),
        _values(stats["lp"], sweeps) if "lp" in stats and not reference else None,
        {} if sweeps or reference else _notes(info),
        _stats(stats, sweeps) if sweeps else {},
        {n.removeprefix(RESIDUAL): _values(a, sweeps) for n, a in stats.items() if sweeps and n.startswith(RESIDUAL)},
    )


def _stats(stats: dict[str, xr.DataArray], sweeps: dict[str, tuple[float, ...]]) -> dict[str, np.ndarray]:
    """Figures that every point has one of: all but those that are 0 everywhere, and residuals, which have a curve."""
    scalars = {name: a for name, a in stats.items() if "draw" not in a.dims and not name.startswith(RESIDUAL)}
    return {name: _values(a, sweeps) for name, a in scalars.items() if np.any(a.values != 0)}


def _notes(info: dict[str, float]) -> dict[str, float]:
    """What a sampler tells besides: all but zeros, counts of work, and what would have ended the job."""
    return {name: value for name, value in info.items() if value and name not in WORK}


def _images(
    name: str, shape: tuple[int, int, int], trees: dict[str, xr.DataTree], sweeps: dict[str, tuple[float, ...]]
) -> Images:
    values = {n: _values(tree["posterior"].to_dataset()[name], sweeps) for n, tree in trees.items()}
    told = next(iter(trees.values()))["posterior"].to_dataset()[name].attrs
    ends = [np.nanquantile(array, [0.001, 0.999]) for array in values.values()]
    low, high = told.get("lower", min(end[0] for end in ends)), told.get("upper", max(end[1] for end in ends))
    lead = len(sweeps) + len(SAMPLE_DIMS)
    pictures = {n: array.reshape(*array.shape[:lead], *shape) for n, array in values.items()}
    return Images(name, pictures, (float(low), float(high)))


def _observed(tree: xr.DataTree) -> Iterator[tuple[str, np.ndarray]]:
    """Sets whose rows are a picture, or a strip of one."""
    for name, array in _group(tree, "observed_data").items():
        if array.dtype != bool and (shape := _image(array.shape[1:], least=2)):
            yield name, array.values.reshape(-1, *shape)


def _given(tree: xr.DataTree, images: set[tuple[int, int, int]]) -> Iterator[tuple[str, np.ndarray]]:
    """Data of the shape of an image-shaped param, beside observations: a truth, a mask."""
    data = _group(tree, "constant_data") if "observed_data" in tree.children else {}
    for name, array in data.items():
        if (shape := _image(array.shape)) in images and shape:
            yield name, array.values.reshape(1, *shape)


def _group(tree: xr.DataTree, name: str) -> dict[str, xr.DataArray]:
    return {str(n): array for n, array in tree[name].to_dataset().data_vars.items()} if name in tree.children else {}

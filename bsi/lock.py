"""`bsi.lock`: what a run was made of, so that it can be made again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

import jax

from bsi.compiler.ir import IR_VERSION, Program
from bsi.compiler.plan import Job

PACKAGES = ("bsi-lang", "jax", "jaxlib", "equinox", "diffrax", "optax", "numpyro", "numpy", "lark")


def content(program: Program, jobs: list[Job], out: Path, *, seed: int, profile: str) -> str:
    """JSON text: where the model is, seen from the run's folder `out`, and what was set in it, versions, device, seeds,
    digests of the model's files and of its data, keys of jobs."""
    device = jax.devices()[0]
    tables = {name: data.digest for name, data in program.data.items()}
    tables |= {name: o.source for name, o in program.observations.items() if isinstance(o.source, str)}
    tables |= {f"{name} (missing)": o.missing for name, o in program.observations.items() if o.missing}
    return json.dumps(
        {
            "schema": 1,
            "model": program.name,
            "file": _seen_from(out, program.source.file),
            "set": dict(program.overrides),
            "ir": IR_VERSION,
            "seed": seed,
            "profile": profile,
            "python": platform.python_version(),
            "packages": {name: version(name) for name in PACKAGES},
            "device": {"platform": device.platform, "kind": device.device_kind, "count": jax.device_count()},
            "sources": {
                name: hashlib.sha256(source.text.encode()).hexdigest() for name, source in program.sources.items()
            },
            "data": tables,
            "jobs": {job.name: job.key for job in jobs},
        },
        indent=2,
    )


def _seen_from(folder: Path, file: str) -> str:
    """The path of a file relative to a folder; its own where there is none, as between two drives of Windows."""
    try:
        return os.path.relpath(file, folder)
    except ValueError:
        return str(Path(file).absolute())

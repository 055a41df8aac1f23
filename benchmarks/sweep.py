"""A grid of 15 points from one network: a program that takes a point at a time against one that takes all at once, and
NUTS, which is compiled once for the grid. Seconds of sampling, without compiling, and seconds of compiling."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import bsi
from benchmarks.figure import Figure
from bsi import execute
from bsi.jobs import sample
from bsi.runtime.store import Store

RESULTS = Path(__file__).parent / "results" / "sweep.json"
EXAMPLES = Path(__file__).parents[1] / "examples"
SAMPLERS = ("ddim", "dpmpp", "flow_ode", "reverse_sde", "predictor_corrector")
AT_ONCE = {"a point at a time": 1, "all at once": 15}

TALL = """bsi 1
dim d = 2, n = 20
param theta : real[d]
prior p(theta) = normal(0, 1)
likelihood f(x : real[d] | theta) = mv_normal(theta, 0.5 * eye(d))
observe obs : f[n] = simulate(theta = [0.5, -1.0]) { seed = 7 }
sweep alpha in [0.5, 1, 2]
sweep lambda in [0.25, 0.5, 1, 2, 4]
posterior post(theta) = p(theta)^alpha * f(obs | theta)^lambda
"""


def schools() -> str:
    """Powers of the likelihood alone: another power of its prior has no normaliser."""
    law = (EXAMPLES / "eight_schools" / "eight_schools.bsi").read_text().split("posterior post")[0]
    power = "posterior post(mu, tau, theta) = p(mu, tau, theta) * f(obs | theta)^lambda\n"
    return f"{law}sweep lambda in linspace(0.25, 4, 15)\n{power}"


def models() -> dict[str, str]:
    return {"gaussian_tall": TALL, "eight_schools": schools()}


def seconds(text: str, at_once: int, *, reference: bool) -> dict[str, tuple[float, float]]:
    """Of every sampler: seconds without compiling, seconds of compiling."""
    lines = "net small = mlp { width = 64, depth = 2 }\n"
    lines += "train fit = score(p, f) { network = small, steps = 300, seed = 1 }\n"
    lines += "".join(f"sample s_{name} = {name}(post, fit) {{ draws = 2_000, seed = 2 }}\n" for name in SAMPLERS)
    if reference:
        lines += "sample s_nuts = nuts(post) { chains = 4, warmup = 500, draws = 500, seed = 3 }\n"
    with (
        tempfile.TemporaryDirectory() as name,
        patch.object(sample, "points_at_once", lambda *_: at_once),
        patch.object(execute, "enable_compilation_cache", lambda _: None),  # what was compiled before costs nothing
    ):
        folder = Path(name)
        shutil.copy(EXAMPLES / "eight_schools" / "eight_schools.json", folder)
        (folder / "model.bsi").write_text(text + lines)
        jobs = bsi.load(folder / "model.bsi").run(folder / "out", store=Store(folder / "store")).jobs
    return {
        job.name.removeprefix("s_"): (job.seconds - job.compile_seconds, job.compile_seconds)
        for job in jobs
        if job.kind in ("sample", "reference")
    }


def measure() -> Iterator[Figure]:
    found = {
        (model, way): seconds(text, at_once, reference=at_once == 1)
        for model, text in models().items()
        for way, at_once in AT_ONCE.items()
    }
    RESULTS.parent.mkdir(exist_ok=True)
    told = {f"{model}, {way}": times for (model, way), times in found.items()}
    RESULTS.write_text(json.dumps(told, indent=2) + "\n")
    for (model, way), times in found.items():
        for name, (sampling, compiling) in times.items():
            yield Figure(f"sweep of 15 points, {model}, {name}, {way}: sampling", [sampling], "", "s")
            yield Figure(f"sweep of 15 points, {model}, {name}, {way}: compiling", [compiling], "", "s")

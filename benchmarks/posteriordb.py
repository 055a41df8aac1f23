"""NUTS of our models against posteriordb's reference draws: means in reference sd, ratios of sds, of every parameter.

The draws and data are not part of this project: `--data DIR` (or `BSI_POSTERIORDB`) names a folder that holds, for each
posterior of `POSTERIORS`, its reference draws `NAME.npz` (`draws` [chain, draw, parameter], `names`) and its data
`DATA.json.zip`. The gallery's models read simulated data of the same layout; here they are pointed at posteriordb's.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jax.random as jr
import numpy as np

import bsi
from benchmarks.figure import Figure
from bsi.compiler.lower.model import LoweredModel
from bsi.compiler.lower.numpyro_model import numpyro_model
from bsi.jobs.reference import INITS
from bsi.runtime.reference import mcmc

EXAMPLES = Path(__file__).parents[1] / "examples"
FOLDER = "BSI_POSTERIORDB"
WARMUP, DRAWS = 1_000, 2_500  # of each of four chains


@dataclass(frozen=True)
class Posterior:
    """A posterior of posteriordb as a model here: `read` are declarations that take its data, from `data`.json;
    `renamed` are its parameters under our names."""

    name: str
    model: str
    data: str = ""
    read: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)


POSTERIORS = (
    Posterior(
        "eight_schools-eight_schools_noncentered", "eight_schools/eight_schools", "eight_schools", ("sigma", "obs")
    ),
    Posterior("hudson_lynx_hare-lotka_volterra", "lynx_hare/lynx_hare", renamed={"theta": "rate", "z_init": "start"}),
    Posterior("arK-arK", "gallery/ar", "arK", ("y",)),
    Posterior("arma-arma11", "gallery/arma", "arma", ("y",)),
    Posterior("sblri-blr", "gallery/regression", "sblri", ("X", "obs")),
    Posterior("sblrc-blr", "gallery/regression", "sblrc", ("X", "obs")),
)


@dataclass(frozen=True)
class Comparison:
    """The worst parameter: |difference of means| in reference sd, smallest and largest ratio of sds; seconds."""

    mean_error: float
    ratios: tuple[float, float]
    seconds: float


def compare(posterior: Posterior, folder: Path) -> Comparison:
    """Our NUTS draws against the reference draws in `folder`."""
    reference = np.load(folder / f"{posterior.name}.npz", allow_pickle=False)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        given = {}
        if posterior.data:
            with zipfile.ZipFile(folder / f"{posterior.data}.json.zip") as archive:
                archive.extractall(name)
            given = dict.fromkeys(posterior.read, str(Path(name) / f"{posterior.data}.json"))
        ours = _draws(bsi.load(EXAMPLES / f"{posterior.model}.bsi", **given))
    seconds = time.perf_counter() - began
    errors, ratios = [], []
    for column, label in enumerate(reference["names"]):
        wanted = reference["draws"][..., column].ravel()
        got = _column(ours, str(label), posterior.renamed)
        errors.append(abs(got.mean() - wanted.mean()) / wanted.std())
        ratios.append(got.std() / wanted.std())
    return Comparison(max(errors), (min(ratios), max(ratios)), seconds)


def _draws(model: bsi.Model) -> Mapping[str, np.ndarray]:
    """Draws of the model's `ref`, by param: [chain, draw, ...]."""
    program = model.prepared()
    lowered, sample = LoweredModel(program), program.samples["ref"]
    posterior, options = program.posteriors[sample.posterior], dict(sample.options)
    rows = {factor.observation: lowered.rows(factor.observation) for factor in posterior.factors if factor.observation}
    found = mcmc(
        numpyro_model(program, posterior, lowered.data, rows, centred=options["centred"]),
        (lowered.powers(posterior, {}),),
        key=jr.key(1),
        warmup=WARMUP,
        draws=DRAWS,
        target_accept=options["target_accept"],
        init=INITS[options["init"]],
        params=posterior.params,
    )
    return found.draws


def _column(draws: Mapping[str, np.ndarray], label: str, renamed: Mapping[str, str]) -> np.ndarray:
    """Draws of posteriordb's `beta[2]`, which counts from 1."""
    name, _, index = label.partition("[")
    place = tuple(int(i) - 1 for i in re.findall(r"\d+", index))
    return draws[renamed.get(name, name)][(..., *place)].ravel()


def measure() -> Iterator[Figure]:
    if FOLDER not in os.environ:
        raise SystemExit(f"name the folder of posteriordb's draws: --data DIR, or {FOLDER}")
    for posterior in POSTERIORS:
        found = compare(posterior, Path(os.environ[FOLDER]))
        yield Figure(f"{posterior.name}, largest mean error", [found.mean_error], "≤ .15", "sd")
        yield Figure(f"{posterior.name}, ratios of sds", found.ratios, ".9 to 1.1")
        yield Figure(f"{posterior.name}, NUTS 4 × ({WARMUP} + {DRAWS}) with compilation", [found.seconds], "", "s")

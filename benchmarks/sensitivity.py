"""Sensitivity to powers against quadrature, ArviZ and itself, and evidence against quadrature.

A normal mean with known error under priors at 0, 5 and 10, and eight schools; by weights on exact or NUTS draws, and by
new draws of a sampler without training. All that is compared is in results/sensitivity.json.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from arviz_stats.psense import psense_summary
from scipy.integrate import quad
from scipy.stats import gamma, poisson

import bsi
from benchmarks.figure import Figure
from benchmarks.scaled_normal import distances
from bsi.runtime.sensitivity import slope

RESULTS = Path(__file__).parent / "results" / "sensitivity.json"
SCHOOLS = Path(__file__).parents[1] / "examples" / "eight_schools"
PRIOR_MEANS, SEEDS = (0, 5, 10), (1,)
NAMES = ("prior_power", "likelihood_power")

NORMAL = """bsi 1
param mu : real
prior p(mu) = normal(MEAN, 1)
likelihood f(x : real | mu) = normal(mu, 0.5)
observe obs : f[3] = [0.1, 0.4, 0.2]
posterior post(mu) = p(mu) * f(obs | mu)
sample ref = exact_gaussian(post) { draws = 10_000 }
sample ode = ddim(post) { route = guided, draws = 10_000, steps = 200 }
check sensitivity(ref)
check sensitivity(ode, powers = [0.25, 0.5, 2, 4], method = resample)
"""
COUNTS = """bsi 1
param rate : real<lower = 0>
prior p(rate) = gamma(2, 0.5)
likelihood f(x : int | rate) = poisson(rate)
observe obs : f[3] = [4, 7, 2]
sweep lambda in [(i / 12)^3 for i in 13]
posterior warm(rate) = p(rate) * f(obs | rate)^lambda
sample ref = nuts(warm) { draws = 2_000 }
check evidence(ref)
"""


def measure() -> Iterator[Figure]:
    told: dict[str, Any] = {}
    for part, found in (("normal", _normals), ("eight_schools", _schools), ("counts", _counts)):
        told[part] = found()
        RESULTS.write_text(json.dumps(told, indent=1) + "\n")
    for way in ("weights", "draws"):
        errors = [e for one in told["normal"] for e in one[way]]
        yield Figure(f"sensitivity of a normal mean {way}, relative error", errors, "")
    yield Figure("distances at powers 1/4 to 4, relative error", [e for one in told["normal"] for e in one["far"]], "")
    schools = told["eight_schools"]
    yield Figure("eight_schools, difference from psense_summary", [schools["from_arviz"]], "≤ .002")
    yield Figure("eight_schools, new draws against weights of NUTS, mean difference", [schools["draws"]], "")
    yield Figure("eight_schools, the same with correct = mala", [schools["corrected"]], "")
    yield Figure("evidence of counts, error in ln Z", [one["error"] for one in told["counts"]], "")
    yield Figure("evidence of counts, standard error", [one["standard_error"] for one in told["counts"]], "")


def _run(text: str, seed: int, folder: str) -> Any:
    path = Path(folder) / "m.bsi"
    path.write_text(text)
    return bsi.load(path).run(Path(folder) / "out", seed=seed)


def _normals() -> list[dict[str, Any]]:
    """Relative errors of both components."""
    found = []
    for mean in PRIOR_MEANS:
        for seed in SEEDS:
            with tempfile.TemporaryDirectory() as folder:
                run = _run(NORMAL.replace("MEAN", str(mean)), seed, folder)
                ends = [(x.min(), x.max()) for x in (run["ref"].posterior.mu.values, run["ode"].posterior.mu.values)]
            (weighted,), (drawn,) = (check.detail["points"] for check in run.checks)
            one: dict[str, Any] = {"prior_mean": mean, "seed": seed, "weights": [], "draws": [], "far": []}
            for k, name in enumerate(NAMES):
                way = weighted["components"][k]["ways"]["psis"]
                near = slope(np.array([0.99, 1.01]), distances(mean, name, [0.99, 1.01], ends[0])[:, None])[0]
                one["weights"].append(abs(way["sensitivity"][0] / near - 1))
                way = drawn["components"][k]["ways"]["resample"]
                one["draws"].append(abs(way["sensitivity"][0] / near - 1))
                far = distances(mean, name, way["powers"], ends[1])
                one["far"] += (abs(np.ravel(way["distance"]) / far - 1)).tolist()
            found.append(one)
    return found


def _schools() -> dict[str, Any]:
    """Sensitivities of ten params, by weights of NUTS, by ArviZ, and by new draws of a guided sampler."""
    text = (SCHOOLS / "eight_schools.bsi").read_text().partition("sample ode")[0]
    text = text.replace('"eight_schools.json"', f'"{SCHOOLS / "eight_schools.json"}"')
    guided = "ddim(post) { route = guided, draws = 4_000, steps = 100"
    text += "sample ref = nuts(post) { draws = 2_500, target_accept = 0.95 }\n"
    text += f"sample ode = {guided} }}\nsample moved = {guided}, correct = mala }}\n"
    text += "".join(f"check sensitivity({name})\n" for name in ("ref", "ode", "moved"))
    with tempfile.TemporaryDirectory() as folder:
        run = _run(text, 1, folder)
        table = psense_summary(run["ref"], var_names=["mu", "tau", "theta"], round_to=6)
    points = [check.detail["points"][0] for check in run.checks]
    nuts = np.array([c["ways"]["psis"]["sensitivity"] for c in points[0]["components"]]).T
    nothing = [np.nan] * len(nuts)  # where a power could not be drawn at all

    def again(point: dict[str, Any]) -> np.ndarray:
        return np.array([c["ways"]["resample"]["sensitivity"] or nothing for c in point["components"]]).T

    drawn = [again(point) for point in points[1:]]
    return {
        "labels": points[0]["labels"],
        "not_drawn": [c["ways"]["resample"]["lost"] for c in points[1]["components"]],
        "weights": nuts.tolist(),
        "by_draws": [[[v if np.isfinite(v) else None for v in row] for row in x.tolist()] for x in drawn],
        "diagnosis": points[0]["diagnosis"],
        "from_arviz": float(np.abs(nuts - table[["prior", "likelihood"]].to_numpy(float)).max()),
        "draws": float(np.nanmean(np.abs(drawn[0] - nuts))),
        "corrected": float(np.nanmean(np.abs(drawn[1] - nuts))),
    }


def _counts() -> list[dict[str, float]]:
    found = []
    truth = np.log(quad(lambda rate: gamma.pdf(rate, 2, scale=2) * np.prod(poisson.pmf([4, 7, 2], rate)), 0, 60)[0])
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            (check,) = _run(COUNTS, seed, folder).checks
        error = check.value - truth
        found.append({"seed": seed, "value": check.value, "standard_error": check.standard_error, "error": error})
    return found

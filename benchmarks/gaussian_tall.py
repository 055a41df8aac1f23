"""gaussian_tall against its closed form: powers .25 to 4, sets of 1, 20 and 100 rows, three seeds of the fit."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import bsi
from benchmarks.figure import Figure

TEXT = """bsi 1
dim d = 2, n = {n}
param theta : real[d]
prior p(theta) = normal(0, 1)
likelihood f(x : real[d] | theta) = mv_normal(theta, 0.5 * eye(d))
observe obs : f[n] = simulate(theta = [0.5, -1.0]) {{ seed = 7 }}
sweep lambda in [0.25, 0.5, 1, 2, 4]
posterior post(theta) = p(theta) * f(obs | theta)^lambda
train fit = score(p, f) {{ seed = {seed} }}
sample s = {method}(post, fit) {{ draws = 10_000, seed = {seed} }}
"""


def errors(n: int, seed: int, method: str) -> tuple[list[float], list[float]]:
    """|mean error| in posterior sds and sd ratio - 1, absolute, for every power and coordinate."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "gaussian_tall.bsi"
        file.write_text(TEXT.format(n=n, seed=seed, method=method))
        tree = bsi.load(file).run(Path(name) / "out")["s"]
    draws = tree["posterior"]["theta"]
    rows = np.asarray(tree["observed_data"]["obs"], float)
    means, sds = [], []
    for power in draws["lambda"].values:
        precision = 1 + 2 * power * n
        exact_mean, exact_sd = 2 * power * rows.sum(0) / precision, precision**-0.5
        got = np.asarray(draws.sel({"lambda": power}), float)[0]
        means += list(np.abs(got.mean(0) - exact_mean) / exact_sd)
        sds += list(np.abs(got.std(0, ddof=1) / exact_sd - 1))
    return means, sds


def measure() -> Iterator[Figure]:
    for method in ("dpmpp", "ddim", "flow_ode"):
        for n in (1, 20, 100):
            found = [errors(n, seed, method) for seed in (1, 2, 3)]
            means, sds = ([v for pair in found for v in pair[i]] for i in (0, 1))
            yield Figure(f"gaussian_tall, n = {n}, {method}, mean error in sd", means, "≤ .05")
            yield Figure(f"gaussian_tall, n = {n}, {method}, sd ratio - 1, absolute", sds, "≤ .05")

"""two_moons: C2ST at 10k draws against sbibm's 10k, observations 1-5, three seeds, one network a seed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bsi
from benchmarks.figure import Figure

DATA = Path(__file__).parents[1] / "examples" / "two_moons" / "two_moons.npz"
SEEDS = (1, 2, 3)
OBSERVATIONS = range(5)

HEAD = """bsi 1
param theta : real<lower = -1, upper = 1>[2]
prior p(theta) = uniform(-1, 1)
likelihood f(x : real[2] | theta) = {{
  a ~ uniform(-pi / 2, pi / 2)
  r ~ normal(0.1, 0.01)
  x = [r * cos(a) + 0.25 - abs(theta[0] + theta[1]) / sqrt(2), r * sin(a) + (theta[1] - theta[0]) / sqrt(2)]
}}
train fit = score(p, f) {{ simulations = {simulations}, steps = 12_000, seed = {seed} }}
"""
EACH = """
observe obs{i} : f = file("two_moons.npz", key = "observation", index = {i})
posterior post{i}(theta) = p(theta) * f(obs{i} | theta)
sample s{i} = dpmpp(post{i}, fit) {{ draws = 10_000, steps = 30, seed = {seed} }}
sample ref{i} = stored(post{i}, file("two_moons.npz", key = "reference_posterior", index = {i}))
check c2st(s{i}, ref{i}) < {bound}
"""


def measure() -> Iterator[Figure]:
    for simulations, bound, target in (("fresh", 0.53, "≤ .53"), ("10_000", 0.56, "≤ .56, published .554 / .606")):
        values, seconds = [], []
        for seed in SEEDS:
            run = evaluate(simulations, seed, bound)
            values += [check.value for check in run.checks]
            seconds += [job.seconds for job in run.jobs if job.kind == "train"]
        yield Figure(f"two_moons, {simulations} simulations, C2ST", [v for v in values if v is not None], target)
        yield Figure(f"two_moons, {simulations} simulations, training", seconds, "about 2 minutes", "s")


def evaluate(simulations: str, seed: int, bound: float) -> "bsi.execute.Run":  # type: ignore[name-defined]
    """Run the model of one seed in a folder of its own; the store is shared, so a second call computes nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(DATA, folder)
        text = HEAD.format(simulations=simulations, seed=seed)
        text += "".join(EACH.format(i=i, seed=seed, bound=bound) for i in OBSERVATIONS)
        file = folder / "two_moons.bsi"
        file.write_text(text)
        return bsi.load(file).run(folder / "out")

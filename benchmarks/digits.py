"""Digits as a generative model: one network, equal steps, trained by the bounds of BSI, VDM, BFN and by score matching.

Held fixed: network, seeds, batches, data coordinates, the Gaussian that networks correct, steps, final precision and
reconstruction; what differs is the clock, hence which noise levels are drawn and what each weighs. Every fit is judged
by every bound, which tells the training from the ruler. Draws come from each process's own sampler on its own grid and,
for all, from DPM-Solver++; they are compared with held-out digits in the features of a classifier of digits.

    python -m benchmarks.digits PROCESS SEED    trains and measures one fit: about six minutes of a busy core
    python -m benchmarks digits                 prints what results/digits has
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from benchmarks.bsi_bounds import BINS, DIGITS, WIDTH
from benchmarks.figure import Figure, plot
from bsi.runtime.elbo import BeliefClock, DiffusionClock, Elbo, FlowClock
from bsi.runtime.metrics import mmd2, sliced_wasserstein
from bsi.runtime.metrics.bits import HeldOut, bound
from bsi.runtime.nets import AbstractArchitecture, AbstractNetwork, ResMlpArchitecture
from bsi.runtime.nets.resmlp import ResMlp
from bsi.runtime.samplers import AbstractSampler, BeliefUpdates, Ddim, DpmSolverPP
from bsi.runtime.schedule import LogAccuracy, LogLinear, LogPrecision
from bsi.runtime.training import SCORE, AbstractObjective, Fit, LikelihoodBound, Table, TrainingOptions, train

RESULTS = Path(__file__).parent / "results" / "digits"
SEEDS = (1, 2, 3)
EVALUATIONS = tuple(2**i for i in range(3, 11))
METRICS = {"mmd2": ("1000 MMD²", 1_000), "sliced": ("sliced W", 1)}
HELD_OUT, SETS = 360, 3  # digits to compare with, and sets of as many draws

EXPONENTS = (3, 4)

BOUNDS = {
    "bsi": Elbo.for_bins(WIDTH, 1e-2, BeliefClock()),
    "vdm": Elbo.for_bins(WIDTH, 1e-4, DiffusionClock()),
    "bfn": Elbo.for_bins(WIDTH, 1.0, FlowClock()),
}
PROCESSES = (*BOUNDS, "score")
FINAL = BOUNDS["bsi"].final
SPAN = (float(np.log(1e-4)), float(np.log(FINAL)))


class PixelNet(AbstractNetwork):
    """A perceptron of all pixels, and from it how much of each pixel's own features to add to that pixel.

    Rounding to 17 levels takes `sin(2^n π x)` with a period of one and of two levels (VDM, appendix C).
    """

    trunk: ResMlp

    def __init__(self, m: int, p: int, key: PRNGKeyArray):
        features = m * (1 + 2 * len(EXPONENTS))
        self.trunk = ResMlp(features, p, m + features, ResMlpArchitecture(width=256, depth=3), key)

    def __call__(
        self, state: Array, time: Array, condition: Array, *, key: PRNGKeyArray | None = None
    ) -> Float[Array, "*o m"]:
        angles = [2.0**n * np.pi * state for n in EXPONENTS]
        features = jnp.stack([state, *map(jnp.sin, angles), *map(jnp.cos, angles)], -1)
        out = self.trunk(features.reshape(*state.shape[:-1], -1), time, condition, key=key)
        whole, gates = jnp.split(out, [state.shape[-1]], axis=-1)
        return whole + jnp.sum(gates.reshape(*out.shape[:-1], *features.shape[-2:]) * features, -1)


@dataclass(frozen=True)
class PixelArchitecture(AbstractArchitecture):
    images: ClassVar[bool] = True  # no Gaussian rotates the pixels

    def build(self, m: int, p: int, key: PRNGKeyArray) -> PixelNet:
        return PixelNet(m, p, key)


def own(process: str, evaluations: int) -> AbstractSampler:
    """The sampler of the process's paper; for score matching, that of VDM."""
    match process:
        case "bsi":
            return BeliefUpdates(evaluations, schedule=LogPrecision(1e-2, FINAL))
        case "bfn":
            return Ddim(evaluations - 1, eta=1.0, schedule=LogAccuracy(FINAL))
        case _:
            return Ddim(evaluations - 1, eta=1.0, schedule=LogLinear(*SPAN))


def shared(evaluations: int) -> AbstractSampler:
    return DpmSolverPP(evaluations - 1, schedule=LogLinear(*SPAN))


def options(process: str, steps: int) -> TrainingOptions:
    objective: AbstractObjective = SCORE if process == "score" else LikelihoodBound(BOUNDS[process])
    return TrainingOptions(
        PixelArchitecture(), steps=steps, batch=128, learning_rate=2e-3, patience=steps, objective=objective
    )


def parts() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Digits to learn from, what each shows, and held-out ones, in [-1, 1]."""
    with np.load(DIGITS) as file:
        train, test = (file[name].reshape(-1, 64).astype(np.float32) / 8 - 1 for name in ("train", "test"))
        return train, file["train_label"], test


class Judge:
    """Distances to the held-out digits: MMD² in the hidden layer of a classifier of the training digits, and sliced
    Wasserstein along the training digits' principal axes."""

    def __init__(self, train: np.ndarray, labels: np.ndarray, test: np.ndarray):
        from sklearn.decomposition import PCA
        from sklearn.neural_network import MLPClassifier

        self.net = MLPClassifier((64,), activation="tanh", alpha=1e-2, max_iter=1000, random_state=0).fit(train, labels)
        self.axes = PCA(20, random_state=0).fit(train)
        self.test = test

    def features(self, images: np.ndarray) -> np.ndarray:
        return np.tanh(images @ self.net.coefs_[0] + self.net.intercepts_[0])

    def __call__(self, images: np.ndarray) -> dict[str, float]:
        """Means over sets of as many images as there are held-out ones, of those that are finite."""
        finite = np.isfinite(images).all(-1)
        images = images[np.flatnonzero(finite)[np.arange(len(images)) % finite.sum()]]
        images = np.clip(np.round((images + 1) * 8), 0, 16) / 8 - 1  # digits have 17 levels, and so have draws
        sets = [images[i : i + HELD_OUT] for i in range(0, len(images) - HELD_OUT + 1, HELD_OUT)]
        reference, axes = self.features(self.test), self.axes.transform(self.test)
        return {
            "mmd2": float(np.mean([mmd2(self.features(part), reference).value for part in sets])),
            "sliced": float(
                np.mean([sliced_wasserstein(self.axes.transform(p), axes, resamples=2).value for p in sets])
            ),
            "non_finite": float(1 - finite.mean()),
            "confident": float(np.mean(np.max(self.net.predict_proba(images), -1) > 0.9)),
        }


def fitted(process: str, seed: int, steps: int) -> tuple[Fit, dict[str, object]]:
    digits, _, _ = parts()
    began = time.perf_counter()
    table = Table(digits, np.zeros((len(digits), 0), np.float32))
    fit, info = train(table, jr.key(seed), options(process, steps), gaussian_prior=False)
    assert fit is not None, info.failed
    facts = {"steps": info.steps, "best_step": info.best_step[0], "seconds": time.perf_counter() - began}
    return fit, facts | {"held_out_loss": np.asarray(info.held_out_loss[:, 0], float).tolist()}


def measured(process: str, seed: int, steps: int) -> dict[str, object]:
    digits, labels, test = parts()
    fit, facts = fitted(process, seed, steps)
    judge = Judge(digits, labels, test)
    denoiser = fit.score.denoise_prior
    held = HeldOut(test, np.zeros((len(test), 0), np.float32), np.zeros(len(test), np.float32), BINS)

    def quality(make: AbstractSampler) -> dict[str, float]:
        began = time.perf_counter()
        sample = jax.jit(lambda key: make.sample(denoiser, key, (SETS * HELD_OUT, 64))[0])
        found = judge(np.asarray(sample(jr.key(100 + seed))))
        return found | {"seconds": time.perf_counter() - began}

    return {
        "process": process,
        "seed": seed,
        "training": facts,
        "bounds": {
            name: bound(lambda u, t, x: fit.score.denoise(u, t, x), elbo, held, jr.key(200 + seed))
            for name, elbo in BOUNDS.items()
        },
        "own": {n: quality(own(process, n)) for n in EVALUATIONS},
        "dpmpp": {n: quality(shared(n)) for n in EVALUATIONS if n <= 64},
        # the floor: digits that were learned from instead of draws
        "floor": judge(digits),
    }


def kept() -> dict[str, list[dict]]:
    """What results/digits has, by process, seeds in order."""
    found = {p: [json.loads(file.read_text()) for file in sorted(RESULTS.glob(f"{p}_*.json"))] for p in PROCESSES}
    return {process: runs for process, runs in found.items() if runs}


def measure() -> Iterator[Figure]:
    found = kept()
    for process, runs in found.items():
        for ruler in BOUNDS:
            values = [run["bounds"][ruler]["value"] for run in runs]
            error = np.mean([run["bounds"][ruler]["standard_error"] for run in runs])
            yield Figure(f"digits, trained by {process}, {ruler} bound, ± {error:.3f} a fit", values, "", "bits/dim")
    for metric, (name, unit) in METRICS.items():
        floors = [unit * runs[0]["floor"][metric] for runs in found.values()][:1]
        yield Figure(f"digits, {name}, training digits (the floor)", floors, "")
        for sampler in ("own", "dpmpp"):
            for process, runs in found.items():
                for n in runs[0][sampler]:
                    values = [unit * run[sampler][n][metric] for run in runs]
                    yield Figure(f"digits, {name}, {process}, {sampler} sampler, {n} steps", values, "")
    _draw(found)


def _draw(found: dict[str, list[dict]]) -> None:
    with plot("digits", 3) as (curves, quality, common):
        for process, runs in found.items():
            ruler = "bsi" if process == "score" else process
            bounds = [run["bounds"][ruler]["finite"] for run in runs]
            curves.plot(bounds[0]["steps"], np.mean([b["values"] for b in bounds], 0), "o-", label=process)
            for axes, sampler in ((quality, "own"), (common, "dpmpp")):
                steps = [int(n) for n in runs[0][sampler]]
                values = np.array([[run[sampler][str(n)]["sliced"] for n in steps] for run in runs])
                axes.errorbar(steps, values.mean(0), values.std(0), fmt="o-", label=process)
        curves.set(xlabel="steps k", ylabel="$L^k$ in bits/dim", xscale="log")
        for axes, title in ((quality, "own sampler"), (common, "DPM-Solver++")):
            axes.axhline(next(iter(found.values()))[0]["floor"]["sliced"], linestyle="--", color="gray")
            axes.set(xlabel="evaluations", ylabel="sliced W to held-out digits", xscale="log", title=title)
        curves.legend()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("process", choices=PROCESSES)
    parser.add_argument("seed", type=int)
    parser.add_argument("--steps", type=int, default=3_000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    result = measured(given.process, given.seed, given.steps)
    (given.out / f"{given.process}_{given.seed}.json").write_text(json.dumps(result))

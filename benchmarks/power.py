"""Bayesian power scaling (arXiv 2504.10807) where the truth is known: `p^alpha f^power` from two exact scores.

Three beds, all with a mixture prior and data linear in the params (`mixture_bed.py`): three modes on a line, a
Gaussian, and the layers of examples/seismogram. Samplers compose the exact scores of prior and posterior, or such with
an error; truth are independent draws. On the seismogram it is measured what powers do: how far samples are from the
clean trace, how they vary, and how often an interval of nine tenths holds the ground: at (1, 1), and as well towards
(1, 0), which is the prior.

    python -m benchmarks.power [PART ...]     measures and writes results/power/PART.json: half an hour on one core
    python -m benchmarks power                prints what results/power has, and draws figures/power.png
"""

from __future__ import annotations

import argparse
import json
import runpy
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import xarray as xr

import bsi
from benchmarks.figure import Figure, plot
from benchmarks.mixture_bed import Bed, Compose, Mixture, wasserstein
from bsi.runtime.composition import Composed, gauss, plain_sum
from bsi.runtime.samplers import AbstractSampler, DpmSolverPP, FeynmanKac, PredictorCorrector

RESULTS = Path(__file__).parent / "results" / "power"
EXAMPLE = Path(__file__).parents[1] / "examples" / "seismogram" / "make_reference.py"

POWERS = (0.4, 0.7, 1.0, 2.0, 3.0, 4.0, 8.0, 16.0)  # of the likelihood, at alpha = 1
ALPHAS = (0.25, 0.5, 1.0, 2.0)
COMPASS = ((0.5, 1.0, 2.0), (0.4, 1.0, 4.0))
CORNERS = ((0.25, 1.0), (2.0, 1.0), (1.0, 0.4), (1.0, 4.0), (1.0, 16.0), (0.5, 4.0))
ERRORS = (0.0, 0.01, 0.1)  # of the predicted noise, root mean square
SEEDS = (1, 2)

Sampler = Callable[[Composed], AbstractSampler]


def _walk(steps: int) -> Sampler:
    return lambda composed: PredictorCorrector(100, steps, 0.2 / composed.stiffness(), 0.0)


METHODS: dict[str, tuple[Compose, Sampler]] = {
    "sum": (plain_sum, lambda composed: DpmSolverPP(60)),
    "gauss": (gauss, lambda composed: DpmSolverPP(60)),
    "gauss, langevin 5": (gauss, _walk(5)),
    "gauss, langevin 20": (gauss, _walk(20)),
    "smc, 10 moves": (gauss, lambda composed: FeynmanKac(100, moves=10)),
    "smc, 40 moves": (gauss, lambda composed: FeynmanKac(100, moves=40)),
}


def three_modes() -> Bed:
    """METHODS' line: three modes, one measurement."""
    prior = Mixture(
        np.log([0.3, 0.4, 0.3]), np.array([[-1.2], [0.1], [1.1]]), np.array([0.05, 0.1, 0.05])[:, None, None]
    )
    return Bed(prior, np.eye(1), 0.6**0.5)


def gaussian(m: int = 8) -> Bed:
    """A correlated Gaussian seen through a random matrix."""
    rng = np.random.default_rng(0)
    root = rng.standard_normal((m, m)) / m**0.5
    return Bed(Mixture(np.zeros(1), np.ones((1, m)), (root @ root.T + 0.2 * np.eye(m))[None]), root, 0.5)


def seismogram() -> Bed:
    """The example's: four scenarios of a layer, a wavelet, noise."""
    model = runpy.run_path(str(EXAMPLE))
    covariances = np.array([np.diag(v) for v in model["variances"]])
    return Bed(Mixture(np.log(model["WEIGHTS"]), model["means"], covariances), model["wavelet"], model["NOISE"])


def sampler(bed: Bed, method: str, draws: int, error: float = 0.0) -> Callable[..., np.ndarray]:
    """`(data [n, p], alpha, power, seed) -> params [n, draws, m]`; powers are traced, so that a bed compiles once."""
    compose, make = METHODS[method]
    m = len(bed.prior.mean)

    @jax.jit
    def draw(given: Any, alpha: jax.Array, power: jax.Array, key: jax.Array) -> jax.Array:
        def one(parts: Any, key: jax.Array) -> jax.Array:
            composed = bed.composition(compose, alpha, power, error)(*parts)
            return make(composed).sample(composed, key, (draws, m))[0]

        return jax.vmap(one)(given, jr.split(key, len(given[0])))

    def run(data: np.ndarray, alpha: float, power: float, seed: int) -> np.ndarray:
        given = tuple(jnp.asarray(np.stack(part)) for part in zip(*(bed.given(y) for y in data), strict=True))
        z = draw(given, jnp.float32(alpha), jnp.float32(power), jr.key(seed))
        return bed.to_params(np.asarray(z, np.float64))

    return run


def errors(
    bed: Bed,
    data: np.ndarray,
    points: Sequence[tuple[float, float]],
    methods: Iterable[str],
    draws: int,
    levels: Sequence[float] = (0.0,),
) -> list[dict]:
    """W1 in posterior sds, its mean over params, of every method, point, error and seed; of exact draws, the floor."""
    found = []
    truths = {point: bed.exact(np.random.default_rng(9), data[0], point[0], point[1], 100_000) for point in points}
    for point, truth in truths.items():
        for seed in SEEDS:
            again = bed.exact(np.random.default_rng(seed), data[0], point[0], point[1], draws)
            found.append(_entry("exact draws", point, 0.0, seed, again, truth))
    for method in methods:
        for level in levels:
            run = sampler(bed, method, draws, level)
            for point, truth in truths.items():
                for seed in SEEDS:
                    found.append(_entry(method, point, level, seed, run(data[:1], *point, seed)[0], truth))
    return found


def _entry(
    method: str, point: tuple[float, float], error: float, seed: int, x: np.ndarray, truth: np.ndarray
) -> dict[str, Any]:
    finite = np.isfinite(x).all(1)
    distance = float(wasserstein(x[finite], truth).mean()) if finite.any() else None
    return {
        "method": method,
        "alpha": point[0],
        "power": point[1],
        "error": error,
        "seed": seed,
        "w1": distance,
        "sd_ratio": float(np.mean(x[finite].std(0) / truth.std(0))),
        "lost": float(1 - finite.mean()),
    }


def line() -> list[dict]:
    """Three modes, 10 000 draws."""
    return errors(three_modes(), np.array([[0.4]]), CORNERS, METHODS, 10_000)


def toy() -> list[dict]:
    """A Gaussian in eight dimensions, 10 000 draws, exact and perturbed scores."""
    bed = gaussian()
    _, data = bed.simulate(np.random.default_rng(5), 1)
    return errors(bed, data, CORNERS, ("sum", "gauss", "gauss, langevin 5"), 10_000, ERRORS)


def layers(observations: int = 32, draws: int = 128) -> list[dict]:
    """What powers do to samples of the seismogram, over `observations` grounds drawn from the prior."""
    bed = seismogram()
    grounds, data = bed.simulate(np.random.default_rng(6), observations)
    points = {(1.0, power) for power in POWERS} | {(alpha, 1.0) for alpha in ALPHAS}
    points |= {(alpha, power) for alpha in COMPASS[0] for power in COMPASS[1]}

    def exact(alpha: float, power: float) -> np.ndarray:
        rng = np.random.default_rng(7)
        return np.stack([bed.exact(rng, y, alpha, power, draws) for y in data])

    runs = {name: sampler(bed, name, draws) for name in ("sum", "gauss", "gauss, langevin 5", "smc, 10 moves")}
    found = []
    for alpha, power in sorted(points):
        truth = exact(alpha, power)
        every = {"exact draws": truth} | {name: run(data, alpha, power, 1) for name, run in runs.items()}
        for method, x in every.items():
            found.append({"method": method, "alpha": alpha, "power": power, **effects(bed, x, grounds, truth)})
    return found


def learned() -> list[dict]:
    """The example's grid, of one network and one trace, and what exact draws of the same laws do."""
    with tempfile.TemporaryDirectory() as folder:
        tree = bsi.load(EXAMPLE.with_name("seismogram.bsi")).run(Path(folder))["grid"]
    return of_grid(tree["posterior"].to_dataset()["ground"])


def of_grid(draws: xr.DataArray) -> list[dict]:
    """Entries as of `layers`, from draws of `grid`, and of as many exact ones at every point."""
    bed, model = seismogram(), runpy.run_path(str(EXAMPLE))
    ground, trace = model["simulate"](np.random.default_rng(model["SEED"]))
    found = []
    for alpha in draws["alpha"].values:
        for power in draws["lambda"].values:
            x = np.asarray(draws.sel({"alpha": alpha, "lambda": power}), float)
            truth = bed.exact(np.random.default_rng(7), trace, float(alpha), float(power), x.shape[1])[None]
            for method, own in (("exact draws", truth), ("network, mala", x)):
                entry = {"method": method, "alpha": float(alpha), "power": float(power)}
                found.append(entry | effects(bed, own, ground[None], truth))
    return found


def effects(bed: Bed, x: np.ndarray, grounds: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Of samples [n, draws, m]: root mean square distance of their traces, and of the mean's, to the clean trace; sd of
    a pixel; how often an interval of nine tenths holds the ground; shift of the mean from exact draws, in their sds."""
    clean = grounds @ bed.operator.T
    low, high = np.quantile(x, [0.05, 0.95], axis=1)
    sd = truth.std(1)
    return {
        "residual": float(np.sqrt(np.mean((x @ bed.operator.T - clean[:, None]) ** 2))),
        "mean_residual": float(np.sqrt(np.mean((x.mean(1) @ bed.operator.T - clean) ** 2))),
        "sd": float(x.std(1).mean()),
        "coverage": float(np.mean((low < grounds) & (grounds < high))),
        "mean_error": float(np.sqrt(np.mean(((x.mean(1) - truth.mean(1)) / sd) ** 2))),
        "sd_ratio": float(np.mean(x.std(1) / sd)),
    }


def best_power(r: np.ndarray | float, weight: np.ndarray | float = 1.0) -> float:
    """The power at which samples of linear-Gaussian modes of signal-to-noise `r` (variances) are nearest to the clean
    data: `3/(2 - r)` in one mode with r < 2. Modes count by `weight`, their noise variance in the data."""
    powers = np.geomspace(0.1, 100, 20_001)[:, None]
    r = np.atleast_1d(r)
    risk = (2 * r + powers * r**2 + powers**2 * r**2) / (1 + powers * r) ** 2
    return float(powers[np.argmin((risk * weight).sum(-1)), 0])


PARTS: dict[str, Callable[[], list[dict]]] = {"line": line, "toy": toy, "layers": layers, "learned": learned}


def kept(part: str) -> list[dict]:
    """Entries of results/power/PART.json."""
    return json.loads((RESULTS / f"{part}.json").read_text())["entries"]


def measure() -> Iterator[Figure]:
    for part, name in (("line", "three modes"), ("toy", "Gaussian, m = 8")):
        entries = kept(part)
        for method in dict.fromkeys(e["method"] for e in entries):
            for error in sorted({e["error"] for e in entries if e["method"] == method}):
                own = [e for e in entries if e["method"] == method and e["error"] == error]
                what = f"power, {name}, {method}{f', score error {error:g}' if error else ''}, W1 in sd"
                yield Figure(what, [e["w1"] for e in own], "≤ .05" if "langevin" in method or "smc" in method else "")
    entries = kept("layers")
    for method in dict.fromkeys(e["method"] for e in entries):
        at = {(e["alpha"], e["power"]): e for e in entries if e["method"] == method}
        best = min(POWERS, key=lambda power: at[1.0, power]["residual"])
        yield Figure(f"power, seismogram, {method}, lambda of the least residual", [best], "2 to 4")
        spread = [at[alpha, 1.0]["sd"] for alpha in ALPHAS]
        yield Figure(f"power, seismogram, {method}, sd of a pixel, alpha = {_listed(ALPHAS)}", spread, "falls")
        for power in COMPASS[1]:
            found = [at[alpha, power]["coverage"] for alpha in COMPASS[0]]
            what = f"power, seismogram, {method}, coverage of .9, lambda = {power:g}, alpha = {_listed(COMPASS[0])}"
            yield Figure(what, found, ".9 at (1, 1)")
    of = {(e["method"], e["alpha"], e["power"]): e for e in kept("learned")}
    grid = [(alpha, power) for method, alpha, power in of if method == "exact draws"]
    for what, name in (("residual", "residual"), ("sd", "sd of a pixel")):
        ratios = [of["network, mala", *point][what] / of["exact draws", *point][what] for point in grid]
        yield Figure(f"power, seismogram, network and mala, {name} over that of exact draws", ratios, "1")
    _draw(kept("layers"))


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _draw(entries: list[dict]) -> None:
    names = ("exact draws", "sum", "gauss", "gauss, langevin 5", "smc, 10 moves")
    with plot("power", 3) as (residual, spread, coverage):
        for method in names:
            own = {(e["alpha"], e["power"]): e for e in entries if e["method"] == method}
            style = "k-" if method == "exact draws" else "o--"
            residual.plot(POWERS, [own[1.0, power]["residual"] for power in POWERS], style, label=method)
            spread.plot(ALPHAS, [own[alpha, 1.0]["sd"] for alpha in ALPHAS], style)
            grid = [own[alpha, power]["coverage"] for alpha in COMPASS[0] for power in COMPASS[1]]
            coverage.plot(grid, style)
        for axes, ticks in ((residual, (0.4, 1, 2, 4, 16)), (spread, ALPHAS)):
            axes.set_xscale("log", base=2)
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        residual.axvspan(2, 4, color="0.9")
        residual.set(xlabel="λ, at α = 1", ylabel="samples to clean trace, rms")
        spread.set(xlabel="α, at λ = 1", ylabel="sd of a pixel")
        coverage.axhline(0.9, linestyle=":", color="gray")
        ticks = [f"{alpha:g}, {power:g}" for alpha in COMPASS[0] for power in COMPASS[1]]
        coverage.set(xlabel="α, λ", ylabel="coverage of a .9 interval", xticks=range(len(ticks)))
        coverage.set_xticklabels(ticks, rotation=90)
        residual.legend(fontsize="x-small")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    for part in parser.parse_args().parts or PARTS:
        began = time.perf_counter()
        measured = PARTS[part]()
        RESULTS.mkdir(parents=True, exist_ok=True)
        result = {"seconds": round(time.perf_counter() - began), "entries": measured}
        (RESULTS / f"{part}.json").write_text(json.dumps(result, indent=1) + "\n")

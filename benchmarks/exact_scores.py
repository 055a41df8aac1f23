"""Exact scores of tables of simulations: how near their truth, what the sampler adds, what a network of one pass keeps.

Three problems with a known posterior (the bimodal one by quadrature, the mixture of 20 dimensions in closed form, the
elliptic equation by NUTS), each a table, rows that are not in it and 10 000 draws against 10 000. Draws of the mixture
that the table is, taken directly, are what every sampler of its score should give: the floor of DDIM.

    python -m benchmarks.exact_scores PROBLEM SEED    measures one table: four to six minutes of a core
    python -m benchmarks.exact_scores samplers        their draws against those of the mixture itself: three minutes
    python -m benchmarks.exact_scores bias            bandwidth, simulations and dimension: three minutes
    python -m benchmarks.exact_scores million         memory and time of a million simulations: two minutes
    python -m benchmarks exact_scores                 prints what results/exact_scores has
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from benchmarks.figure import Figure
from bsi.runtime.distill import STUDENT, DistillOptions, FlowMap, distill, exact_teacher
from bsi.runtime.exact import ExactOptions, build
from bsi.runtime.metrics import c2st, mean_error, sd_error, sliced_wasserstein
from bsi.runtime.samplers import AbstractSampler, Ddim, DpmSolverPP, Heun
from bsi.runtime.samplers.one_step import one_step
from bsi.runtime.training import Table, TrainingOptions, train

RESULTS = Path(__file__).parent / "results" / "exact_scores"
EXAMPLES = Path(__file__).parent.parent / "examples"
DRAWS, ROWS, REPEATS, DIRECTIONS = 10_000, 400, 3, 100
PASSES = {"regression": (1,), "flow_map": (1, 4)}
LEVEL = 0.9
SAMPLERS = ((Ddim, 50), (Ddim, 100), (DpmSolverPP, 25), (DpmSolverPP, 50), (Heun, 25))
_PARTS = 4  # in which chains run


def _module(example: str, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / example / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MIXTURE, POISSON = _module("gaussian_mixture", "make_reference"), _module("elliptic", "poisson")
Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Problem:
    """`simulate(rng, n)` gives z and x; `truth(row, n, rng)` draws of the posterior, and effective draws a second."""

    simulations: int
    simulate: Callable[[np.random.Generator, int], Arrays]
    truth: Callable[[np.ndarray, int, np.random.Generator], tuple[np.ndarray, float]]
    gaussian_prior: bool


def _bimodal(rng: np.random.Generator, n: int) -> Arrays:
    z = rng.normal(size=(n, 1))
    return z, z**2 + 0.1 * rng.normal(size=(n, 1))


def _bimodal_truth(row: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    grid = np.linspace(-5, 5, 200_001)
    below = np.cumsum(np.exp(-0.5 * grid**2 - 0.5 * ((row - grid**2) / 0.1) ** 2))
    return np.interp(rng.uniform(size=(n, 1)), below / below[-1], grid), np.nan


def _mixture(rng: np.random.Generator, n: int) -> Arrays:
    which = rng.choice(3, n, p=MIXTURE.WEIGHTS)
    z = MIXTURE.LEVELS[which, None] + MIXTURE.SDS[which, None] * rng.normal(size=(n, MIXTURE.DIMENSIONS))
    return z, z @ MIXTURE.DIFFERENCE.T + MIXTURE.NOISE * rng.normal(size=z.shape)


def _elliptic(rng: np.random.Generator, n: int) -> Arrays:
    z = rng.normal(size=(n, len(POISSON.MODES))).astype(np.float32)
    solve = jax.jit(jax.vmap(POISSON.sensors))
    clean = np.concatenate([np.asarray(solve(z[i : i + 8_192])) for i in range(0, n, 8_192)])
    return z, clean + 0.1 * rng.normal(size=clean.shape)


def _elliptic_truth(row: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    import numpyro
    from numpyro import distributions as dist
    from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
    from numpyro.infer import MCMC, NUTS

    def model() -> None:
        xi = numpyro.sample("xi", dist.Normal(jnp.zeros(len(POISSON.MODES)), 1.0).to_event(1))
        numpyro.sample("u", dist.Normal(POISSON.sensors(xi), 0.1).to_event(1), obs=jnp.asarray(row, jnp.float32))

    chains = 8
    # in parts of one size, so that the second and later ones compile nothing
    sampler = MCMC(NUTS(model), num_warmup=500, num_samples=-(-n // (chains * _PARTS)), num_chains=chains,
                   chain_method="vectorized", progress_bar=False)  # fmt: skip
    sampler.warmup(jr.key(int(rng.integers(2**31))))
    parts, seconds = [], []
    for _ in range(_PARTS):
        began = time.perf_counter()
        assert sampler.post_warmup_state is not None
        sampler.run(sampler.post_warmup_state.rng_key)
        parts.append(np.asarray(sampler.get_samples(group_by_chain=True)["xi"]))
        seconds.append(time.perf_counter() - began)
        sampler.post_warmup_state = sampler.last_state
    draws = np.concatenate(parts, 1)
    assert split_gelman_rubin(draws).max() < 1.02, "the reference has not mixed"
    rate = float(np.min(effective_sample_size(draws))) / (_PARTS * statistics.median(seconds))
    return rng.permutation(draws.reshape(-1, draws.shape[-1]))[:n], rate


PROBLEMS = {
    "bimodal": Problem(100_000, _bimodal, _bimodal_truth, True),
    "gaussian_mixture": Problem(
        150_000, _mixture, lambda row, n, rng: (MIXTURE.draws(row, n, rng), np.nan), gaussian_prior=False
    ),
    "elliptic": Problem(100_000, _elliptic, _elliptic_truth, True),
}


def _timed(draw: Callable[[jax.Array], Any]) -> tuple[np.ndarray, float]:
    """Draws, and the microseconds of one: the median of warm repeats of all of them at once."""
    z = np.asarray(draw(jr.key(1)))
    seconds = []
    for repeat in range(REPEATS):
        began = time.perf_counter()
        jax.block_until_ready(draw(jr.key(2 + repeat)))
        seconds.append(time.perf_counter() - began)
    return z, 1e6 * statistics.median(seconds) / len(z)


@eqx.filter_jit
def _drawn(sampler: AbstractSampler, denoiser: Any, m: int, key: jax.Array) -> jax.Array:
    return sampler.sample(denoiser, key, (DRAWS, m))[0]


def _errors(draws: np.ndarray, truth: np.ndarray, classify: bool = False) -> dict[str, float]:
    found = {
        "w1": _w1(draws, truth),
        "sliced_w": sliced_wasserstein(draws, truth, resamples=2).value,
        "mean_error": mean_error(draws, truth).value,
        "sd_error": sd_error(draws, truth).value,
    }
    return found | ({"c2st": c2st(draws, truth).value} if classify else {})


def _w1(draws: np.ndarray, truth: np.ndarray) -> float:
    """Mean W1 over random directions, in the truth's sds; of two samples of n draws of one normal law `1.8/√n`."""
    directions = np.random.default_rng(1).normal(size=(draws.shape[1], DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    one, other = (np.sort(z / truth.std(0) @ directions, axis=0) for z in (draws, truth))
    return float(np.mean(np.abs(one - other)))


def _coverage(draws: np.ndarray, z: np.ndarray) -> float:
    """Share of true params in the central interval of `LEVEL`; draws are (rows, draws, m)."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    return float(np.mean((low <= z) & (z <= high)))


def measured(problem_name: str, seed: int, steps: int, pairs: int, methods: Sequence[str]) -> dict[str, Any]:
    """Everything of one table and one row, and the coverage over `ROWS` rows."""
    problem, rng = PROBLEMS[problem_name], np.random.default_rng(seed)
    z, x = problem.simulate(rng, problem.simulations)
    new_z, new_x = problem.simulate(rng, ROWS)
    row = new_x[0]
    began = time.perf_counter()
    fit, info = build(z, x, jr.key(seed), ExactOptions(), gaussian_prior=problem.gaussian_prior)
    built = time.perf_counter() - began
    both, rate = problem.truth(row, 2 * DRAWS, rng)
    truth, other = both[:DRAWS], both[DRAWS:]
    m, at = z.shape[1], jnp.asarray(row, jnp.float32)
    given, rows = fit.given(at), jnp.asarray(new_x, jnp.float32)

    ode = partial(_drawn, Ddim(50), fit.condition(at), m)
    direct = [np.asarray(fit.sample(jr.key(key), given, DRAWS)) for key in (11, 12)]
    exact, per_exact = _timed(ode)
    many = np.concatenate([np.asarray(fit.sample(jr.key(13), fit.given(part), 500)) for part in jnp.split(rows, 20)])
    found = {
        "truth": _errors(other, truth),
        "direct": _errors(direct[0], truth),
        "ddim": _errors(exact, truth, classify=True) | {"microseconds": per_exact},
    }
    coverage = {"table": _coverage(many, new_z)}
    for method in methods:
        training = TrainingOptions(architecture=STUDENT, steps=steps)
        options = DistillOptions(method, pairs, training=training)  # type: ignore[arg-type]
        began = time.perf_counter()
        flow_map, told = distill(exact_teacher(fit), jr.key(seed), options)
        assert flow_map is not None, told.failed
        facts = {"seconds": time.perf_counter() - began, "flow_error": told.error}
        for passes in PASSES[method]:
            name = method if passes == 1 else f"{method} in {passes}"
            one, per_one = _timed(partial(_few, flow_map, at, passes))
            found[name] = _errors(one, truth) | {"microseconds": per_one} | facts
            coverage[name] = _coverage(np.asarray(_each(flow_map, rows, passes, jr.key(14))), new_z)
    began = time.perf_counter()
    score, _ = train(Table(z.astype(np.float32), x.astype(np.float32)), jr.key(seed), TrainingOptions(steps=steps),
                     gaussian_prior=problem.gaussian_prior)  # fmt: skip
    assert score is not None
    seconds = time.perf_counter() - began
    learned, per_learned = _timed(partial(_drawn, DpmSolverPP(20), score.score.condition(at), m))
    found["trained"] = _errors(learned, truth, classify=True) | {"microseconds": per_learned, "seconds": seconds}
    return {
        "problem": problem_name,
        "seed": seed,
        "simulations": problem.simulations,
        "steps": steps,
        "pairs": pairs,
        "bandwidths": [info.row_bandwidth, info.bandwidth],
        "neighbours": info.neighbours,
        "effective": float(given.effective),
        "seconds_of_table": built,
        "nuts_microseconds": None if np.isnan(rate) else 1e6 / rate,
        # the sampler against the law that it samples, beside two samples of that law
        "ddim_to_direct": _w1(exact, direct[0]),
        "direct_to_direct": _w1(direct[1], direct[0]),
        "coverage": coverage,
        "errors": found,
    }


@eqx.filter_jit
def _few(flow_map: FlowMap, row: jax.Array, passes: int, key: jax.Array) -> jax.Array:
    return one_step(flow_map, row, key, DRAWS, passes)[0]


@eqx.filter_jit
def _each(flow_map: FlowMap, rows: jax.Array, passes: int, key: jax.Array) -> jax.Array:
    """500 draws for each row."""
    pairs = jr.split(key, len(rows)), rows
    return jax.lax.map(lambda pair: one_step(flow_map, pair[1], pair[0], 500, passes)[0], pairs)


def samplers() -> dict[str, dict[str, float]]:
    """W1 of every sampler's draws to draws of the mixture itself, and of two sets of these (`floor`); one row each."""
    known = {f"{kind.__name__} {steps}": kind(steps) for kind, steps in SAMPLERS}
    found = {}
    for name, problem in PROBLEMS.items():
        rng = np.random.default_rng(1)
        z, x = problem.simulate(rng, 20_000)
        row = jnp.asarray(problem.simulate(rng, 1)[1][0], jnp.float32)
        fit, _ = build(z, x, jr.key(1), ExactOptions(), gaussian_prior=problem.gaussian_prior)
        one, other = (np.asarray(fit.sample(jr.key(key), fit.given(row), DRAWS)) for key in (1, 2))
        found[name] = {"floor": _w1(other, one)}
        for label, sampler in known.items():
            draws = _drawn(sampler, fit.condition(row), z.shape[1], jr.key(3))
            found[name][label] = _w1(np.asarray(draws), one)
    return found


def bias() -> dict[str, Any]:
    """W1 of direct draws to the truth: by the bandwidth of params, the number of simulations,
    and the dimensions of a mixture like the example's, each of five rows."""
    bandwidths, counts, dimensions = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, None), (1_000, 10_000, 100_000), (2, 5, 10)
    found: dict[str, Any] = {"bandwidth": {}, "simulations": {}, "dimension": {}}
    for name in ("bimodal", "gaussian_mixture"):
        problem = PROBLEMS[name]
        for h in bandwidths:
            found["bandwidth"][f"{name}, {'auto' if h is None else h}"] = _distances(problem, 20_000, h)
        for n in counts:
            found["simulations"][f"{name}, {n}"] = _distances(problem, n, None)
    for d in dimensions:
        MIXTURE.DIMENSIONS, MIXTURE.DIFFERENCE = d, np.roll(np.eye(d), 1, axis=1) - np.eye(d)
        found["dimension"][f"gaussian_mixture, {d} + {d}"] = _distances(PROBLEMS["gaussian_mixture"], 20_000, None)
    return found


def _distances(problem: Problem, n: int, bandwidth: float | None) -> list[float]:
    rng = np.random.default_rng(1)
    z, x = problem.simulate(rng, n)
    fit, _ = build(z, x, jr.key(1), ExactOptions(bandwidth), gaussian_prior=True)
    values = []
    for row in problem.simulate(np.random.default_rng(100), 5)[1]:
        draws = fit.sample(jr.key(1), fit.given(jnp.asarray(row, jnp.float32)), DRAWS)
        values.append(_w1(np.asarray(draws), problem.truth(row, DRAWS, rng)[0]))
    return values


def million() -> dict[str, float]:
    """Memory and time of a table of a million simulations of the elliptic problem's size, and of draws of its score."""
    problem, rng = PROBLEMS["elliptic"], np.random.default_rng(0)
    z = rng.normal(size=(1_000_000, 6)).astype(np.float32)
    x = np.tanh(z @ rng.normal(size=(6, 10))).astype(np.float32) + 0.1 * rng.normal(size=(1_000_000, 10)).astype("f")
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    fit, _ = build(z, x, jr.key(0), ExactOptions(), gaussian_prior=problem.gaussian_prior)
    built = time.perf_counter() - began
    row = jnp.asarray(x[0])
    _, per_draw = _timed(partial(_drawn, Ddim(50), fit.condition(row), 6))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"gib_before": before / 2**20, "gib": after / 2**20, "seconds_of_table": built, "microseconds": per_draw}


PARTS: dict[str, Callable[[], dict[str, Any]]] = {"samplers": samplers, "bias": bias, "million": million}


def kept() -> dict[str, Any]:
    """What results/exact_scores has, by file name."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(RESULTS.glob("*.json"))}


def measure() -> Iterator[Figure]:
    found = kept()
    for name in PROBLEMS:
        runs = [value for key, value in found.items() if key.startswith(f"{name}_") and key[-1].isdigit()]
        if runs:
            yield from _figures(name, runs)
    for axis, cases in found.get("bias", {}).items():
        for case, values in cases.items():
            yield Figure(f"bias by {axis}: {case}, W1", values, "", "sd")
    for name, cases in found.get("samplers", {}).items():
        for case, value in cases.items():
            yield Figure(f"{name}, table of 20 000, {case} to draws of the mixture itself, W1", [value], "floor", "sd")
    for what, value in found.get("million", {}).items():
        yield Figure(f"a table of 10⁶, {what.replace('_', ' ')}", [value], "24 GiB" if what == "gib" else "")


def _figures(name: str, runs: list[dict[str, Any]]) -> Iterator[Figure]:
    def values(*path: str) -> list[float]:
        return [_at(run, path) for run in runs]

    yield Figure(f"{name}, ddim 50 to draws of the mixture itself, W1", values("ddim_to_direct"), "the floor", "sd")
    yield Figure(f"{name}, two sets of those (the floor), W1", values("direct_to_direct"), "", "sd")
    for law, found in runs[0]["errors"].items():
        for what in ("w1", "sliced_w", "mean_error", "sd_error", "c2st", "microseconds"):
            if what in found:
                unit = {"c2st": "", "microseconds": "µs a draw"}.get(what, "sd")
                yield Figure(f"{name}, {law}, {what.replace('_', ' ')}", values("errors", law, what), "", unit)
    for law in runs[0]["coverage"]:
        yield Figure(f"{name}, {law}, coverage of {LEVEL:.0%} intervals", values("coverage", law), f"{LEVEL}")
    for method in (method for method in runs[0]["errors"] if method.startswith(tuple(PASSES))):
        faster = [_at(r, ("errors", "ddim", "microseconds")) / _at(r, ("errors", method, "microseconds")) for r in runs]
        yield Figure(f"{name}, {method}, times faster than ddim 50", faster, "≥ 50")
        worse = [_at(r, ("errors", method, "w1")) / _at(r, ("errors", "ddim", "w1")) for r in runs]
        yield Figure(f"{name}, {method}, W1 over that of ddim 50", worse, "≤ 1.25")
    if runs[0]["nuts_microseconds"] is not None:
        yield Figure(f"{name}, nuts, µs an effective draw", values("nuts_microseconds"), "")


def _at(run: dict[str, Any], path: tuple[str, ...]) -> float:
    value: Any = run
    for part in path:
        value = value[part]
    return value


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[*PROBLEMS, *PARTS])
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("--steps", type=int, default=8_000)
    parser.add_argument("--pairs", type=int, default=8_192)
    parser.add_argument("--methods", nargs="+", default=list(PASSES), choices=list(PASSES))
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    if asked.part in PROBLEMS:
        name = f"{asked.part}_{asked.seed}"
        result = measured(asked.part, asked.seed, asked.steps, asked.pairs, asked.methods)
    else:
        name, result = asked.part, PARTS[asked.part]()
    (asked.out / f"{name}.json").write_text(json.dumps(result, indent=1))

"""Posteriors of many rows: error against n of every composition, from exact scores and from trained ones.

Toys are those of arXiv 2404.07593, §4.1, of m = 2 to 32 params: the exact score of every row, as it is or with an error
of 1e-2 in the predicted noise, that of a random network with outputs in [-1, 1]; truth in closed form. The trained
model has two params with a curved, exponential mean; truth by quadrature on a grid. All errors are in posterior sds,
but for those beside what is published: its unit is that of the params, its distance the largest of all directions, less
that of two sets of 1 000 exact draws (`treat_gaussian_data.py` of the paper's code). A posterior sd of 90 rows is .05
to .3 there. Its rows' posteriors in the mixture have other weights than Bayes' (`Gaussian_MixtGaussian_mD.
true_posterior` takes `sd + 1` for `sqrt(variance + 1)`), in the scores and in the truth alike; ours are Bayes'.

    python -m benchmarks.tall toys [KIND M N]   exact scores: about 25 minutes of a core; or those of a kind, m and n
    python -m benchmarks.tall trained SEED      trains two networks (a minute each) and measures them: about 15 minutes
    python -m benchmarks tall                   prints what results/tall has, and draws figures/tall.png
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from benchmarks.figure import Figure, plot
from bsi.runtime.composition import NormalPrior, Rows, gauss, grouped, jac, make_rows, plain_sum
from bsi.runtime.composition.rows import REACH
from bsi.runtime.covariances import sampled_precisions
from bsi.runtime.metrics import sliced_wasserstein
from bsi.runtime.nets import SetArchitecture
from bsi.runtime.nets.resmlp import ResMlpArchitecture
from bsi.runtime.process import signal_noise
from bsi.runtime.samplers import AbstractSampler, Ddim, DpmSolverPP, FeynmanKac, PredictorCorrector
from bsi.runtime.training import Fit, Simulator, TrainingOptions, train

RESULTS = Path(__file__).parent / "results" / "tall"
DRAWS = 4_000
SIZES = (1, 3, 10, 30, 100, 300, 1000)
NOISE, SET_ROWS, FEW = 0.6, 4, 500  # sd of a row's noise, rows of a set, draws of the trained model

Denoise = Callable[[Array, Array, Array], Array]


def draws_of(sampler: AbstractSampler, composed: Any, key: PRNGKeyArray, draws: int, m: int) -> np.ndarray:
    """Draws, and nothing else kept."""
    run = eqx.filter_jit(lambda target, key: sampler.sample(target, key, (draws, m))[0])
    return np.asarray(run(composed, key))


def distance(draws: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Errors in posterior sds; of draws that are not numbers only how many there are."""
    bad = float(1 - np.isfinite(draws).all(1).mean())
    if bad:
        return {"nan": bad}
    sd = truth.std(0, ddof=1)
    return {
        "nan": bad,
        "sliced": sliced_wasserstein(draws, truth).value,
        "mean": float(np.abs((draws.mean(0) - truth.mean(0)) / sd).max()),
        "sd": float(np.abs(np.log(draws.std(0, ddof=1) / sd)).max()),
    }


def as_published(draws: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """The largest sliced distance of 1 000 draws in raw units, less that of as many exact ones. `truth` has 3 000."""
    directions = np.random.default_rng(1).normal(size=(draws.shape[1], 2_000))
    directions /= np.linalg.norm(directions, axis=0)
    exact, again, other = (np.sort(part[:1_000] @ directions, axis=0) for part in np.split(truth[:3_000], 3))
    found = np.sort(draws[:1_000] @ directions, axis=0)

    def largest(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sqrt(np.mean((a - b) ** 2, axis=0)).max())

    return {"as_published": largest(found, exact) - largest(again, other)}


# ---------------------------------------------------------------- toys


def components(kind: str, m: int) -> list[np.ndarray]:
    """Covariances of a row's noise, equally likely: one of correlation 0.8, or a wide and a narrow one."""
    if kind == "gaussian":
        return [0.2 * np.eye(m) + 0.8]
    scale = np.diag(np.linspace(0.6, 1.4, m))
    return [2.25 * scale, scale / 9]


def toy_rows(kind: str, x: Float[np.ndarray, "n m"], error: float = 0.0) -> Rows:
    """Exact denoisers and covariances of every row's posterior under N(0, I): a mixture, in closed form."""
    m = x.shape[1]
    noise = components(kind, m)
    inner = jnp.asarray(np.stack([np.linalg.inv(np.eye(m) + np.linalg.inv(c)) for c in noise]), jnp.float32)
    gain = jnp.asarray(np.stack([np.linalg.inv(np.eye(m) + c) for c in noise]), jnp.float32)
    penalty = jnp.asarray(np.stack([np.linalg.slogdet(np.eye(m) + c)[1] for c in noise]), jnp.float32)
    first, second = (jr.normal(jr.PRNGKey(i), (size, m)) for i, size in ((7, 2 * m + 1), (8, m)))

    def weights(x: Array) -> Array:
        return -0.5 * (penalty + jnp.einsum("...i,kij,...j->...k", x, gain, x))

    def denoise(u: Array, log_snr: Array, x: Array) -> Array:
        a, s = signal_noise(log_snr)
        means = jnp.einsum("kij,...j->...ki", gain, x)
        total = a**2 * inner + s**2 * jnp.eye(m)
        inverse = jnp.linalg.inv(total)
        gap = u[..., None, :] - a * means
        pulled = jnp.einsum("kij,...kj->...ki", inverse, gap)
        log_weight = weights(x) - 0.5 * (jnp.linalg.slogdet(total)[1] + jnp.einsum("...ki,...ki->...k", gap, pulled))
        guess = means + a * jnp.einsum("kij,...kj->...ki", inner, pulled)
        out = jnp.einsum("...k,...ki->...i", jax.nn.softmax(log_weight), guess)
        if not error:
            return out
        where = jnp.broadcast_shapes(u.shape, x.shape)
        time = jnp.broadcast_to(log_snr / 10.0, (*where[:-1], 1))
        seen = jnp.concatenate([jnp.broadcast_to(u, where), jnp.broadcast_to(x, where), time], -1)
        wrong = jnp.tanh(jnp.tanh(seen @ first / np.sqrt(2 * m)) @ second / np.sqrt(m))
        return out - s / a * error * wrong

    rows = jnp.asarray(x, jnp.float32)
    weight = jax.nn.softmax(weights(rows))
    means = jnp.einsum("kij,nj->nki", gain, rows)
    centre = jnp.einsum("nk,nki->ni", weight, means)
    spread = means - centre[:, None]
    covariances = jnp.einsum("nk,kij->nij", weight, inner) + jnp.einsum("nk,nki,nkj->nij", weight, spread, spread)
    return make_rows(denoise, rows, jnp.ones(()), jnp.linalg.inv(covariances), None, REACH if error else np.inf)


def toy(kind: str, m: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows, and independent draws of their posterior: a mixture over which component each row came from."""
    rng, noise = np.random.default_rng(seed), components(kind, m)
    theta = rng.standard_normal(m)
    x = np.stack([theta + rng.multivariate_normal(np.zeros(m), noise[k]) for k in rng.integers(0, len(noise), n)])
    found = []
    for choice in itertools.product(range(len(noise)), repeat=n) if len(noise) > 1 else [(0,) * n]:
        precisions = [np.linalg.inv(noise[k]) for k in choice]
        covariance = np.linalg.inv(np.eye(m) + sum(precisions))
        pull = sum(p @ row for p, row in zip(precisions, x, strict=True))
        squares = sum(row @ p @ row for p, row in zip(precisions, x, strict=True))
        log_det = np.linalg.slogdet(covariance)[1] + sum(np.linalg.slogdet(p)[1] for p in precisions)
        found.append((0.5 * (log_det + pull @ covariance @ pull - squares), covariance @ pull, covariance))
    log_weight = np.array([w for w, _, _ in found])
    weight = np.exp(log_weight - log_weight.max())
    counts = rng.multinomial(2 * DRAWS, weight / weight.sum())
    draws = [rng.multivariate_normal(mean, c, k) for (_, mean, c), k in zip(found, counts, strict=True) if k]
    return x, rng.permutation(np.concatenate(draws))


Toy = tuple[str, int, int, float, str]  # kind, params, rows, error of the predicted noise, sampler
TOYS: list[Toy] = [("gaussian", 10, n, 0.0, "dpmpp") for n in (2, 10, 30, 90, 300, 1000)]
TOYS += [("gaussian", 10, 90, 1e-2, "dpmpp"), ("gaussian", 10, 90, 1e-1, "dpmpp")]
TOYS += [("gaussian", m, 90, error, "dpmpp") for error in (0.0, 1e-2) for m in (2, 4, 8, 16, 32)]
TOYS += [("mixture", 10, 8, 0.0, how) for how in ("dpmpp", "ancestral", "langevin", "smc")]
TOYS += [("mixture", m, 8, 0.0, how) for how in ("dpmpp", "smc") for m in (2, 4, 8, 16, 32)]
SAMPLERS: dict[str, AbstractSampler] = {
    "dpmpp": DpmSolverPP(50),
    "ancestral": Ddim(400, 1.0),
    "langevin": PredictorCorrector(100, 10, 0.2),
    "smc": FeynmanKac(100),
}


def measure_toys(toys: list[Toy]) -> None:
    """Writes errors of toys, over three sets of rows, beside those of exact draws (`floor`)."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / "toys.json"
    before = json.loads(path.read_text()) if path.exists() else []
    table = [row for row in before if _toy(row) not in toys]
    for kind, m, n, error, how in toys:
        for seed in (1, 2, 3):
            x, truth = toy(kind, m, n, seed)
            rows = toy_rows(kind, x, error)
            sampler = SAMPLERS[how]
            composed = gauss(NormalPrior(m), [rows])
            if isinstance(sampler, PredictorCorrector):
                sampler = eqx.tree_at(lambda s: s.delta, sampler, sampler.delta / composed.stiffness())
            began = time.perf_counter()
            got = draws_of(sampler, composed, jr.PRNGKey(seed), DRAWS, m)
            floor = distance(truth[:DRAWS], truth[DRAWS:])["sliced"]
            row = {"kind": kind, "m": m, "n": n, "error": error, "how": how, "seed": seed, "floor": floor}
            row |= {"seconds": time.perf_counter() - began, **distance(got, truth[DRAWS:])}
            table.append(row | as_published(got, truth[DRAWS:]))
            print(table[-1], flush=True)
            path.write_text(json.dumps(sorted(table, key=lambda row: (_toy(row), row["seed"])), indent=1) + "\n")


def _toy(row: dict[str, Any]) -> Toy:
    return row["kind"], row["m"], row["n"], row["error"], row["how"]


# ---------------------------------------------------------------- trained


def mean_of(z: Array | np.ndarray) -> Array:
    """The mean of a row: curved in the second param, and exponential in it."""
    return jnp.stack([z[..., 0] + 0.4 * z[..., 1] ** 2, jnp.exp(0.5 * z[..., 1])], -1)


def simulator(rows: int) -> Simulator:
    def simulate(key: PRNGKeyArray, count: int) -> tuple[Array, Array]:
        own, noise = jr.split(key)
        z = jr.normal(own, (count, 2))
        x = mean_of(z)[:, None] + NOISE * jr.normal(noise, (count, rows, 2))
        return z, x.reshape(count, -1)

    return Simulator(simulate, 2, 2 * rows)


def fitted(rows: int, seed: int) -> tuple[Fit, float]:
    """A network of `rows` rows, and the seconds that it took."""
    net = (
        ResMlpArchitecture(width=96, depth=2)
        if rows == 1
        else SetArchitecture(96, 2, "silu", 0.0, 32, False, (rows, 2))
    )
    options = TrainingOptions(net, steps=3_000, batch=256, rows=rows, pilot=2**17, refine=2**19, chunk=500)
    began = time.perf_counter()
    fit, info = train(simulator(rows), jr.PRNGKey(seed), options)
    assert fit is not None, info.failed
    return fit, time.perf_counter() - began


def quadrature(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws of the posterior on a grid that closes in on where its mass is."""
    low, high = np.full(2, -6.0), np.full(2, 6.0)
    total, n = x.sum(0), len(x)
    for _ in range(6):
        axes = [np.linspace(low[i], high[i], 401) for i in range(2)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
        mean = np.asarray(mean_of(grid))
        density = -0.5 * (grid**2).sum(-1) + (mean @ total - 0.5 * n * (mean**2).sum(-1)) / NOISE**2
        weight = np.exp(density - density.max())
        inside = np.argwhere(weight > 1e-9)
        steps = np.array([axis[1] - axis[0] for axis in axes])
        low, high = (np.array([axes[i][k[i]] for i in range(2)]) for k in (inside.min(0), inside.max(0)))
        low, high = low - 2 * steps, high + 2 * steps
    chosen = rng.choice(weight.size, 20_000, p=(weight / weight.sum()).ravel())
    return grid.reshape(-1, 2)[chosen] + steps * (rng.random((20_000, 2)) - 0.5)


def compositions(one: Fit, sets: Fit, x: np.ndarray) -> Iterator[tuple[str, Any, AbstractSampler]]:
    """Every composition of the rows `x`, with its sampler."""
    prior, n, powers = NormalPrior(2), len(x), jnp.ones(())
    rows = jnp.asarray(x, jnp.float32)
    assert one.moments is not None and sets.moments is not None
    learned = make_rows(one.score.denoise, rows, powers, one.moments(rows)[1], None, REACH)
    smooth = DpmSolverPP(30)
    yield "gauss", gauss(prior, [learned]), smooth
    drawn = eqx.filter_jit(sampled_precisions)(one.score.denoise, 2, rows, jr.PRNGKey(5))
    yield "gauss, sampled", gauss(prior, [make_rows(one.score.denoise, rows, powers, drawn, None, REACH)]), smooth
    seen = jnp.concatenate([rows, jnp.ones_like(rows)], -1)
    grouped_rows, _ = grouped(seen, np.ones((1, n)), SET_ROWS, SET_ROWS)
    own = make_rows(sets.score.denoise, grouped_rows, powers, sets.moments(grouped_rows)[1], None, REACH)
    yield "partial", gauss(prior, [own]), smooth
    yield "gauss, every level", gauss(prior, [replace(learned, reach=np.inf)]), smooth
    yield "sum", plain_sum(prior, [learned]), smooth
    if n <= 300:  # three times the work of the others
        yield "jac", jac(prior, [learned]), smooth
    if n <= 100:
        yield "gauss, langevin", gauss(prior, [learned]), PredictorCorrector(30, 5, 0.2 / max(n, 1))


def measure_trained(seed: int) -> None:
    """Writes the errors of all compositions of the networks of one seed, over two sets of rows."""
    (one, first), (sets, second) = fitted(1, seed), fitted(SET_ROWS, seed)
    print("trained", first, second, one.score.gate, sets.score.gate, one.moments.gate, sets.moments.gate, flush=True)  # type: ignore[union-attr]
    table: list[dict[str, Any]] = []
    for n, of_rows in itertools.product(SIZES, (1, 2)):
        rng = np.random.default_rng((seed, of_rows))
        theta = jnp.asarray(rng.standard_normal(2))
        x = np.asarray(mean_of(theta)) + NOISE * rng.standard_normal((n, 2))
        truth = quadrature(x, rng)
        for name, composed, sampler in compositions(one, sets, x):
            began = time.perf_counter()
            got = draws_of(sampler, composed, jr.PRNGKey(of_rows), FEW, 2)
            row = {"compose": name, "n": n, "seed": seed, "rows": of_rows, "theta": np.asarray(theta).tolist()}
            row |= {"repaired": int(composed.repaired), "projected": int(composed.projected)}
            table.append({**row, "seconds": time.perf_counter() - began, **distance(got, truth)})
            print(table[-1], flush=True)
        RESULTS.mkdir(parents=True, exist_ok=True)
        found = {"training_seconds": [first, second], "errors": table}
        (RESULTS / f"trained_{seed}.json").write_text(json.dumps(found, indent=1) + "\n")


# ---------------------------------------------------------------- what was found

PUBLISHED = {
    ("gaussian", 0.0, "dpmpp"): "published .03 to .06",
    ("gaussian", 1e-2, "dpmpp"): "published .35",
    ("mixture", 0.0, "dpmpp"): "published .15, by ancestral steps",
    ("mixture", 0.0, "ancestral"): "published .15",
    ("mixture", 0.0, "langevin"): "published .016",
    ("mixture", 0.0, "smc"): "published .016, by Langevin steps",
}


def measure() -> Iterator[Figure]:
    toys = json.loads((RESULTS / "toys.json").read_text())
    for kind, m, n, error, how in TOYS:
        own = [row for row in toys if _toy(row) == (kind, m, n, error, how)]
        if not own:  # not measured here
            continue
        values = [row.get("sliced", float("nan")) for row in own]
        floor = np.mean([row["floor"] for row in own])
        what = f"{kind} toy, m = {m}, n = {n}, score error {error:g}, {how}: sliced W in sd"
        yield Figure(what, values, f"floor {floor:.3f}")
        raw = [row["as_published"] for row in own if "as_published" in row]
        if raw and m == 10 and (kind, error, how) in PUBLISHED:
            what = f"{kind} toy, m = {m}, n = {n}, score error {error:g}, {how}: as published, raw"
            yield Figure(what, raw, PUBLISHED[kind, error, how])
    errors = [row for file in sorted(RESULTS.glob("trained_*.json")) for row in json.loads(file.read_text())["errors"]]
    names = list(dict.fromkeys(row["compose"] for row in errors))
    with plot("tall", 3) as axes:
        for axis, (key, title) in zip(
            axes, (("sliced", "sliced W, sd"), ("mean", "mean error, sd"), ("sd", "|log sd ratio|")), strict=True
        ):
            for name in names:
                points = {
                    n: [r[key] for r in errors if r["compose"] == name and r["n"] == n and key in r] for n in SIZES
                }
                shown = {n: float(np.mean(values)) for n, values in points.items() if values}
                axis.loglog(list(shown), list(shown.values()), marker=".", label=name)
            axis.set_xlabel("rows")
            axis.set_title(title)
        axes[0].legend(fontsize=6)
    for name in names:
        for n in SIZES:
            own = [row for row in errors if row["compose"] == name and row["n"] == n]
            if own:
                yield Figure(
                    f"trained, {name}, n = {n}: sliced W in sd", [r.get("sliced", float("nan")) for r in own], ""
                )


if __name__ == "__main__":
    if sys.argv[1] == "toys":
        wanted = tuple(sys.argv[2:])
        measure_toys([toy for toy in TOYS if wanted in ((), tuple(map(str, toy[:3])))])
    else:
        measure_trained(int(sys.argv[2]))

"""Sets of rows on SLCP, Lotka-Volterra, SIR and two moons, after Linhart et al. (arXiv 2404.07593): n = 1, 8, 14, 22,
30 rows of one θ*, one network of single rows from 1 000 to 30 000 simulations or fresh ones, 1 000 draws against truth.

Truth comes of the exact density alone (that of two moons, whose model only simulates, is written below), annealed from
the whole prior: of weighted draws of a Gaussian, where their Pareto k̂ says that they may be believed, else of particles
(Del Moral et al. 2006), so that modes get their mass. In SLCP two signs cannot be told from the rows; there truth is
sampled at positive signs, and then the signs are drawn. Every θ* is kept, with the share of draws that are no numbers.

    python -m benchmarks.tall_tasks TASK [--simulations 1_000|…|30_000|fresh] [--first 1] [--thetas 5] [--store DIR]
                                       adds to results/tall_tasks/TASK.json
    python -m benchmarks tall_tasks    prints what results/tall_tasks has
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

import bsi
from benchmarks.figure import Figure
from benchmarks.sbibm import EXAMPLES
from bsi.compiler.ir import Program
from bsi.compiler.lower.forward import log_likelihood
from bsi.compiler.lower.model import LoweredModel
from bsi.failure import RunFailure
from bsi.runtime.correctors import Mala, pareto_smooth
from bsi.runtime.particles import effective_share, systematic
from bsi.runtime.store import Store

RESULTS = Path(__file__).parent / "results" / "tall_tasks"
FOLDERS = {"two_moons": EXAMPLES / "two_moons"}  # of models that are not beside the others
ROWS = (1, 8, 14, 22, 30)
SIMULATIONS, DRAWS = ("1_000", "3_000", "10_000", "30_000", "fresh"), 1_000
PUBLISHED = "30_000"  # simulations, of what is published
KINDS = {"gauss": "", "sampled": ", covariance = sampled", "corrected": ", correct = mala { steps = 200 }"}
PROJECTIONS = 200
_SHARE = 0.5  # of effective particles, to which each step of the annealing goes
_MOVES = 20  # steps of mala after each
_PARTICLES = 2  # of the annealing for every draw that is kept
_COUNTED = 0.1  # the same share, of draws of a Gaussian
_STAGES = 40  # Gaussians at most
_WIDER = 1.3  # is each of them than its moments, so that weights have no tails
_PROPOSED = 5  # draws of the last one for every draw that is kept
_SHAPE = 0.5  # Pareto's k̂ of weights with a variance


@dataclass(frozen=True)
class Task:
    """`signs`: working coordinates whose sign no row tells. `published`: sliced Wasserstein by n, in units of params
    or, where `scaled`, of posterior sds alone; `aims` ours, of as many simulations; `settle`: steps of mala at
    the end of truth; `density`: `ln p(row | params)` of a model that only simulates, whose draws `mala` cannot move by
    it."""

    params: tuple[str, ...]
    signs: tuple[int, ...] = ()
    published: tuple[tuple[int, float], ...] = ()
    aims: tuple[tuple[int, float], ...] = ()
    scaled: bool = False
    settle: int = 200
    density: Callable[[dict[str, Array], Array], Array] | None = None

    @property
    def kinds(self) -> dict[str, str]:
        return {name: options for name, options in KINDS.items() if self.density is None or name != "corrected"}


def two_moons(params: dict[str, Array], row: Float[Array, "2"]) -> Float[Array, ""]:
    """Of `r (cos a, sin a)` around a place that the params decide, r ~ N(0.1, 0.01) and a uniform on a half circle."""
    first, second = params["task.theta"]
    along = row[0] - 0.25 + jnp.abs(first + second) / np.sqrt(2)
    across = row[1] - (second - first) / np.sqrt(2)
    radius = jnp.sqrt(along**2 + across**2 + 1e-12)
    inside = -0.5 * ((radius - 0.1) / 0.01) ** 2 - jnp.log(radius)
    return jnp.where(along > 0, inside, -jnp.inf)


TASKS = {
    "slcp": Task(("theta",), (2, 3), ((8, 0.363), (30, 0.397)), ((8, 0.33), (30, 0.36)), settle=1_000),
    "lotka_volterra": Task(("rate",), (), ((30, 2.5),), ((30, 0.5),), scaled=True),
    "sir": Task(("contact", "recovery"), scaled=True),
    "two_moons": Task(("theta",), settle=1_000, density=two_moons),
}


class Truth:
    """Draws of the exact posterior of a task, given any rows."""

    def __init__(self, program: Program, task: Task, likelihood: str = "task.f", prior: str = "task.p"):
        model = LoweredModel(program)
        law, coordinates = program.likelihoods[likelihood], model.coordinates(prior)
        self.coordinates, self.task = coordinates, task

        def log_density(z: Array, rows: Array) -> Array:
            params = coordinates.to_params(z)
            if task.density is not None:
                return jnp.sum(jax.vmap(partial(task.density, params))(rows))
            return jnp.sum(log_likelihood(law, params, rows, model.data))

        def likelihoods(z: Float[Array, "k m"], rows: Array) -> Float[Array, " k"]:
            return jax.vmap(lambda one: log_density(one, rows))(z)

        self.likelihoods = jax.jit(likelihoods)
        self.moved = jax.jit(self._mala(likelihoods), static_argnums=4)

    @staticmethod
    def _mala(likelihoods: Callable[[Array, Array], Array]) -> Callable[..., tuple[Array, dict[str, Array]]]:
        """`p(z) f(rows | z)^β` for β of the annealing; the prior is N(0, I) in these coordinates."""

        def moved(z: Array, rows: Array, power: Array, key: PRNGKeyArray, steps: int) -> tuple[Array, dict[str, Array]]:
            return Mala(steps)(lambda z: power * likelihoods(z, rows) - 0.5 * jnp.sum(z**2, -1), z, key)

        return moved

    def __call__(self, rows: np.ndarray, key: PRNGKeyArray, draws: int) -> tuple[np.ndarray, dict[str, float]]:
        """Draws (draws, m) in working coordinates, and what tells how good they are."""
        data, fold = jnp.asarray(rows), jnp.asarray(self.task.signs, int)
        found = self.by_importance(data, jr.fold_in(key, 2), draws) or self.by_particles(data, key, draws)
        sign = jr.split(jr.fold_in(key, 1))[1]
        signs = jr.rademacher(sign, (draws, len(self.task.signs)), found[0].dtype)
        return np.asarray(found[0].at[:, fold].multiply(signs)), found[1]

    def by_importance(self, rows: Array, key: PRNGKeyArray, draws: int) -> tuple[Array, dict[str, float]] | None:
        """From Gaussians with the moments that the annealing has found so far; None where the last is no good.
        `pareto_k` is the shape of its weights."""
        m, fold, power = self.coordinates.m, jnp.asarray(self.task.signs, int), 0.0
        mean, root = jnp.zeros(m), jnp.eye(m)
        for stage in range(_STAGES):
            last, (own, choose, keep) = power >= 1.0, jr.split(jr.fold_in(key, stage), 3)
            noise = jr.normal(own, (_PROPOSED * draws if last else draws, m))
            z = mean + noise @ root.T
            values = jnp.where(jnp.all(z[:, fold] >= 0, -1), self.likelihoods(z, rows), -jnp.inf)
            ratio = 0.5 * (jnp.sum(noise**2, -1) - jnp.sum(z**2, -1))
            if last:
                log_weights, shape = pareto_smooth(np.asarray(values + ratio, np.float64))
                if shape > _SHAPE:
                    return None
                kept = systematic(choose, jnp.asarray(log_weights, z.dtype))
                return z[jr.choice(keep, kept, (draws,), replace=False)], {"pareto_k": shape}
            power = _reached(values, ratio, _COUNTED, 1.0)
            weights = jax.nn.softmax(power * values + ratio)
            mean = weights @ z
            centred = z - mean
            root = _WIDER * jnp.linalg.cholesky((weights[:, None] * centred).T @ centred + 1e-12 * jnp.eye(m))
        return None

    def by_particles(self, rows: Array, key: PRNGKeyArray, draws: int) -> tuple[Array, dict[str, float]]:
        """Moved by mala at every step of the annealing. `drift`: sds by which their means still moved at the end."""
        z = jr.normal(jr.fold_in(key, 0), (_PARTICLES * draws, self.coordinates.m))
        fold = jnp.asarray(self.task.signs, int)
        z = z.at[:, fold].set(jnp.abs(z[:, fold]))
        power, stage, stats = 0.0, 1, {"drift": jnp.zeros(())}
        while power < 1.0:
            values = self.likelihoods(z, rows)
            step = _reached(values, jnp.zeros(len(z)), _SHARE, 1.0 - power)
            power, stage = power + step, stage + 1
            z = z[systematic(jr.fold_in(key, 2 * stage), step * values)]
            steps = self.task.settle if power >= 1.0 else _MOVES
            z, stats = self.moved(z, rows, jnp.float32(power), jr.fold_in(key, 2 * stage + 1), steps)
        kept = jr.split(jr.fold_in(key, 1))[0]
        # neighbours have common ancestors
        return jr.choice(kept, z, (draws,), replace=False), {"drift": float(stats["drift"])}


def _reached(values: Array, ratio: Array, share: float, most: float) -> float:
    """The largest power of the likelihood, up to `most`, that leaves this share of particles effective."""
    low, high = 0.0, most
    if effective_share(most * values + ratio) >= share:
        return most
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective_share(middle * values + ratio) >= share else (low, middle)
    return low


def sliced(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean squared 2-Wasserstein distance over random directions, in the units of the draws."""
    directions = np.random.default_rng(1).normal(size=(a.shape[1], PROJECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    return float(np.sqrt(np.mean((np.sort(a @ directions, axis=0) - np.sort(b @ directions, axis=0)) ** 2)))


def model(name: str, simulations: str, number: int, theta: dict[str, Any]) -> str:
    """Sets of every size from one θ*, and their samples."""
    params = ", ".join(f"task.{param}" for param in TASKS[name].params)
    given = ", ".join(f"task.{param} = {np.asarray(value).tolist()}" for param, value in theta.items())
    text = f'bsi 1\nimport "{name}.bsi" as task\n'
    text += f"train fit = score(task.p, task.f) {{ simulations = {simulations}, seed = 1 }}\n"
    for n in ROWS:
        text += f"observe rows_{n} : task.f[{n}] = simulate({given}) {{ seed = {100 * number + n} }}\n"
        text += f"posterior post_{n}({params}) = task.p({params}) * task.f(rows_{n} | {params})\n"
        for kind, options in TASKS[name].kinds.items():
            text += f"sample {kind}_{n} = dpmpp(post_{n}, fit) {{ draws = {DRAWS}, steps = 50, seed = 1{options} }}\n"
    return text


def measure_theta(name: str, simulations: str, number: int, store: Store) -> dict[str, Any]:
    """Distances at every number of rows for the θ* of that number, a draw of the prior. Every θ* has the same network,
    which `store` keeps."""
    task = TASKS[name]
    with tempfile.TemporaryDirectory() as place:
        for suffix in ("bsi", "npz"):
            shutil.copy(FOLDERS.get(name, EXAMPLES / "sbibm") / f"{name}.{suffix}", place)
        space = LoweredModel(bsi.load(Path(place) / f"{name}.bsi").program).coordinates("p")
        _, theta = space.draw(jr.key(number))
        file = Path(place) / "benchmark.bsi"
        file.write_text(model(name, simulations, number, theta))
        loaded = bsi.load(file)
        try:
            run = loaded.run(Path(place) / "out", store=store)
        except RunFailure as failure:  # of a set whose draws are no numbers: the others are kept
            run = failure.run
        done = {job.name for job in run.jobs if job.status in ("done", "reused")}
        truth, found = Truth(loaded.program, task), []
        for n in ROWS:
            rows = LoweredModel(loaded.program).rows(f"rows_{n}")
            z, quality = truth(rows, jr.key(1_000 * number + n), 2 * DRAWS)
            params = jax.vmap(truth.coordinates.to_params)(jnp.asarray(z))
            exact = _flat({param: np.asarray(params[f"task.{param}"]) for param in task.params})
            first, second = exact[::2], exact[1::2]
            sd = exact.std(0)
            entry: dict[str, Any] = {"n": n, "truth": quality, "floor": _distances(second, first, sd)}
            for kind in task.kinds:
                if f"{kind}_{n}" not in done:
                    entry[kind] = {"not_finite": 1.0}
                    continue
                tree = run[f"{kind}_{n}"]["posterior"]
                draws = _flat({param: np.asarray(tree[f"task.{param}"])[0] for param in task.params})
                finite = np.isfinite(draws).all(-1)
                entry[kind] = {"not_finite": float(1 - finite.mean()), **_distances(draws[finite], first, sd)}
            found.append(entry)
    return {
        "simulations": simulations,
        "theta": number,
        "value": {k: np.asarray(v).tolist() for k, v in theta.items()},
        "rows": found,
    }


def _distances(draws: np.ndarray, exact: np.ndarray, sd: np.ndarray) -> dict[str, float]:
    size = min(len(draws), len(exact))
    return {"raw": sliced(draws[:size], exact[:size]), "sd": sliced(draws[:size] / sd, exact[:size] / sd)}


def _flat(params: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([value.reshape(len(value), -1) for value in params.values()], axis=1).astype(float)


def measure() -> Iterator[Figure]:
    """Rows of what has been measured."""
    for name, task in TASKS.items():
        path = RESULTS / f"{name}.json"
        if not path.exists():
            continue
        measured = json.loads(path.read_text())
        for simulations in SIMULATIONS:
            thetas = [one for one in measured if one["simulations"] == simulations]
            if thetas:
                yield from _figures(f"{name}, {simulations} simulations", task, thetas, simulations == PUBLISHED)


def _figures(name: str, task: Task, thetas: list[dict[str, Any]], beside: bool) -> Iterator[Figure]:
    """Rows of a task and a number of simulations; `beside`: beside what is published."""
    published, aims = dict(task.published), dict(task.aims)
    for kind in (*task.kinds, "floor"):
        for place, n in enumerate(ROWS):
            each = [theta["rows"][place][kind] for theta in thetas if kind in theta["rows"][place]]
            if not each:
                continue
            lost = sum(one.get("not_finite", 0.0) for one in each) / len(each)
            target = f"≤ {aims[n]}; published {published[n]}" if n in aims and beside else ""
            for unit, label in (("raw", "sliced W"), ("sd", "sliced W in posterior sds"))[task.scaled :]:
                values = [one[unit] for one in each if unit in one]
                own = target if (unit == "sd") == task.scaled and kind != "floor" else ""
                what = f"{name}, n = {n}, {kind}, {label}" + (f", {lost:.1%} not finite" if lost else "")
                if values:
                    yield Figure(what, values, own)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tall_tasks", description=__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--simulations", default=PUBLISHED, choices=SIMULATIONS)
    parser.add_argument("--first", type=int, default=1, help="number of the first θ*")
    parser.add_argument("--thetas", type=int, default=5, help="how many")
    parser.add_argument("--store", help="keeps the network for the next call; without it a temporary folder")
    given = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{given.task}.json"
    with tempfile.TemporaryDirectory() as place:
        for number in range(given.first, given.first + given.thetas):
            found = measure_theta(given.task, given.simulations, number, Store(given.store or place))
            print(json.dumps(found), flush=True)
            before = json.loads(path.read_text()) if path.exists() else []
            kept = [one for one in before if _place(one) != _place(found)]
            path.write_text(json.dumps(sorted([*kept, found], key=_place), indent=1) + "\n")
            jax.clear_caches()  # programs of a dozen θ* are more than a process may map


def _place(found: dict[str, Any]) -> tuple[int, int]:
    return SIMULATIONS.index(found["simulations"]), found["theta"]


if __name__ == "__main__":
    main()

"""Sets of rows on SLCP, Lotka-Volterra and SIR, after Linhart et al. (arXiv 2404.07593): n = 1, 8, 14, 22, 30 rows of
one θ*, one network trained on 30 000 simulations of single rows, 1 000 draws against truth.

Truth is an annealed sequence of particles on the exact density, from the whole prior (Del Moral et al. 2006): it does
not depend on the network, and modes get their mass. In SLCP two signs cannot be told from the rows; there truth is
sampled at positive signs, and then the signs are drawn. Every θ* is kept, with the share of draws that are no numbers.

    python -m benchmarks.tall_tasks TASK [--first 1] [--thetas 5] [--store DIR]    adds to results/tall_tasks/TASK.json
    python -m benchmarks tall_tasks                                                prints what results/tall_tasks has
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
from bsi.runtime.correctors import Mala
from bsi.runtime.particles import effective_share, systematic
from bsi.runtime.store import Store

RESULTS = Path(__file__).parent / "results" / "tall_tasks"
ROWS = (1, 8, 14, 22, 30)
SIMULATIONS, DRAWS = 30_000, 1_000
KINDS = {"gauss": "", "corrected": ", correct = mala { steps = 200 }"}
PROJECTIONS = 200
_SHARE = 0.5  # of effective particles, to which each step of the annealing goes
_MOVES = 20  # steps of mala after each
_PARTICLES = 2  # of the annealing for every draw that is kept


@dataclass(frozen=True)
class Task:
    """`signs`: working coordinates whose sign no row tells. `published`: sliced Wasserstein by n, in units of params
    or, where `scaled`, of posterior sds; `aims` ours; `settle`: steps of mala at the end of truth."""

    params: tuple[str, ...]
    signs: tuple[int, ...] = ()
    published: tuple[tuple[int, float], ...] = ()
    aims: tuple[tuple[int, float], ...] = ()
    scaled: bool = False
    settle: int = 200


TASKS = {
    "slcp": Task(("theta",), (2, 3), ((8, 0.363), (30, 0.397)), ((8, 0.33), (30, 0.36)), settle=1_000),
    "lotka_volterra": Task(("rate",), (), ((30, 2.5),), ((30, 0.5),), scaled=True),
    "sir": Task(("contact", "recovery")),
}


class Truth:
    """Draws of the exact posterior of a task, given any rows."""

    def __init__(self, program: Program, task: Task, likelihood: str = "task.f", prior: str = "task.p"):
        model = LoweredModel(program)
        law, coordinates = program.likelihoods[likelihood], model.coordinates(prior)
        self.coordinates, self.task = coordinates, task

        def log_density(z: Array, rows: Array) -> Array:
            params = coordinates.to_params(z)
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

    def __call__(self, rows: np.ndarray, key: PRNGKeyArray, draws: int) -> tuple[np.ndarray, float]:
        """Draws (draws, m) in working coordinates, and `drift`: sds by which their means still moved at the end."""
        z = jr.normal(jr.fold_in(key, 0), (_PARTICLES * draws, self.coordinates.m))
        fold = jnp.asarray(self.task.signs, int)
        z = z.at[:, fold].set(jnp.abs(z[:, fold]))
        power, stage, data = 0.0, 1, jnp.asarray(rows)
        while power < 1.0:
            values = self.likelihoods(z, data)
            step = _step(values, 1.0 - power)
            power, stage = power + step, stage + 1
            z = z[systematic(jr.fold_in(key, 2 * stage), step * values)]
            steps = self.task.settle if power >= 1.0 else _MOVES
            z, stats = self.moved(z, data, jnp.float32(power), jr.fold_in(key, 2 * stage + 1), steps)
        kept, sign = jr.split(jr.fold_in(key, 1))
        z = jr.choice(kept, z, (draws,), replace=False)  # neighbours have common ancestors
        signs = jr.rademacher(sign, (draws, len(self.task.signs)), z.dtype)
        return np.asarray(z.at[:, fold].multiply(signs)), float(stats["drift"])


def _step(values: Array, most: float) -> float:
    """The largest power of the likelihood, up to `most`, that leaves `_SHARE` of the particles effective."""
    low, high = 0.0, most
    if effective_share(most * values) >= _SHARE:
        return most
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective_share(middle * values) >= _SHARE else (low, middle)
    return low


def sliced(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean squared 2-Wasserstein distance over random directions, in the units of the draws."""
    directions = np.random.default_rng(1).normal(size=(a.shape[1], PROJECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    return float(np.sqrt(np.mean((np.sort(a @ directions, axis=0) - np.sort(b @ directions, axis=0)) ** 2)))


def model(name: str, number: int, theta: dict[str, Any]) -> str:
    """Sets of every size from one θ*, and their samples."""
    params = ", ".join(f"task.{param}" for param in TASKS[name].params)
    given = ", ".join(f"task.{param} = {np.asarray(value).tolist()}" for param, value in theta.items())
    text = f'bsi 1\nimport "{name}.bsi" as task\n'
    text += f"train fit = score(task.p, task.f) {{ simulations = {SIMULATIONS}, seed = 1 }}\n"
    for n in ROWS:
        text += f"observe rows_{n} : task.f[{n}] = simulate({given}) {{ seed = {100 * number + n} }}\n"
        text += f"posterior post_{n}({params}) = task.p({params}) * task.f(rows_{n} | {params})\n"
        for kind, options in KINDS.items():
            text += f"sample {kind}_{n} = dpmpp(post_{n}, fit) {{ draws = {DRAWS}, steps = 50, seed = 1{options} }}\n"
    return text


def measure_theta(name: str, number: int, store: Store) -> dict[str, Any]:
    """Distances at every number of rows for the θ* of that number, a draw of the prior. Every θ* has the same network,
    which `store` keeps."""
    task = TASKS[name]
    with tempfile.TemporaryDirectory() as place:
        for suffix in ("bsi", "npz"):
            shutil.copy(EXAMPLES / "sbibm" / f"{name}.{suffix}", place)
        space = LoweredModel(bsi.load(Path(place) / f"{name}.bsi").program).coordinates("p")
        _, theta = space.draw(jr.key(number))
        file = Path(place) / "benchmark.bsi"
        file.write_text(model(name, number, theta))
        loaded = bsi.load(file)
        try:
            run = loaded.run(Path(place) / "out", store=store)
        except RunFailure as failure:  # of a set whose draws are no numbers: the others are kept
            run = failure.run
        done = {job.name for job in run.jobs if job.status in ("done", "reused")}
        truth, found = Truth(loaded.program, task), []
        for n in ROWS:
            rows = LoweredModel(loaded.program).rows(f"rows_{n}")
            z, drift = truth(rows, jr.key(1_000 * number + n), 2 * DRAWS)
            params = jax.vmap(truth.coordinates.to_params)(jnp.asarray(z))
            exact = _flat({param: np.asarray(params[f"task.{param}"]) for param in task.params})
            first, second = exact[::2], exact[1::2]
            sd = exact.std(0)
            entry: dict[str, Any] = {"n": n, "truth_drift": drift, "floor": _distances(second, first, sd)}
            for kind in KINDS:
                if f"{kind}_{n}" not in done:
                    entry[kind] = {"not_finite": 1.0}
                    continue
                tree = run[f"{kind}_{n}"]["posterior"]
                draws = _flat({param: np.asarray(tree[f"task.{param}"])[0] for param in task.params})
                finite = np.isfinite(draws).all(-1)
                entry[kind] = {"not_finite": float(1 - finite.mean()), **_distances(draws[finite], first, sd)}
            found.append(entry)
    return {"theta": number, "value": {k: np.asarray(v).tolist() for k, v in theta.items()}, "rows": found}


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
        thetas = json.loads(path.read_text())
        published, aims = dict(task.published), dict(task.aims)
        for kind in (*KINDS, "floor"):
            for place, n in enumerate(ROWS):
                each = [theta["rows"][place][kind] for theta in thetas]
                lost = sum(one.get("not_finite", 0.0) for one in each) / len(each)
                target = f"≤ {aims[n]}; published {published[n]}" if n in aims else ""
                for unit, label in (("raw", "sliced W"), ("sd", "sliced W in posterior sds")):
                    values = [one[unit] for one in each if unit in one]
                    own = target if (unit == "sd") == task.scaled and kind != "floor" else ""
                    what = f"{name}, n = {n}, {kind}, {label}" + (f", {lost:.1%} not finite" if lost else "")
                    if values:
                        yield Figure(what, values, own)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tall_tasks", description=__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--first", type=int, default=1, help="number of the first θ*")
    parser.add_argument("--thetas", type=int, default=5, help="how many")
    parser.add_argument("--store", help="keeps the network for the next call; without it a temporary folder")
    given = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{given.task}.json"
    with tempfile.TemporaryDirectory() as place:
        for number in range(given.first, given.first + given.thetas):
            found = measure_theta(given.task, number, Store(given.store or place))
            print(json.dumps(found), flush=True)
            before = json.loads(path.read_text()) if path.exists() else []
            kept = [one for one in before if one["theta"] != number]
            path.write_text(json.dumps(sorted([*kept, found], key=lambda one: one["theta"]), indent=1) + "\n")


if __name__ == "__main__":
    main()

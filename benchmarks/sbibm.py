"""sbibm's tasks: C2ST of 10k draws against its 10k reference draws, beside published values.

Every task is run from its example, all observations from one fit: by a table of 10 000 simulations or by fresh ones, as
the network samples (`amortised`) and after `correct = mala` on the model's density (`corrected`).

    python -m benchmarks.sbibm TASK [--simulations 10_000|fresh] [--seed 1] [--observations 1 2 3]
    python -m benchmarks sbibm          prints what results/sbibm has
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bsi
from benchmarks.figure import Figure

EXAMPLES = Path(__file__).parents[1] / "examples"
RESULTS = Path(__file__).parent / "results" / "sbibm"
DRAWS = 10_000
MOVES = 200  # steps of mala


@dataclass(frozen=True)
class Task:
    """`published`: at 10 000 simulations the best of all methods, with its name, and the best amortised one; `ceiling`
    that of 32 million. `correctable` names likelihood and set of the explicit density, where it is not `f` and `obs`.
    """

    params: tuple[str, ...]
    published: tuple[float, str, float]
    ceiling: float
    aim: float
    closed: bool = False
    correctable: tuple[str, str] | None = ("f", "observation")


TASKS = {
    "two_moons": Task(("theta",), (0.554, "SNPE", 0.606), 0.504, 0.52, correctable=None),
    "gaussian_linear": Task(("theta",), (0.536, "SNRE", 0.552), 0.502, 0.52, closed=True),
    "gaussian_linear_uniform": Task(("theta",), (0.527, "SNPE", 0.548), 0.501, 0.52),
    "gaussian_mixture": Task(("theta",), (0.551, "SNPE", 0.615), 0.504, 0.53),
    "slcp": Task(("theta",), (0.713, "SNLE", 0.771), 0.621, 0.65),
    "bernoulli_glm": Task(("offset", "filter"), (0.553, "SNLE", 0.605), 0.507, 0.55, correctable=("g", "answers")),
    "lotka_volterra": Task(("rate",), (0.738, "SNLE", 0.956), 0.684, 0.75),
    "sir": Task(("contact", "recovery"), (0.561, "SNPE", 0.680), 0.519, 0.56),
}


def model(name: str, simulations: str, seed: int, observations: list[int]) -> str:
    """A file that imports the task's example and asks its own questions."""
    task = TASKS[name]
    params = ", ".join(f"task.{param}" for param in task.params)
    kinds = {"amortised": ("f", "observation")}
    if task.correctable is not None:
        kinds["corrected"] = task.correctable
    text = f'bsi 1\nimport "{name}.bsi" as task\n'
    for law in dict.fromkeys(law for law, _ in kinds.values()):
        text += f"train fit_{law} = score(task.p, task.{law}) {{ simulations = {simulations}, seed = {seed} }}\n"
    for i in observations:
        for kind, (law, key) in kinds.items():
            own, rows = f"{kind}_{i}", f"rows_{law}_{i}"
            post, options = f"post_{law}_{i}", f"draws = {DRAWS}, seed = {seed}"
            if f"observe {rows} " not in text:
                text += f'observe {rows} : task.{law} = file("{name}.npz", key = "{key}", index = {i - 1})\n'
                text += f"posterior {post}({params}) = task.p({params}) * task.{law}({rows} | {params})\n"
                stored = f'stored({post}, file("{name}.npz", key = "reference_posterior", index = {i - 1}))'
                closed = f"exact_gaussian({post}) {{ draws = {DRAWS}, seed = 0 }}"
                text += f"sample ref_{law}_{i} = {closed if task.closed else stored}\n"
            options += f", correct = mala {{ steps = {MOVES} }}" if kind == "corrected" else ""
            text += f"sample {own} = dpmpp({post}, fit_{law}) {{ {options} }}\n"
            bound = 0.52 if kind == "corrected" else task.aim
            text += f"check c2st({own}, ref_{law}_{i}, seed = 1) < {bound}\n"
    return text


def measure_task(name: str, simulations: str, seed: int, observations: list[int]) -> dict:
    """C2ST by kind and observation, what the corrector says of itself, and seconds of training."""
    folder = "two_moons" if name == "two_moons" else "sbibm"
    with tempfile.TemporaryDirectory() as place:
        for suffix in ("bsi", "npz"):
            shutil.copy(EXAMPLES / folder / f"{name}.{suffix}", place)
        file = Path(place) / "benchmark.bsi"
        file.write_text(model(name, simulations, seed, observations))
        run = bsi.load(file).run(Path(place) / "out")
    values = {check.text.split("(")[1].split(",")[0]: check.value for check in run.checks}
    jobs = [job for job in run.jobs if job.kind == "train"]
    return {
        "task": name,
        "simulations": simulations,
        "seed": seed,
        "observations": observations,
        "draws": DRAWS,
        **{
            kind: [values[f"{kind}_{i}"] for i in observations]
            for kind in ("amortised", "corrected")
            if f"{kind}_{observations[0]}" in values
        },
        "training_seconds": [job.seconds for job in jobs],
    }


def measure() -> Iterator[Figure]:
    """Rows of what has been measured."""
    for name, task in TASKS.items():
        best, method, amortised = task.published
        targets = {
            "10_000": f"{task.aim}; published {best} {method}, amortised {amortised}",
            "fresh": f"{task.ceiling + 0.03:.3f}; {task.ceiling} with 32M simulations",
        }
        for simulations, target in targets.items():
            found = [json.loads(path.read_text()) for path in sorted(RESULTS.glob(f"{name}_{simulations}_*.json"))]
            for kind, aim in (("amortised", target), ("corrected", ".52")):
                values = [value for one in found for value in one.get(kind, ())]
                if values:
                    yield Figure(f"{name}, {simulations} simulations, {kind}, C2ST", values, f"≤ {aim}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sbibm", description=__doc__)
    parser.add_argument("tasks", nargs="+", choices=TASKS, metavar="TASK", help=", ".join(TASKS))
    parser.add_argument("--simulations", choices=("10_000", "fresh"), default="10_000")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--observations", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    given = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in given.tasks:
        found = measure_task(name, given.simulations, given.seed, given.observations)
        file = RESULTS / f"{name}_{given.simulations}_{given.seed}.json"
        file.write_text(json.dumps(found, indent=1) + "\n")
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()

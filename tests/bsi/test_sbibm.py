"""The tasks of sbibm in the language: each model's density is the one that sbibm's reference draws come from.

Stein's identity needs no chain: over draws of a density π, `E[∇ ln π(z)] = 0` and `E[(z - E z) ∇ ln π(z)ᵀ] = -I`. A
wrong scale, law, or order of params or data breaks it.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import bsi
from benchmarks import sbibm, tall_tasks
from bsi.api import check_file
from bsi.compiler.analyse import analyse
from bsi.compiler.lower.expr import table_array
from bsi.compiler.lower.forward import draw_row
from bsi.compiler.lower.model import LoweredModel
from bsi.compiler.lower.target import log_posterior
from bsi.dsl.format import format_source
from bsi.dsl.span import Source
from tests.bsi.helpers import ROOT, cli, edit, results

MODELS = sorted((ROOT / "examples" / "sbibm").glob("*.bsi"))
REFERENCED = [path for path in MODELS if path.stem != "gaussian_linear"]  # its draws are exact, and not kept
DRAWS = 1_000
SIGMAS = 5.0


def stein(text: str, path: Path) -> np.ndarray:
    """Means of `∇ ln π(z)` and of `(z - E z) ∇ ln π(z)ᵀ + I` over reference draws, in their standard errors."""
    program = analyse(Source(str(path), text)).program
    assert program is not None
    model = LoweredModel(program)
    sample = [node for node in program.samples.values() if node.method == "stored"][-1]
    posterior = program.posteriors[sample.posterior]
    (prior,) = [factor.law for factor in posterior.factors if factor.kind == "prior"]
    coordinates = model.coordinates(prior, "rosenblatt")
    draws = jnp.asarray(table_array(program.tables[dict(sample.options)["table"]])[:DRAWS], jnp.float32)
    sizes = [int(np.prod(program.params[name].shape)) for name in posterior.params]
    columns = jnp.split(draws, np.cumsum(sizes)[:-1], axis=1)
    params = {n: c.reshape(-1, *program.params[n].shape) for n, c in zip(posterior.params, columns, strict=True)}
    target = log_posterior(model, posterior, coordinates)(model.powers(posterior, {}))

    @jax.jit
    def evaluated(params: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        z = jax.vmap(coordinates.from_params)(params)
        return z, jax.grad(lambda z: jnp.sum(target(z)))(z)

    z, slope = (np.asarray(value, np.float64) for value in evaluated(params))
    both = (z - z.mean(0))[:, :, None] * slope[:, None, :] + np.eye(z.shape[1])
    terms = np.concatenate([slope, both.reshape(len(z), -1)], axis=1)
    return terms.mean(0) / (terms.std(0) / np.sqrt(len(z)))


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_task_is_clean_and_laid_out(path: Path) -> None:
    checked = check_file(path)
    assert checked.source is not None and checked.diagnostics == []
    assert format_source(checked.source)[0] == checked.source.text


def test_there_are_seven_tasks_besides_two_moons() -> None:
    assert len(MODELS) == 7


@pytest.mark.parametrize("index", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 5))])
@pytest.mark.parametrize("path", REFERENCED, ids=lambda path: path.stem)
def test_references_come_from_the_density(path: Path, index: int) -> None:
    text = path.read_text().replace("index = 0", f"index = {index}")
    assert np.abs(stein(text, path)).max() < SIGMAS


@pytest.mark.parametrize(
    ("task", "change"),
    [
        ("gaussian_linear_uniform", ("sqrt(0.1)", "sqrt(0.13)")),
        ("gaussian_mixture", ("0.01 * eye", "0.04 * eye")),
        ("slcp", ("tanh(theta[4])", "tanh(1.5 * theta[4])")),
        ("bernoulli_glm", ("i == j + 1", "j == i + 1")),
    ],
)
def test_a_wrong_density_is_told_from_the_right_one(task: str, change: tuple[str, str]) -> None:
    path = ROOT / "examples" / "sbibm" / f"{task}.bsi"
    assert np.abs(stein(edit(path.read_text(), change), path)).max() > SIGMAS


@pytest.mark.slow
@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_task_runs(folder: Path, path: Path) -> None:
    assert cli("run", path, "--profile", "smoke", "--out", folder / "out").status == 0
    assert all(0.4 < check["value"] <= 1 for check in results(str(folder / "out"))["checks"])


@pytest.mark.parametrize("name", sbibm.TASKS)
def test_the_benchmark_asks_what_is_allowed(name: str) -> None:
    folder = ROOT / "examples" / ("two_moons" if name == "two_moons" else "sbibm")
    text = sbibm.model(name, "fresh", 1, [1, 5])
    assert bsi.check(text, str(folder / "benchmark.bsi")) == []
    assert text.count("check c2st(corrected_") == (0 if name == "two_moons" else 2)


@pytest.mark.parametrize("name", tall_tasks.TASKS)
def test_the_benchmark_of_sets_asks_what_is_allowed(name: str) -> None:
    theta = {
        "slcp": {"theta": np.zeros(5)},
        "lotka_volterra": {"rate": np.ones(4)},
        "sir": {"contact": 0.5, "recovery": 0.2},
        "two_moons": {"theta": np.zeros(2)},
    }[name]
    folder = tall_tasks.FOLDERS.get(name, ROOT / "examples" / "sbibm")
    for simulations in tall_tasks.SIMULATIONS:
        text = tall_tasks.model(name, simulations, 1, theta)
        assert bsi.check(text, str(folder / "benchmark.bsi")) == []


def test_the_density_of_two_moons_is_that_of_its_simulator() -> None:
    """Of 4 000 rows of one θ, the share in a box is the integral of the density over it, within 4 sds. Others say where
    the box lies."""
    program = check_file(ROOT / "examples" / "two_moons" / "two_moons.bsi").program
    assert program is not None
    theta = jnp.array([0.3, -0.1])
    law = program.likelihoods["f"]
    rows = jax.vmap(lambda key: draw_row(law, key, {"theta": theta}, {}))(jr.split(jr.key(1), 8_000))
    others, rows = np.split(np.asarray(rows), 2)
    low, high = np.quantile(others, [0.2, 0.6], axis=0)
    share = np.mean(np.all((rows > low) & (rows < high), axis=1))
    axes = [np.linspace(low[k], high[k], 801)[:-1] + (high[k] - low[k]) / 1600 for k in range(2)]
    cells = jnp.asarray(np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2))
    density = jnp.exp(jax.vmap(lambda row: tall_tasks.two_moons({"task.theta": theta}, row))(cells))
    normal = 0.01 * np.sqrt(2 * np.pi) * np.pi  # which the density leaves out
    integral = float(jnp.mean(density)) * float(np.prod(high - low)) / normal
    assert abs(share - integral) < 4 * np.sqrt(share * (1 - share) / 4_000)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sir", "slcp"])
def test_truth_of_sets_is_the_reference_where_there_is_one(name: str) -> None:
    """By weights of a Gaussian, and by particles where there are modes. Two samples of 2 000 reference draws are
    .05 sds apart, in SLCP without the signs, which are exact; draws that are too narrow by a fifth are told apart."""
    program, task = check_file(ROOT / "examples" / "sbibm" / f"{name}.bsi").program, tall_tasks.TASKS[name]
    assert program is not None
    with np.load(ROOT / "examples" / "sbibm" / f"{name}.npz") as file:
        rows, reference = file["observation"][:1], file["reference_posterior"][0].astype(float)
    truth = tall_tasks.Truth(program, task, "f", "p")
    z, quality = truth(rows.reshape(1, *program.likelihoods["f"].shape), jr.key(1), 2_000)
    params = jax.vmap(truth.coordinates.to_params)(jnp.asarray(z))
    draws = np.concatenate([np.asarray(params[p], float).reshape(2_000, -1) for p in task.params], 1)
    draws, reference = draws / reference.std(0), reference[:2_000] / reference.std(0)
    if task.signs:
        draws, reference = np.abs(draws), np.abs(reference)
    centre = reference.mean(0)
    assert quality.get("drift", 0.0) < 0.15 and set(quality) == {"drift" if task.signs else "pareto_k"}
    assert tall_tasks.sliced(draws, reference) < 0.1
    assert tall_tasks.sliced(centre + 0.8 * (draws - centre), reference) > 0.1

"""Emitted NumPyro programs: run without this package, they have the density of the lowered model."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.random as jr
import numpy as np
import pytest
from numpyro.handlers import seed, trace
from numpyro.infer.util import log_density

from bsi.api import check_file
from bsi.compiler.ir import Program
from bsi.compiler.lower.expr import table_array
from bsi.compiler.lower.model import LoweredModel
from bsi.compiler.lower.numpyro_model import numpyro_model
from bsi.compiler.numpyro_text import obstacles, program_text
from tests.bsi.helpers import cli
from tests.compiler.helpers import compiled

MODELS_WITH_DATA = {
    "tiny": """bsi 1
param mu : real
prior p(mu) = normal(0, 1)
likelihood f(x : real | mu) = normal(mu, 0.5)
observe obs : f[3] = [0.1, 0.4, 0.2]
posterior post(mu) = p(mu) * f(obs | mu)
sample ref = nuts(post) { chains = 2, warmup = 100, draws = 200, seed = 3 }
""",
    "lets": """bsi 1
data t : real[3] = [0, 1, 2]
param a : real
prior p(a) = normal(0, 1)
let line(slope) = [slope * t[i] for i in 3]
likelihood f(x : real[3] | a) = { let noise = 0.1 + a^2; x ~ normal(line(a), noise) }
likelihood g(x : real[2] | a) = normal([sum over j in 2 : a * exp(t[j + i] - j * i) for i in 2], 1)
let step(state, x) = if state > 0.5 then log(state) + x else a_half(state) * x
let a_half(s) = 0.5 * s
likelihood h(x : real[3] | a) = normal(scan(step, 0.3, t), exp(a))
observe obs : f = [1, 2, 3]
observe more : g = [1, 2]
observe last : h = [1, 2, 0]
sweep lambda in [0, 1]
posterior post(a) = p(a) * f(obs | a)^(2 * lambda) * g(more | a) * h(last | a)^0.5
""",
    "laws": """bsi 1
param c : ordered[3]
param s : real<lower = 0, upper = 4>[2]
prior p(c, s) = {
  c ~ ordered(normal(0, 2))
  s ~ truncated(gamma(2, 3), upper = 4)
}
likelihood f(x : real[5] | c, s) = hidden_markov(
  [0.5, 0.5], [[0.9, 0.1], [s[0] / 4, 1 - s[0] / 4]], normal(c[0], 1), normal(c[1], 2)
)
likelihood g(x : int[3] | s) = multinomial_logit(10, [s[0], s[1], 0])
likelihood h(x : int | c) = ordered_probit(0.3, c)
likelihood q(x : int | s) = zero_inflated(0.3, poisson(s[0]))
observe a : f = [0.1, 0.2, 3.0, 2.0, 1.0]
observe b : g[2] = [[1, 2, 7], [3, 3, 4]]
observe d : h = 1
observe zeros_and_more : q[3] = [0, 1, 2]
posterior post(c, s) = p(c, s) * f(a | c, s) * g(b | s)^0.5 * h(d | c) * q(zeros_and_more | s)
""",
    "holes": """bsi 1
param theta : real[2]
prior p(theta) = normal(0, 1)
let C = [[1.0, 0.4, 0.2], [0.4, 0.8, 0.3], [0.2, 0.3, 0.5]]
likelihood f(x : real[3] | theta) = mv_normal([theta[0], theta[0] + theta[1], 2 * theta[1]], C)
likelihood g(x : real[3] | theta) = normal(theta[0], 1.0)
observe obs : f[4] = file("holes.csv") { missing = "nan" }
observe again : g[4] = file("holes.csv") { missing = "nan" }
posterior post(theta) = p(theta) * f(obs | theta)^[1.0, 0.5, 3.0, 1.5] * g(again | theta)
""",
    "large": """bsi 1
dim n = 200
data w : int[100, 2] = file("w.json", key = "deep.w")
data v : real[150] = file("v.npz", key = "v", index = 1)
data pairs : real[n, 2] = file("y.csv", columns = ["z", "y"])
param a : real
prior p(a) = normal(0, 1)
likelihood f(x : real | a) = normal(a + w[3, 1] + v[2] + pairs[5, 1], 1)
observe obs : f[n] = file("y.csv", key = "y")
posterior post(a) = p(a) * f(obs | a)
""",
}

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
DRAWS = 5
GALLERY = sorted((ROOT / "examples/gallery").glob("*.bsi"))
EXAMPLES = {path.stem: path for path in sorted((ROOT / "examples").glob("*/*.bsi")) if path not in GALLERY}
# Good models of the same name are the examples again.
MODELS = [
    *EXAMPLES.values(),
    *(p for p in sorted((ROOT / "tests/golden/good").glob("*.bsi")) if p.stem not in EXAMPLES),
]


@cache
def program_of(path: Path) -> Program:
    program = check_file(path, {}).program
    assert program is not None
    return program


def explicit(path: Path) -> bool:
    program = program_of(path)
    return any(not obstacles(program, posterior) for posterior in program.posteriors.values())


EXPLICIT = [path for path in MODELS if explicit(path)]
SLOW = [path for path in EXPLICIT if path.stem in ("sir", "lotka_volterra", "seismogram", "lynx_hare")]  # to compile


def points(program: Program) -> list[tuple[str, dict[str, float], dict[str, Any], list[float]]]:
    """For every posterior with a density, and the first and last point of every sweep: its powers, `DRAWS` draws from
    the prior (non-centred sites included) and their log densities by the lowered model, in double precision."""
    found = []
    model = LoweredModel(program)
    rows = {name: model.rows(name) for name in program.observations}  # simulated ones in single precision
    seen = {name: mask for name in rows if (mask := model.seen(name)) is not None}
    with jax.enable_x64(True):
        data = {name: table_array(program.tables[node.digest]) for name, node in program.data.items()}
        for posterior in program.posteriors.values():
            if obstacles(program, posterior):
                continue
            references = [s for s in program.samples.values() if s.posterior == posterior.name and s.method == "nuts"]
            centred = bool(references) and all(dict(s.options)["centred"] for s in references)
            lowered = numpyro_model(program, posterior, data, rows, seen, centred=centred)
            judged = draws_of(lowered)
            ends = [{name: sweep.values[end] for name, sweep in program.sweeps.items()} for end in (0, -1)]
            for point in ends[: 2 if program.sweeps else 1]:
                powers = tuple(np.float64(power) for power in model.powers(posterior, point))
                drawn, density = judged(powers, jr.split(jr.key(1), DRAWS))
                found.append((posterior.name, used(program, posterior, point), drawn, density.tolist()))
    return found


def used(program: Program, posterior: Any, point: dict[str, float]) -> dict[str, float]:
    from bsi.compiler.fold import references

    names = set().union(*(references(factor.power) for factor in posterior.factors))
    return {f"{name}_" if name == "lambda" else name: value for name, value in point.items() if name in names}


def draws_of(model: Any) -> Any:
    """Draws from the prior by site, and their log densities, for powers and keys."""

    def one(powers: Any, key: jax.Array) -> tuple[dict[str, jax.Array], jax.Array]:
        sites = trace(seed(model, key)).get_trace(powers)
        drawn = {n: s["value"] for n, s in sites.items() if s["type"] == "sample" and not s["is_observed"]}
        return drawn, log_density(model, (powers,), {}, drawn)[0]

    return jax.jit(jax.vmap(one, in_axes=(None, 0)))


def with_data(folder: Path) -> list[Path]:
    """`MODELS_WITH_DATA` as files, beside data that are too many for a program's text, and data with holes."""
    (folder / "y.csv").write_text("y,z\n" + "".join(f"{i / 8},1\n" for i in range(200)))
    (folder / "w.json").write_text(json.dumps({"deep": {"w": [[i, i + 1] for i in range(100)]}}))
    (folder / "holes.csv").write_text("a,b,c\n0.5,NA,1.0\n,,-0.4\nnan,,null\n1.2,0.3,-0.8\n")
    np.savez(folder / "v.npz", v=np.arange(300.0).reshape(2, 150))
    for name, text in MODELS_WITH_DATA.items():
        (folder / f"{name}.bsi").write_text(text)
    return [folder / f"{name}.bsi" for name in MODELS_WITH_DATA]


def copied(path: Path, folder: Path) -> Path:
    """The program of a model beside links to the model's data."""
    if not folder.exists():
        folder.mkdir()
        for file in path.parent.iterdir():
            if file.is_file():
                (folder / file.name).symlink_to(file)
    program = folder / f"{path.stem}.py"
    program.write_text(program_text(program_of(path)))
    return program


def compare(models: list[Path], folder: Path, main: Path | None = None) -> str:
    """Emit and run programs in one process of their own, where this package cannot be imported; what `main` printed."""
    wanted, expected = [], []
    for path in models:
        cases = points(program_of(path))
        arrays = [{name: value.tolist() for name, value in case[2].items()} for case in cases]
        program = copied(path, folder / f"{path.parent.name}_copied")
        wanted.append([str(program), [(c[0], c[1], z) for c, z in zip(cases, arrays, strict=True)]])
        expected.append([case[3] for case in cases])
    sampled = str(copied(main, folder / f"{main.parent.name}_copied")) if main else None
    (folder / "wanted.json").write_text(json.dumps({"densities": wanted, "main": sampled}))
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-W", "error", str(HERE / "emitted_in_process.py"), str(folder / "wanted.json")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    for (path, _), got_of, want_of in zip(wanted, found["densities"], expected, strict=True):
        for got, want in zip(got_of, want_of, strict=True):
            assert np.isfinite(want).all(), path
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5, err_msg=path)
    return found["printed"]


def test_programs_have_the_density_of_the_lowered_model(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    models = with_data(tmp_path / "data")
    printed = compare(
        [*(path for path in EXPLICIT if path not in SLOW), *models], tmp_path, main=tmp_path / "data/tiny.bsi"
    )
    mean = float(next(line.split()[1] for line in printed.splitlines() if line.strip().startswith("mu ")))
    assert abs(mean - 2.8 / 13) < 4 * (1 / 13) ** 0.5 / 400**0.5  # 2 x 200 draws, about as good as independent ones


@pytest.mark.slow
def test_programs_of_the_gallery_have_the_density_of_the_lowered_model(tmp_path: Path) -> None:
    compare([*SLOW, *GALLERY], tmp_path)


@pytest.mark.parametrize("path", [*EXPLICIT, *GALLERY], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_programs_have_lines_of_a_page(path: Path) -> None:
    text = program_text(program_of(path))
    compile(text, path.stem, "exec")
    assert max(map(len, text.splitlines())) <= 120


def test_the_users_words_are_kept() -> None:
    text = program_text(program_of(ROOT / "examples/eight_schools/eight_schools.bsi"))
    for line in (
        "Effects of coaching on test scores in eight schools",
        'mu = numpyro.sample("mu", dist.Normal(0.0, 5.0))',
        "# mean effect over schools",
        'theta = numpyro.sample("theta", dist.Normal(mu, tau).expand([school]).to_event(1))',
        'numpyro.sample("obs", f(theta), obs=obs)',
        "NUTS(post, target_accept_prob=0.95)",
    ):
        assert line in text


def test_lets_become_variables_and_loops_arrays() -> None:
    text = program_text(compiled(MODELS_WITH_DATA["lets"]))
    assert "line = a * t\n" in text and "noise = 0.1 + a**2\n" in text and "dist.Normal(line, noise)" in text
    assert "jax.vmap(" in text  # no arithmetic on whole arrays says the double sum
    assert "def post(lambda_=1.0):" in text
    assert "jnp.where(2 * lambda_ == 0, 0.0, 2 * lambda_ * f(a).log_prob(obs))" in text


def test_centred_params_are_sampled_as_they_are_declared() -> None:
    text = program_text(program_of(ROOT / "examples/gallery/rats.bsi"))
    assert "reparam" not in text and 'alpha = numpyro.sample("alpha", dist.Normal(mu[0], tau[0])' in text


def test_emit_prints_a_program_or_why_there_is_none() -> None:
    printed = cli("emit", str(ROOT / "examples/eight_schools/eight_schools.bsi"), "--stage", "numpyro")
    assert printed.status == 0 and "def post():" in printed.out
    refused = cli("emit", str(ROOT / "examples/two_moons/two_moons.bsi"), "--stage", "numpyro")
    assert (
        refused.status == 2
        and "error[E0518]" in refused.err
        and "`f` can be simulated, but has no density" in refused.err
    )


def test_the_reference_shows_what_is_emitted() -> None:
    section = (
        (ROOT / "grammar/README.md").read_text(encoding="utf-8").split("## NumPyro programs\n")[1].split("\n## ")[0]
    )
    (model,) = re.findall(r"```bsi\n(.*?)```", section, re.S)
    (python,) = re.findall(r"```python\n(.*?)```", section, re.S)
    assert python in program_text(compiled(model))

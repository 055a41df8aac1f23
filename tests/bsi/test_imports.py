"""A model in several files, from the command line to its results."""

import hashlib
import json
from pathlib import Path

import numpy as np

import bsi
from bsi.runtime.results import read
from tests.bsi.helpers import cli

LAWS = """bsi 1

import "sizes.bsi" as sizes

param mu : real[sizes.d]

prior p(mu) = normal(0, 1)
likelihood f(x : real[sizes.d] | mu) = normal(mu, 0.5)
let half = 0.5

net tiny = mlp { width = sizes.width, depth = 1 }
train fit = score(p, f) { network = tiny, steps = 20, batch = 32, seed = 1 }
"""

MODEL = """bsi 1

import "parts/laws.bsi" as laws

observe obs : laws.f[3] = [[0.1, 0.2], [0.4, 0.3], [0.2, 0.1]]
posterior post(laws.mu) = laws.p(laws.mu) * laws.f(obs | laws.mu)^laws.half

sample ref = nuts(post) { chains = 2, warmup = 200, draws = 300, seed = 3 }
sample ode = ddim(post, laws.fit) { draws = 200, steps = 10, seed = 2 }

check mean_error(ode, ref) < 2
"""


def write(folder: Path) -> Path:
    (folder / "parts").mkdir()
    (folder / "parts" / "sizes.bsi").write_text("bsi 1\n\ndim d = 2\nlet width = 8\n")
    (folder / "parts" / "laws.bsi").write_text(LAWS)
    (folder / "model.bsi").write_text(MODEL)
    return folder / "model.bsi"


def test_a_model_of_three_files_runs(folder: Path) -> None:
    model = write(folder)
    done = cli("run", model, "--out", "out")
    assert done.status == 0, done.err
    draws = read(Path("out/ref.nc")).posterior["laws.mu"]
    assert draws.dims == ("chain", "draw", "laws.sizes.d") and draws.shape == (2, 300, 2)
    assert read(Path("out/ode.nc")).posterior["laws.mu"].shape == (1, 200, 2)
    # conjugate: precision 1 + 4 * 3 * 0.5 = 7, mean 4 * 0.5 * sum(x) / 7; 600 draws, ESS above 200 -> 5 sigma
    error = np.abs(draws.values.reshape(-1, 2).mean(0) - 2 * np.array([0.7, 0.6]) / 7)
    assert (error < 5 / np.sqrt(7 * 200)).all()
    lock = json.loads((folder / "out" / "bsi.lock").read_text())
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in (model, *sorted((folder / "parts").iterdir()))]
    assert sorted(lock["sources"].values()) == sorted(digests) and len(lock["sources"]) == 3
    kept = {file.name for file in (folder / "out" / "imports").iterdir()}
    assert kept == {"1_laws.bsi", "2_sizes.bsi"} and (folder / "out" / "model.bsi").read_text() == MODEL
    assert "laws.mu" in (folder / "out" / "report.html").read_text(encoding="utf-8")


def test_commands_on_a_model_of_three_files(folder: Path) -> None:
    model = write(folder)
    assert cli("check", model).status == 0 and cli("check", model, folder / "parts" / "laws.bsi").status == 0
    assert "fit" in cli("plan", model, "--set", "laws.sizes.width=16").out
    expanded = cli("expand", model).out
    (folder / "expanded.bsi").write_text(expanded)
    assert 'import "parts/laws.bsi" as laws' in expanded and cli("check", folder / "expanded.bsi").status == 0
    for stage in ("ast", "program", "ir", "plan"):
        assert cli("emit", model, "--stage", stage).status == 0
    assert cli("fmt", model, "--check").status == 0
    program = bsi.load(model, **{"laws.sizes.width": "16"}).program  # pyright: ignore[reportArgumentType]
    assert dict(program.trains["laws.fit"].network.options)["width"] == 16


def test_fixes_are_made_in_the_file_that_is_named(folder: Path) -> None:
    model = write(folder)
    laws = folder / "parts" / "laws.bsi"
    laws.write_text(LAWS.replace("depth", "dept"))
    model.write_text(MODEL.replace("laws.p(", "laws.pp("))
    done = cli("check", model, "--fix")
    assert done.status == 2 and f"{laws}:11:39" in done.err
    assert model.read_text() == MODEL and "dept =" in laws.read_text()
    assert cli("check", laws, model, "--fix").status == 0 and laws.read_text() == LAWS

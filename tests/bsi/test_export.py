"""`bsi export`: the file makes the draws that the run makes, in a process that has JAX and nothing of ours."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

import bsi
from bsi.compiler.plan import plan
from bsi.jobs.context import Context
from bsi.runtime.progress import NullProgress
from bsi.runtime.results import read
from bsi.runtime.store import Store
from tests.bsi.helpers import cli

MODEL = """bsi 1
dim d = 2
let spread = 0.5
param theta : real[d]
param tau : real<lower = 0>
prior p(theta, tau) = {
  theta ~ normal(0, 1)
  tau ~ lognormal(0, spread)
}
likelihood f(x : real[3, d] | theta, tau) = normal(theta, tau)
observe obs : f = [[0.5, 1.0], [0.3, 0.2], [0.1, 0.9]]
posterior post(theta, tau) = p(theta, tau) * f(obs | theta, tau)
net small = mlp { width = 8, depth = 1 }
train table = exact(p, f) { simulations = 500 }
train fast = distill(table) { network = small, method = regression, pairs = 100, steps = 20, flow_steps = 4 }
sample s = one_step(post, fast) { draws = 50 }
"""

ALONE = """
import importlib.util
import sys

KNOWN = {"jax", "jaxlib", "numpy", "flatbuffers", "ml_dtypes", "opt_einsum", "scipy", *sys.stdlib_module_names}

class Only:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        return self.finder.find_spec(name, path, target) if top in KNOWN or top.startswith("_") else None

sys.meta_path = [Only(finder) for finder in sys.meta_path]
assert all(importlib.util.find_spec(name) is None for name in ("bsi", "equinox", "lark", "jaxtyping", "diffrax"))
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A run, left in a folder with its store, and what it exports; every test works on a copy."""
    folder = tmp_path_factory.mktemp("exported")
    (folder / "m.bsi").write_text(MODEL)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("BSI_STORE", str(folder / "store"))
        ran = cli("run", "m.bsi", "--out", "run", "--set", "spread=0.25", "--seed", "3")
        assert ran.status == 0, ran.err
        made = cli("export", "run", "fast")
        assert made.status == 0, made.err
    return folder


@pytest.fixture
def here(exported, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(exported, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("BSI_STORE", str(folder / "store"))
    return folder


def test_the_file_needs_only_jax_and_makes_the_same_draws(here):
    """Its README, run as it stands but for the row, in a process where every other package is refused."""
    with zipfile.ZipFile("run/fast.zip") as file:
        readme = file.read("README.txt").decode()
    row = 'row = np.full((n, 3, 2), 0.3).astype("float32")'
    assert "row = np.zeros((n, 3, 2))" in readme
    lines = [row if line.startswith("row") else line for line in readme.splitlines()]
    Path("run/alone.py").write_text("\n".join([ALONE, *lines, 'np.savez("draws.npz", noise=noise, **params)', ""]))
    environment = {k: v for k, v in os.environ.items() if k != "BSI_STORE"} | {"PYTHONPATH": ""}
    subprocess.run([sys.executable, "alone.py"], cwd="run", check=True, env=environment)

    program = bsi.load("m.bsi", spread=0.25).prepared(seed=3)
    store = Store()
    context = Context(program, store, NullProgress(), {job.name: job.key for job in plan(program, store)})
    fit = program.trains["fast"]
    with np.load("run/draws.npz") as draws:
        z = context.distilled(fit)(jnp.asarray(draws["noise"]), jnp.full((1000, 6), 0.3))
        own = jax.vmap(context.lowered.coordinates_of(fit).to_params)(z)
        assert set(draws.files) == {"noise", "theta", "tau"} and draws["theta"].shape == (1000, 2)
        for name, values in own.items():
            np.testing.assert_allclose(draws[name], values, rtol=1e-4, atol=1e-5)
        assert (draws["tau"] > 0).all()


def test_the_file_says_what_it_is(here):
    """And nothing of the machine that wrote it: written again it has the same bytes."""
    with zipfile.ZipFile("run/fast.zip") as file:
        about, program = json.loads(file.read("about.json")), file.read("sampler.jax")
    before = Path("run/fast.zip").read_bytes()
    assert b".py" not in program and cli("export", "run", "fast").status == 0
    assert Path("run/fast.zip").read_bytes() == before
    assert about["inputs"]["noise"]["shape"] == ["n", 3] and about["inputs"]["row"]["shape"] == ["n", 3, 2]
    assert about["outputs"] == {
        "tau": {"shape": ["n"], "dtype": "float32"},
        "theta": {"shape": ["n", 2], "dtype": "float32"},
    }
    assert about["dims"] == {"theta": ["d"], "tau": [], "row": ["3", "d"]}
    assert about["platforms"] == ["cpu", "cuda"]
    assert about["key"] == json.loads(Path("run/bsi.lock").read_text())["jobs"]["fast"]
    assert about["packages"]["jax"] == jax.__version__ and len(about["sha256"]) == 64


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("run", "fast", "--to", "onnx"), "E0560", "no maintained package"),
        (("run", "fast", "--to", "pickle"), "E0560", "write `--to jax-export`"),
        (("run", "table"), "E0561", "name one that does: `fast`"),
        (("run", "nothing"), "E0561", "the model has no fit `nothing`"),
        (("run", "fast", "--steps", "2"), "E0558", "take one step, not 2"),
        (("store", "fast"), "E0009", "name the folder that `bsi run` wrote"),
    ],
)
def test_what_cannot_be_exported(here, arguments, code, says):
    Path("run/fast.zip").unlink()
    found = cli("export", *arguments)
    assert found.status == 2 and f"error[{code}]" in found.err and says in found.err
    assert not Path("run/fast.zip").exists()


def test_a_model_that_has_changed_since_the_run(here):
    Path("m.bsi").write_text(MODEL.replace("steps = 20", "steps = 21"))
    found = cli("export", "run", "fast")
    assert found.status == 2 and "error[E0562]" in found.err and "m.bsi:15:1" in found.err
    Path("m.bsi").write_text(MODEL.replace("train fast", "trane fast"))
    found = cli("export", "run", "fast")
    assert found.status == 2 and "m.bsi:15:1" in found.err and "E056" not in found.err
    Path("m.bsi").unlink()
    found = cli("export", "run", "fast")
    assert found.status == 2 and "error[E0562]" in found.err and "no longer" in found.err


def test_a_store_without_the_fit(here, monkeypatch):
    monkeypatch.setenv("BSI_STORE", str(here / "other"))
    found = cli("export", "run", "fast")
    assert found.status == 2 and "error[E0563]" in found.err and "set BSI_STORE" in found.err


def test_a_model_without_a_distilled_fit_says_how_to_declare_one(here):
    lines = [line for line in MODEL.splitlines() if not line.startswith(("train fast", "sample", "net"))]
    Path("m.bsi").write_text("\n".join([*lines, "sample s = ddim(post, table)", ""]))
    found = cli("export", "run", "table")
    assert found.status == 2 and "error[E0561]" in found.err and "distill(table)" in found.err


SLIDER = """bsi 1
param mu : real
prior p(mu) = normal(0, 1)
likelihood f(x : real | mu) = normal(mu, 1)
observe obs : f[3] = [0.1, 0.4, 0.2]
sweep lambda in [0.5, 2]
posterior post(mu) = p(mu) * f(obs | mu)^lambda
net small = mlp { width = 8, depth = 1 }
train table = exact(p, f) { simulations = 2_000, seed = 1 }
train fast = distill(table, post) { network = small, method = regression, pairs = 100, steps = 20, flow_steps = 4 }
sample s = one_step(post, fast) { draws = 4_000 }
"""


def test_powers_and_rows_are_inputs_where_the_fit_has_learned_them(folder):
    """4 000 draws of the file and of the run at both powers: means and sds agree within 4.5 sigma."""
    Path("slider.bsi").write_text(SLIDER)
    assert cli("run", "slider.bsi", "--out", "run").status == 0
    assert cli("export", "run", "fast", "--out", "fast.zip").status == 0
    with zipfile.ZipFile("fast.zip") as file:
        sampler = jax.export.deserialize(bytearray(file.read("sampler.jax")))
    n = 4_000
    noise = np.random.default_rng(0).normal(size=(n, 1)).astype(np.float32)
    rows, one = np.tile(np.float32([0.1, 0.4, 0.2]), (n, 1)), np.ones(n, np.float32)
    own = read(Path("run/s.nc")).posterior["mu"]
    for power in (0.5, 2.0):
        found = sampler.call(noise=noise, row=rows, power=np.full((n, 3), power, np.float32), prior_power=one)["mu"]
        draws, kept = np.asarray(found), own.sel({"lambda": power}).values
        sd = kept.std()
        assert abs(draws.mean() - kept.mean()) < 4.5 * sd * np.sqrt(2 / n)
        assert abs(draws.std() / sd - 1) < 4.5 * np.sqrt(1 / n)

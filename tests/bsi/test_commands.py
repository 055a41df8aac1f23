"""Commands besides `run`: what they print, what they change, how they refuse."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.bsi.helpers import ROOT, TINY, cli, edit, write

SIZED = edit(TINY, ("param mu", "dim n = 3\nlet s = 0.5\nparam mu"), ("(mu, 0.5)", "(mu, s)"), ("f[3]", "f[n]"))


def test_set_overrides_what_may_vary(folder):
    write("sized.bsi", SIZED)
    plan = {}
    for values in ("", "s=0.25", "obs=[0.1, 0.2, 0.3]"):
        out = cli("emit", "sized.bsi", "--stage", "plan", *(("--set", values) if values else ())).out
        plan[values] = {job["name"]: job["key"] for job in json.loads(out)}
    assert plan["s=0.25"]["fit"] != plan[""]["fit"]
    assert plan["obs=[0.1, 0.2, 0.3]"]["fit"] == plan[""]["fit"]
    assert plan["obs=[0.1, 0.2, 0.3]"]["ode"] != plan[""]["ode"]


def test_set_reads_another_file(folder):
    (folder / "a.csv").write_text("y\n0.1\n0.2\n0.3\n")
    (folder / "b.csv").write_text("y\n0.4\n0.5\n0.6\n")
    write("sized.bsi", edit(SIZED, ("[0.1, 0.4, 0.2]", 'file("a.csv", key = "y")')))
    programs = [
        json.loads(cli("emit", "sized.bsi", "--stage", "ir", *given).out)["observations"]["obs"]
        for given in ((), ("--set", "obs=b.csv"))
    ]
    assert programs[0] != programs[1]


@pytest.mark.parametrize(
    "value, code, words",
    [
        ("n", "E0007", "is not NAME=VALUE"),
        ("=3", "E0007", "is not NAME=VALUE"),
        ("m=4", "E0210", "nothing is declared"),
        ("mu=4", "E0210", "it is a param"),
        ("n=(", "E0210", "is not an expression"),
        ("n=4", "E0606", "`obs` needs 4 rows"),
    ],
)
def test_set_refuses(folder, value, code, words):
    write("sized.bsi", SIZED)
    refused = cli("check", "sized.bsi", "--set", value)
    assert refused.status == 2 and f"error[{code}]" in refused.err and words in refused.err


def test_check_prints_json(folder):
    write("good.bsi", TINY)
    write("wrong.bsi", edit(TINY, ("normal(0, 1)", "nomal(0, 1)")))
    both = cli("check", "good.bsi", "wrong.bsi", "--format", "json")
    assert both.status == 2
    (found,) = json.loads(both.out)["diagnostics"]
    assert found["code"].startswith("E02") and found["severity"] == "error" and "`nomal`" in found["message"]
    clean = cli("check", "good.bsi", "--format", "json")
    assert clean.status == 0 and json.loads(clean.out)["diagnostics"] == []


def test_check_applies_fixes(folder):
    path = write("wrong.bsi", edit(TINY, ("normal(0, 1)", "gaussian(0, 1)")))
    before = path.read_text()
    assert cli("check", "wrong.bsi").status == 2 and path.read_text() == before
    fixed = cli("check", "wrong.bsi", "--fix")
    assert fixed.status == 0 and path.read_text() == TINY


def test_run_prints_checks_json(ran):
    done = cli("run", "tiny.bsi", "--format", "json")
    assert done.status == 0
    assert json.loads(done.out) == json.loads(Path("runs/tiny/checks.json").read_text())


def test_plan_names_costs_and_reasons(ran):
    write("tiny.bsi", edit(TINY, ("f(obs | mu)\n", "f(obs | mu)^2\n")))
    lines = cli("plan", "tiny.bsi").out.splitlines()
    fit, ref, ode = (next(line for line in lines if f" {name} " in line) for name in ("fit", "ref", "ode"))
    assert fit.startswith("=") and "20 steps × 32 of fresh simulations" in fit and "parameters" in fit
    assert ref.startswith("+") and "1_000 draws in 2 chains" in ref and "power of f(obs) changed from 1.0 to 2.0" in ref
    assert ode.startswith("+") and "200 draws × 3 rows × 10 steps" in ode
    assert lines[-1].startswith("on cpu")
    assert not Path("runs/tiny/new").exists()


def test_plan_as_data(ran):
    write("tiny.bsi", edit(TINY, ("f(obs | mu)\n", "f(obs | mu)^2\n")))
    plan = json.loads(cli("plan", "tiny.bsi", "--format", "json").out)
    fit, ref, ode, check = plan["jobs"]
    assert plan["schema"] == 1 and plan["model"] == "tiny" and plan["device"]["platform"] == "cpu"
    assert [job["action"] for job in plan["jobs"]] == ["reuse", "compute", "compute", "compute"]
    assert ode["evaluations"] == 200 * 3 * 10 and ode["draws"] == 200 and ref["draws"] == 1_000
    assert fit["simulations"] == 20 * 32 and fit["parameters"] > 0 and fit["memory"] is None
    assert ode["memory"] > 0 and ref["seconds"] > 0 and check["needs"] == ["ode", "ref"]


def test_a_plan_fits_a_narrow_terminal(ran, monkeypatch):
    from bsi import terminal

    monkeypatch.setattr(terminal, "columns", lambda: 40)
    lines = cli("plan", "tiny.bsi").out.splitlines()
    assert max(map(len, lines)) <= 40 and "= train fit" in lines and "    up to date" in lines


def test_a_plan_says_what_resumes(ran):
    write("tiny.bsi", edit(TINY, ("steps = 20", "steps = 21")))
    key = next(job["key"] for job in json.loads(cli("plan", "tiny.bsi", "--format", "json").out)["jobs"])
    checkpoints = ran / "store/checkpoints"
    checkpoints.mkdir(exist_ok=True)
    (checkpoints / key).write_bytes(b"")
    assert cli("plan", "tiny.bsi").out.splitlines()[1].startswith("~  train")


def test_expand_is_the_same_model(ran):
    expanded = cli("expand", "tiny.bsi")
    assert expanded.status == 0 and "learning_rate = 0.001" in expanded.out
    write("tiny.bsi", expanded.out)
    assert cli("plan", "tiny.bsi").out.count("up to date") == 4
    assert cli("expand", "tiny.bsi").out == expanded.out


@pytest.mark.parametrize("stage", ["ast", "program", "ir", "plan"])
def test_emit_prints_json(folder, stage):
    write("tiny.bsi", TINY)
    emitted = cli("emit", "tiny.bsi", "--stage", stage)
    assert emitted.status == 0 and "mu" in emitted.out
    json.loads(emitted.out)


def test_emit_shows_the_tree_of_a_model_with_mistakes(folder):
    write("wrong.bsi", edit(TINY, ("normal(0, 1)", "nomal(0, 1)")))
    assert json.loads(cli("emit", "wrong.bsi", "--stage", "ast").out)
    assert cli("emit", "wrong.bsi", "--stage", "ir").status == 2


def test_info_names_versions_device_and_store(folder):
    info = cli("info")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert info.status == 0 and f"bsi-lang   {version}" in info.out
    assert "cpu" in info.out and str(folder / "store") in info.out


def test_a_gpu_that_is_not_there_is_said(folder):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "BSI_STORE": str(folder / "store")}
    command = [sys.executable, "-c", "from bsi.cli import main; main()", "run", "tiny.bsi", "--device", "gpu"]
    write(folder / "tiny.bsi", TINY)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "error[E0639]" in done.stderr and "Traceback" not in done.stderr


def test_info_says_why_there_is_no_device(folder):
    environment = {**os.environ, "JAX_PLATFORMS": "rocm", "BSI_STORE": str(folder / "store")}
    command = [sys.executable, "-c", "from bsi.cli import main; main()", "info"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "device     none: JAX_PLATFORMS=rocm" in done.stdout


def test_store_lists_and_collects(ran):
    rows = cli("store", "ls").out.splitlines()
    assert [line.split()[1] for line in rows[1:]] == ["train", "reference", "sample", "check"]
    assert "removed 0 entries" in cli("store", "gc").err
    assert "removed 0 entries" in cli("store", "gc", "--older-than", "1").err
    assert "removed 4 entries" in cli("store", "gc", "--older-than", "0").err
    assert len(cli("store", "ls").out.splitlines()) == 1


def test_fmt_checks_shows_and_writes(folder):
    pytest.importorskip("bsi.dsl.format")
    ugly = edit(TINY, ("param mu : real", "param   mu:real   # the mean"))
    path = write("tiny.bsi", ugly)
    checked = cli("fmt", "--check", "tiny.bsi")
    assert checked.status == 1 and "would reformat tiny.bsi" in checked.err and path.read_text() == ugly
    shown = cli("fmt", "--diff", "tiny.bsi")
    assert shown.status == 0 and "\n-param   mu:real" in shown.out and path.read_text() == ugly
    assert cli("fmt", "tiny.bsi").status == 0
    assert "param mu : real" in path.read_text() and "# the mean" in path.read_text()
    assert cli("fmt", "--check", "tiny.bsi").status == 0


def test_explain(folder):
    page = cli("explain", "e0601")
    assert page.status == 0 and page.out.startswith("# E0601: ")
    every = cli("explain").out
    assert "## E01: syntax\n\n- `E0101` " in every and every.count("\n- `") >= 70
    unknown = cli("explain", "E9999")
    assert unknown.status == 2 and "error[E0008]" in unknown.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("run",),
        ("run", "tiny.bsi", "--frobnicate"),
        ("run", "tiny.bsi", "--seed", "-1"),
        ("run", "tiny.bsi", "--seed", "one"),
        ("run", "tiny.bsi", "--profile", "quick"),
        ("emit", "tiny.bsi"),
        ("store", "frobnicate"),
        ("check", "missing.bsi"),
        ("report", "nowhere"),
    ],
    ids=" ".join,
)
def test_what_is_not_understood_is_status_2(folder, arguments):
    write("tiny.bsi", TINY)
    refused = cli(*arguments)
    assert refused.status == 2 and refused.err and "Traceback" not in refused.err

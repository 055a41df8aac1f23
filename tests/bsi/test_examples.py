"""Every example runs in the smoke profile, stays inside its supports, and is not computed twice."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import bsi
from tests.bsi.helpers import ROOT, cli, results, reused

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*/*.bsi") if path.stem == path.parent.name)

# XLA takes a minute or so to compile a U-Net, or the solver of differential equations with all its gradients
SLOW = {"digits", "photos", "lynx_hare", "learned_prior", "seismogram", "jansen_rit", "sensitivity", "elliptic"}
SLOW |= {"acoustic"}  # simulations take a hundredth of a second each
SLOW |= {"rat_tumors", "ornstein_uhlenbeck"}  # half a minute each, and what they use is tested elsewhere


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in EXAMPLES])
def test_an_example_runs(folder, name):
    shutil.copytree(ROOT / "examples" / name, folder / name)
    file = f"{name}/{name}.bsi"
    args = ("run", file, "--profile", "smoke", "--out", "out", "--allow-python")
    first = cli(*args)
    assert first.status == 0, first.err
    assert "smoke profile" in first.err

    program = bsi.load(file).program
    run_files = {path.name for path in Path("out").iterdir()}
    assert run_files >= {"checks.json", "bsi.lock", *(f"{sample}.nc" for sample in program.samples)}
    assert not results("out")["enforced"]
    assert [check["text"] for check in results("out")["checks"]] == [check.text for check in program.checks]

    from bsi.runtime.results import read

    for sample, node in program.samples.items():
        tree = read(Path("out") / f"{sample}.nc")
        for param in program.posteriors[node.posterior].params:
            draws = tree.posterior[param].values
            assert np.isfinite(draws).all() and _inside(draws, program.params[param].support), (sample, param)

    second = cli(*args)
    assert second.status == 0 and all(reused("out").values())
    plan = cli("plan", file, "--profile", "smoke").out.splitlines()
    jobs = [line for line in plan if line.startswith(("+", "="))]
    assert len(jobs) == len(reused("out")) and all(line.endswith("up to date") for line in jobs)


def _inside(draws: np.ndarray, support) -> bool:
    """Whether draws keep bounds that are numbers; a bound that is a parameter is the law tests' business."""
    low = -np.inf if support.lower is None or support.lower.op != "const" else support.lower.value
    high = np.inf if support.upper is None or support.upper.op != "const" else support.upper.value
    return bool((draws >= low).all() and (draws <= high).all())


def test_there_are_examples():
    assert len(EXAMPLES) >= 4

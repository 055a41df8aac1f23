"""Python simulators of a model: nothing runs without permission, and what fails is told at the simulator's line."""

from pathlib import Path

import pytest

import bsi
from bsi.dsl.diagnostic import BsiError
from bsi.failure import JobFailure
from tests.bsi.helpers import cli

MODEL = """bsi 1
param theta : real
simulator sim(a) -> real = python("own:draw")
prior p(theta) = normal(0, 1)
likelihood f(x : real | theta) = implicit sim(theta)
observe obs : f = simulate(theta = 0.5)
posterior post(theta) = p(theta) * f(obs | theta)
sample ode = flow_ode(post)
"""
CODE = """from pathlib import Path
Path("touched").touch()

def draw(theta, rng):
    raise ValueError("no luck")
"""


@pytest.fixture
def model(folder) -> str:
    Path("model.bsi").write_text(MODEL)
    Path("own.py").write_text(CODE)
    return "model.bsi"


def test_nothing_runs_without_permission(model):
    for command in ("check", "plan", "expand"):
        assert cli(command, model).status == 0
    refused = cli("run", model)
    assert refused.status == 2 and "E0617" in refused.err and "model.bsi:3:1" in refused.err
    with pytest.raises(BsiError, match="E0617"):
        bsi.load(model).run()
    assert not Path("touched").exists() and not Path("runs").exists()


def test_what_user_code_raises_is_told_at_its_simulator(model):
    failed = cli("run", model, "--profile", "smoke", "--allow-python")
    assert failed.status == 3 and "error[R109]: `sim` raised ValueError: no luck" in failed.err
    assert "model.bsi:3:1" in failed.err and "line 5 of `own.py`" in failed.err and "Traceback" not in failed.err
    assert Path("touched").exists()


def test_the_exception_of_user_code_is_the_cause(model):
    traced = MODEL.replace('draw")', 'draw") { jax = true }').replace("implicit sim(theta)", "normal(sim(theta), 1)")
    Path("model.bsi").write_text(traced.replace("{ jax = true }", "{ jax = true, stochastic = false }"))
    Path("own.py").write_text(CODE.replace(", rng", ""))
    with pytest.raises(JobFailure, match="R109") as caught:
        bsi.load(model, allow_python=True).run(profile="smoke")
    assert isinstance(caught.value.__cause__, ValueError)


def test_constants_of_a_module_outlive_the_trace_that_imports_it(model):
    """The module is imported while a program is traced, and used by others: its arrays must be values."""
    traced = MODEL.replace('draw")', 'draw") { jax = true }')
    Path("model.bsi").write_text(traced)
    Path("own.py").write_text(
        "import jax\nimport jax.numpy as jnp\n\nSHIFT = 2 * jnp.asarray(0.5)\n\n"
        "def draw(theta, key):\n    return theta + SHIFT * jax.random.normal(key)\n"
    )
    run = cli("run", model, "--profile", "smoke", "--allow-python")
    assert run.status == 0, run.err

"""Sweeps over powers and options: one compiled program, axes with coordinates, checks at every point."""

import numpy as np
import pytest

import bsi
from tests.bsi.helpers import TINY, cli, edit, write

SWEPT = edit(
    TINY,
    ("posterior post", "sweep power in [0.5, 1, 2]\nsweep noise in linspace(0, 1, 2)\nposterior post"),
    ("f(obs | mu)\n", "f(obs | mu)^power\n"),
    ("draws = 200, steps = 10", "draws = 400, steps = 200, eta = noise"),
)


@pytest.fixture
def traces(monkeypatch):
    """How often each sampler was traced."""
    from bsi.runtime.samplers import Ddim, FlowOde

    counts = {"Ddim": 0, "FlowOde": 0}
    for kind in (Ddim, FlowOde):
        original = kind.sample

        def counted(self, *arguments, original=original, **named):
            counts[type(self).__name__] += 1
            return original(self, *arguments, **named)

        monkeypatch.setattr(kind, "sample", counted)
    return counts


def test_a_power_and_an_option_swept_at_once(folder, traces):
    run = bsi.load(write("tiny.bsi", SWEPT + "check mean_error(ode, ref) < 1e-6\n")).run()
    assert traces["Ddim"] == 1, "six points, one program"
    mu = run["ode"].posterior.mu
    assert mu.dims == ("power", "noise", "chain", "draw") and mu.shape == (3, 2, 1, 400)
    assert mu.power.values.tolist() == [0.5, 1, 2] and mu.noise.values.tolist() == [0, 1]
    # precision 1 + 12 power: 400 draws, five sigma on mean and sd
    power = np.array([[0.5], [1.0], [2.0]])
    sd = (1 + 12 * power) ** -0.5
    assert np.all(np.abs(mu.mean(("chain", "draw")) - 2.8 * power * sd**2) < 5 * sd / 20)
    assert np.allclose(mu.std(("chain", "draw")), np.broadcast_to(sd, (3, 2)), rtol=5 / 800**0.5)
    assert run["ref"].posterior.mu.dims == ("power", "chain", "draw"), "the reference knows no noise"
    check, strict = run.checks
    assert check.passed and not strict.passed and check.value == strict.value
    assert "power = " in check.at and "noise = " in check.at


def test_a_sweep_used_both_ways_and_set_from_outside(folder, traces):
    text = edit(
        TINY,
        ("posterior post", "sweep k in logspace(-3, -2, 2)\nposterior post"),
        ("f(obs | mu)\n", "f(obs | mu)^(1000 * k)\n"),
        ("ddim(post, fit) { draws = 200, steps = 10", "flow_ode(post, fit) { draws = 200, rtol = k, atol = k"),
    )
    write("tiny.bsi", text)
    assert cli("run", "tiny.bsi", "--set", "k=[1e-3, 2e-3, 4e-3]").status == 0
    assert traces["FlowOde"] == 1
    from bsi.runtime.results import read

    mu = read(folder / "runs/tiny/ode.nc").posterior.mu
    assert mu.dims == ("k", "chain", "draw") and np.allclose(mu.k, [1e-3, 2e-3, 4e-3])
    assert np.allclose(mu.std(("chain", "draw")), [13**-0.5, 25**-0.5, 49**-0.5], rtol=5 / 400**0.5)


def test_steps_compile_once_each(folder, traces):
    text = edit(TINY, ("posterior post", "sweep n in [5, 10]\nposterior post"), ("steps = 10", "steps = n"))
    run = bsi.load(write("tiny.bsi", text)).run()
    assert traces["Ddim"] == 2 and run["ode"].posterior.mu.dims == ("n", "chain", "draw")

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


SAMPLERS = {
    "a": "ddim(post, fit) { draws = 100, steps = 20, eta = noise, seed = 2",
    "b": "flow_ode(post, fit) { draws = 100, seed = 2",
    "c": "smc(post, fit) { draws = 100, steps = 20, seed = 2",
    "d": "ddim(post, fit) { draws = 100, steps = 20, seed = 2, correct = mala { steps = 10 }",
    "e": "flow_ode(post, fit) { draws = 100, seed = 2, correct = psis { steps = 10 }",
    "g": "flow_ode(post, fit) { draws = 100, seed = 2, log_density = exact",
}


@pytest.mark.parametrize("names", ["a", pytest.param("bcdeg", marks=pytest.mark.slow)])
def test_one_program_of_many_points_draws_what_one_point_alone_does(folder, monkeypatch, names):
    """Of a grid in batches of 4 and 2, and of models with a single point and the same seed."""
    from bsi.jobs import sample

    (old,) = [line for line in SWEPT.splitlines() if line.startswith("sample ode")]
    own = "".join(f"sample {name} = {text} }}\n" for name, text in SAMPLERS.items() if name in names)
    text = edit(SWEPT, (old + "\n", own), ("check mean_error(ode, ref) < 0.5\n", ""))
    text = "\n".join(line for line in text.splitlines() if not line.startswith("sample ref")) + "\n"
    monkeypatch.setattr(sample, "points_at_once", lambda *_: 4)
    grid = bsi.load(write("grid.bsi", text)).run()
    monkeypatch.setattr(sample, "points_at_once", lambda *_: 1)
    alone = edit(text, ("[0.5, 1, 2]", "[2]"), ("linspace(0, 1, 2)", "[1]"))
    point = bsi.load(write("alone.bsi", alone)).run()
    for name in names:
        at = {"power": 2.0} | ({"noise": 1.0} if name == "a" else {})
        wide, single = grid[name].sel(at).posterior.mu.values, point[name].posterior.mu.values.reshape(1, 100)
        # an adaptive solver may take another step where rounding decides
        np.testing.assert_allclose(wide, single, atol=1e-3 if name in "beg" else 1e-4, err_msg=name)
        assert np.ptp(grid[name].posterior.mu.values[0] - wide) > 0
    # E[mu | data] is 2.8 power / (1 + 12 power), and the rows are .1, .4 and .2
    truth = np.sqrt(np.mean((np.array([[0.1], [0.4], [0.2]]) - 2.8 / (1 / np.array([0.5, 1.0, 2.0]) + 12)) ** 2, 0))
    residual = grid[names[0]].sample_stats.residual_obs
    assert residual.dims[0] == "power" and np.allclose(residual.values.reshape(3, -1), truth[:, None], atol=0.05)
    if "e" in names:
        shapes = grid["e"].sample_stats.pareto_k
        assert shapes.dims == ("power",) and len(np.unique(shapes.values)) == 3, "one a point, not the worst"
        assert grid["g"].sample_stats.lp.dims == ("power", "chain", "draw")


def test_a_point_that_fails_costs_no_other_its_draws(folder):
    """Three steps are too few for some tolerance."""
    text = edit(
        TINY,
        ("posterior post", "sweep tolerance in [1e-6, 0.1, 0.2]\nposterior post"),
        ("ddim(post, fit) { draws = 200, steps = 10", "flow_ode(post, fit) { max_steps = 30, rtol = tolerance"),
    )
    write("tiny.bsi", text)
    for _ in range(2):  # computed, and from the store
        failed = cli("run", "tiny.bsi")
        assert failed.status == 3 and failed.err.count("error[R140]") == 1, failed.err
        assert "at 1 of 3 points" in failed.err and "R103 at tolerance = 1e-06" in failed.err
        assert "FAIL  mean_error(ode, ref) < 0.5   `ode` has no draws at tolerance = 1e-06; the worst" in failed.err
    from bsi.runtime.results import read

    mu = read(folder / "runs/tiny/ode.nc").posterior.mu.values
    assert np.isnan(mu[0]).all() and np.isfinite(mu[1:]).all()
    assert "tolerance" in (folder / "runs/tiny/report.html").read_text()

"""What is said of a run by its figures: of compositions and correctors that did not do what they are for."""

from pathlib import Path

import pytest

import bsi
from bsi.jobs import composition, correct
from tests.compiler.helpers import compiled

MODEL = """bsi 1
param theta : real[2]
prior p(theta) = normal(0, 1)
likelihood f(x : real | theta) = normal(theta[0], 0.5)
observe obs : f[4] = [0.1, 0.3, -0.4, 0.2]
posterior post(theta) = p(theta) * f(obs | theta)
train fit = score(p, f)
sample plain = ddim(post, fit)
sample moved = ddim(post, fit) { correct = mala }
sample weighed = flow_ode(post, fit) { correct = psis }
"""


@pytest.mark.parametrize(
    ("info", "codes"),
    [
        ({"narrowest": 0.1, "widest": 1.1}, ["W0456"]),
        ({"narrowest": 0.9, "widest": 5.0}, ["W0456"]),
        ({"narrowest": 0.5, "widest": 2.0}, []),
        ({}, []),
    ],
)
def test_of_a_composition(info, codes):
    program = compiled(MODEL)
    found = composition.warnings(program, program.samples["plain"], info)
    assert [each.code for each in found] == codes
    assert all("plain" in each.message and each.help for each in found)


def test_the_direction_that_is_worse_is_named():
    program = compiled(MODEL)
    (found,) = composition.warnings(program, program.samples["plain"], {"narrowest": 0.002, "widest": 8.0})
    assert "0.002 times" in found.message


@pytest.mark.parametrize(
    ("sample", "info", "help"),
    [
        ("moved", {"separation": 4.0}, "correct = psis"),
        ("moved", {"separation": 1.5}, None),
        ("weighed", {"separation": 4.0, "pareto_k": 0.2}, None),
        ("weighed", {"separation": 4.0, "pareto_k": 0.9}, "train longer"),
    ],
)
def test_of_modes_that_keep_their_shares(sample, info, help):
    """Not of draws that were weighed by their densities."""
    program = compiled(MODEL)
    found = [each for each in correct.warnings(program, program.samples[sample], info) if each.code == "W0457"]
    assert len(found) == (help is not None) and all(help in each.help for each in found)


@pytest.mark.slow
@pytest.mark.parametrize(("mean", "said"), [("theta", False), ("theta^2", True)])
def test_rows_of_two_signs_are_no_gaussians(folder, mean, said):
    """Eight rows of `theta` or of its square, of which no row tells the sign, by exact scores of 4 000 simulations."""
    text = f"""bsi 1
param theta : real
prior p(theta) = normal(0, 1)
likelihood f(x : real | theta) = normal({mean}, 0.3)
observe obs : f[8] = simulate(theta = 1) {{ seed = 1 }}
posterior post(theta) = p(theta) * f(obs | theta)
train table = exact(p, f) {{ simulations = 4_000, seed = 1 }}
sample s = dpmpp(post, table) {{ draws = 500, seed = 2 }}
"""
    Path("model.bsi").write_text(text)
    run = bsi.load("model.bsi").run(folder / "out")
    assert ("W0456" in [warning.code for warning in run.warnings]) == said, [job.info for job in run.jobs]

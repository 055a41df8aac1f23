"""How long a fit learns from a table of simulations, unless the model says so."""

import numpy as np
import pytest

from bsi.compiler.analyse import analyse
from bsi.compiler.expand import expand
from bsi.compiler.lower.model import training_options
from bsi.dsl.span import Source

MODEL = """bsi 1
param theta : real[2]
prior p(theta) = normal(0, 1)
likelihood f(x : real[2] | theta) = {law}
observe obs : f = [1, 2]
posterior post(theta) = p(theta) * f(obs | theta)
train fit = score(p, f) {options}
sample s = dpmpp(post, fit)
"""


def fit(options, folder="", law="normal(theta, 1)"):
    found = analyse(Source(f"{folder}/m.bsi", MODEL.format(options=options, law=law)))
    assert found.program is not None, [(d.code, d.message) for d in found.diagnostics]
    return found.program.trains["fit"], found.program


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ("{ simulations = 10_000 }", 4_900),
        ("{ simulations = 10_000, batch = 400 }", 6_300),
        ("{ simulations = 500 }", 500),
        ("{ simulations = 1_000_000 }", 8_000),
        ("{ simulations = 10_000, steps = 300 }", 300),
        ("{ simulations = fresh }", 8_000),
    ],
)
def test_steps_follow_the_table(options, steps):
    assert training_options(fit(options)[0]).steps == steps


@pytest.mark.parametrize(
    ("options", "patience"),
    [
        ("{ simulations = 10_000 }", 1_225),
        ("{ simulations = 10_000, patience = none }", None),
        ("{ simulations = 10_000, steps = 300 }", 4_000),
    ],
)
def test_patience_follows_the_steps(options, patience):
    assert training_options(fit(options)[0]).patience == patience


def test_pairs_are_a_table(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "pairs.npz", theta=rng.standard_normal((3_000, 2)), x=rng.standard_normal((3_000, 2)))
    train, _ = fit("{ batch = 256 }", tmp_path, 'learned pairs("pairs.npz", theta = "theta", x = "x")')
    assert dict(train.options)["steps"] == 3_000


def test_a_table_is_looked_at_more_often():
    assert training_options(fit("{ simulations = 10_000 }")[0]).chunk == 100
    assert training_options(fit("{}")[0]).chunk == 250


def test_steps_are_written_out():
    _, program = fit("{ simulations = 10_000 }")
    text = expand(program)
    again = analyse(Source("m.bsi", text)).program
    assert "steps = 4_900" in text and "patience = 1_225" in text
    assert again is not None and again.trains["fit"].options == program.trains["fit"].options

"""`bsi expand` prints the same model with nothing left unsaid."""

from pathlib import Path

import pytest

from bsi.compiler.analyse import compile_source
from bsi.compiler.emit import Nothing
from bsi.compiler.expand import expand
from bsi.compiler.passes import with_seeds
from bsi.compiler.plan import plan
from bsi.dsl.span import Source
from tests.compiler.helpers import MODEL, compiled

ROOT = Path(__file__).parents[2]
MODELS = sorted([*(ROOT / "examples").glob("*/*.bsi"), *(ROOT / "tests/golden/good").glob("*.bsi")])
HOLES = """bsi 1
param theta : real[2]
prior p(theta) = normal(0, 1)
likelihood f(x : real[2] | theta) = normal(theta, 1)
observe obs : f[2] = [[1, -9], [2, 3]] { missing = -9 }
posterior post(theta) = p(theta) * f(obs | theta)
sample ode = ddim(post)
"""


def keys(program):
    return {job.name: job.key for job in plan(with_seeds(program, 0), Nothing())}


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_models_stay_the_same(path):
    program, _ = compile_source(Source(str(path), path.read_text(encoding="utf-8")))
    if program is None:
        pytest.fail("the model is broken")
    text = expand(program)
    again, diagnostics = compile_source(Source(str(path), text))
    assert again is not None and [d.code for d in diagnostics if not d.code.startswith("W")] == []
    assert keys(again) == keys(program)
    assert expand(again) == text


def test_what_follows_from_other_declarations_is_written_out():
    text = expand(compiled(HOLES))
    assert "missing = random" in text and "train fit_f = score(p, f)" in text and "{\n  missing = -9\n}" in text
    assert keys(compiled(text)) == keys(compiled(HOLES))


SET = {"d": "3", "lambda": "[0.25, 2]", "obs": "[[1, 2, 3], [4, 5, 6], [7, 8, 9]]"}


def test_overrides_are_written_out():
    program = compiled(MODEL, overrides=SET)
    text = expand(program, SET)
    assert "dim d = 3\n" in text and "sweep lambda in [0.25, 2]\n" in text and "[7, 8, 9]]" in text
    assert keys(compiled(text)) == keys(program) != keys(compiled(MODEL))


def test_a_path_and_a_dim_without_a_value(tmp_path):
    text = MODEL.replace("dim d = 2", "dim d").replace("[[0.5, 1.0], [0.1, 0.2], [0.3, 0.4]]", 'file("a.csv")')
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3,4\n5,6\n")
    (tmp_path / "b.csv").write_text("x,y\n1,2\n3,4\n5,7\n")
    source, given = Source(str(tmp_path / "model.bsi"), text), {"obs": "b.csv", "d": "2"}
    program, diagnostics = compile_source(source, overrides=given)
    assert program is not None, diagnostics
    written = expand(program, given)
    assert 'file("b.csv")' in written and "dim d = 2\n" in written
    again, _ = compile_source(Source(source.file, written))
    assert again is not None and keys(again) == keys(program)


@pytest.mark.parametrize("value", ["zeros(3, 2)", "b.csv", '"b.csv"', "simulate(theta = [1, 2])"])
def test_rows_in_place_of_simulated_ones(tmp_path, value):
    """The seed of the simulation is not an option of what replaces it."""
    rows = "[[0.5, 1.0], [0.1, 0.2], [0.3, 0.4]]"
    text = MODEL.replace(rows, "simulate(theta = [0, 1]) { seed = 3 }")
    (tmp_path / "b.csv").write_text("x,y\n1,2\n3,4\n5,7\n")
    source, given = Source(str(tmp_path / "model.bsi"), text), {"obs": value}
    program, diagnostics = compile_source(source, overrides=given)
    assert program is not None, diagnostics
    again, _ = compile_source(Source(source.file, expand(program, given)))
    assert again is not None and keys(again) == keys(program)

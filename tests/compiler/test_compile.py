"""The whole compiler: overrides, expansion, normal form, suppression, robustness and speed."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from bsi.compiler.analyse import compile_source
from bsi.compiler.emit import STAGES, Nothing, emit
from bsi.compiler.expand import expand
from bsi.compiler.ir import Simulated
from bsi.compiler.plan import plan
from bsi.dsl.span import Source
from tests.bless import BAD, GOOD, source_of
from tests.compiler.helpers import MODEL, codes, compiled

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/*.bsi"))


def test_normal_form_of_a_body() -> None:
    text = """bsi 1
param t : real
likelihood f(y : real | t) = {
  let shift = t + 1
  first ~ normal(shift, 1)
  second ~ normal(first, 2)
  y = first * second
}
"""
    law = compiled(text).likelihoods["f"]
    assert [draw.target for draw in law.draws] == ["%0", "%1"] and not law.explicit
    assert law.result is not None and [arg.value for arg in law.result.args] == ["%0", "%1"]
    assert dict(law.draws[0].law.arguments)["loc"].op == "add"


def test_dims_come_from_data() -> None:
    text = "bsi 1\ndim n, m\ndata A : real[n, m] = [[1, 2, 3], [4, 5, 6]]\ndata b : real[m] = [1, 2, 3]\n"
    assert compiled(text).dims == {"n": 2, "m": 3}
    assert codes(text.replace("[1, 2, 3]\n", "[1, 2]\n")) == ["E0313"]


def test_rows_come_from_observations() -> None:
    text = MODEL.replace("dim d = 2", "dim d = 2, rows").replace("f[3]", "f[rows]")
    assert compiled(text).dims["rows"] == 3
    assert codes(text.replace("[[0.5, 1.0], [0.1, 0.2], [0.3, 0.4]]", "simulate(theta = 0)")) == ["E0306"]
    assert compiled(MODEL.replace("f[3]", "f[]")).observations["obs"].rows == 3


def test_simulated_sets_without_a_seed_differ_by_name() -> None:
    text = "bsi 1\nparam t : real\nlikelihood f(x : real | t) = normal(t, 1)\n"
    text += "observe one : f[3] = simulate(t = 0)\nobserve two : f[3] = simulate(t = 0)\n"
    found = compiled(text).observations
    seeds = [o.source.seed for o in found.values() if isinstance(o.source, Simulated)]
    assert len(set(seeds)) == 2


def test_supports_of_params() -> None:
    text = """bsi 1
param a : real
param b : real
prior p(a, b) = { a ~ half_normal(1); b ~ uniform(-a, 2 * a) }
"""
    params = compiled(text).params
    assert params["a"].support.lower is not None and params["a"].support.lower.value == 0.0
    assert params["b"].support.lower is not None and params["b"].support.lower.op == "neg"


def test_overrides() -> None:
    text = MODEL.replace("normal(0, 1)", "normal(centre, 1)") + "let centre = 0\n"
    program = compiled(text, overrides={"centre": "2 * 3", "lambda": "linspace(0, 1, 3)"})
    assert dict(program.priors["p"].draws[0].law.arguments)["loc"].value == 6
    assert program.sweeps["lambda"].values == (0.0, 0.5, 1.0)
    assert codes(text, overrides={"d": "3"}) == ["E0606"]
    assert codes(text, overrides={"center": "1"}) == ["E0210"]
    assert codes(text, overrides={"centre": "1 +"}) == ["E0210"]
    assert codes(text, overrides={"theta": "1"}) == ["E0210"]


def test_override_of_a_path(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[1, 2]")
    (tmp_path / "b.json").write_text("[3, 4]")
    text = 'bsi 1\ndata s : real[2] = file("a.json")\n'
    source = Source(str(tmp_path / "m.bsi"), text)
    program, _ = compile_source(source, overrides={"s": "b.json"})
    assert program is not None and list(program.tables[program.data["s"].digest].values) == [3, 4]


@pytest.mark.parametrize("path", [*GOOD, *EXAMPLES], ids=lambda path: path.stem)
def test_expansion_means_the_same(path: Path) -> None:
    program, _ = compile_source(source_of(path))
    assert program is not None
    again, diagnostics = compile_source(Source(str(path), expand(program)))
    assert again is not None and not diagnostics
    keys = [job.key for job in plan(program, Nothing()) if job.kind != "check"]
    assert keys and keys == [job.key for job in plan(again, Nothing()) if job.kind != "check"]
    assert expand(again) == expand(program)


def test_stages_are_json() -> None:
    for stage in STAGES:
        text = emit(stage, Source("model.bsi", MODEL), compiled(MODEL))
        assert text and json.loads(text)
    assert emit("ir", Source("model.bsi", "bsi 1\n"), None) is None


def test_warnings_can_be_allowed() -> None:
    assert codes("bsi 1\nlet a = 1\n") == ["W0401"]
    assert codes("bsi 1\nlet a = 1  # bsi: allow W0401\n") == []
    assert codes("bsi 1\n# bsi: allow W0402, W0401\nlet a = 1\n") == ["W0411"]
    assert codes("bsi 1\nlet a = 1  # bsi: allow W0402\n") == ["W0401", "W0411"]
    assert codes("bsi 1\nlet a = b  # bsi: allow E0201\n") == ["E0201", "W0410"]


def test_one_mistake_gives_one_diagnostic() -> None:
    """Everything below a broken declaration depends on it, and stays silent."""
    for old, new, code in (
        ("dim d = 2", "dim d = 2.5", "E0305"),
        ("normal(0, 1)", "norml(0, 1)", "E0201"),
        ("0.5 * eye(d)", "0.5 * eye(3)", "E0302"),
        ("width = 64", "width = 0", "E0502"),
        ("[0.5, 1]", "[0.5, x]", "E0201"),
        ("{ seed = 2 }", "{ seed = -2 }", "E0502"),
        ("real[d]\nprior", "rael[d]\nprior", "E0307"),
        ("dim d = 2", "dim d = 2, n = 3", "E0202"),
    ):
        assert codes(MODEL.replace(old, new)) == [code]


def test_a_declaration_that_does_not_parse_hides_no_other() -> None:
    assert codes(MODEL.replace("prior p(theta) = normal(0, 1)", "prior p(theta) = "))[1:] == []
    found = codes(MODEL.replace("prior p(theta) = normal(0, 1)", "prior p(theta) = ").replace("width", "widht"))
    assert len(found) == 2 and found[1] == "E0501"


def test_mutated_models_never_raise() -> None:
    """900 edits of models: cut, doubled, swapped and replaced words give diagnostics, never an exception."""
    chance = random.Random(7)
    texts = [source_of(path) for path in (*GOOD, *BAD, *EXAMPLES)]
    words = ["theta", "f", "[", "]", "0", "-1", "~", "=", "{ }", "normal(", ")", "1.5", "^", "d", '"x"', "n_", ",", "p"]
    for _ in range(900):
        source = chance.choice(texts)
        text = source.text
        for _ in range(chance.randint(1, 3)):
            start = chance.randrange(len(text))
            end = min(len(text), start + chance.randint(0, 12))
            text = text[:start] + chance.choice(["", text[start:end] * 2, *words]) + text[end:]
        compile_source(Source(source.file, text))


def test_compiling_is_fast() -> None:
    """A model of 40 lines is parsed and compiled within 150 ms (the best of 5)."""
    lines = MODEL.rstrip().splitlines() + [f"let c{i} = {i} + sqrt({i}) * c{i - 1}" for i in range(1, 28)]
    source = Source("model.bsi", "\n".join([*lines, "let c0 = 1"]) + "\n")
    times = []
    for _ in range(5):
        began = time.perf_counter()
        compile_source(source)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.15

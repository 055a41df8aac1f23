"""Laws known by draws: how their arrays are named, what they ask of a fit, and what changes which key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bsi.compiler.analyse import compile_source
from bsi.compiler.emit import Nothing
from bsi.compiler.expand import expand
from bsi.compiler.ir import Program, Table
from bsi.compiler.plan import plan
from bsi.compiler.tables_markdown import README
from bsi.dsl.span import Source

VALUES = {"theta": [[i / 7 % 1, i / 11 % 1] for i in range(100)], "x": [i / 3 % 1 for i in range(100)]}
MODEL = """bsi 1
param theta : real[2]
prior p(theta) = learned file("draws.json", key = "theta")
likelihood f(x : real | theta) = normal(theta[0], 1)
likelihood g(x : real | theta) = learned pairs("draws.json")
observe a : f = 0.5
observe b : g = 0.5
posterior post(theta) = p(theta) * f(a | theta)
posterior pairs(theta) = p(theta) * g(b | theta)
posterior alone(theta) = p(theta)
sample s = ddim(post)
sample t = ddim(pairs)
sample u = ddim(alone)
"""


@pytest.fixture
def read(tmp_path: Path):
    """A model with `draws.json` beside it -> program and codes."""

    def compile(text: str, values: dict[str, Any] = VALUES) -> tuple[Program | None, list[str]]:
        (tmp_path / "draws.json").write_text(json.dumps(values))
        program, diagnostics = compile_source(Source(str(tmp_path / "m.bsi"), text))
        return program, [d.code for d in diagnostics]

    return compile


def test_every_law_gets_the_fit_it_needs(read) -> None:
    program, codes = read(MODEL)
    assert program is not None and codes == []
    assert {(t.prior, t.likelihood) for t in program.trains.values()} == {("p", "g"), ("p", None)}  # `f` guides
    for fit in program.trains.values():
        assert dict(fit.options)["coordinates"] == "unconstrained" and dict(fit.options)["simulations"] is None
    learned = program.likelihoods["g"].learned
    assert learned is not None and learned.rows == 100
    assert program.tables[dict(learned.columns)["%x"]].shape == (100,)
    assert program.tables[dict(learned.columns)["theta"]].shape == (100, 2)


def test_arrays_are_named_by_keys_or_by_themselves(read) -> None:
    explicit, _ = read(MODEL.replace('pairs("draws.json")', 'pairs("draws.json", x = "x", theta = "theta")'))
    implied, _ = read(MODEL)
    assert explicit is not None and implied is not None and explicit.likelihoods == implied.likelihoods
    renamed = {"theta": VALUES["theta"], "y": VALUES["x"]}
    assert read(MODEL, renamed)[1] == ["E0602"]
    assert read(MODEL.replace('pairs("draws.json")', 'pairs("draws.json", x = "y")'), renamed)[1] == []
    assert read(MODEL.replace('pairs("draws.json")', 'pairs("draws.json", y = "x")'))[1] == ["E0428"]


def test_an_oracle_never_retrains(read) -> None:
    """The key of a fit depends on the draws, that of a reference on the oracle."""
    with_oracle = MODEL.replace('"theta")\nlikelihood', '"theta") { oracle = normal(0, 1) }\nlikelihood', 1)
    with_oracle += "sample ref = nuts(post)\n"

    def keys(text: str, values: dict[str, Any] = VALUES) -> dict[str, str]:
        program, codes = read(text, values)
        assert program is not None, codes
        return {job.name: job.key for job in plan(program, Nothing())}

    before = keys(with_oracle)
    other = keys(with_oracle.replace("oracle = normal(0, 1)", "oracle = normal(0, 2)"))
    assert {name for name in before if before[name] != other[name]} == {"ref"}
    moved = {**VALUES, "theta": [[a + 1, b] for a, b in VALUES["theta"]]}
    changed = keys(with_oracle, moved)
    assert {name for name in before if before[name] != changed[name]} == {"fit_g", "fit_p", "s", "t", "u"}


@pytest.mark.parametrize(
    "oracle, expected",
    [
        ("oracle = normal(0, 1)", []),
        ("oracle = q", []),
        ("oracle = 3", ["E0424"]),
        ("oracle = r", ["E0424"]),
        ("oracle = uniform(0, 1)", ["E0424"]),
        ("oracle = nothing", ["E0201"]),
        ("simulations = 3", ["E0501"]),
    ],
)
def test_oracles(read, oracle: str, expected: list[str]) -> None:
    text = MODEL.replace('"theta")\nlikelihood', f'"theta") {{ {oracle} }}\nlikelihood', 1)
    text += "param tau : real\nprior q(theta) = normal(0, 1)\nprior r(tau) = normal(0, 1)\n"
    text += "posterior other(theta, tau) = q(theta) * r(tau)\nsample v = nuts(other)\n"
    assert read(text)[1] == expected


def test_a_law_is_its_own_oracle(read) -> None:
    text = MODEL.replace('learned file("draws.json", key = "theta")', "learned normal(0, 1)")
    program, codes = read(text + "sample ref = nuts(post)\n")
    assert program is not None and codes == []
    assert program.priors["p"].learned is not None and program.priors["p"].draws


@pytest.mark.parametrize("sample, expected", [("nuts(post)", "p"), ("nuts(only)", "g")])
def test_references_need_densities(read, sample: str, expected: str) -> None:
    text = MODEL + "prior n(theta) = normal(0, 1)\nposterior only(theta) = n(theta) * g(b | theta)\n"
    text += f"sample ref = {sample}\n"
    found = read(text)[1]
    assert "E0407" in found and found.count("E0407") == 1


def test_expanded_it_means_the_same(read) -> None:
    program, _ = read(MODEL)
    assert program is not None
    again, codes = read(expand(program))
    assert again is not None and codes == []
    assert {j.key for j in plan(again, Nothing())} == {j.key for j in plan(program, Nothing())}


def test_the_reference_shows_a_learned_prior() -> None:
    text = README.read_text(encoding="utf-8").split("## Learned laws\n")[1]
    model = text.split("```bsi\n")[1].split("```")[0]

    def read(path: Path, *, key: str) -> Table:
        assert path.name == "draws.csv" and key in ("mean", "sd")
        return Table((200,), [1 + i / 200 for i in range(200)], False)

    program, diagnostics = compile_source(Source("model.bsi", model), read_table=read)
    assert program is not None and not diagnostics
    assert program.priors["p"].learned is not None and program.priors["p"].draws == program.priors["q"].draws


def test_fits_of_one_posterior_share_coordinates(read) -> None:
    text = MODEL + "prior n(theta) = normal(0, 1)\ntrain first = score(n, f) { coordinates = unconstrained }\n"
    text += "posterior both(theta) = n(theta) * f(a | theta) * g(b | theta)\nsample v = ddim(both, first)\n"
    assert read(text)[1] == ["E0430"]
    assert read(text.replace("unconstrained", "rosenblatt"))[1] == []

"""Simulators before they run: what enters keys, what is said early, user code found without being imported."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bsi.compiler import python_code
from bsi.compiler.analyse import compile_source
from bsi.compiler.emit import Nothing
from bsi.compiler.expand import expand
from bsi.compiler.fold import references
from bsi.compiler.ir import Expr, Program
from bsi.compiler.passes import with_seeds
from bsi.compiler.plan import plan
from bsi.compiler.python_code import CodeError
from bsi.compiler.simulator_calls import calls_in, simulators_in
from bsi.compiler.tables_markdown import README
from bsi.dsl.span import Source
from tests.compiler.helpers import changed, codes, compiled

MODEL = """bsi 1

dim time = 3
data times : real[time] = [1, 2, 4]
data dose : real = 3
param k : real<lower = 0>
let clearance(a, u) = -a * u
simulator decay(a, start) -> real[time] = ode(u) {
  init = start
  rhs = clearance(a, u) + dose * t
  saveat = times
}
prior p(k) = lognormal(0, 1)
likelihood f(x : real[time] | k) = normal(decay(k, 2), 0.1)
observe obs : f = [0.6, 0.4, 0.2]
posterior post(k) = p(k) * f(obs | k)
sample ode = flow_ode(post)
sample ref = nuts(post)
"""

STOCHASTIC = """bsi 1
param k : real
simulator walk(a) -> real = sde(u) { init = 0, drift = a, diffusion = 1, saveat = 1 }
let doubled(a) = 2 * walk(a)
prior p(k) = normal(0, 1)
likelihood f(x : real[2] | k) = { x = [doubled(k), walk(k)] }
observe obs : f = [0.6, 0.4]
posterior post(k) = p(k) * f(obs | k)
sample ode = flow_ode(post)
"""

USER = """bsi 1
param k : real
simulator outside(a) -> real = python("model_code:draw")
prior p(k) = normal(0, 1)
likelihood f(x : real | k) = implicit outside(k)
observe obs : f = 0.6
posterior post(k) = p(k) * f(obs | k)
sample ode = flow_ode(post)
"""


def keys(program: Program) -> dict[str, str]:
    return {job.name: job.key for job in plan(with_seeds(program, 0), Nothing())}


def call(program: Program) -> Expr:
    (found,) = calls_in(program.likelihoods["f"])
    return found


def test_a_call_passes_what_is_unknown_and_holds_the_rest() -> None:
    found = call(compiled(MODEL))
    assert [arg.value for arg in found.args] == ["k"] and found.shape == (3,)
    assert dict(found.value.expressions)["saveat"].value == (1.0, 2.0, 4.0)
    assert references(found) == {"k", "dose"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("decay", "elimination"),
        ("ode(u)", "ode(v)"),
        ("decay(a, start)", "decay(b, start)"),
        ("  init = start\n", "  init = start  # at once\n"),
    ],
)
def test_names_do_not_change_keys(old: str, new: str) -> None:
    text = MODEL.replace(old, new)
    if new == "ode(v)":
        text = text.replace("clearance(a, u) + ", "clearance(a, v) + ")
    if "b, start" in new:
        text = text.replace("clearance(a, u) + ", "clearance(b, u) + ")
    assert text != MODEL and keys(compiled(text)) == keys(compiled(MODEL))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("saveat = times", "saveat = times, rtol = 1e-4"),
        ("real = 3", "real = 4"),
        ("decay(k, 2)", "decay(k, 3)"),
        ("[1, 2, 4]", "[1, 2, 5]"),
        ("-a * u", "-a * u^2"),
        ("-> real[time]", "-> real<lower = 0>[time]"),
    ],
)
def test_what_a_simulator_does_changes_keys(old: str, new: str) -> None:
    before, after = keys(compiled(MODEL)), keys(compiled(changed(old, new, MODEL)))
    assert before.keys() == after.keys() and all(before[name] != after[name] for name in before)


def test_stochastic_calls_are_numbered() -> None:
    program = compiled(STOCHASTIC)
    assert [found.draw for found in simulators_in(program.likelihoods["f"])] == [0, 1]
    assert not program.likelihoods["f"].explicit


def test_a_law_of_a_random_result_is_implicit() -> None:
    text = changed("{ x = [doubled(k), walk(k)] }", "normal(walk(k), 1)", STOCHASTIC)
    assert not compiled(text).likelihoods["f"].explicit
    assert codes(text.replace("flow_ode(post)", "nuts(post)")) == ["E0407"]


def test_a_loop_gives_every_call_its_index() -> None:
    text = changed("{ x = [doubled(k), walk(k)] }", "{ x = [walk(k) for i in 2] }", STOCHASTIC)
    assert [found.indices for found in simulators_in(compiled(text).likelihoods["f"])] == [("%i0",)]


def test_a_recurrence_draws_no_random_numbers() -> None:
    text = changed("{ x = [doubled(k), walk(k)] }", "{ x = scan(step, 0, [1, 2]) }", STOCHASTIC)
    assert codes(text + "let step(state, y) = state + walk(y)\n") == ["E0216"]


# ---------------------------------------------------------------- user code


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """A folder with a model's code that must not be imported."""
    (tmp_path / "model_code.py").write_text("raise RuntimeError('imported')\ndef draw(k, rng): ...\n")
    return tmp_path


def of_user(folder: Path, text: str = USER) -> list[str]:
    return [d.code for d in compile_source(Source(str(folder / "model.bsi"), text))[1]]


def test_code_beside_a_model_is_read_and_not_imported(user: Path) -> None:
    assert of_user(user) == []
    assert of_user(user, USER.replace("draw", "drawn")) == ["E0618"]
    assert of_user(user, USER.replace("model_code", "model_cod")) == ["E0616"]
    assert of_user(user, USER.replace(":draw", "")) == ["E0618"]
    (user / "model_code.py").write_text("def draw(:\n")
    assert of_user(user) == ["E0618"]


def test_code_is_part_of_the_key(user: Path) -> None:
    def found() -> dict[str, str]:
        program, _ = compile_source(Source(str(user / "model.bsi"), USER))
        assert program
        return keys(program)

    before = found()
    (user / "model_code.py").write_text("def draw(k, rng): return k\n")
    after = found()
    assert all(before[name] != after[name] for name in before)


def test_code_outside_jax_has_a_table_and_no_gradient(user: Path) -> None:
    program, _ = compile_source(Source(str(user / "model.bsi"), USER))
    assert program
    (train,) = program.trains.values()
    assert dict(train.options)["simulations"] == 10_000
    assert "simulations = 10_000" in expand(program) and "stochastic = true" in expand(program)
    explicit = USER.replace("implicit outside(k)", "normal(outside(k), 1)").replace(
        'draw")', 'draw") { stochastic = false }'
    )
    assert of_user(user, explicit) == []
    assert of_user(user, explicit.replace("flow_ode", "nuts")) == ["E0407"]
    traced = explicit.replace("stochastic = false", "stochastic = false, jax = true")
    assert of_user(user, traced.replace("flow_ode", "nuts")) == []


def test_packages_are_looked_through(tmp_path: Path) -> None:
    inner = tmp_path / "pkg" / "sub"
    inner.mkdir(parents=True)
    (tmp_path / "pkg" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (inner / "code.py").write_text("from math import *\n")
    assert python_code.find("pkg.sub.code:cos", tmp_path).file == str(inner / "code.py")
    with pytest.raises(CodeError, match="no module"):
        python_code.find("pkg.sub.other:cos", tmp_path)
    assert python_code.find("statistics:mean", tmp_path).file.endswith("statistics.py")


def test_the_reference_has_a_clean_example() -> None:
    section = README.read_text(encoding="utf-8").split("\n## Simulators\n")[1].split("\n## ")[0]
    (text,) = re.findall(r"```bsi\n(.*?)```", section, re.S)
    assert codes(text) == []
    (found,) = simulators_in(compiled(text).likelihoods["f"])
    assert found.bounds == (0.0, None)

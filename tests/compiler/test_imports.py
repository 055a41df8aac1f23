"""Imports: names behind an alias, mistakes in their own file, one module however it is reached."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from bsi.compiler.analyse import Analysis, analyse
from bsi.compiler.emit import Nothing
from bsi.compiler.expand import expand
from bsi.compiler.ir import Program
from bsi.compiler.passes import with_seeds
from bsi.compiler.plan import plan
from bsi.dsl.diagnostic import Diagnostic
from bsi.dsl.explain import FOLDER
from bsi.dsl.read import read_source
from bsi.dsl.render import render_github, render_json, render_sarif
from bsi.dsl.render.text import render_text
from bsi.dsl.span import Source

SIZES = "bsi 1\ndim d = 2\nlet w = 32\n"

LAWS = """bsi 1
import "parts/sizes.bsi" as sizes
param theta : real[sizes.d]
let gauss = 3
let twice(a) = a * 2
let half(t) = sum over i in sizes.d : t[i] / 2 + [twice(t) for t in sizes.d][0]
data s : real<lower = 0>[sizes.d] = [1, 2]
prior p(theta) = normal(0, s)
likelihood f(x : real[sizes.d] | theta) = {
  gauss ~ normal(half(theta), 1)
  let s = twice(theta)
  x ~ normal(s + gauss, 1)
}
likelihood g(x : real[sizes.d] | theta) = normal(twice(theta), 0.5)
observe obs : g[3] = simulate(theta = [0.5, sizes.d]) { seed = 4 }
posterior post(theta) = p(theta) * g(obs | theta)
net small = mlp { width = sizes.w }
train fit = score(p, g) { network = small, steps = 100 }
sample ref = nuts(post) { chains = 4 }
sample other = flow_ode(post, fit) { compose = gauss }
sweep lambda in [0.5, 1]
check rhat(ref) < 1.01
"""

MAIN = """bsi 1
import "laws.bsi" as laws
import "parts/sizes.bsi" as sizes
observe mine : laws.g[2] = [[1, 2], [3, 4]]
posterior post(laws.theta) = laws.p(laws.theta) * laws.g(mine | laws.theta)^laws.lambda
sample ode = flow_ode(post, laws.fit) { draws = laws.sizes.w * 100 }
sample fast = dpmpp(post, laws.fit) { draws = 20 * laws.twice(100) + sizes.d }
check c2st(ode, fast) < 0.6
check rhat(laws.ref) < 1.01
"""

FILES = {"m.bsi": MAIN, "laws.bsi": LAWS, "parts/sizes.bsi": SIZES}


def analysed(files: dict[str, str] = FILES, **options: object) -> Analysis:
    """`m.bsi`, which imports from `files`."""

    def read(path: str) -> tuple[Source | None, list[Diagnostic]]:
        name = os.path.normpath(path)
        if name in files:
            return Source(path, files[name]), []
        return None, [Diagnostic("E0001", f"there is no file `{path}`")]

    return analyse(Source("m.bsi", files["m.bsi"]), read_source=read, **options)  # type: ignore[arg-type]


def program(files: dict[str, str] = FILES, **options: object) -> Program:
    found = analysed(files, **options)
    assert found.program is not None and found.diagnostics == [], [d.message for d in found.diagnostics]
    return found.program


def edited(name: str, old: str, new: str) -> dict[str, str]:
    assert old in FILES[name]
    return FILES | {name: FILES[name].replace(old, new, 1)}


def said(files: dict[str, str], **options: object) -> list[tuple[str, str, str]]:
    """(code, file:line, text under the caret) of every diagnostic."""
    found = analysed(files, **options)
    out = []
    for diagnostic in found.diagnostics:
        assert diagnostic.primary is not None
        span = diagnostic.primary.span
        source = found.sources[span.file]
        out.append(
            (
                diagnostic.code,
                f"{span.file}:{source.line_and_column(span.start)[0]}",
                source.text[span.start : span.end],
            )
        )
    return out


def test_every_kind_of_declaration_can_be_imported() -> None:
    found = program()
    assert found.dims == {"sizes.d": 2}
    assert list(found.params) == ["laws.theta"] and found.params["laws.theta"].dims == ("sizes.d",)
    assert {*found.data} == {"laws.s"} and {*found.priors} == {"laws.p"} and {*found.sweeps} == {"laws.lambda"}
    assert dict(found.samples["ode"].options)["draws"] == 3_200
    assert dict(found.samples["fast"].options)["draws"] == 4_002
    assert found.trains["laws.fit"].network.name == "laws.small"
    assert found.posteriors["post"].params == ("laws.theta",)


def test_a_run_takes_from_an_import_only_what_it_needs() -> None:
    found = program()
    assert list(found.samples) == ["ode", "fast", "laws.ref"]
    assert list(found.trains) == ["laws.fit"]
    assert [check.text for check in found.checks] == ["c2st(ode, fast) < 0.6", "rhat(laws.ref) < 1.01"]


def test_words_of_options_are_not_names() -> None:
    """`compose = gauss` means the word, in a file that declares `gauss` and in one that imports it."""
    files = edited("m.bsi", "sample fast", "let gauss = 100 * laws.gauss\nlet g = gauss\nsample fast")
    files["m.bsi"] = files["m.bsi"].replace("laws.twice(100)", "g")
    assert dict(program(files).samples["ode"].options)["compose"] == "gauss"


def test_a_name_of_the_importing_file_is_none_of_the_imported_one() -> None:
    files = edited("laws.bsi", "let twice(a) = a * 2", "let twice(a) = a * factor")
    files["m.bsi"] += "let factor = 2\nlet k = factor\n"
    assert said(files) == [("E0013", "laws.bsi:5", "factor")]


def test_several_paths_to_one_file_are_one_module() -> None:
    twice = '"parts/../parts/sizes.bsi" as sizes\nimport "./laws.bsi" as again  # bsi: allow W0423'
    files = edited("m.bsi", '"parts/sizes.bsi" as sizes', twice)
    files["m.bsi"] = files["m.bsi"].replace("post(laws.theta)", "post(again.theta)")
    found = program(files)
    assert list(found.params) == ["laws.theta"] and list(found.dims) == ["sizes.d"]
    assert len(found.sources) == 3 and next(iter(found.sources)) == "m.bsi" and found.source.text == files["m.bsi"]


def test_paths_start_at_the_importing_file(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "m.bsi").write_text('bsi 1\nimport "a/laws.bsi" as laws\n' + MODEL)
    (tmp_path / "a" / "laws.bsi").write_text(
        'bsi 1\nimport "b/numbers.bsi" as numbers\nparam mu : real\nprior p(mu) = normal(0, numbers.s[0])\n'
        "likelihood f(x : real | mu) = normal(mu, 1)\n"
    )
    (tmp_path / "a" / "b" / "numbers.bsi").write_text('bsi 1\ndim n\ndata s : real[n] = file("s.json", key = "s")\n')
    (tmp_path / "a" / "b" / "s.json").write_text('{"s": [2.5, 3.5]}')
    source, _ = read_source(str(tmp_path / "m.bsi"))
    assert source is not None
    found = analyse(source)
    assert found.diagnostics == [] and found.program and found.program.dims == {"laws.numbers.n": 2}


MODEL = """observe obs : laws.f[2] = [0.1, 0.3]
posterior post(laws.mu) = laws.p(laws.mu) * laws.f(obs | laws.mu)
sample ode = flow_ode(post) { seed = 1 }
sample ref = nuts(post) { seed = 2 }
"""


def test_keys_change_no_more_than_names_do() -> None:
    """A prior and a likelihood of one file or of two: the same jobs, told by their digests without names."""
    laws = "param mu : real\nprior p(mu) = normal(0, 2)\nlikelihood f(x : real | mu) = normal(mu, 1)\n"
    one = {"m.bsi": "bsi 1\n" + laws + MODEL.replace("laws.", "")}
    two = {"m.bsi": 'bsi 1\nimport "laws.bsi" as laws\n' + MODEL, "laws.bsi": "bsi 1\n" + laws}

    def shape(files: dict[str, str]) -> list[tuple[str, str]]:
        return [(job.kind, job.node.replace("laws_", "")) for job in plan(with_seeds(program(files), 0), Nothing())]

    assert shape(one) == shape(two)
    renamed = {"m.bsi": two["m.bsi"].replace("laws", "L"), "L": ""} | {"laws.bsi": "bsi 1\n# moved\n\n" + laws}
    renamed["m.bsi"] = renamed["m.bsi"].replace("L.bsi", "laws.bsi")
    assert [dict(s.options) for s in program(two).samples.values()] == [
        dict(s.options) for s in program(renamed).samples.values()
    ]
    moved = {"m.bsi": two["m.bsi"].replace("laws.bsi", "x/y.bsi"), "x/y.bsi": "bsi 1\n# moved\n\n" + laws}
    keys = [[job.key for job in plan(with_seeds(program(files), 0), Nothing())] for files in (two, moved)]
    assert keys[0] == keys[1]


EQUATIONS = """bsi 1
dim time = 4, u = 2
param k : real<lower = 0>
param m : real[u]
let t = 3
let rate(a) = -a
let step(s, x) = s + x * t
simulator decay(k) -> real[time] = ode(u) { init = 1.0, rhs = rate(k) * u * exp(-t), saveat = linspace(0.1, 1, time) }
prior p(k) = lognormal(0, 1)
prior q(m) = learned file("draws.csv", m = ["a", "b"])
likelihood f(x : real[time] | k) = normal(decay(k), 0.1)
likelihood g(x : real[u] | m) = normal(m + fold(step, 0, [1, 2]), 1)
"""


def test_local_names_of_simulators_and_names_of_params_in_files(tmp_path: Path) -> None:
    """The state `u` and the time `t` hide a dim and a let of their file; `m` names a param, wherever it is declared."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "laws.bsi").write_text(EQUATIONS)
    (tmp_path / "parts" / "draws.csv").write_text("a,b\n" + "".join(f"{i},{i * i % 97}\n" for i in range(100)))
    text = """bsi 1
import "parts/laws.bsi" as laws
observe x : laws.f = [1, 2, 3, 4]
observe y : laws.g = [1, 2]
posterior one(laws.k) = laws.p(laws.k) * laws.f(x | laws.k)
posterior two(laws.m) = laws.q(laws.m) * laws.g(y | laws.m)
sample a = nuts(one)
sample b = flow_ode(two)
"""
    found = analyse(Source(str(tmp_path / "m.bsi"), text))
    assert found.diagnostics == [] and found.program is not None
    alone = analyse(Source(str(tmp_path / "parts" / "laws.bsi"), EQUATIONS))
    assert alone.program is not None
    for name in ("f", "g"):
        law, own = found.program.likelihoods[f"laws.{name}"], alone.program.likelihoods[name]
        assert repr(law.draws).replace("laws.", "") == repr(own.draws)


def test_an_implied_fit_has_a_name_that_can_be_declared() -> None:
    laws = "bsi 1\nparam mu : real\nprior p(mu) = normal(0, 2)\nlikelihood f(x : real | mu) = normal(mu, 1)\n"
    files = {"m.bsi": 'bsi 1\nimport "laws.bsi" as laws\n' + MODEL, "laws.bsi": laws}
    found = program(files)
    assert list(found.trains) == ["fit_laws_f"]
    text = expand(found)
    again = program(files | {"m.bsi": text})
    assert "train fit_laws_f = score(laws.p, laws.f)" in text and list(again.trains) == ["fit_laws_f"]
    keys = [[job.key for job in plan(with_seeds(p, 0), Nothing())] for p in (found, again)]
    assert keys[0] == keys[1]


def test_names_can_be_set_in_imported_files() -> None:
    assert program(overrides={"sizes.d": "2", "sizes.w": "40"}).samples["ode"].options[2][1] != 3_200
    assert said(FILES, overrides={"sizes.d": "3"})[0][0].startswith("E0")
    (wrong,) = analysed(overrides={"sizes.width": "3"}).diagnostics
    assert wrong.code == "E0210" and wrong.help == "did you mean `sizes.w`?"


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("m.bsi", "laws.p(", "laws.q(", ("E0013", "m.bsi:5", "laws.q")),
        ("m.bsi", "sizes.d }", "sizes.dd }", ("E0013", "m.bsi:7", "sizes.dd")),
        ("m.bsi", "laws.sizes.w", "laws.size.w", ("E0013", "m.bsi:6", "laws.size.w")),
        ("m.bsi", "laws.sizes.w", "lows.w", ("E0013", "m.bsi:6", "lows.w")),
        ("m.bsi", "laws.sizes.w", "laws", ("E0204", "m.bsi:6", "laws")),
        ("m.bsi", "laws.g(mine", "laws.p(mine", ("E0204", "m.bsi:5", "laws.p")),
        ("m.bsi", "laws.twice(100)", "laws.post(100)", ("E0204", "m.bsi:7", "laws.post")),
        ("m.bsi", "laws.twice(100)", "laws(100)", ("E0204", "m.bsi:7", "laws")),
        ("m.bsi", '"laws.bsi"', '"law.bsi"', ("E0011", "m.bsi:2", '"law.bsi"')),
        ("m.bsi", '"laws.bsi"', '"laws.csv"', ("E0015", "m.bsi:2", '"laws.csv"')),
        ("m.bsi", "as sizes", 'as sizes\nimport "laws.bsi" as sizes', ("E0202", "m.bsi:4", "sizes")),
        ("laws.bsi", '"parts/sizes.bsi"', '"parts/size.bsi"', ("E0011", "laws.bsi:2", '"parts/size.bsi"')),
        ("laws.bsi", "sizes.w }", "sizes.v }", ("E0013", "laws.bsi:17", "sizes.v")),
        ("laws.bsi", "mlp { width", "mlp { widht", ("E0501", "laws.bsi:17", "widht")),
        ("laws.bsi", "half(theta)", "hafl(theta)", ("E0201", "laws.bsi:10", "hafl")),
        ("laws.bsi", "let twice(a)", "let twice(a", ("E0102", "laws.bsi:5", "=")),
        ("laws.bsi", "bsi 1", "bsi 7", ("E0118", "laws.bsi:1", "7")),
        ("laws.bsi", "normal(0, s)", "normal(0, -1)", ("E0401", "laws.bsi:8", "-1")),
        ("laws.bsi", "[0.5, sizes.d]", "[0.5, 1, 2]", ("E0302", "laws.bsi:15", "[0.5, 1, 2]")),
        ("laws.bsi", "let gauss = 3", "let gauss = gauss", ("E0203", "laws.bsi:4", "gauss")),
        ("laws.bsi", "param theta", "param theta : real[sizes.d]\nparam theta", ("E0202", "laws.bsi:4", "theta")),
        ("parts/sizes.bsi", "let w = 32", "let w = 0.005", ("E0502", "m.bsi:6", "laws.sizes.w * 100")),
    ],
)
def test_a_mistake_is_told_once_and_in_its_own_file(name, old, new, expected) -> None:
    found = said(edited(name, old, new))
    errors = [it for it in found if it[0].startswith("E")]
    assert errors[0] == expected
    if expected[0] != "E0502":  # two uses of one value, each refused
        assert len(errors) == 1, errors


def test_messages_use_the_names_of_their_file() -> None:
    found = analysed(edited("laws.bsi", "[0.5, sizes.d]", "[0.5, 1, 2]"))
    (wrong,) = [d for d in found.diagnostics if d.severity == "error"]
    assert wrong.message == "`theta` needs shape [sizes.d] = [2], but this value has shape [3]"
    assert wrong.help == "drop one value, or change line 2 of `sizes.bsi` to `dim d = 3`"
    found = analysed(edited("laws.bsi", "half(theta)", "hafl(theta)"))
    (wrong,) = [d for d in found.diagnostics if d.severity == "error"]
    assert wrong.help == "did you mean `half`?" and wrong.fixes[0].replacement == "half"


def test_a_misspelled_path_has_a_fix(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "sizes.bsi").write_text(SIZES)
    source = Source(str(tmp_path / "m.bsi"), 'bsi 1\nimport "parts/size.bsi" as sizes\n')
    (wrong,) = analyse(source).diagnostics
    assert wrong.code == "E0011" and wrong.help == "did you mean `parts/sizes.bsi`?"
    assert [fix.replacement for fix in wrong.fixes] == ['"parts/sizes.bsi"']


def test_circles() -> None:
    files = edited("laws.bsi", "parts/sizes.bsi", "m.bsi")
    (wrong,) = [d for d in analysed(files).diagnostics if d.code == "E0012"]
    assert wrong.message == "`m.bsi` imports itself, by way of `laws.bsi`"
    assert wrong.primary is not None and wrong.primary.span.file == "laws.bsi"
    assert [label.span.file for label in wrong.secondary] == ["m.bsi"]
    alone = {"m.bsi": 'bsi 1\nimport "m.bsi" as me\nlet a = me.b\nlet b = a\n'}
    assert said(alone)[0][0] == "E0012"


def test_an_unused_import_is_a_warning() -> None:
    files = {"m.bsi": 'bsi 1\nimport "sizes.bsi" as sizes\n', "sizes.bsi": SIZES}
    assert said(files) == [("W0401", "m.bsi:2", "sizes")]


def test_warnings_of_an_imported_file_are_its_own() -> None:
    """What it does not use is no warning here; an `allow` in it holds for what its laws give cause for."""
    files = edited("laws.bsi", "param theta", "param tau : real\nprior pt(tau) = normal(0, 1)\nparam theta")
    assert said(files) == []
    doubtful = "param tau : real\nprior pt(tau, theta) = { tau ~ normal(0, 1); theta ~ normal(0, tau) }\nparam theta"
    files = edited("laws.bsi", "param theta", doubtful)
    assert [it[:2] for it in said(files)] == [("W0405", "laws.bsi:4")]
    assert said(edited("laws.bsi", "param theta", doubtful.replace(" }\n", " }  # bsi: allow W0405\n"))) == []


def test_mutated_files_never_raise() -> None:
    """300 edits of the three files: cut, doubled and replaced words give diagnostics, each inside its own text."""
    chance = random.Random(11)
    words = [
        "laws.",
        "sizes",
        ".",
        "theta",
        "import ",
        '"laws.bsi"',
        "as",
        "[",
        "}",
        "~",
        "=",
        "g(",
        "0",
        "\n",
        "u",
        "let ",
    ]
    for _ in range(300):
        files = dict(FILES)
        for _ in range(chance.randint(1, 3)):
            name = chance.choice(list(files))
            start = chance.randrange(len(files[name]))
            end = min(len(files[name]), start + chance.randint(0, 10))
            middle = chance.choice(["", files[name][start:end] * 2, *words])
            files[name] = files[name][:start] + middle + files[name][end:]
        found = analysed(files)
        for diagnostic in found.diagnostics:
            for label in (diagnostic.primary, *diagnostic.secondary):
                assert label and 0 <= label.span.start <= label.span.end <= len(found.sources[label.span.file].text)


def test_renderers_point_at_the_right_file() -> None:
    found = analysed(edited("laws.bsi", "mlp { width", "mlp { widht"))
    text = render_text(found.diagnostics, found.sources)
    assert "--> laws.bsi:17:19" in text and "net small = mlp { widht = sizes.w }" in text
    assert '"file": "laws.bsi"' in render_json(found.diagnostics, found.sources)
    assert '"uri": "laws.bsi"' in render_sarif(found.diagnostics, found.sources)
    assert "file=laws.bsi,line=17" in render_github(found.diagnostics, found.sources)


@pytest.mark.parametrize("code", ["E0011", "E0013", "E0015"])
def test_pages(code: str) -> None:
    page = (FOLDER / f"{code}.md").read_text(encoding="utf-8")
    examples = dict(re.findall(r"```bsi (bad|good)\n(.*?)\n```", page, re.S))
    codes = {
        kind: [d.code for d in analyse(Source("page.bsi", text + "\n")).diagnostics] for kind, text in examples.items()
    }
    assert codes == {"bad": [code], "good": []}


def test_the_page_of_circles_shows_what_is_said(tmp_path: Path) -> None:
    (tmp_path / "model.bsi").write_text('bsi 1\n\nimport "laws.bsi" as laws\n')
    (tmp_path / "laws.bsi").write_text('bsi 1\n\nimport "model.bsi" as model\n')
    source, _ = read_source(tmp_path / "model.bsi")
    assert source is not None
    found = analyse(source)
    text = render_text([d for d in found.diagnostics if d.code == "E0012"], found.sources).replace(f"{tmp_path}/", "")
    shown = re.search(r"```text\n.*?\n(.*?)\n```", (FOLDER / "E0012.md").read_text(encoding="utf-8"), re.S)
    assert shown and text.startswith(shown[1])


def test_the_example_of_the_reference() -> None:
    text = (Path(__file__).parents[2] / "grammar" / "README.md").read_text(encoding="utf-8")
    laws, model = re.findall(r"```bsi\n(.*?)```", text.split("\n## Imports\n")[1].split("\n## ")[0], re.S)
    assert list(program({"m.bsi": model, "laws.bsi": laws}).params) == ["laws.theta"]

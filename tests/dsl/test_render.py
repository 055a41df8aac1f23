"""What people and programs see of a diagnostic: golden texts, and the formats' own rules."""

import itertools
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsi.dsl.diagnostic import Diagnostic, Fix, Label
from bsi.dsl.render import render_github, render_json, render_sarif, render_text
from bsi.dsl.render.width import columns, wrap
from bsi.dsl.span import Source, Span
from tests.dsl import renderings

TALL = Source(
    "gauss_tall.bsi",
    "bsi 1\n\ndim d = 2\n\nparam theta : real[d]\n\n\n\n\n\n\n\n\n"
    "observe obs : f[n] = simulate(theta = [0.5, -1.0, 2.0]) { seed = 7 }\n",
)
NETS = Source("nets.bsi", "bsi 1\nnet small = mlp\n")


def place(source: Source, text: str, label: str = "") -> Label:
    start = source.text.index(text)
    return Label(Span(start, start + len(text), source.file), label)


SHAPE = Diagnostic(
    "E0302",
    "`theta` needs shape [d] = [2], but this value has shape [3]",
    place(TALL, "[0.5, -1.0, 2.0]", "3 values"),
    (place(TALL, "theta : real[d]", "declared here, with d = 2 (line 3)"),),
    help="drop one value, or change line 3 to `dim d = 3`",
)


def golden(text: str) -> str:
    return text.removeprefix("\n")


def test_labels_on_two_lines():
    assert render_text([SHAPE], {TALL.file: TALL}) == golden("""
error[E0302]: `theta` needs shape [d] = [2], but this value has shape [3]
  --> gauss_tall.bsi:14:39
   |
 5 | param theta : real[d]
   |       --------------- declared here, with d = 2 (line 3)
...
14 | observe obs : f[n] = simulate(theta = [0.5, -1.0, 2.0]) { seed = 7 }
   |                                       ^^^^^^^^^^^^^^^^ 3 values
   |
   = help: drop one value, or change line 3 to `dim d = 3`

error: 1 error in gauss_tall.bsi
""")


def test_labels_on_one_line_and_in_another_file():
    diagnostic = Diagnostic(
        "E0203",
        "`nets.smal` is not declared",
        place(TALL, "simulate", "here"),
        (place(TALL, "obs :", "in this observation"), place(NETS, "small", "a similar name")),
        notes=("imports are namespaced",),
    )
    assert render_text([diagnostic], {TALL.file: TALL, NETS.file: NETS}) == golden("""
error[E0203]: `nets.smal` is not declared
  --> gauss_tall.bsi:14:22
   |
14 | observe obs : f[n] = simulate(theta = [0.5, -1.0, 2.0]) { seed = 7 }
   |         -----        ^^^^^^^^ here
   |         |
   |         in this observation
  ::: nets.bsi:2:5
   |
 2 | net small = mlp
   |     ----- a similar name
   |
   = note: imports are namespaced

error: 1 error in gauss_tall.bsi
""")


def test_three_labels_below_each_other():
    source = Source("m.bsi", "let a = f(b, c)")
    labels = [place(source, word, f"is {word}") for word in ("f", "b", "c")]
    assert render_text([Diagnostic("E0301", "no", labels[0], tuple(labels[1:]))], {"m.bsi": source}) == golden("""
error[E0301]: no
 --> m.bsi:1:9
  |
1 | let a = f(b, c)
  |         ^ -  - is c
  |         | |
  |         | is b
  |         is f

error: 1 error in m.bsi
""")


def test_a_label_over_several_lines_and_one_line_between():
    source = Source("m.bsi", "prior p(a) = {\n  a ~ f(1)\n  b ~ g(2) }\nlet c = 1")
    diagnostic = Diagnostic("W0402", "long", place(source, source.text[13:38], "this body"))
    assert render_text([diagnostic], {"m.bsi": source}) == golden("""
warning[W0402]: long
 --> m.bsi:1:14
  |
1 | prior p(a) = {
  |              ^
2 |   a ~ f(1)
3 |   b ~ g(2) }
  |   ^^^^^^^^^^ this body

warning: 1 warning in m.bsi
""")


def test_tabs_and_wide_characters_keep_carets_in_place():
    source = Source("m.bsi", "\tlet a = 漢字 + e\u0301 + b")
    text = render_text([Diagnostic("E0201", "no `b`", place(source, "b"))], {"m.bsi": source}).split("\n")
    assert text[3] == "1 |     let a = 漢字 + e\u0301 + b"
    assert text[4].index("^") == columns(text[3]) - 1


def test_control_characters_reach_no_terminal():
    source = Source("m.bsi", "let a = \x1b[31m b")
    assert "\x1b" not in render_text([Diagnostic("E0112", "x", place(source, "b"))], {"m.bsi": source})


def test_narrow_terminals():
    source = Source("m.bsi", f"let a = [{', '.join(str(i) for i in range(100, 160))}]")
    message = "a message that is rather longer than forty columns, so it is wrapped"
    text = render_text([Diagnostic("E0301", message, place(source, "130", "here"))], {"m.bsi": source}, width=40)
    assert max(map(columns, text.split("\n"))) <= 40
    lines = text.split("\n")
    line, carets = next((a, b) for a, b in itertools.pairwise(lines) if a.startswith("1 | …"))
    assert line.endswith("…")
    assert line[carets.index("^") : carets.index("^") + 3] == "130" and carets.endswith("^^^ here")


@pytest.mark.parametrize("width", renderings.WIDTHS)
def test_looks(width):
    text = renderings.rendered(width)
    assert text == renderings.golden(width).read_text(encoding="utf-8")
    lines = [line for line in text.split("\n") if "-->" not in line and ":::" not in line]
    assert max(map(columns, lines)) <= width


@given(st.text(alphabet="ab 漢e\u0301👍🏽-`", max_size=60), st.integers(4, 30), st.integers(4, 30))
def test_wrapped_lines_fit_and_lose_nothing(text, width, first):
    lines = wrap(text, width, min(first, width))
    assert all(columns(line) <= (min(first, width) if i == 0 else width) for i, line in enumerate(lines))
    assert "".join("".join(lines).split()) == "".join(text.split())


@pytest.mark.parametrize(
    "text, expected", [("e\u0301", 1), ("漢字", 4), ("\t", 4), ("👍🏽", 2), ("👩\u200d🔬", 2), ("é", 1)]
)
def test_columns(text, expected):
    assert columns(text) == expected


def test_a_diagnostic_without_a_place():
    diagnostic = Diagnostic("E0001", "there is no file `a.bsi`", notes=("no",), help="check the path")
    assert render_text([diagnostic], {}) == golden("""
error[E0001]: there is no file `a.bsi`
  = note: no
  = help: check the path

error: 1 error
""")
    assert render_text([], {}) == ""


def test_a_file_that_is_not_known():
    assert " --> x.bsi" in render_text([Diagnostic("E0101", "no", Label(Span(3, 4, "x.bsi")))], {})


def test_empty_place_at_the_end():
    source = Source("m.bsi", "let a =\n")
    text = render_text([Diagnostic("E0120", "no", Label(Span(8, 8, "m.bsi")))], {"m.bsi": source})
    assert "m.bsi:2:1" in text and "\n  | ^\n" in text


def test_summary_counts():
    warning = Diagnostic("W0401", "w", place(NETS, "mlp"))
    text = render_text([SHAPE, SHAPE, warning], {TALL.file: TALL, NETS.file: NETS})
    assert text.endswith("\nerror: 2 errors, 1 warning in 2 files\n")


def test_colour_only_when_asked():
    plain, coloured = (render_text([SHAPE], {TALL.file: TALL}, colour=colour) for colour in (False, True))
    assert "\x1b" not in plain and coloured != plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


FIXED = Diagnostic(
    "E0109", "no 100%\nsure", place(NETS, "mlp", "x"), fixes=(Fix(Span(18, 21, NETS.file), "unet", "try"),)
)


def test_json():
    content = json.loads(render_json([FIXED, Diagnostic("W0401", "w")], {NETS.file: NETS}))
    place_ = {"file": "nets.bsi", "start": 18, "end": 21, "line": 2, "column": 13, "end_line": 2, "end_column": 16}
    assert content["schema"] == 1
    assert content["diagnostics"][0] == {
        "code": "E0109",
        "severity": "error",
        "message": "no 100%\nsure",
        "primary": {**place_, "text": "x"},
        "secondary": [],
        "notes": [],
        "help": None,
        "fixes": [{**place_, "replacement": "unet", "description": "try"}],
    }
    assert content["diagnostics"][1]["severity"] == "warning" and content["diagnostics"][1]["primary"] is None


def test_github():
    expected = "::error file=nets.bsi,line=2,endLine=2,col=13,endColumn=16,title=error[E0109]::no 100%25%0Asure\n"
    assert render_github([FIXED], {NETS.file: NETS}) == expected


@pytest.mark.parametrize("diagnostic", [FIXED, SHAPE, Diagnostic("E0001", "no file", help="look")])
def test_sarif(diagnostic):
    content = json.loads(render_sarif([diagnostic], {NETS.file: NETS, TALL.file: TALL}))
    (run,) = content["runs"]
    (result,) = run["results"]
    assert content["version"] == "2.1.0" and result["ruleId"] == diagnostic.code
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [diagnostic.code]
    assert len(result.get("locations", [])) == (diagnostic.primary is not None)
    assert len(result.get("relatedLocations", [])) == len(diagnostic.secondary)
    for fix in result.get("fixes", []):
        region = fix["artifactChanges"][0]["replacements"][0]["deletedRegion"]
        assert (region["startLine"], region["startColumn"], region["charLength"]) == (2, 13, 3)

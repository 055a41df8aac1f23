"""Syntax errors: the table's own examples, and what repairs and recovery promise."""

import pytest

from bsi.dsl import ast
from bsi.dsl.mistakes import FORMS, MISTAKES
from bsi.dsl.parser import parse
from bsi.dsl.span import Source
from tests.dsl.helpers import codes, errors


@pytest.mark.parametrize("row", MISTAKES, ids=lambda row: row.example)
def test_row_explains_its_example(row):
    (diagnostic,) = errors(row.example)
    assert diagnostic.code == row.code
    fixed = row.message.split("{")[0].replace("{{", "{")
    assert diagnostic.message.startswith(fixed) and diagnostic.help
    assert "{{" not in diagnostic.message + diagnostic.help


@pytest.mark.parametrize("text", FORMS.values())
def test_forms_are_well_formed(text):
    for form in text.split("` or `"):
        _, diagnostics = parse(Source("m.bsi", form if form.startswith("bsi") else f"bsi 1\n{form}"))
        assert diagnostics == []


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("let a = 2 ** 3", "let a = 2 ^ 3"),
        ("let a(x) = if x > 1 && x < 2 then 1 else 0", "let a(x) = if x > 1 and x < 2 then 1 else 0"),
        ("let a = 1 // one", "let a = 1 # one"),
        ("let a := 1", "let a = 1"),
        ("let a == 1", "let a = 1"),
        ("prior p(t) ~ normal(0, 1)", "prior p(t) = normal(0, 1)"),
        ("net u = mlp { width: 8 }", "net u = mlp { width = 8 }"),
        ("net u = mlp { width 8 }", "net u = mlp { width = 8 }"),
        ("posteriro q(t) = p(t)", "posterior q(t) = p(t)"),
        ("a = 2", "let a = 2"),
        ("  dim d = 2", "dim d = 2"),
        ("import 'nets.bsi' as nets", 'import "nets.bsi" as nets'),
        ("let a = 2 − 1", "let a = 2 - 1"),
        ("let a(x) = if x ≤ 1 then 1 else 0", "let a(x) = if x <= 1 then 1 else 0"),
        ("likelihood f(x : real | t) = { s = t; x ~ normal(s, 1) }",
         "likelihood f(x : real | t) = { let s = t; x ~ normal(s, 1) }"),
    ],
)  # fmt: skip
def test_fixes_repair(text, fixed):
    (diagnostic,) = errors(text)
    (fix,) = diagnostic.fixes
    whole = "bsi 1\n" + text
    repaired = whole[: fix.span.start] + fix.replacement + whole[fix.span.end :]
    assert repaired == "bsi 1\n" + fixed and codes(fixed) == []


def test_a_sure_repair_keeps_the_declaration():
    module, diagnostics = parse(Source("m.bsi", "bsi 1\nlet a = 2 ** 3  // eight\n  dim d = 2\n"))
    assert [d.code for d in diagnostics] == ["E0109", "E0110", "E0106"]
    assert [type(node) for node in module.declarations] == [ast.Let, ast.Dim]


@pytest.mark.parametrize(
    ("text", "code", "shown"),
    [
        ("let a = @", "E0101", "@"),
        ("let a = (1 + 2", "E0102", ""),
        ("let a = (1 + 2]", "E0103", "]"),
        ("prior p(t) = { t ~ normal(0, 1 }", "E0102", "}"),
        ("let a = 1 }", "E0103", "}"),
        ("parm t : real", "E0105", "parm"),
        ("t ~ normal(0, 1)", "E0107", "~"),
        ("prior p(t) = { target += 2 }", "E0109", "+="),
        ("param for : real", "E0111", "for"),
        ("let a = $b", "E0112", "$"),
        ("let a = x²", "E0112", "²"),
        ('let a = "abc', "E0113", '"abc'),
        (r'let a = "C:\data"', "E0113", r"\d"),
        ("let a = 3d", "E0114", "3d"),
        ("let a = 1e999", "E0114", "1e999"),
        ("let a = 0x1F", "E0114", "0x1F"),
        ("let a = 1 < b < 3", "E0115", "<"),
        ("prior p(t, t) = normal(0, 1)", "E0116", "t"),
        ("prior p(t) = normal(loc = 0, loc = 1)", "E0116", "loc"),
        ("param t : real<lower = 0, lower = 1>", "E0116", "lower"),
        ("let a = 1 let b = 2", "E0121", "let"),
        ("let a = f(1, 2 3)", "E0123", "3"),
        ("let a.b = 2", "E0127", "a.b"),
        ("param t : real<0>", "E0101", "0"),
    ],
)
def test_code_and_smallest_span(text, code, shown):
    (diagnostic,) = errors(text)
    span = diagnostic.primary.span
    assert (diagnostic.code, ("bsi 1\n" + text)[span.start : span.end]) == (code, shown)


def test_unclosed_bracket_points_at_its_opener():
    (diagnostic,) = errors("param t : real[d\ndim d = 2")
    (opener,) = diagnostic.secondary
    assert diagnostic.code == "E0102" and opener.span.start == len("bsi 1\nparam t : real")


def test_misspelt_noun_after_an_unclosed_bracket_is_still_found():
    assert codes("param t : real[d\npriro p(t) = normal(0, 1)\ndim d = 2") == ["E0102", "E0105"]


@pytest.mark.parametrize(
    ("word", "noun"),
    [("posteriro", "posterior"), ("Prior", "prior"), ("parameters", "param"), ("def", "let"), ("observed", "observe")],
)
def test_did_you_mean(word, noun):
    (diagnostic,) = errors(f"{word} p(t) = normal(0, 1)")
    assert diagnostic.help == f"did you mean `{noun}`?"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["E0117"]),
        ("# only a comment", ["E0117"]),
        ("dim d = 2", ["E0117"]),
        ("bsi 2\ndim d = 2", ["E0118"]),
        ("bsi 1.0", []),
        ("dim d = 2\nbsi 1", ["E0119"]),
        ("bsi 1\nbsi 1", ["E0119"]),
        ("bsi\ndim d = 2", ["E0120"]),
        ("bsi one\ndim d = 2", ["E0101"]),
    ],
)
def test_edition(text, expected):
    assert [d.code for d in parse(Source("m.bsi", text))[1]] == expected


@pytest.mark.parametrize(
    "text",
    [
        "(" * 50_000,
        "let a = " + "(" * 9_000 + "1" + ")" * 9_000,
        "let a = " + "1+" * 9_000 + "1",
        "let a = " + "not " * 9_000 + "b",
        "net u = " + "mlp { a = " * 2_000 + "1" + "}" * 2_000,
        "let a = " + "9" * 9_000,
        "let a = b" + "[0]" * 9_000,
    ],
    ids=lambda text: text[:20],
)
def test_absurd_depth_is_a_diagnostic(text):
    assert len(errors(text)) == 1


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("prior p(theta = normal(0, 1)", "E0102", "="),
        ("let a = exp((1 + 2)", "E0102", ""),
        ("prior p(a, b) = {\n  a ~ normal(0, 1\n  b ~ normal(0, 1)\n}", "E0102", "\n  b"),
        ("likelihood fx : real | t) = normal(t, 1)", "E0101", ":"),
        ("let a = (1 + 2))", "E0103", ")"),
    ],
)
def test_brackets_are_missed_where_they_are_missing(text, code, place):
    (diagnostic,) = errors(text)
    assert diagnostic.code == code and diagnostic.primary
    expected = len(text) if not place else text.rindex(place) if place == ")" else text.index(place)
    assert diagnostic.primary.span.start - 6 == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("let a = [1, 2,]", ["E0130"]),
        ("let a = f(1, )", ["E0130"]),
        ("net u = mlp { width = 8, }", ["E0130"]),
        ("let a = [\n  1,\n]", []),
        ("let a = [1 -2]", ["E0131"]),
        ("let a = [[b -2], [c +2, d -2]]", ["E0131", "E0131", "E0131"]),
        ("let a = [1 - 2, -3, 1-2, f(1 -2), b[1 -2], (1 -2)]", []),
        ("let a = [1\n  -2]", []),
        ("let a = b[1 -2]", []),
    ],
)
def test_doubtful_values(text, expected):
    assert codes(text) == expected


@pytest.mark.parametrize(
    "text", ["let = 3", "param : real", "mu param : real", "param tau : real<lower = 0\nmu : real"]
)
def test_names_of_broken_declarations_are_not_missed(text):
    module, _ = parse(Source("m.bsi", f"bsi 1\n{text}\n"))
    assert "mu" in module.broken or "mu" not in text

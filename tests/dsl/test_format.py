"""The formatter: one canonical layout that loses nothing."""

import re
from itertools import zip_longest
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsi.dsl.diagnostic import has_errors
from bsi.dsl.format import format_source, same
from bsi.dsl.parser import parse
from bsi.dsl.print import print_expr
from bsi.dsl.span import Source
from tests.dsl.helpers import EVERYTHING, expression


def formatted(text: str) -> str:
    result, diagnostics = format_source(Source("m.bsi", text))
    assert diagnostics == [] and result is not None
    return result


def declarations(text: str) -> str:
    return formatted("bsi 1\n" + text).removeprefix("bsi 1\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("let a=2*pi", "let a = 2 * pi\n"),
        ("let a = x ^ - 2+ - b", "let a = x^-2 + -b\n"),
        ("let a = ( b+c )*d", "let a = (b + c) * d\n"),
        ("let a = b [ 0 : 2 , : ]", "let a = b[0:2, :]\n"),
        ("let a = b[sum  over i in d:i, 1:2]", "let a = b[sum over i in d : i, 1:2]\n"),
        ("let a = [ b for i in d ]", "let a = [b for i in d]\n"),
        ("let a = if not b<c then[1] else- 2", "let a = if not b < c then [1] else -2\n"),
        ("param t:real< lower=0 >[ d ]", "param t : real<lower = 0>[d]\n"),
        ("let f ( t )=t", "let f(t) = t\n"),
        ("posterior q(t)=p(t)^(1/4)*f(o|t)^ 2", "posterior q(t) = p(t)^(1 / 4) * f(o | t)^2\n"),
        ("simulator s(k)->real[t]=ode(u){a=1}", "simulator s(k) -> real[t] = ode(u) { a = 1 }\n"),
        ("net u = mlp{width=8\n depth=2}", "net u = mlp { width = 8, depth = 2 }\n"),
        ("net u = mlp{\n}", "net u = mlp {}\n"),
        ("prior p(a)={a~normal(0,1);}", "prior p(a) = {\n  a ~ normal(0, 1)\n}\n"),
        ("dim d=20_000,n", "dim d = 20_000, n\n"),
        ("let a = 1\n\n\n\n\nlet b = 2", "let a = 1\n\nlet b = 2\n"),
        ("let a = 1 # one\nlet long = 2 # two\n\nlet b = 3 # three",
         "let a = 1     # one\nlet long = 2  # two\n\nlet b = 3  # three\n"),
        ("net u = mlp { # why\n width = 8 # narrow\n # end\n}",
         "net u = mlp {\n  # why\n  width = 8  # narrow\n  # end\n}\n"),
        ("let a = # half\n 0.50", "# half\nlet a = 0.50\n"),
    ],
)  # fmt: skip
def test_layout(text, expected):
    assert declarations(text) == expected


def test_options_open_before_arguments_and_only_beyond_100_columns():
    head, options = "sample s = flow_ode(post, fit)", ["compose = gauss", "draws = 4_000", "note = "]
    room = 100 - len(f"{head} {{ {', '.join(options)} }}")
    fits = f"{head} {{ {', '.join(options)}{'n' * room} }}\n"
    assert declarations(fits) == fits and len(fits) == 101
    longer = fits.replace("note = ", "note = n")
    assert declarations(longer).split("\n")[:2] == [head + " {", "  compose = gauss"]


def test_long_products_and_lists():
    factors = [f"f{i}(observations_{i} | theta)^0.5" for i in range(5)]
    lines = declarations("posterior q(theta) = " + " * ".join(factors)).split("\n")
    assert lines[1:5] == [f"  * {factor}" for factor in factors[1:]]
    numbers = declarations(f"let a = [{', '.join(['1_000'] * 40)}]").split("\n")
    assert numbers[0] == "let a = [" and 90 < len(numbers[1]) <= 100


def test_long_expressions_break_before_their_loosest_operators():
    long = "a_name_of_a_fair_length"
    lines = declarations(f"let s = {long} + {long} * {long} - {long} + -{long}").split("\n")
    assert lines[:4] == [f"let s = {long}", f"  + {long} * {long}", f"  - {long}", f"  + -{long}"]
    lines = declarations(f"let s = if {long} > 3 then {long} else if {long} < 2 then {long} else 3").split("\n")
    assert [line.split()[0] for line in lines[1:-1]] == ["then", "else", "then", "else"]
    lines = declarations(f"let s = {long} > 1 and {long} > 2 or {long} > 3 and {long} > 4 + {long}").split("\n")
    assert [line.split()[0] for line in lines[:-1]] == ["let", "or"]
    lines = declarations(f"let s = [sum over k in d : {long}[i] * {long}[k] + 2 for i in {long}]").split("\n")
    assert lines[0] == "let s = [" and lines[2].strip().startswith("for i in")


def test_many_names_fill_lines():
    lines = declarations(f"prior p({', '.join(f'parameter_{i}' for i in range(12))}) = {{ a ~ normal(0, 1) }}").split(
        "\n"
    )
    assert lines[0] == "prior p(" and len(lines) == 7 and 80 < len(lines[1]) <= 100


ROOT = Path(__file__).parents[2]
KEPT = ("examples/**/*.bsi", "bsi/templates/*/*.bsi")
MODELS = sorted(path for pattern in (*KEPT, "tests/golden/*/*.bsi") for path in ROOT.glob(pattern))


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_every_model_formats(path):
    """The formatter's own checks hold (else it gives no text), code fits, and ours are written as it writes them."""
    source = Source(str(path), path.read_text(encoding="utf-8"))
    text, diagnostics = format_source(source)
    assert (text is None) == has_errors(diagnostics) and "E0901" not in {d.code for d in diagnostics}
    if text is not None:
        assert all(len(line.partition("#")[0].rstrip()) <= 100 for line in text.split("\n"))
        assert text == source.text or not any(path.match(pattern) for pattern in KEPT)


@pytest.mark.parametrize("path", [path for path in MODELS if "examples" in path.parts], ids=lambda path: path.stem)
def test_layout_does_not_depend_on_the_lines_it_was_given(path):
    """One layout: joining the lines of round and square brackets, or doubling every space, changes nothing."""
    text = path.read_text(encoding="utf-8")
    plain = formatted(re.sub(r" *#[^\n]*", "", text))
    joined = re.sub(r"(?<=[(\[,])\n\s*", " ", plain)
    joined = re.sub(r"\n\s*(?=[)\]])", "", joined)
    assert formatted(joined) == plain
    assert formatted(re.sub(r"(?<=\S) (?=\S)", "  ", plain)) == re.sub(
        r'"[^"]*"', lambda m: m[0].replace(" ", "  "), plain
    )


def test_whole_file():
    text = formatted(EVERYTHING)
    assert formatted(text) == text
    assert same(parse(Source("m.bsi", text))[0]) == same(parse(Source("m.bsi", EVERYTHING))[0])
    assert max(map(len, text.split("\n"))) <= 102


def test_line_ends_are_kept():
    assert formatted("bsi 1\r\nlet a=1 # c\r\n") == "bsi 1\r\nlet a = 1  # c\r\n"


def test_a_file_with_errors_is_left_alone():
    result, diagnostics = format_source(Source("m.bsi", "bsi 1\nlet a ="))
    assert result is None and [d.code for d in diagnostics] == ["E0120"]


def test_a_failed_check_changes_nothing(monkeypatch):
    monkeypatch.setattr("bsi.dsl.format._format", lambda source: "bsi 1\nlet a = 2\n")
    result, diagnostics = format_source(Source("m.bsi", "bsi 1\nlet a = 1\n"))
    assert result is None and [d.code for d in diagnostics] == ["E0901"]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.sampled_from(["", " ", "  ", "\n  ", "  # c\n  ", "\n  # own\n\n  "]), max_size=60), st.integers(0, 200)
)
def test_any_white_space_and_comments_give_one_layout(gaps, start):
    """White space and comments inside brackets, where lines do not matter, change neither the tree nor the checks."""
    text = "bsi 1\nsample s = f(a, b[0:2], [1, -2, x^2], g(h = 1)) { k = [a, b], l = partial { n = (4) } }\n"
    inside = "( , [ ] ) = :"
    parts, depth = [], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        parts.append(character if not (depth and character in inside) else character + "\0")
    pieces = "".join(parts).split("\0")
    rolled = gaps[start % len(gaps) :] + gaps[: start % len(gaps)] if gaps else []
    spread = "".join(piece + gap for piece, gap in zip_longest(pieces, rolled[: len(pieces) - 1], fillvalue=""))
    source = Source("m.bsi", spread)
    result = formatted(spread)
    assert same(parse(source)[0]) == same(parse(Source("m.bsi", result))[0])
    assert result.count("#") == spread.count("#")
    if "#" not in spread:
        assert result == formatted(text)


names = st.sampled_from(["a", "b", "theta"])
numbers = st.sampled_from(["1", "20_000", "0.5", "1e-3"])
expressions = st.recursive(
    names | numbers,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "@", "^", "<", "==", "and", "or"]), inner).map(
            lambda t: f"({t[0]}) {t[1]} ({t[2]})"
        ),
        st.tuples(st.sampled_from(["-", "+", "not "]), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.tuples(names, inner, inner).map(lambda t: f"{t[0]}({t[1]}, k = {t[2]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]})[{t[1]}, {t[2]}:, :]"),
        st.tuples(inner, inner, inner).map(lambda t: f"(if {t[0]} then {t[1]} else {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"(sum over i in ({t[0]}) : {t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"[{t[0]} for i in {t[1]}]"),
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=200)
@given(expressions)
def test_printed_expressions_parse_to_the_same_tree(text):
    tree = expression(text)
    printed = print_expr(tree)
    assert same(expression(printed)) == same(tree)
    if len(printed) <= 90:
        assert declarations(f"let a = {printed}") == f"let a = {printed}\n", "one spacing for both"

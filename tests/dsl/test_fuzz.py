"""No text makes the parser raise; every diagnostic points into the text and can be rendered."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bsi
from bsi.dsl.format import format_source
from bsi.dsl.grammar import grammar
from bsi.dsl.parser import parse
from bsi.dsl.render import render_json, render_text
from bsi.dsl.span import Source
from tests.dsl.helpers import EVERYTHING

EXAMPLES = [
    EVERYTHING,
    *(path.read_text(encoding="utf-8") for path in sorted(Path(bsi.__file__).parent.parent.glob("examples/*/*.bsi"))),
]
WORDS = sorted({t.pattern.value for t in grammar().terminals if t.pattern.type == "str"})
words = st.lists(
    st.sampled_from([*WORDS, "x", "2", "1e", '"', '"s"', "\n", "\n", " ", "# c", "//", "**", "θ", "²", "\t"])
)


def no_exception(text: str) -> None:
    source = Source("m.bsi", text)
    module, diagnostics = parse(source)
    for diagnostic in diagnostics:
        for place in [diagnostic.primary, *diagnostic.secondary, *diagnostic.fixes]:
            assert place and 0 <= place.span.start <= place.span.end <= len(text)
    assert module.declarations or diagnostics or module.edition
    render_json(diagnostics, {"m.bsi": source})
    for line in render_text(diagnostics, {"m.bsi": source}, width=60).split("\n"):
        assert "\t" not in line
    formatted, reasons = format_source(source)
    assert (formatted is None) == bool(reasons)
    assert not [reason for reason in reasons if reason.code == "E0901"], formatted


@settings(deadline=None, max_examples=150)
@given(st.text())
def test_arbitrary_text(text):
    no_exception(text)


@settings(deadline=None, max_examples=150)
@given(words)
def test_arbitrary_words(parts):
    no_exception("bsi 1\n" + " ".join(parts))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("\n")[0][:30])
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_mutated_examples(example, data):
    start = data.draw(st.integers(0, len(example)))
    length = data.draw(st.integers(0, 12))
    inserted = data.draw(st.one_of(st.text(max_size=3), st.sampled_from(WORDS)))
    no_exception(example[:start] + inserted + example[start + length :])

"""Offsets, lines and columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsi.dsl.span import Source, Span


def test_to_covers_both():
    assert Span(3, 5).to(Span(1, 4)) == Span(1, 5) == Span(1, 4).to(Span(3, 5))


@pytest.mark.parametrize(
    ("offset", "place"), [(0, (1, 1)), (1, (1, 2)), (2, (1, 3)), (3, (2, 1)), (4, (3, 1)), (5, (3, 2))]
)
def test_line_and_column(offset, place):
    assert Source("m.bsi", "ab\n\nθ").line_and_column(offset) == place


@given(st.text(st.sampled_from("ab\n\r\tθ漢")))
def test_lines_and_offsets_agree(text):
    source = Source("m.bsi", text)
    assert [source.line(i + 1) for i in range(len(source.line_starts))] == [s.rstrip("\r") for s in text.split("\n")]
    for offset in range(len(text) + 1):
        line, column = source.line_and_column(offset)
        assert source.line_starts[line - 1] + column - 1 == offset

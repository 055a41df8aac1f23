"""Golden models: good ones compile silently, bad ones say exactly what they are expected to say.

A bad model lists its diagnostics at its end (`# expect: E0302 at 8:40`), checked by people; how they look on a terminal
is in the `.txt` beside it, written by `python -m tests.bless`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bsi.dsl.explain import FOLDER
from bsi.dsl.span import Source
from tests.bless import BAD, GOOD, diagnostics_of, rendered, source_of
from tests.compiler.helpers import codes

PAGES = sorted(page for pattern in ("E0[2-6]*.md", "W04*.md") for page in FOLDER.glob(pattern))


def test_there_are_models() -> None:
    assert len(BAD) >= 9 and len(GOOD) >= 7 and len(PAGES) >= 50


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_models_compile_silently(path: Path) -> None:
    assert diagnostics_of(path) == []


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_models_say_what_is_expected(path: Path) -> None:
    source = source_of(path)
    expected = re.findall(r"^# expect: (\w+) at (\d+):(\d+)$", source.text, re.M)
    found = []
    for diagnostic in diagnostics_of(path):
        assert diagnostic.primary is not None
        line, column = source.line_and_column(diagnostic.primary.span.start)
        found.append((diagnostic.code, str(line), str(column)))
    assert expected and found == expected


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_models_look_as_blessed(path: Path) -> None:
    assert rendered(path) == path.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_show_what_they_say(page: Path) -> None:
    examples = re.findall(r"```bsi (bad|good)\n(.*?)\n```", page.read_text(encoding="utf-8"), re.S)
    shown = "```text" in page.read_text(encoding="utf-8")
    assert [kind for kind, _ in examples] == ([] if shown else ["bad", "good"])
    for kind, text in examples:
        assert codes(text + "\n") == ([page.stem] if kind == "bad" else []), text


def test_messages_follow_the_style() -> None:
    for path in BAD:
        for diagnostic in diagnostics_of(path):
            first = diagnostic.message.split("`", 1)[0]
            assert first == first.lower() or diagnostic.message[0].isdigit(), diagnostic.message
            assert not diagnostic.message.endswith(".")


def test_spans_lie_in_the_text() -> None:
    for path in BAD:
        source: Source = source_of(path)
        for diagnostic in diagnostics_of(path):
            for label in (diagnostic.primary, *diagnostic.secondary):
                assert label and 0 <= label.span.start < label.span.end <= len(source.text)

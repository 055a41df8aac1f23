"""Pages on a terminal and in a pipe."""

from __future__ import annotations

import pytest

from bsi.pages import explain_code


@pytest.fixture
def columns(monkeypatch):
    """stdout as a terminal of 60 columns."""
    monkeypatch.setattr("bsi.terminal.columns", lambda: 60)
    monkeypatch.setenv("NO_COLOR", "1")


def test_a_pipe_gets_markdown(capsys):
    assert explain_code("E0102") == 0
    assert capsys.readouterr().out.startswith("# E0102: a bracket is not closed\n\nA bracket was opened")


def test_a_terminal_gets_a_page(columns, capsys):
    assert explain_code("e0102") == 0
    out = capsys.readouterr().out
    assert "E0102: a bracket is not closed" in out and "let a = exp((1 + 2)" in out
    assert "```" not in out and "# E0102" not in out and max(map(len, out.split("\n"))) <= 60


def test_a_terminal_gets_the_list(columns, capsys):
    assert explain_code(None) == 0
    out = capsys.readouterr().out
    assert "E01: syntax" in out and "a bracket is not closed" in out and "## " not in out

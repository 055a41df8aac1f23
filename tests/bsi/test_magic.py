"""`%%bsi` in notebooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import bsi
from tests.bsi.helpers import TINY, edit

WRONG = edit(TINY, ("normal(0, 1)", "nomal(0, 1)"))


class Shell:
    """The two things that the magic asks of IPython's `InteractiveShell`."""

    def __init__(self) -> None:
        self.user_ns: dict[str, Any] = {}
        self.magics: dict[tuple[str, str], Callable[[str, str], Any]] = {}

    def register_magic_function(self, func: Callable[[str, str], Any], magic_kind: str, magic_name: str) -> None:
        self.magics[magic_kind, magic_name] = func


@pytest.fixture
def shell(monkeypatch) -> Shell:
    monkeypatch.setenv("NO_COLOR", "1")
    shell = Shell()
    bsi.load_ipython_extension(shell)
    return shell


def test_a_cell_becomes_a_model(shell, folder, capsys):
    assert shell.magics["cell", "bsi"]("tiny", TINY) is None
    model = shell.user_ns["tiny"]
    assert isinstance(model, bsi.Model) and model.program.name == "tiny" and capsys.readouterr().out == ""
    assert [job.name for job in model.plan()][:2] == ["fit", "ref"]


def test_a_mistake_is_shown_and_binds_nothing(shell, folder, capsys):
    shell.magics["cell", "bsi"]("tiny", WRONG)
    out = capsys.readouterr().out
    assert shell.user_ns == {} and "error[E0201]" in out and "--> tiny.bsi:7:15" in out and "\x1b" not in out


def test_colour_unless_refused(shell, folder, capsys, monkeypatch):
    monkeypatch.delenv("NO_COLOR")
    shell.magics["cell", "bsi"]("", WRONG)
    assert "\x1b[1;31m" in capsys.readouterr().out


def test_without_a_name_the_model_is_the_value(shell, folder):
    assert isinstance(shell.magics["cell", "bsi"]("", TINY), bsi.Model) and shell.user_ns == {}


def test_no_name(shell):
    with pytest.raises(ValueError, match="name of a variable"):
        shell.magics["cell", "bsi"]("1x", TINY)

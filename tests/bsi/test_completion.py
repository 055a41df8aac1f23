"""What shells offer after TAB."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bsi import completion
from tests.bsi.helpers import TINY, cli, write


def offered(shell: str, words: str) -> list[str]:
    """What `bsi` prints for a shell that completes the last word of a line."""
    variables = {
        "bash": {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": words},
        "fish": {"_TYPER_COMPLETE_ARGS": words, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    command = [sys.executable, "-c", "from bsi.cli import app; app(prog_name='bsi')"]
    environment = {**os.environ, "_BSI_COMPLETE": f"complete_{shell}", **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_offered_models(folder, shell):
    write("tiny.bsi", TINY)
    write("other.txt", "no model")
    lines = offered(shell, "bsi check ti")
    assert any("tiny.bsi" in line for line in lines) and not any("other" in line for line in lines)


def test_options_have_their_words(folder):
    assert offered("bash", "bsi new m --template o") == ["ode"]
    assert {"json", "sarif"} <= set(offered("bash", "bsi check m.bsi --format "))
    assert {"ast", "plan"} <= set(offered("bash", "bsi emit m.bsi --stage "))


def test_models_and_folders(folder):
    (folder / "models").mkdir()
    (folder / "models" / "a.bsi").write_text("bsi 1\n")
    write("m.bsi", TINY)
    write(".hidden.bsi", TINY)
    assert completion.models("") == ["m.bsi", "models/", "store/"] and completion.models("mod") == ["models/"]
    assert completion.models("models/") == ["models/a.bsi"] == completion.models("models/a")
    assert completion.models("nowhere/x") == []


def test_codes_with_titles(folder):
    codes = dict(completion.explained("e01"))
    assert codes["E0102"] == "a bracket is not closed" and all(code.startswith("E01") for code in codes)
    assert cli("explain", "E0102").out.startswith("# E0102: a bracket is not closed")

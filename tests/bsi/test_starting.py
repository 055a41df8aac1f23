"""`bsi new`: every template checks clean, is formatted, and runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bsi.cli import Template
from bsi.starting import TEMPLATES
from tests.bsi.helpers import cli

NAMES = [template.value for template in Template]


def test_the_command_knows_every_template():
    assert sorted(NAMES) == sorted(folder.name for folder in TEMPLATES.iterdir())


@pytest.mark.parametrize("template", NAMES)
def test_a_new_model_is_clean_and_formatted(folder, template):
    assert cli("new", "fresh", "--template", template).status == 0
    checked = cli("check", "fresh/fresh.bsi")
    assert checked.status == 0 and "no mistakes" in checked.err
    assert cli("fmt", "--check", "fresh/fresh.bsi").status == 0
    assert "FILE" not in Path("fresh/fresh.bsi").read_text()


def test_nothing_is_written_over(folder):
    assert cli("new", "fresh").status == 0
    before = Path("fresh/fresh.bsi").read_text()
    again = cli("new", "fresh", "--template", "ode")
    assert again.status == 2 and "error[E0010]" in again.err and Path("fresh/fresh.bsi").read_text() == before
    Path("other").mkdir()
    Path("other/data.csv").write_text("mine\n")
    assert cli("new", "other").status == 2 and Path("other/data.csv").read_text() == "mine\n"
    assert not Path("other/other.bsi").exists()


def test_a_folder_that_cannot_be_made(folder):
    Path("file").write_text("")
    refused = cli("new", "file/model")
    assert refused.status == 2 and "error[E0612]" in refused.err


def test_here(folder):
    assert cli("new", ".").status == 0
    assert Path(f"{folder.name}.bsi").is_file()


@pytest.mark.parametrize("template", ["gaussian"])
def test_a_new_model_runs(folder, template):
    assert cli("new", "fresh", "--template", template).status == 0
    ran = cli("run", "fresh/fresh.bsi", "--profile", "smoke")
    assert ran.status == 0 and Path("runs/fresh/report.html").is_file()

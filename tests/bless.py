"""Write down how every bad model is rendered now: `python -m tests.bless`, then read the diff."""

from __future__ import annotations

from pathlib import Path

from bsi.compiler.analyse import analyse
from bsi.dsl.diagnostic import Diagnostic
from bsi.dsl.render.text import render_text
from bsi.dsl.span import Source

GOLDEN = Path(__file__).parent / "golden"
BAD = sorted((GOLDEN / "bad").glob("*.bsi"))
GOOD = sorted((GOLDEN / "good").glob("*.bsi"))


def source_of(path: Path) -> Source:
    return Source(str(path), path.read_text(encoding="utf-8"))


def diagnostics_of(path: Path) -> list[Diagnostic]:
    return analyse(source_of(path)).diagnostics


def rendered(path: Path) -> str:
    """As a terminal shows it, with the file's name alone."""
    found = analyse(source_of(path))
    text = render_text(found.diagnostics, found.sources, width=120)
    return text.replace(f"{path.parent}/", "")


if __name__ == "__main__":
    for bad in BAD:
        bad.with_suffix(".txt").write_text(rendered(bad), encoding="utf-8")

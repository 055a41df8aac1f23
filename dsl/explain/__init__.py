"""The pages behind `bsi explain CODE`: one Markdown file a code, beside this module."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def codes() -> list[str]:
    """All codes that have a page, sorted."""
    return sorted(path.stem for path in FOLDER.glob("[EWR][0-9]*.md"))


def explain(code: str) -> str | None:
    """The page of `code` (any case) as Markdown, or None if there is no such code."""
    code = code.strip().upper()
    return (FOLDER / f"{code}.md").read_text(encoding="utf-8") if code in codes() else None

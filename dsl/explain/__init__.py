"""The pages behind `bsi explain CODE`: one Markdown file a code, beside this module."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
# What the first letters of a code say, the longest that fits.
RANGES = {
    "E00": "files and imports",
    "E01": "syntax",
    "E02": "names",
    "E03": "types, shapes, constraints",
    "E04": "probability",
    "E05": "nets, training, samplers",
    "E06": "data, lock, external code",
    "E09": "internal: our own mistakes",
    "R1": "run time",
    "W": "warnings",
}


def codes() -> list[str]:
    """All codes that have a page, sorted."""
    return sorted(path.stem for path in FOLDER.glob("[EWR][0-9]*.md"))


def explain(code: str) -> str | None:
    """The page of `code` (any case) as Markdown, or None if there is no such code."""
    code = code.strip().upper()
    path = FOLDER / f"{code}.md"
    return path.read_text(encoding="utf-8") if code.isalnum() and path.is_file() and code != "README" else None


def title(code: str) -> str:
    """The title of a page: what is wrong, in a few words."""
    page = explain(code)
    assert page is not None, f"{code} has no page"
    return page.split("\n", 1)[0].partition(": ")[2]


def listing() -> str:
    """All codes with their titles, by range, as Markdown."""
    parts = []
    for start, what in RANGES.items():
        here = [code for code in codes() if code.startswith(start)]
        if here:
            lines = "\n".join(f"- `{code}` {title(code)}" for code in here)
            parts.append(f"## {start}: {what}\n\n{lines}\n")
    return "\n".join(parts)

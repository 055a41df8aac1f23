"""What a shell offers after TAB: model files, codes. Options and their words are typer's own business."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def models(incomplete: str) -> list[str]:
    """Model files and folders that start with what has been typed."""
    typed = Path(incomplete)
    folder, start = (typed, "") if incomplete.endswith("/") else (typed.parent, typed.name)
    return sorted(_offers(folder, start)) if folder.is_dir() else []


def _offers(folder: Path, start: str) -> Iterator[str]:
    for path in folder.iterdir():
        if path.name.startswith(start) and (start or not path.name.startswith(".")):
            if path.is_dir():
                yield f"{path}/"
            elif path.suffix == ".bsi":
                yield str(path)


def explained(incomplete: str) -> list[tuple[str, str]]:
    """Codes with their titles."""
    from bsi.dsl.explain import codes, title

    return [(code, title(code)) for code in codes() if code.startswith(incomplete.upper())]

"""Files to sources: whatever is wrong with a file itself is a diagnostic too."""

from __future__ import annotations

import codecs
from pathlib import Path

from bsi.dsl.diagnostic import Diagnostic
from bsi.dsl.span import Source

LARGEST = 10_000_000  # bytes: a model is written by hand, so more is another kind of file


def read_source(path: str | Path) -> tuple[Source | None, list[Diagnostic]]:
    """The text of a model file without its byte-order mark; line ends stay as they are, so offsets do not move.

    Returns no source, and why, for a file that is missing (E0001), a folder (E0002), unreadable (E0003), not UTF-8 text
    (E0004), empty (E0005) or larger than 10 MB (E0006).
    """
    name = str(path)
    try:
        with open(path, "rb") as stream:
            content = stream.read(LARGEST + 1)
    except FileNotFoundError:
        return _refused("E0001", f"there is no file `{name}`", help_=_near(Path(path)))
    except IsADirectoryError:
        return _refused("E0002", f"`{name}` is a folder", help_="name the model file inside it")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if Path(path).is_dir():  # as Windows reports a folder
            return _refused("E0002", f"`{name}` is a folder", help_="name the model file inside it")
        reason = getattr(error, "strerror", None) or str(error)
        return _refused("E0003", f"`{name}` cannot be read", note=reason.lower(), help_="check the file's permissions")
    if len(content) > LARGEST:
        return _refused("E0006", f"`{name}` is larger than {LARGEST // 1_000_000} MB",
                        help_="keep tables in data files and read them with `file(...)`")  # fmt: skip
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return _not_text(name, content, error)
    if "\0" in text:
        return _refused("E0004", f"`{name}` is not a text file", note="it holds a zero byte",
                        help_="a model is UTF-8 text")  # fmt: skip
    if not text.strip():
        return _refused("E0005", f"`{name}` is empty", help_="`bsi new NAME` writes a model to start from")
    return Source(name, text), []


def _refused(code: str, message: str, help_: str, note: str | None = None) -> tuple[None, list[Diagnostic]]:
    return None, [Diagnostic(code, message, notes=(note,) if note else (), help=help_)]


def _not_text(name: str, content: bytes, error: UnicodeDecodeError) -> tuple[None, list[Diagnostic]]:
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        note = "it is UTF-16"
    else:
        line = content.count(b"\n", 0, error.start) + 1
        note = f"byte 0x{content[error.start]:02X} in line {line} is not UTF-8"
    return _refused("E0004", f"`{name}` is not UTF-8 text", note=note, help_="save it as UTF-8")


def _near(path: Path) -> str:
    """What the user may have meant: the same name with `.bsi`, or the file of an example's folder."""
    for candidate in (path.with_name(path.name + ".bsi"), path / f"{path.name}.bsi"):
        if candidate.is_file():
            return f"did you mean `{candidate}`?"
    import difflib

    folder = path.parent
    names = [file.name for file in folder.glob("*.bsi")] if folder.is_dir() else []
    close = difflib.get_close_matches(path.name, names, 1)
    return f"did you mean `{folder / close[0]}`?" if close else "check the path; it is relative to the current folder"

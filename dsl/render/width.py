"""Text in a terminal's columns: how wide it is shown, cut, and wrapped."""

from __future__ import annotations

import unicodedata

TAB = 4  # columns a tab is shown as
JOINER = "\u200d"  # makes one emoji of two
ELLIPSIS = "…"


def widths(text: str) -> list[int]:
    """Columns of every character: tabs 4, East Asian characters and emoji 2, what combines with the one before 0."""
    out = []
    for before, character in zip(" " + text, text, strict=False):
        if character == "\t":
            out.append(TAB)
        elif before == JOINER or unicodedata.category(character) in ("Mn", "Me", "Cf") or _tints(character):
            out.append(0)
        else:
            out.append(2 if unicodedata.east_asian_width(character) in "WF" else 1)
    return out


def _tints(character: str) -> bool:
    """Skin tones, which colour the emoji before them."""
    return "\U0001f3fb" <= character <= "\U0001f3ff"


def columns(text: str) -> int:
    """How wide a terminal shows `text`."""
    return sum(widths(text))


def shown(text: str) -> str:
    """A source line as a terminal may show it: no tabs, and no control characters that could move its cursor."""
    text = text.replace("\t", " " * TAB)
    return "".join("\ufffd" if unicodedata.category(c) == "Cc" else c for c in text)


def cut_out(text: str, start: int, end: int) -> str:
    """The characters that stand in shown columns `[start, end)`; a wide one cut in two becomes a space."""
    out, column = [], 0
    for character, width in zip(text, widths(text), strict=True):
        if start <= column and column + width <= end:
            out.append(character)
        elif start < column + width and column < end:
            out.append(" ")
        column += width
    return "".join(out)


def wrap(text: str, width: int | None, first: int | None = None) -> list[str]:
    """Lines of at most `width` columns (None: one line), the first of at most `first`; broken at spaces, and inside a
    word only where it is wider than a line of its own."""
    if width is None:
        return [text]
    lines = [""]
    for word in text.split():
        room = first or width if len(lines) == 1 else width
        if columns(f"{lines[-1]} {word}".lstrip()) <= room:
            lines[-1] = f"{lines[-1]} {word}".lstrip()
            continue
        if lines[-1] or room < width:
            lines.append("")
        while columns(word) > width:
            head = cut_out(word, 0, width).rstrip() or word[0]
            lines[-1], word = head, word[len(head) :]
            lines.append("")
        lines[-1] = word
    return lines

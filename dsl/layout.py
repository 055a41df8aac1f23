"""Breaking a declaration into lines.

What fits stands on one line. Else it breaks before its loosest operators outside brackets; where there are none,
brackets open, the last ones first. The same holds for every part that is still too long.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from bsi.dsl.spacing import Piece, join

WIDTH = 100
INDENT = 2
MANY = 8  # names between round brackets: more are filled into lines like the entries of a list
# What a line may break before, loosest first; all of one row at once.
BREAKS = (("for",), ("then", "else"), ("or",), ("and",), ("+", "-"), ("*", "/", "@"))


@dataclass
class Entry:
    """One entry of a bracket (an argument, an option, a statement) with the comments around it."""

    parts: list[Piece | Group] = field(default_factory=list)
    before: list[str] = field(default_factory=list)  # comments on lines of their own
    after: list[str] = field(default_factory=list)  # comments at the end of its line


@dataclass
class Group:
    """A bracket and what it holds. A `body` always stands on several lines."""

    opener: Piece
    body: bool = False
    entries: list[Entry] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)  # comments after the last entry
    closer: Piece = field(default_factory=lambda: Piece("", False))

    @property
    def separator(self) -> str:
        return ";" if self.body else ","

    @property
    def forced(self) -> bool:
        """Whether it cannot stand on one line."""
        if self.tail or (self.body and self.entries):
            return True
        return any(entry.before or entry.after or _forced(entry.parts) for entry in self.entries)


def _forced(parts: Sequence[Piece | Group]) -> bool:
    return any(isinstance(part, Group) and part.forced for part in parts)


def _flat(parts: Sequence[Piece | Group]) -> list[Piece]:
    pieces: list[Piece] = []
    for part in parts:
        if isinstance(part, Piece):
            pieces.append(part)
            continue
        pieces.append(part.opener)
        for i, entry in enumerate(part.entries):
            pieces += [Piece(part.separator, False)] if i else []
            pieces += _flat(entry.parts)
        pieces.append(part.closer)
    return pieces


def lay_out(parts: Sequence[Piece | Group], indent: int = 0) -> list[str]:
    """Lines of which the first starts at column `indent` and the later ones bring their own indentation."""
    groups = [i for i, part in enumerate(parts) if isinstance(part, Group)]
    broken = {i for i in groups if parts[i].forced}  # pyright: ignore[reportAttributeAccessIssue]
    lines = _lines(parts, broken, indent)
    if _fits(lines, indent):
        return lines
    segments = _segments(parts)
    if len(segments) > 1:
        return _stacked(segments, indent)
    order = sorted(groups, key=lambda i: (_brace(parts[i]), i))
    while not _fits(lines, indent) and (left := [i for i in order if i not in broken and _breakable(parts[i])]):
        broken.add(left[-1])
        lines = _lines(parts, broken, indent)
    return lines


def _segments(parts: Sequence[Piece | Group]) -> list[Sequence[Piece | Group]]:
    """The parts, cut before their loosest operators; one segment if there are none."""
    for row in BREAKS:
        places = [i for i in range(1, len(parts) - 1) if _is_break(parts, i, row)]
        if places:
            return [parts[a:b] for a, b in itertools.pairwise([0, *places, len(parts)])]
    return [parts]


def _is_break(parts: Sequence[Piece | Group], i: int, row: Sequence[str]) -> bool:
    """Whether one of the words of `row` stands here between two values; a sign has no space behind it."""
    part = parts[i]
    return isinstance(part, Piece) and part.text in row and part.space and _flat(parts[i + 1 : i + 2])[0].space


def _stacked(segments: Sequence[Sequence[Piece | Group]], indent: int) -> list[str]:
    """One segment below the other, all but the first indented."""
    first, *rest = segments
    lines = lay_out(first, indent)
    for segment in rest:
        head, *tail = lay_out(segment, indent + INDENT)
        lines += [" " * (indent + INDENT) + head, *tail]
    return lines


def _brace(part: Piece | Group) -> bool:
    return isinstance(part, Group) and part.opener.text == "{"


def _breakable(part: Piece | Group) -> bool:
    """A bracket around one word gains nothing from lines of its own."""
    return isinstance(part, Group) and len(_flat([part])) > 3


def _fits(lines: Sequence[str], indent: int) -> bool:
    return indent + len(lines[0]) <= WIDTH and all(len(line) <= WIDTH for line in lines[1:])


def _lines(parts: Sequence[Piece | Group], broken: set[int], indent: int) -> list[str]:
    lines = [""]
    for i, part in enumerate(parts):
        flat = _flat([part])
        lead = " " if flat[0].space and i else ""
        if isinstance(part, Group) and i in broken:
            lines[-1] += lead + part.opener.text
            lines += _entries(part, indent + INDENT)
            lines.append(" " * indent + part.closer.text)
        else:
            lines[-1] += lead + join(flat)
    return lines


def _entries(group: Group, indent: int) -> list[str]:
    """The lines between a broken bracket's ends. Braces need no separator at a line's end, other brackets do."""
    pad = " " * indent
    if _plain(group):
        return _filled(group, indent)
    lines: list[str] = []
    for i, entry in enumerate(group.entries):
        comma = "," if group.opener.text != "{" and i + 1 < len(group.entries) else ""
        comments = [*entry.before, *entry.after[:-1]]
        lines += [pad + comment for comment in comments]
        first, *rest = lay_out(entry.parts, indent)
        lines += [pad + first, *rest]
        lines[-1] += comma + ("  " + entry.after[-1] if entry.after else "")
    return lines + [pad + comment for comment in group.tail]


def _plain(group: Group) -> bool:
    """A list of single numbers or names, or many names between round brackets: as many on a line as fit."""
    words = (len(_flat(entry.parts)) <= 2 and not entry.before and not entry.after for entry in group.entries)
    enough = group.opener.text == "[" or (group.opener.text == "(" and len(group.entries) > MANY)
    return enough and not group.tail and all(words)


def _filled(group: Group, indent: int) -> list[str]:
    lines = [" " * indent]
    for i, entry in enumerate(group.entries):
        text = join(_flat(entry.parts)) + ("," if i + 1 < len(group.entries) else "")
        if lines[-1].strip() and len(lines[-1]) + 1 + len(text) > WIDTH:
            lines.append(" " * indent)
        lines[-1] += (" " if lines[-1].strip() else "") + text
    return lines

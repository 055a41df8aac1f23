"""Diagnostics for people: the source lines, carets under what is meant, and one line of advice."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bsi.dsl.diagnostic import Diagnostic, Label
from bsi.dsl.span import Source

TAB = 4  # columns a tab is shown as
RED, YELLOW, BLUE, BOLD, RESET = "\033[1;31m", "\033[1;33m", "\033[1;34m", "\033[1m", "\033[0m"


@dataclass(frozen=True)
class Mark:
    """A label on one line: shown columns `[start, end)`, of width 1 or more."""

    line: int
    start: int
    end: int
    text: str
    primary: bool


@dataclass(frozen=True)
class Style:
    """How to write: with colour or without, and in how many columns (None: as many as needed)."""

    colour: bool
    width: int | None

    def paint(self, text: str, colour: str) -> str:
        return f"{colour}{text}{RESET}" if self.colour and text else text


def render_text(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source], *, colour: bool = False, width: int | None = None
) -> str:
    """All diagnostics in the order given, a blank line between them, and a last line that counts them.

    Arguments: `sources` by file name; a label in a file that is not among them shows its name alone. `width` is the
    terminal's in columns: longer source lines are cut around the caret, longer texts wrapped.
    """
    style = Style(colour, width)
    parts = [_diagnostic(diagnostic, sources, style) for diagnostic in diagnostics]
    return "\n\n".join([*parts, summary(diagnostics, style)]) + "\n" if parts else ""


def summary(diagnostics: Sequence[Diagnostic], style: Style) -> str:
    """`error: 2 errors, 1 warning in model.bsi`."""
    counts = [(kind, sum(d.severity == kind for d in diagnostics)) for kind in ("error", "warning")]
    severity = next(kind for kind, count in counts if count)
    files = sorted({d.primary.span.file for d in diagnostics if d.primary})
    where = f" in {files[0]}" if len(files) == 1 else f" in {len(files)} files" if files else ""
    text = ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts if count)
    return style.paint(f"{severity}:", _severity_colour(severity)) + f" {text}{where}"


def _severity_colour(severity: str) -> str:
    return RED if severity == "error" else YELLOW


def _diagnostic(diagnostic: Diagnostic, sources: Mapping[str, Source], style: Style) -> str:
    head = style.paint(f"{diagnostic.severity}[{diagnostic.code}]", _severity_colour(diagnostic.severity))
    indent = len(diagnostic.severity) + len(diagnostic.code) + 4
    lines = _wrapped(f": {diagnostic.message}", indent - 2, style)
    out = [head + style.paint(lines[0].lstrip(" "), BOLD), *(style.paint(line, BOLD) for line in lines[1:])]
    labels = [*([diagnostic.primary] if diagnostic.primary else []), *diagnostic.secondary]
    known = [label for label in labels if label.span.file in sources]
    gutter = max((len(str(_lines_of(label, sources)[1])) for label in known), default=1)
    files = list(dict.fromkeys(label.span.file for label in labels))
    for file in files:
        here = [label for label in labels if label.span.file == file]
        arrow = "-->" if file == files[0] else ":::"
        if file not in sources:
            out.append(f"{' ' * gutter}{style.paint(arrow, BLUE)} {file}")
            continue
        line, column = sources[file].line_and_column(here[0].span.start)
        out.append(f"{' ' * gutter}{style.paint(arrow, BLUE)} {file}:{line}:{column}")
        marks = [mark for label in here for mark in _marks(label, sources[file], label is diagnostic.primary)]
        out += _snippet(sources[file], marks, gutter, diagnostic.severity, style)
    bar = style.paint(f"{' ' * gutter} =", BLUE)
    if files and (diagnostic.notes or diagnostic.help):
        out.append(style.paint(f"{' ' * gutter} |", BLUE))
    advice = [("note", note) for note in diagnostic.notes] + ([("help", diagnostic.help)] if diagnostic.help else [])
    for kind, text in advice:
        first, *rest = _wrapped(f"{kind}: {text}", gutter + 3 + len(kind) + 2, style)
        first = first.lstrip(" ")
        out.append(f"{bar} {style.paint(kind, BOLD)}{first[len(kind) :]}")
        out += rest
    return "\n".join(out)


def _wrapped(text: str, indent: int, style: Style) -> list[str]:
    """Lines of at most the terminal's width, all but the first indented."""
    if style.width is None:
        return [text]
    pad = " " * indent
    width = max(style.width, indent + 20)
    return textwrap.wrap(text, width, initial_indent=pad, subsequent_indent=pad, break_long_words=False,
                         break_on_hyphens=False)  # fmt: skip


def _lines_of(label: Label, sources: Mapping[str, Source]) -> tuple[int, int]:
    source, span = sources[label.span.file], label.span
    last = max(span.start, min(span.end, len(source.text)) - 1)
    return source.line_and_column(min(span.start, len(source.text)))[0], source.line_and_column(last)[0]


def _marks(label: Label, source: Source, primary: bool) -> list[Mark]:
    """One mark for a label on one line; for a longer one its first and its last line, the text at the last."""
    first, last = _lines_of(label, {source.file: source})
    marks = []
    for number in dict.fromkeys((first, last)):
        text, offset = source.line(number), source.line_starts[number - 1]
        start = min(max(label.span.start - offset, 0), len(text))
        if number > first:
            start = len(text) - len(text.lstrip())
        end = min(max(label.span.end - offset, start), len(text))
        left, right = columns(text[:start]), columns(text[:end])
        marks.append(Mark(number, left, max(right, left + 1), label.text if number == last else "", primary))
    return marks


def columns(text: str) -> int:
    """How wide a terminal shows it: tabs expanded, East Asian characters two wide, combining marks none."""
    return sum(_column_width(character) for character in text)


def _column_width(character: str) -> int:
    if character == "\t":
        return TAB
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _shown(text: str) -> str:
    """A source line as a terminal may show it: no tabs, and no control characters that could move its cursor."""
    text = text.replace("\t", " " * TAB)
    return "".join("\ufffd" if unicodedata.category(c) == "Cc" else c for c in text)


def _snippet(source: Source, marks: list[Mark], gutter: int, severity: str, style: Style) -> list[str]:
    bar = style.paint("|", BLUE)
    empty = f"{' ' * gutter} {bar}"
    out = [empty]
    previous: int | None = None
    for number in sorted({mark.line for mark in marks}):
        if previous is not None and number > previous + 1:
            if number == previous + 2 and source.line(previous + 1).strip():
                out.append(_source_line(source, previous + 1, gutter, 0, style))
            else:
                out.append(style.paint("...", BLUE))
        here = [mark for mark in marks if mark.line == number]
        cut = _cut(source.line(number), here, gutter, style.width)
        out.append(_source_line(source, number, gutter, cut, style))
        out += [f"{empty} {line}".rstrip() for line in _underlines(here, cut, severity, style)]
        previous = number
    return out


def _cut(text: str, marks: list[Mark], gutter: int, width: int | None) -> int:
    """How many columns of a line to leave out on its left, so that its first primary mark is in view."""
    room = _room(gutter, width)
    mark = next((mark for mark in marks if mark.primary), marks[0])
    needed = min(mark.end, mark.start + room // 2) + (len(mark.text) + 1 if len(mark.text) < room // 2 else 0)
    if columns(text) <= room or needed <= room - 3:
        return 0
    return max(mark.start - room // 3, 0)


def _room(gutter: int, width: int | None) -> int:
    return 1_000_000 if width is None else max(width - gutter - 3, 20)


def _source_line(source: Source, number: int, gutter: int, cut: int, style: Style) -> str:
    text, room = _shown(source.line(number)).rstrip(), _room(gutter, style.width)
    if cut:
        text = "..." + _slice(text, cut + 3, columns(text))
    if columns(text) > room:
        text = _slice(text, 0, room - 3) + "..."
    return f"{style.paint(f'{number:>{gutter}} |', BLUE)} {text}".rstrip()


def _slice(text: str, start: int, end: int) -> str:
    """The characters that stand in shown columns `[start, end)`; a wide one cut in two becomes a space."""
    out, column = [], 0
    for character in text:
        width = _column_width(character)
        if start <= column and column + width <= end:
            out.append(character)
        elif start < column + width and column < end:
            out.append(" ")
        column += width
    return "".join(out)


def _underlines(marks: list[Mark], cut: int, severity: str, style: Style) -> list[str]:
    """Carets and dashes under a line, the last label beside its mark and the others on lines below it."""
    room = _room(0, style.width)
    ordered = sorted(marks, key=lambda mark: (mark.start, mark.end))
    last = ordered[-1]
    beside = last.text and all(mark.end <= last.start or not mark.text or mark is last for mark in ordered)
    canvas: dict[int, tuple[str, bool]] = {}
    for mark in sorted(marks, key=lambda mark: mark.primary):
        for column in range(mark.start, min(mark.end, cut + room)):
            canvas[column] = ("^" if mark.primary else "-", mark.primary)
    rows = [_row(canvas, cut, severity, style)]
    if beside:
        rows[0] += " " + style.paint(last.text, _mark_colour(last.primary, severity))
    below = [mark for mark in reversed(ordered) if mark.text and not (beside and mark is last)]
    for position, mark in enumerate(below):
        pending = below[position + 1 :]
        if position == 0:
            rows.append(_row({m.start: ("|", m.primary) for m in below}, cut, severity, style))
        bars: dict[int, tuple[str, bool]] = {m.start: ("|", m.primary) for m in pending if m.start < mark.start}
        lead = _row(bars, cut, severity, style)
        end = max((column for column in bars), default=cut - 1)
        rows.append(lead + " " * (mark.start - end - 1) + style.paint(mark.text, _mark_colour(mark.primary, severity)))
    return rows


def _mark_colour(primary: bool, severity: str) -> str:
    return _severity_colour(severity) if primary else BLUE


def _row(canvas: dict[int, tuple[str, bool]], cut: int, severity: str, style: Style) -> str:
    out, column = [], cut
    for position in sorted(canvas):
        if position >= column:
            character, primary = canvas[position]
            out.append(" " * (position - column) + style.paint(character, _mark_colour(primary, severity)))
            column = position + 1
    return "".join(out)

"""Source lines with marks under them: carets for the main place, dashes for others, each with its label."""

from __future__ import annotations

from dataclasses import dataclass

from bsi.dsl.diagnostic import Label
from bsi.dsl.render.style import BLUE, Style, severity_colour
from bsi.dsl.render.width import ELLIPSIS, columns, cut_out, shown, wrap
from bsi.dsl.span import Source

NARROW = 16  # columns below which a label moves to the left rather than wrap in what is left


@dataclass(frozen=True)
class Mark:
    """A label on one line: shown columns `[start, end)`, of width 1 or more."""

    line: int
    start: int
    end: int
    text: str
    primary: bool


def lines_of(label: Label, source: Source) -> tuple[int, int]:
    """The first and the last line of a label."""
    last = max(label.span.start, min(label.span.end, len(source.text)) - 1)
    return source.line_and_column(min(label.span.start, len(source.text)))[0], source.line_and_column(last)[0]


def marks_of(label: Label, source: Source, primary: bool) -> list[Mark]:
    """One mark for a label on one line; for a longer one its first and its last line, the text at the last."""
    first, last = lines_of(label, source)
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


def snippet(source: Source, marks: list[Mark], gutter: int, severity: str, style: Style) -> list[str]:
    """The lines that have marks, one line between two of them if it is only one, and `...` for more."""
    bar = style.paint("|", BLUE)
    out = [f"{' ' * gutter} {bar}"]
    room = style.room(gutter + 3)
    previous: int | None = None
    for number in sorted({mark.line for mark in marks}):
        if previous is not None and number > previous + 1:
            if number == previous + 2 and source.line(previous + 1).strip():
                out.append(_source_line(source, previous + 1, gutter, 0, room, style))
            else:
                out.append(style.paint("...", BLUE))
        here = [mark for mark in marks if mark.line == number]
        cut = _cut(source.line(number), here, room)
        out.append(_source_line(source, number, gutter, cut, room, style))
        view = [_seen(mark, cut, room) for mark in here]
        out += [f"{' ' * gutter} {bar} {line}".rstrip() for line in _Underlines(view, room, severity, style).rows()]
        previous = number
    return out


def _cut(text: str, marks: list[Mark], room: int | None) -> int:
    """How many columns of a line to leave out on its left, so that its first primary mark is in view."""
    mark = next((mark for mark in marks if mark.primary), marks[0])
    if room is None or columns(text) <= room or min(mark.end, mark.start + room // 2) <= room - 1:
        return 0
    return max(mark.start - room // 3, 0)


def _source_line(source: Source, number: int, gutter: int, cut: int, room: int | None, style: Style) -> str:
    text = shown(source.line(number)).rstrip()
    if cut:
        text = ELLIPSIS + cut_out(text, cut + 1, columns(text))
    if room is not None and columns(text) > room:
        text = cut_out(text, 0, room - 1) + ELLIPSIS
    return f"{style.paint(f'{number:>{gutter}} |', BLUE)} {text}".rstrip()


def _seen(mark: Mark, cut: int, room: int | None) -> Mark:
    """A mark in the columns that are shown; one outside them shrinks to the edge."""
    last = mark.end - cut if room is None else room
    start = min(max(mark.start - cut, 0), last - 1)
    return Mark(mark.line, start, min(max(mark.end - cut, start + 1), last), mark.text, mark.primary)


@dataclass(frozen=True)
class _Underlines:
    """What stands under one source line."""

    marks: list[Mark]
    room: int | None
    severity: str
    style: Style

    def rows(self) -> list[str]:
        """Carets and dashes, the last label beside its mark if there is room, the others below it, right to left."""
        ordered = sorted(self.marks, key=lambda mark: (mark.start, mark.end))
        last = ordered[-1]
        beside = bool(last.text) and self._fits(last) and all(m.end <= last.start or not m.text for m in ordered[:-1])
        rows = [self._row([(mark, column) for mark in ordered for column in range(mark.start, mark.end)], line=True)]
        if beside:
            rows[0] += " " + self._paint(last.text, last)
        below = [mark for mark in reversed(ordered) if mark.text and not (beside and mark is last)]
        if below:
            rows.append(self._row([(mark, mark.start) for mark in below]))
        for position, mark in enumerate(below):
            rows += self._label(mark, below[position + 1 :])
        return rows

    def _fits(self, mark: Mark) -> bool:
        return self.room is None or mark.end + 1 + columns(mark.text) <= self.room

    def _label(self, mark: Mark, pending: list[Mark]) -> list[str]:
        """A label's lines below its mark, moved left where too little room is; bars lead on to the pending marks."""
        bars = [(other, other.start) for other in pending if other.start < mark.start]
        start = mark.start
        if self.room is not None and self.room - start < min(columns(mark.text), NARROW):
            leftmost = max((column + 2 for _, column in bars), default=0)
            start = max(leftmost, min(start, self.room - max(columns(mark.text), NARROW)))
        lead = self._row(bars)
        pad = " " * (start - max((column + 1 for _, column in bars), default=0))
        lines = wrap(mark.text, None if self.room is None else max(self.room - start, NARROW // 2))
        return [lead + pad + self._paint(line, mark) for line in lines]

    def _row(self, cells: list[tuple[Mark, int]], line: bool = False) -> str:
        """One row of bars, or of carets and dashes; of two marks in one column the primary is seen."""
        canvas: dict[int, Mark] = {}
        for mark, column in sorted(cells, key=lambda cell: cell[0].primary):
            canvas[column] = mark
        out, at = [], 0
        for column, mark in sorted(canvas.items(), key=lambda cell: cell[0]):
            character = ("^" if mark.primary else "-") if line else "|"
            out.append(" " * (column - at) + self._paint(character, mark))
            at = column + 1
        return "".join(out)

    def _paint(self, text: str, mark: Mark) -> str:
        return self.style.paint(text, severity_colour(self.severity) if mark.primary else BLUE)

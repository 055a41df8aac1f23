"""Places in source text: half-open code-point ranges, and the text they point into."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The half-open range `[start, end)` of code points of the file `file`."""

    start: int
    end: int
    file: str = "<text>"

    def to(self, other: Span) -> Span:
        """The smallest span that covers both."""
        return Span(min(self.start, other.start), max(self.end, other.end), self.file)


@dataclass(frozen=True)
class Source:
    """A file's name as the user wrote it, and its text."""

    file: str
    text: str

    @cached_property
    def line_starts(self) -> list[int]:
        starts = [0]
        for i, character in enumerate(self.text):
            if character == "\n":
                starts.append(i + 1)
        return starts

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """Both counted from 1, the column in code points."""
        line = bisect.bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Text of the line `number` (counted from 1) without its line end."""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] if number < len(self.line_starts) else len(self.text) + 1
        return self.text[start : end - 1].rstrip("\r")

"""How to write: with colour or without, and in how many columns."""

from __future__ import annotations

from dataclasses import dataclass

RED, YELLOW, BLUE, BOLD, RESET = "\033[1;31m", "\033[1;33m", "\033[1;34m", "\033[1m", "\033[0m"
LEAST = 20  # columns for text, however narrow the terminal


@dataclass(frozen=True)
class Style:
    """`width` is the terminal's in columns, None for as many as needed."""

    colour: bool
    width: int | None

    def paint(self, text: str, colour: str) -> str:
        return f"{colour}{text}{RESET}" if self.colour and text else text

    def room(self, used: int) -> int | None:
        """Columns left beside `used` ones."""
        return None if self.width is None else max(self.width - used, LEAST)


def severity_colour(severity: str) -> str:
    return RED if severity == "error" else YELLOW

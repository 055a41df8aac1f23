"""One measured figure, and the table of them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """`values` are all that was measured (over seeds, observations or repeats); `target` is the issue's."""

    what: str
    values: Sequence[float]
    target: str
    unit: str = ""

    def row(self) -> str:
        values = sorted(self.values)
        middle = statistics.median(values)
        mean = statistics.fmean(values)
        unit = f" {self.unit}" if self.unit else ""
        span = f"{values[0]:.3f} to {values[-1]:.3f}" if len(values) > 1 else ""
        return f"| {self.what} | {mean:.3f}{unit} | {middle:.3f} | {span} | {len(values)} | {self.target} |"


HEADER = "| what | mean | median | range | n | target |\n|---|---|---|---|---|---|"

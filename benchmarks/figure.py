"""One measured figure, the table of them, and plots."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes

FIGURES = Path(__file__).parent / "figures"


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


@contextmanager
def plot(name: str, panels: int) -> Iterator[Sequence[Axes]]:
    """Axes side by side, written to figures/NAME.png."""
    from bsi.runtime.report.figure import grid, style

    with style():
        figure, (axes,) = grid(1, panels, (3.6, 2.8))
        yield axes
        FIGURES.mkdir(exist_ok=True)
        figure.savefig(FIGURES / f"{name}.png", dpi=150, metadata={"Software": None})

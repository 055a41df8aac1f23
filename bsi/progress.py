"""Progress bars for a terminal; one line a job where there is none."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class TerminalProgress:
    """Implements `runtime.progress.Progress` with one bar at a time on stderr."""

    def __init__(self, console: Console):
        self.console = console
        self._bars: Progress | None = None
        self._task: TaskID | None = None

    def start(self, job: str, total: int, unit: str) -> None:
        self.done()
        if not self.console.is_terminal:
            return
        self._bars = Progress(
            TextColumn("  [bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[live]}"),
            console=self.console,
            transient=True,
        )
        self._bars.start()
        self._task = self._bars.add_task(job, total=total, unit=unit, live="")

    def advance(self, n: int, **live: float) -> None:
        if self._bars is not None and self._task is not None:
            shown = " ".join(f"{name} {value:.4g}" for name, value in live.items())
            self._bars.update(self._task, advance=n, live=shown)

    def done(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = self._task = None

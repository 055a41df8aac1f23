"""How a long computation tells what it is doing; who draws a bar, and where, is the caller's choice."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """One report at a time: `start`, any number of `advance`, `done`."""

    def start(self, job: str, total: int, unit: str) -> None:
        """`total` in `unit`s, for example `("fit", 20_000, "steps")`."""
        ...

    def advance(self, n: int, **live: float) -> None:
        """`n` more units are finished; `live` holds figures worth showing, for example `loss = 0.31`."""
        ...

    def done(self) -> None:
        """The job finished or was interrupted."""
        ...


class NullProgress:
    """Says nothing."""

    def start(self, job: str, total: int, unit: str) -> None:
        pass

    def advance(self, n: int, **live: float) -> None:
        pass

    def done(self) -> None:
        pass

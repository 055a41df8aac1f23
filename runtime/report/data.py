"""What a report shows, as plain data: nothing here knows of a program, a store or a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Check:
    """`passed` is None when the check was not evaluated; `note` says why, or where in a sweep the worst value is."""

    text: str
    value: float | None
    standard_error: float | None
    bound: float
    passed: bool | None
    note: str = ""


@dataclass(frozen=True)
class Job:
    """A row of the plan; times in seconds."""

    name: str
    kind: str
    key: str
    reused: bool
    seconds: float | None
    compile_seconds: float | None = None
    reason: str = ""
    status: str = ""  # failed or skipped, where it left no result


@dataclass(frozen=True)
class Draws:
    """Arguments:
    values: [*sweeps, chain, draw, m], coordinates in the order of `Posterior.labels`; chain = 1 for amortised draws.
    reference: drawn in neutral ink, the others in colours; chains of references get rank plots.
    failures: sentences, of a reference that failed its own checks.
    """

    name: str
    method: str
    values: np.ndarray
    reference: bool = False
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Posterior:
    """Arguments:
    labels: one a scalar coordinate, for example `theta[0]`.
    sweeps: name -> values, the leading axes of every `Draws.values`.
    """

    name: str
    labels: tuple[str, ...]
    samples: tuple[Draws, ...]
    sweeps: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def points(self) -> list[tuple[tuple[int, ...], str]]:
        """Every point of the grid: its index, and `lambda = 0.5, ...` ("" without a sweep)."""
        shape = tuple(len(values) for values in self.sweeps.values())

        def text(index: tuple[int, ...]) -> str:
            return ", ".join(f"{n} = {v[i]:g}" for (n, v), i in zip(self.sweeps.items(), index, strict=True))

        return [(index, text(index)) for index in np.ndindex(shape)]


@dataclass(frozen=True)
class Loss:
    """One training job: name of a curve -> (steps, values)."""

    name: str
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Report:
    """`facts` are short pairs shown below the title: versions, seed, device. `notices` are sentences that must be seen,
    for example that this was a smoke run."""

    model: str
    source: str
    checks: tuple[Check, ...] = ()
    jobs: tuple[Job, ...] = ()
    posteriors: tuple[Posterior, ...] = ()
    losses: tuple[Loss, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

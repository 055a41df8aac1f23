"""What a report shows, as plain data: nothing here knows of a program, a store or a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bsi.runtime.report.calibration import Calibration
from bsi.runtime.report.powers import Evidence, Sensitivity


@dataclass(frozen=True)
class Check:
    """`passed` is None when the check was not evaluated, or has no bound; `note` says why, or where in a sweep the
    worst value is."""

    text: str
    value: float | None
    standard_error: float | None
    bound: float | None
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
    route: which way its score came from laws and fits; "" for a reference.
    evaluations: of the denoiser, by every draw at one point of the sweeps.
    notes: other figures of how the draws were made, by name.
    log_density: [*sweeps, chain, draw].
    stats: figures of how the draws of every point were made, name -> [*sweeps].
    residuals: of predictions from data, name of a set -> [*sweeps].
    """

    name: str
    method: str
    values: np.ndarray
    reference: bool = False
    failures: tuple[str, ...] = ()
    route: str = ""
    fits: tuple[str, ...] = ()
    evaluations: float | None = None
    log_density: np.ndarray | None = None
    notes: Mapping[str, float] = field(default_factory=dict)
    stats: Mapping[str, np.ndarray] = field(default_factory=dict)
    residuals: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Images:
    """One image-shaped param: shown as pictures, without a row a pixel in plots and tables.

    Arguments:
    values: name of a sample -> [*sweeps, chain, draw, height, width, channels], channels = 1 or 3.
    bounds: what is shown as black and as white.
    """

    name: str
    values: Mapping[str, np.ndarray]
    bounds: tuple[float, float]


@dataclass(frozen=True)
class Posterior:
    """Arguments:
    labels: one a scalar coordinate, for example `theta[0]`.
    sweeps: name -> values, the leading axes of every `Draws.values`.
    observed: sets whose rows are image-shaped -> [rows, height, width, channels], NaN where a pixel is missing.
    given: data of the shape of an image -> [1, height, width, channels].
    """

    name: str
    labels: tuple[str, ...]
    samples: tuple[Draws, ...]
    sweeps: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    images: tuple[Images, ...] = ()
    observed: Mapping[str, np.ndarray] = field(default_factory=dict)
    given: Mapping[str, np.ndarray] = field(default_factory=dict)

    def points(self) -> list[tuple[tuple[int, ...], str]]:
        """Every point of the grid: its index, and `lambda = 0.5, ...` ("" without a sweep)."""
        shape = tuple(len(values) for values in self.sweeps.values())

        def text(index: tuple[int, ...]) -> str:
            return ", ".join(f"{n} = {v[i]:g}" for (n, v), i in zip(self.sweeps.items(), index, strict=True))

        return [(index, text(index)) for index in np.ndindex(shape)]


@dataclass(frozen=True)
class Bound:
    """What a bound on the negative log likelihood of held-out rows is made of, in `unit`.

    Arguments:
    value: the bound in infinitely many steps, the sum of `terms`.
    integrand: values of its part a unit of `ln λ`, at `ln λ`.
    finite: numbers of steps, the bound in so many, and standard errors.
    """

    value: float
    standard_error: float
    rows: int
    unit: str = "bits/dim"
    terms: Mapping[str, float] = field(default_factory=dict)
    integrand: tuple[np.ndarray, np.ndarray] | None = None
    finite: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class Loss:
    """One training job: name of a curve -> (steps, values), in `unit`; and what is to be said of it."""

    name: str
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]]
    unit: str = ""
    bound: Bound | None = None
    summary: str = ""


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
    sensitivities: tuple[Sensitivity, ...] = ()
    evidences: tuple[Evidence, ...] = ()
    calibrations: tuple[Calibration, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

"""What checks.json tells of ranks at simulated data, as data of the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from bsi.runtime.report.calibration import Calibration

KINDS = ("sbc", "tarp")


def calibrations(checks: Iterable[dict[str, Any]]) -> Iterator[Calibration]:
    """One for every check of `KINDS` and every point of its sweeps."""
    for check in checks:
        detail = check.get("detail") or {}
        for point in detail["points"] if detail.get("kind") in KINDS else ():
            counts, values = np.asarray(point["counts"]), np.asarray(point["p_values"], float)
            labels = tuple(point["labels"])
            yield Calibration(detail["kind"], check["text"], point["at"], labels, values, counts, point["failed"])

"""What checks.json tells of other powers, as data of the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from bsi.runtime.report.powers import Evidence, Scaled, Sensitivity, Way

Checks = Iterable[dict[str, Any]]


def sensitivities(checks: Checks) -> Iterator[Sensitivity]:
    """One for every check `sensitivity` and every point of its sweeps."""
    for check in checks:
        detail = check.get("detail") or {}
        for point in detail["points"] if detail.get("kind") == "sensitivity" else ():
            components = tuple(
                Scaled(c["name"], c["of"], {name: _way(way) for name, way in c["ways"].items()}, c["best"])
                for c in point["components"]
            )
            labels, diagnosis = tuple(point["labels"]), tuple(point["diagnosis"])
            yield Sensitivity(check["text"], point["at"], labels, components, diagnosis, detail["threshold"])


def _way(found: dict[str, Any]) -> Way:
    values, shapes = found["sensitivity"], found.get("shapes")
    return Way(
        None if values is None else np.asarray(values),
        np.asarray(found["powers"], float),
        np.asarray(found["distance"], float),
        found.get("pareto_k"),
        None if shapes is None else np.asarray(shapes),
    )


def evidences(checks: Checks) -> Iterator[Evidence]:
    """One for every check `evidence` and every point of other sweeps."""
    for check in checks:
        detail = check.get("detail") or {}
        for point in detail["points"] if detail.get("kind") == "evidence" else ():
            powers, means, variances = (np.asarray(point[name], float) for name in ("powers", "means", "variances"))
            value, error, plain = (point[name] for name in ("value", "standard_error", "trapezoid"))
            yield Evidence(check["text"], point["at"], value, error, plain, powers, means, variances, detail["sweep"])

"""Checks: a metric at every point of the sweeps; the worst is what is held against the bound."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from bsi.compiler.ir import Check
from bsi.compiler.plan import Job
from bsi.dsl.diagnostic import Diagnostic
from bsi.jobs import calibration, evidence, held_out, local, sensitivity
from bsi.jobs.context import Context, Draws, place
from bsi.runtime.metrics import METRICS, Estimate
from bsi.runtime.reference import ess_mean
from bsi.runtime.reference.result import assess

# Metrics that tell more than a number: it is kept as `detail`.
TOLD = {
    "sensitivity": sensitivity.outcome,
    "evidence": evidence.outcome,
    "sbc": calibration.outcome,
    "tarp": calibration.outcome,
}
OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@dataclass(frozen=True)
class CheckResult:
    """`value` is None when there was nothing sound to compare with; `note` then says why. `at` is the worst place.
    Without a bound `passed` is None, unless there is no value. `detail` is what a metric tells besides."""

    text: str
    value: float | None
    standard_error: float | None
    operator: str | None
    bound: float | None
    passed: bool | None
    at: str
    note: str
    detail: dict[str, Any] | None = None

    def line(self) -> str:
        """For people: `pass  c2st(ode, ref) < 0.58   0.513 ± 0.004`."""
        verdict = {True: "pass", False: "FAIL", None: "told"}[self.passed]
        if self.value is None:
            return f"{verdict}  {self.text}   {self.note}"
        error = "" if self.standard_error is None else f" ± {self.standard_error:.2g}"
        return f"{verdict}  {self.text}   {self.value:.4g}{error}{f'  ({self.at})' if self.at else ''}"


def compute(context: Context, job: Job) -> dict[str, Any]:
    """Value, standard error and place of the worst point; the bound is no part of it."""
    check = next(c for c in context.program.checks if c.text == job.node)
    samples = [context.draws(name) for name in check.samples]
    return _outcome(context, check, samples)


def result(context: Context, job: Job) -> CheckResult:
    """The stored value held against the bound."""
    check = next(c for c in context.program.checks if c.text == job.node)
    found = context.store.read(job.key).meta["info"]
    value = found["value"]
    passed = value is not None and _holds(check, value)
    return CheckResult(
        check.text,
        value,
        found["standard_error"],
        check.operator,
        check.bound,
        passed,
        found["at"],
        found["note"],
        found.get("detail"),
    )


def _holds(check: Check, value: float) -> bool | None:
    if check.operator is None or check.bound is None:
        return None
    return bool(OPERATORS[check.operator](value, check.bound))


def warnings(context: Context, job: Job, info: dict[str, Any]) -> list[Diagnostic]:
    """Of a value that may mean less than it says."""
    check = next(c for c in context.program.checks if c.text == job.node)
    of = {"sensitivity": sensitivity.warnings, "evidence": evidence.warnings}.get(check.metric)
    return of(context.program, check, info) if of else []


def without_value(context: Context, job: Job, reason: str) -> CheckResult:
    """A check that was never computed: it does not pass."""
    check = next(c for c in context.program.checks if c.text == job.node)
    return CheckResult(check.text, None, None, check.operator, check.bound, False, "", f"not evaluated: {reason}")


def _outcome(context: Context, check: Check, samples: list[Draws]) -> dict[str, Any]:
    nothing = {"value": None, "standard_error": None, "at": ""}
    if check.metric in TOLD:
        if samples[0].lost:
            return {**nothing, "note": _missing(check.samples[0], samples[0].lost[0])}
        if samples[0].failures:
            return {**nothing, "note": f"`{check.samples[0]}` fails its own checks: {_first(samples[0].failures)}"}
        return TOLD[check.metric](context, check)
    metric = METRICS[check.metric]
    if metric.needs == "samples" and samples[1].failures:
        return {**nothing, "note": f"`{check.samples[1]}` fails its own checks: {_first(samples[1].failures)}"}
    if metric.needs == "fit":
        return _value(check, held_out.estimate(context, check), {})
    options = dict(check.options)
    found: list[tuple[Estimate, dict[str, float]]] = []
    missing: list[str] = []
    for indices, point in _points(context, samples):
        gone = [_missing(n, point) for n, s in zip(check.samples, samples, strict=True) if s.is_lost(point)]
        if gone:
            missing += gone
            continue
        try:
            if metric.needs == "simulations":
                found.append((local.estimate(context, check, indices[0], point), point))
            else:
                found.append((_estimate(check, samples, indices, options), point))
        except ValueError as error:
            return {**nothing, "note": str(error)}
    worst = (max if check.operator in ("<", "<=") else min)(found, key=lambda pair: pair[0].value, default=None)
    if missing:
        elsewhere = f"; the worst elsewhere is {worst[0].value:.4g}{place(worst[1])}" if worst else ""
        return {**nothing, "note": f"{missing[0]}{elsewhere}"}
    assert worst is not None, "a grid has points"
    return _value(check, *worst)


def _missing(sample: str, point: dict[str, float]) -> str:
    return f"`{sample}` has no draws{place(point)}"


def _first(failures: list[str]) -> str:
    more = len(failures) - 1
    return f"{failures[0]}{f' and {more} more' if more else ''}"


def _value(check: Check, estimate: Estimate, point: dict[str, float]) -> dict[str, Any]:
    if not np.isfinite(estimate.value):
        return {"value": None, "standard_error": None, "at": "", "note": f"{check.metric} is not finite"}
    at = ", ".join(f"{name} = {value:g}" for name, value in point.items())
    return {"value": estimate.value, "standard_error": estimate.standard_error, "at": at, "note": ""}


def _points(context: Context, samples: list[Draws]) -> Iterator[tuple[list[tuple[int, ...]], dict[str, float]]]:
    """Index of every sample at every point of all sweeps that any of them has."""
    names = [name for name in context.program.sweeps if any(name in sample.sweeps for sample in samples)]
    values = [context.program.sweeps[name].values for name in names]
    for spot in product(*(range(len(v)) for v in values)):
        at = dict(zip(names, spot, strict=True))
        yield (
            [tuple(at[name] for name in sample.sweeps) for sample in samples],
            {name: v[i] for name, v, i in zip(names, values, spot, strict=True)},
        )


def _estimate(check: Check, samples: list[Draws], indices: list[tuple[int, ...]], options: dict[str, Any]) -> Estimate:
    metric = METRICS[check.metric]
    params = options.get("params") or tuple(samples[0].params)
    if metric.needs == "reference":
        (sample,), (index,) = samples, indices
        draws = {name: sample.params[name][index] for name in params}
        stats = {name: array[index] for name, array in sample.stats.items()}
        return metric.function(assess(draws, stats))
    chains = [sample.matrix(index, params) for sample, index in zip(samples, indices, strict=True)]
    a, b = (chain.reshape(-1, chain.shape[-1]) for chain in chains)
    known = {name: value for name, value in options.items() if name in ("seed", "folds", "projections")}
    limit = options.get("draws")
    if limit is not None:
        a, b = _thinned(a, limit), _thinned(b, limit)
    if check.metric in ("mean_error", "sd_error"):
        known["reference_ess"] = _ess(chains[1])
    return metric.function(a, b, **known)


def _thinned(draws: np.ndarray, limit: int) -> np.ndarray:
    """At most `limit` draws, evenly over all chains."""
    return draws[np.linspace(0, len(draws) - 1, min(limit, len(draws))).astype(int)]


def _ess(chains: np.ndarray) -> np.ndarray:
    """Effective sample size of every coordinate of a reference, so that its own noise is in the standard error."""
    return np.array([ess_mean(column.astype(float)) for column in np.moveaxis(chains, -1, 0)])

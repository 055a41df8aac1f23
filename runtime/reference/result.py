"""What a reference is: draws, how the chain fared, and whether it may be compared against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bsi.runtime.reference.diagnostics import ess_bulk, ess_tail, rhat


@dataclass(frozen=True)
class Thresholds:
    """When a reference fails its own checks. R-hat and ESS: Vehtari et al. (2021), section 4.

    `ess_per_chain` holds for bulk and tail; `divergent` is a share of all draws.
    """

    rhat: float = 1.01
    ess_per_chain: float = 100.0
    divergent: float = 0.01


@dataclass(frozen=True)
class Reference:
    """Arguments:
    draws: name -> [chain, draw, ...], on the declared parameters' own scale.
    sample_stats: ArviZ name -> [chain, draw]: `diverging`, `n_steps`, `energy`, `acceptance_rate`, `step_size`.
    rhat, ess_bulk, ess_tail: name -> array of the parameter's shape.
    failures: sentences; a reference with any is never compared against.
    """

    draws: dict[str, np.ndarray]
    sample_stats: dict[str, np.ndarray]
    rhat: dict[str, np.ndarray]
    ess_bulk: dict[str, np.ndarray]
    ess_tail: dict[str, np.ndarray]
    divergences: int
    failures: tuple[str, ...]


def assess(
    draws: Mapping[str, np.ndarray], sample_stats: Mapping[str, np.ndarray], thresholds: Thresholds | None = None
) -> Reference:
    """A Reference with its diagnostics and the list of what it fails.

    Arguments:
        draws: name -> [chain, draw, ...], at least 4 draws a chain.
        sample_stats: name -> [chain, draw]; `diverging` may be missing for samplers that cannot diverge.
    """
    limits = thresholds or Thresholds()
    r, bulk, tail = ({name: _each(f, x) for name, x in draws.items()} for f in (rhat, ess_bulk, ess_tail))
    chains = next(iter(draws.values())).shape[0]
    diverging = np.asarray(sample_stats.get("diverging", np.zeros((1, 1), bool)))
    failures = []
    for name, x in draws.items():
        if not np.isfinite(x).all():
            failures.append(f"{name} has draws that are not finite")
        elif not (worst := _max(r[name])) <= limits.rhat:  # `not <=` also catches the NaN of a chain that never moved
            failures.append(f"R-hat of {name} is {worst:.4g}, above {limits.rhat:g}")
        for kind, ess in (("bulk", bulk), ("tail", tail)):
            if not (least := ess[name].min()) >= limits.ess_per_chain * chains:
                failures.append(f"{kind} ESS of {name} is {least:.0f}, below {limits.ess_per_chain * chains:.0f}")
    if diverging.mean() > limits.divergent:
        failures.append(f"{diverging.sum()} of {diverging.size} draws diverged, more than {limits.divergent:.1%}")
    return Reference(dict(draws), dict(sample_stats), r, bulk, tail, int(diverging.sum()), tuple(failures))


def _each(statistic: Callable[[np.ndarray], float], x: np.ndarray) -> np.ndarray:
    """`statistic` of every coordinate: [chain, draw, ...] -> [...]; NaN where a draw is not finite."""
    x = np.asarray(x, dtype=float)
    columns = x.reshape(*x.shape[:2], -1)
    values = [statistic(c) if np.isfinite(c).all() else np.nan for c in np.moveaxis(columns, 2, 0)]
    return np.array(values).reshape(x.shape[2:])


def _max(values: np.ndarray) -> float:
    return float(values.max())  # NaN wins

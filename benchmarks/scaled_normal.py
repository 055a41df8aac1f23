"""A normal mean whose prior or likelihood is raised to a power, in closed form: what sensitivities are held against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.integrate import quad
from scipy.special import xlogy
from scipy.stats import norm

ROWS = (0.1, 0.4, 0.2)  # of `normal(mu, SD)`, with the prior `normal(prior_mean, 1)`
SD = 0.5
Normal = tuple[float, float]  # mean and sd


def closed(prior_mean: float, prior_power: float = 1.0, likelihood_power: float = 1.0) -> Normal:
    """The posterior at any powers."""
    a, b = prior_power, likelihood_power * len(ROWS) / SD**2
    return (a * prior_mean + b * sum(ROWS) / len(ROWS)) / (a + b), (a + b) ** -0.5


def divergence(p: Normal, q: Normal, low: float, high: float) -> float:
    """The cumulative Jensen-Shannon distance of two normal laws over [low, high], by quadrature of its definition."""

    def one(sign: float) -> float:
        def both(x: float) -> tuple[float, float]:
            f, g = (norm.cdf(sign * (x - mean) / sd) for mean, sd in (p, q))
            m = (f + g) / 2
            return (xlogy(f, f / m) + xlogy(g, g / m)) / np.log(2) if m > 0 else 0.0, f + g

        part = quad(lambda x: both(x)[0], low, high, limit=200)[0]
        return np.sqrt(part / quad(lambda x: both(x)[1], low, high, limit=200)[0])

    return max(one(1.0), one(-1.0))


def distances(prior_mean: float, name: str, powers: Sequence[float], ends: tuple[float, float]) -> np.ndarray:
    """Of the posteriors where `name`, an argument of `closed`, is each of `powers`, over the range of draws that have
    these `ends` at the power 1."""
    here = closed(prior_mean)
    found = []
    for power in powers:
        there = closed(prior_mean, **{name: power})
        moved = [there[0] + there[1] * (x - here[0]) / here[1] for x in ends]
        found.append(divergence(here, there, min(ends[0], moved[0]), max(ends[1], moved[1])))
    return np.array(found)

"""Are ranks uniform? By how far their distribution function leaves that of a uniform one, at every rank at once.

Säilynoja, Bürkner and Vehtari 2022 ("Graphical test for discrete uniformity", arXiv 2103.10522): the number of n ranks
below i of k values is Bin(n, i/k), whose smaller tail says how strange it is; the smallest tail over all i is the
statistic. It needs no bins, sees shifts and widths alike, and the set of functions that are less strange is a band to
draw. Its law is found exactly here, without simulation: counts of n uniform ranks are those of k independent Poisson
numbers given that their sum is n, and a walk of these stays within a band with a probability that k convolutions give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import binom, poisson

Counts = Sequence[int] | Int[np.ndarray, " values"]  # of ranks, by their value
FEWEST = 20  # ranks, of which something can be said
_ROUNDING = 1e-9  # relative: tails that are equal but for it are as strange as one another
_LEAST = 1e-12  # probability that rounding leaves
_NOTHING = 1e-18  # of a Poisson law that is left out


@dataclass(frozen=True)
class Calibration:
    """Of m quantities with ranks from 0 to l: how many have each rank, and the probability that uniform ranks are as
    strange."""

    counts: Int[np.ndarray, "m values"]
    p_values: Float[np.ndarray, " m"]

    @property
    def value(self) -> float:
        """Bonferroni's p-value of all of them together, whatever they have to do with each other."""
        return float(min(1.0, len(self.p_values) * self.p_values.min()))


def calibration(
    truth: Float[np.ndarray, "n m"], draws: Float[np.ndarray, "n l m"], rng: np.random.Generator
) -> Calibration:
    """Of each column of `truth` among `draws`.

    Raises:
        ValueError: some draws are not finite, or there are fewer than 20 rows.
    """
    if len(truth) < FEWEST:
        raise ValueError(f"{len(truth)} sound simulations are too few to tell anything: {FEWEST} are the least")
    lost = int(np.sum(~np.isfinite(draws).all((1, 2))))
    if lost:
        raise ValueError(f"some draws are not finite at {lost} of {len(draws)} simulated data sets")
    values = draws.shape[1] + 1
    counts = np.stack([np.bincount(column, minlength=values) for column in ranks(truth, draws, rng).T])
    uniform = Uniform(len(truth), values)
    return Calibration(counts, np.array([uniform.p_value(own) for own in counts]))


def ranks(
    truth: Float[np.ndarray, "n m"], draws: Float[np.ndarray, "n l m"], rng: np.random.Generator
) -> Int[np.ndarray, "n m"]:
    """How many of `draws` lie below `truth`, from 0 to l; those that equal it count or not by chance, so that ranks of
    exchangeable numbers are uniform whether or not there are ties."""
    below = np.sum(draws < truth[:, None], axis=1)
    equal = np.sum(draws == truth[:, None], axis=1)
    return below + rng.integers(0, equal + 1)


def lean(counts: Counts) -> str:
    """How draws lie around the numbers that have these counts of ranks among them, where it is plain (3 sds)."""
    values, n = len(counts), int(np.sum(counts))
    away = (np.arange(values) + 0.5) / values - 0.5
    shift = np.dot(counts, away) / n * np.sqrt(12 * n)
    width = (np.dot(counts, away**2) / n - (1 - values**-2) / 12) * np.sqrt(180 * n)
    if max(abs(shift), abs(width)) < 3:
        return ""
    if abs(shift) > abs(width):
        return "too low" if shift > 0 else "too high"
    return "too narrow" if width > 0 else "too wide"


def covered(counts: Counts, share: float) -> float:
    """How many of the ranks are among the smallest `share` of the values."""
    below = np.append(0, np.cumsum(counts))
    return float(np.interp(share * len(counts), np.arange(len(below)), below) / below[-1])


class Uniform:
    """`n` independent ranks among `values` ones, 0 to `values - 1`."""

    def __init__(self, n: int, values: int):
        self.n, self.values = n, values
        share = np.arange(1, values)[:, None] / values
        count = np.arange(n + 1)
        # [i, c]: the smaller tail of c ranks below i + 1
        self._tails = np.minimum(binom.cdf(count, n, share), binom.sf(count - 1, n, share))
        step = poisson.pmf(count, n / values)
        self._step = step[: np.flatnonzero(step > _NOTHING)[-1] + 1]

    def p_value(self, counts: Counts) -> float:
        """Probability, 1e-12 or more, that uniform ranks are as strange as these: `counts` of every value."""
        below = np.cumsum(counts)[:-1]
        strangest = self._tails[np.arange(self.values - 1), below].min()
        return float(np.clip(1.0 - self._within(strangest), _LEAST, 1.0))

    def band(self, level: float) -> tuple[Int[np.ndarray, " inner"], Int[np.ndarray, " inner"]]:
        """Fewest and most ranks below 1, 2, ..., such that all of them stay within with probability `level` or more."""
        low, high = 0.0, 1.0 - level  # the pointwise tail, on which the probability falls
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if self._within(middle) >= level else (low, middle)
        kept = self._kept(low)
        return kept.argmax(1), self.n - kept[:, ::-1].argmax(1)

    def _kept(self, tail: float) -> np.ndarray:
        return self._tails > tail * (1 + _ROUNDING)

    def _within(self, tail: float) -> float:
        """Probability that no count of uniform ranks has a tail of `tail` or less."""
        walk = np.zeros(self.n + 1)
        walk[0] = 1.0
        for kept in self._kept(tail):
            walk = np.where(kept, np.convolve(walk, self._step)[: self.n + 1], 0.0)
        last = self._step[: self.n + 1]
        return float(walk[self.n + 1 - len(last) :] @ last[::-1] / poisson.pmf(self.n, self.n))

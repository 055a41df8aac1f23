"""Corner plots: every pair of coordinates, samplers and references on one another."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bsi.runtime.report.data import Draws, Posterior
from bsi.runtime.report.figure import colours, plain, style, svg

MOST = 10  # coordinates in one plot
BINS = 40
LEVELS = (0.5, 0.9)  # shares of draws inside the contours


def chosen(posterior: Posterior, most: int = MOST) -> list[int]:
    """Coordinates to show, in order: all, or the `most` where some sampler is furthest from the first reference.

    Distance is |difference of means| / reference sd + |ln ratio of sds|, the largest over samplers and sweeps.
    """
    m = len(posterior.labels)
    references = [s for s in posterior.samples if s.reference]
    others = [s for s in posterior.samples if not s.reference]
    if m <= most or not references or not others:
        return list(range(min(m, most)))
    mean, sd = _moments(references[0])
    tiny = np.finfo(float).tiny
    distance = np.zeros(m)
    for other in others:
        its_mean, its_sd = _moments(other)
        gap = np.abs(its_mean - mean) / np.maximum(sd, tiny) + np.abs(
            np.log(np.maximum(its_sd, tiny) / np.maximum(sd, tiny))
        )
        distance = np.maximum(distance, np.nan_to_num(gap).reshape(-1, m).max(axis=0))  # NaN where a point failed
    return sorted(np.argsort(-distance, kind="stable")[:most].tolist())


def corner(posterior: Posterior, index: tuple[int, ...], title: str) -> str:
    """SVG of the corner plot at one point of the sweeps.

    References are filled, samplers are lines; contours hold 50 % and 90 % of the draws.
    """
    columns = chosen(posterior)
    tables = {s.name: finite(s.values[index].reshape(-1, len(posterior.labels))[:, columns]) for s in posterior.samples}
    colour, m = colours(posterior.samples), len(columns)
    everything = np.concatenate(list(tables.values()))
    ranges = [span(everything[:, k]) for k in range(m)]
    labels = [_short(posterior.labels[k]) for k in columns]
    drawn = sorted(posterior.samples, key=lambda s: not s.reference)  # samplers over references
    with style():
        figure, axes = _triangle(m)
        for row in range(m):
            for column in range(row + 1):
                ax = axes[row][column]
                for s in drawn:
                    table = tables[s.name]
                    if not len(table):
                        continue
                    if row == column:
                        marginal(ax, table[:, row], ranges[row], colour[s.name], s.reference)
                    else:
                        limits = (ranges[column], ranges[row])
                        contours(ax, table[:, column], table[:, row], limits, colour[s.name], s.reference)
                _dress(ax, row, column, m, labels)
                ax.set_xlim(ranges[column])
                if row != column:
                    ax.set_ylim(ranges[row])
        figure.align_labels()
        return svg(figure, title)


def _triangle(m: int) -> tuple[Figure, list[list[Axes]]]:
    """Axes on and below the diagonal, placed by hand: a layout engine takes seconds for 55 of them."""
    side, gap, before, after = max(0.92, 3.0 / m), 0.1, 0.8, 0.1  # inches
    width = before + m * (side + gap) + after
    figure = Figure(figsize=(width, width))

    def place(row: int, column: int) -> Axes:
        left, bottom = before + column * (side + gap), before + (m - 1 - row) * (side + gap)
        return figure.add_axes((left / width, bottom / width, side / width, side / width))

    return figure, [[place(row, column) for column in range(row + 1)] for row in range(m)]


def _short(label: str) -> str:
    """A label that fits beside a panel."""
    return plain(label if len(label) <= 16 else f"{label[:15]}…")


def _dress(ax: Axes, row: int, column: int, m: int, labels: list[str]) -> None:
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(3, prune="both"))
    ax.tick_params(length=2, labelbottom=row == m - 1, labelleft=column == 0 and row > 0)
    if row == column:
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
    if row == m - 1:
        ax.set_xlabel(labels[column])
        ax.tick_params(axis="x", labelrotation=0 if m <= 4 else 45)
    if column == 0 and row > 0:
        ax.set_ylabel(labels[row])


def marginal(ax: Axes, x: np.ndarray, limits: tuple[float, float], colour: str, filled: bool) -> None:
    """A histogram, filled for a reference."""
    density, edges = np.histogram(x, bins=BINS, range=limits)
    heights = density / max(len(x), 1)
    if filled:
        ax.stairs(heights, edges, color=colour, fill=True, alpha=0.3)
    ax.stairs(heights, edges, color=colour, lw=0.8 if filled else 1.3)


def contours(ax: Axes, x: np.ndarray, y: np.ndarray, limits: tuple, colour: str, filled: bool) -> None:
    """Lines that hold `LEVELS` of the draws, filled for a reference."""
    counts, xs, ys = np.histogram2d(x, y, bins=BINS, range=limits)
    smooth = _smooth(_smooth(counts).T).T
    descending = np.sort(smooth.ravel())[::-1]
    inside = np.cumsum(descending) / max(descending.sum(), 1)
    levels = sorted({float(descending[np.searchsorted(inside, share)]) for share in LEVELS})
    if len(levels) < len(LEVELS) or levels[0] <= 0:
        ax.plot(x[:500], y[:500], ".", color=colour, ms=1)  # too concentrated for contours
        return
    centres = ((xs[1:] + xs[:-1]) / 2, (ys[1:] + ys[:-1]) / 2)
    if filled:
        ax.contourf(*centres, smooth.T, [*levels, smooth.max() * 1.01], colors=[colour] * 2, alpha=0.25)
    ax.contour(*centres, smooth.T, levels, colors=[colour], linewidths=[0.8 if filled else 1.3])


def _smooth(counts: np.ndarray) -> np.ndarray:
    """Binomial smoothing along the first axis, edges repeated: a standard deviation of 1 bin."""
    padded = np.pad(counts, ((2, 2), (0, 0)), mode="edge")
    weights = np.array([1, 4, 6, 4, 1]) / 16
    return sum(w * padded[k : k + len(counts)] for k, w in enumerate(weights))  # type: ignore[return-value]


def span(x: np.ndarray) -> tuple[float, float]:
    """Nearly all draws: a heavy tail must not hide the bulk."""
    if not len(x):
        return (0.0, 1.0)
    low, high = np.quantile(x, [0.002, 0.998])
    margin = 0.06 * (high - low) or 0.5 * (abs(low) or 1.0)
    return float(low - margin), float(high + margin)


def finite(rows: np.ndarray) -> np.ndarray:
    """Rows without NaN and infinity."""
    return rows[np.isfinite(rows).all(axis=1)]


def _moments(s: Draws) -> tuple[np.ndarray, np.ndarray]:
    return s.values.mean(axis=(-3, -2)), s.values.std(axis=(-3, -2))

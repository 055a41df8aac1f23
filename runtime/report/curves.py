"""What changes along each sweep: posterior means and sds, misfits to the data, spreads of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from bsi.runtime.report.corner import chosen
from bsi.runtime.report.data import Posterior
from bsi.runtime.report.figure import FAINT, colours, grid, plain, style, svg

_WIDE = 4.0  # ratio of the ends of a sweep from which its axis is logarithmic
_TICKS = 6


@dataclass(frozen=True)
class _Curve:
    """`values` and `around` (an sd on both sides, or None), name of a sample -> [*sweeps]."""

    label: str
    values: dict[str, np.ndarray]
    around: dict[str, np.ndarray] | None = None


def curves(posterior: Posterior, sweep: str) -> str:
    """SVG of every figure along one sweep: for each coordinate its mean, with an sd on both sides, and its sd; then
    residuals and spreads of pictures. Other sweeps are at `held`, and in faint lines at all their values."""
    found = list(_curves(posterior))
    across = min(len(found), 4)
    axis = list(posterior.sweeps).index(sweep)
    at = held(posterior)
    with style():
        figure, axes = grid(-(-len(found) // across), across, (2.35, 1.9))
        places = [ax for row in axes for ax in row]
        for ax, curve in zip(places, found, strict=False):
            _draw(ax, posterior, curve, axis, tuple(at.values()))
            _dress(ax, posterior.sweeps[sweep], plain(sweep), plain(curve.label))
        for ax in places[len(found) :]:
            ax.axis("off")
        return svg(figure, f"{posterior.name} along {sweep}")


def held(posterior: Posterior) -> dict[str, int]:
    """Index of each sweep where it is held while another one runs: its value nearest to 1."""
    return {name: int(np.argmin(np.abs(np.asarray(values) - 1.0))) for name, values in posterior.sweeps.items()}


def _curves(posterior: Posterior) -> Iterator[_Curve]:
    lead = len(posterior.sweeps)
    over = (lead, lead + 1)
    for k in chosen(posterior, 6) if posterior.labels else ():
        drawn = {s.name: np.asarray(s.values[..., k], float) for s in posterior.samples}
        sds = {name: values.std(over) for name, values in drawn.items()}
        label = posterior.labels[k]
        yield _Curve(f"mean of {label}", {name: values.mean(over) for name, values in drawn.items()}, sds)
        yield _Curve(f"sd of {label}", sds)
    for images in posterior.images:
        yield _Curve(
            f"sd of {images.name}, mean over entries",
            {name: values.std(over).mean((-3, -2, -1)) for name, values in images.values.items()},
        )
    for name in dict.fromkeys(name for s in posterior.samples for name in s.residuals):
        known = {s.name: s.residuals[name] for s in posterior.samples if name in s.residuals}
        yield _Curve(f"rms residual of {name}", known)


def _draw(ax: Axes, posterior: Posterior, curve: _Curve, axis: int, at: tuple[int, ...]) -> None:
    colour = colours(posterior.samples)
    x = np.asarray(list(posterior.sweeps.values())[axis])
    order = np.argsort(x)
    x = x[order]
    references = {s.name for s in posterior.samples if s.reference}
    for name in sorted(curve.values, key=lambda name: name not in references):  # samplers over references
        values = curve.values[name]
        lines = np.moveaxis(values, axis, -1).reshape(-1, len(x))[:, order]
        if len(lines) > 1:
            ax.plot(x, lines.T, color=colour[name], lw=0.6, alpha=0.35)
        spot = tuple(slice(None) if k == axis else index for k, index in enumerate(at))
        middle = values[spot][order]
        if curve.around is not None:
            sd = curve.around[name][spot][order]
            ax.fill_between(x, middle - sd, middle + sd, color=colour[name], alpha=0.15, lw=0)
        ax.plot(x, middle, color=colour[name], lw=1.4, marker="o", ms=2.5)


def _dress(ax: Axes, values: tuple[float, ...], sweep: str, title: str) -> None:
    low, high = min(values), max(values)
    every = -(-len(values) // _TICKS)
    if low > 0 and high / low >= _WIDE:
        ax.set_xscale("log", base=2)
        ticks = sorted(values)[::every]
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        ax.set_xticks(ticks, [f"{value:g}" for value in ticks])
        ax.xaxis.set_minor_locator(NullLocator())
    else:
        ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.grid(color=FAINT, lw=0.5)
    ax.set_title(title if len(title) <= 30 else f"{title[:29]}…", fontsize=9)
    ax.set_xlabel(sweep)

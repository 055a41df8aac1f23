"""The section on ranks at simulated data: how far they are from uniform, and how much balls of draws cover."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np
from matplotlib.axes import Axes

from bsi.runtime.metrics.ranks import Uniform, lean
from bsi.runtime.report.calibration import Calibration
from bsi.runtime.report.figure import FAINT, INK, REFERENCE, SERIES, grid, plain, style, svg
from bsi.runtime.report.tables import number, table

MOST, ROWS = 12, 40  # coordinates with a figure, and with a row of the table: those that are least uniform
ACROSS = 4
LEVEL = 0.95  # of all bands together
HOW = {
    "sbc": "How many simulations have params that rank as low among draws, less what would be uniform. Above 0 "
    "draws are too high, below too low; first above and then below they are too narrow, the other way round too wide.",
    "tarp": "How often balls with a share of the draws hold the params that made the data. Above the line draws are "
    "too wide, or know too little of the data; below it too narrow.",
}


def calibration(found: Calibration) -> Iterator[str]:
    """HTML: the table of coordinates, and the curves in their bands."""
    title = f"{found.text} at {found.at}" if found.at else found.text
    yield f"<h3><code>{escape(title)}</code></h3>"
    left_out = f"; {found.failed:,} more failed, and were left out" if found.failed else ""
    yield f"<p>{found.simulations:,} simulations, {found.counts.shape[1] - 1} draws given each{left_out}.</p>"
    order = np.argsort(found.p_values, kind="stable")
    if found.of == "sbc":
        rows = [
            (
                f"<code>{escape(found.labels[k])}</code>",
                number(float(found.p_values[k]), 2),
                lean(found.counts[k]) or "–",
            )
            for k in sorted(order[:ROWS].tolist())
        ]
        yield table(["parameter", "p-value", "draws are"], rows, numeric=1)
        if len(order) > ROWS:
            yield f"<p>{len(order) - ROWS:,} more have larger p-values.</p>"
    shown = sorted(order[:MOST].tolist())
    some = f" The {MOST} of {len(order)} parameters with the smallest p-values." if len(order) > MOST else ""
    together = " together" if len(order) > 1 else ""
    band = f" Right draws stay within the bands{together} with a probability of {LEVEL:.0%}."
    picture = _curves(found, shown, title)
    caption = f"{HOW[found.of]}{band}{some}"
    yield f'<figure><div class="scroll">{picture}</div><figcaption>{caption}</figcaption></figure>'


def _curves(found: Calibration, shown: list[int], title: str) -> str:
    """SVG: a panel a coordinate; of `tarp` the coverage itself, and how far it is from that of right draws."""
    share = np.arange(found.counts.shape[1] + 1) / found.counts.shape[1]
    flat = np.zeros_like(share)
    panels = [(k, share) for k in shown] if found.of == "sbc" else [(0, flat), (0, share)]
    across = min(len(panels), ACROSS)
    low, high = Uniform(found.simulations, found.counts.shape[1]).band(1 - (1 - LEVEL) / len(found.labels))
    ends = [np.concatenate([[0], end, [found.simulations]]) / found.simulations for end in (low, high)]
    lines = {k: np.append(0, np.cumsum(found.counts[k])) / found.simulations for k in shown}
    top = 1.08 * max(float(np.abs(y - share).max()) for y in (*ends, *lines.values()))
    with style():
        figure, axes = grid(-(-len(panels) // across), across, (2.35, 1.9) if found.of == "sbc" else (2.9, 2.4))
        places = [ax for row in axes for ax in row]
        for ax, (k, base) in zip(places, panels, strict=False):
            ax.fill_between(share, ends[0] - base, ends[1] - base, color=REFERENCE, alpha=0.2, lw=0)
            outside = found.p_values[k] * len(found.labels) < 1 - LEVEL
            ax.plot(share, lines[k] - base, color=SERIES[1 if outside else 0], lw=1.3)
            ax.plot([0, 1], [0, 1 - base[-1]], color=INK, lw=0.6, ls="--")
            ax.grid(color=FAINT, lw=0.5)
            ax.set_xlim(0, 1)
            ax.set_xticks([0, 0.5, 1], ["0", "½", "1"])
            ax.set_ylim(*((0, 1) if base is flat else (-top, top)))
            _say(ax, found, k, base is flat)
        for ax in places[len(panels) :]:
            ax.axis("off")
        return svg(figure, f"ranks of {title}")


def _say(ax: Axes, found: Calibration, k: int, whole: bool) -> None:
    if found.of == "sbc":
        ax.set_title(plain(found.labels[k]), fontsize=9)
        ax.set_xlabel("rank / draws")
        return
    ax.set_xlabel("share of the draws")
    ax.set_ylabel("coverage" if whole else "coverage - share")
    if whole:
        ax.set_yticks([0, 0.5, 1], ["0", "½", "1"])

"""Matplotlib figures as inline SVG whose colours follow the page, so that dark mode needs no second figure."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bsi.runtime.report.data import Draws

# Colours are placeholders that `svg` turns into CSS variables. Values are those of light mode: Okabe & Ito's palette,
# distinct to colour-blind readers; report.css has both modes.
INK, FAINT, REFERENCE, CARD = "#1b1f24", "#c9ced6", "#5c6470", "#fffffe"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
VARIABLES = {
    INK: "ink",
    FAINT: "rule",
    REFERENCE: "reference",
    CARD: "card",
    **{c: f"series-{i}" for i, c in enumerate(SERIES)},
}

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the page's own font
    "font.size": 9,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "mathtext.default": "regular",
}


def colours(samples: Sequence[Draws]) -> dict[str, str]:
    """Name of a sample -> colour: the reference's for every reference, one of the series for the others, in order."""
    series = iter(SERIES * (len(samples) // len(SERIES) + 1))
    return {s.name: REFERENCE if s.reference else next(series) for s in samples}


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib's settings while a figure is made."""
    with matplotlib.rc_context(STYLE):
        yield


def grid(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[list[Axes]]]:
    """A transparent figure of `rows` x `columns` axes, each of `size` (inches)."""
    figure = Figure(figsize=(columns * size[0], rows * size[1]), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False).tolist()


def svg(figure: Figure, title: str) -> str:
    """The figure as an `<svg>` element; `title` is read to those who cannot see it."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": title}):  # equal content, equal file; other titles, other ids
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # names such as `axes_1`, which every figure has
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    width = float(figure.get_figwidth()) * 96
    size = f"width: {width:.0f}px; min-width: {0.7 * width:.0f}px"
    opening = f'<svg role="img" aria-label="{escape(title)}" style="{size}"'
    return opening + text.removeprefix("<svg")


def plain(label: str) -> str:
    """A user's name as a label: a dollar sign is no mathematics."""
    return label.replace("$", r"\$")

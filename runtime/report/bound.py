"""What a bound on the log likelihood is made of: where between noise and data it is paid, and in how many steps."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from bsi.runtime.report.data import Bound
from bsi.runtime.report.figure import FAINT, INK, SERIES, grid, style, svg


def bound(found: Bound, title: str) -> str:
    """SVG of the integrand over ln λ, and of the bound in k steps falling to that in infinitely many."""
    parts = [draw for draw, there in ((_integrand, found.integrand), (_finite, found.finite)) if there is not None]
    with style():
        figure, (axes,) = grid(1, len(parts), (4.2, 2.4))
        for draw, ax in zip(parts, axes, strict=True):
            draw(ax, found)
            ax.grid(color=FAINT, lw=0.5)
        return svg(figure, title)


def _integrand(ax: Axes, found: Bound) -> None:
    assert found.integrand is not None
    x, y = found.integrand
    ax.fill_between(x, y, color=SERIES[0], alpha=0.15, lw=0)
    ax.plot(x, y, color=SERIES[0], lw=1.3)
    ax.set_ylim(min(0.0, float(y.min())), None)
    ax.set_xlabel("ln λ")
    ax.set_ylabel(f"{found.unit} by ln λ")


def _finite(ax: Axes, found: Bound) -> None:
    assert found.finite is not None
    steps, values, errors = found.finite
    ax.errorbar(steps, values, errors, color=SERIES[0], lw=1.3, marker="o", ms=3, capsize=2)
    ax.axhline(found.value, color=INK, lw=0.8, ls="--")
    ax.annotate("∞ steps", (0, found.value), (4, 3), ("axes fraction", "data"), "offset points")
    ax.set_xscale("log", base=2)
    ax.set_xticks(steps, [f"{k:g}" for k in steps])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("steps")
    ax.set_ylabel(f"bound, {found.unit}")

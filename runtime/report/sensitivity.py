"""Sections on other powers: tables and curves of sensitivities, and the curve under which an evidence is the area."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np

from bsi.runtime.report.figure import INK, REFERENCE, SERIES, grid, plain, style, svg
from bsi.runtime.report.powers import Evidence, Scaled, Sensitivity, Way
from bsi.runtime.report.tables import number, table
from bsi.runtime.sensitivity import GOOD

MOST = 6  # coordinates with a curve, those that move most
WAYS = {"psis": "by weights", "resample": "by draws"}


def sensitivity(found: Sensitivity) -> Iterator[str]:
    """HTML: the table of all coordinates, k̂ of weights, and the curves."""
    title = f"{found.text} at {found.at}" if found.at else found.text
    yield f"<h3><code>{escape(title)}</code></h3>"
    columns = [(component, way) for component in found.components for way in component.ways]
    header = ["parameter", *(f"{escape(c.name)} <small>{WAYS[way]}</small>" for c, way in columns), "diagnosis"]
    rows = []
    for k, label in enumerate(found.labels):
        cells = [_value(component, way, k) for component, way in columns]
        rows.append([f"<code>{escape(label)}</code>", *cells, escape(found.diagnosis[k] or "–")])
    yield table(header, rows, numeric=1)
    shapes = [
        f"{escape(c.name)} {number(way.pareto_k, 2)}"
        for c in found.components
        for way in c.ways.values()
        if way.pareto_k is not None
    ]
    told = f" k̂ of weights next to the power 1: {', '.join(shapes)}." if shapes else ""
    yield f"<p>Distance of marginals per doubling of a power, of note from {number(found.threshold)} on.{told}</p>"
    caption = "Distance of marginals at other powers: lines by weights, crosses by new draws. "
    caption += f"Weights with k̂ above {GOOD} are left out."
    yield f'<figure><div class="scroll">{curves(found, title)}</div><figcaption>{caption}</figcaption></figure>'


def _value(component: Scaled, way: str, k: int) -> str:
    values = component.ways[way].sensitivity
    cell = number(None if values is None else float(values[k]), 3)
    return f"<b>{cell}</b>" if way == component.best and len(component.ways) > 1 else cell


def curves(found: Sensitivity, title: str) -> str:
    """SVG of a panel a component: distance against log₂ power, a colour a coordinate."""
    shown = _moving(found)
    with style():
        figure, (axes,) = grid(1, len(found.components), (3.2, 2.3))
        top = max((float(np.max(way.distance[:, shown])) for way in _drawn(found)), default=1.0)
        for ax, component in zip(axes, found.components, strict=True):
            for k, colour in zip(shown, SERIES, strict=False):
                for name, way in component.ways.items():
                    _curve(ax, name, way, k, colour, plain(found.labels[k]))
            ax.set_title(plain(f"{component.kind} {component.name}"), fontsize=9)
            ax.set_xlabel("log₂ power")
            ax.set_ylim(0, 1.08 * top or 1.0)
            ax.axvline(0, color=INK, lw=0.4)
        axes[0].set_ylabel("distance")
        handles = dict(zip(*reversed(axes[0].get_legend_handles_labels()), strict=True))
        axes[0].legend(handles.values(), handles.keys())
        return svg(figure, f"distances at other powers: {title}")


def _drawn(found: Sensitivity) -> list[Way]:
    return [way for component in found.components for way in component.ways.values() if len(way.powers)]


def _moving(found: Sensitivity) -> list[int]:
    values = [way.sensitivity for way in _drawn(found) if way.sensitivity is not None]
    order = np.argsort(-np.max(values, axis=0), kind="stable") if values else np.arange(len(found.labels))
    return sorted(order[:MOST].tolist())


def _curve(ax, name: str, way: Way, k: int, colour: str, label: str) -> None:
    if not len(way.powers):
        return
    if name == "resample":
        ax.plot(np.log2(way.powers), way.distance[:, k], "x", color=colour, ms=5, label=label)
        return
    kept = np.ones(len(way.powers), bool) if way.shapes is None else way.shapes <= GOOD
    x = np.append(np.log2(way.powers[kept]), 0.0)
    y = np.append(way.distance[kept, k], 0.0)
    order = np.argsort(x)
    ax.plot(x[order], y[order], "o-", color=colour, lw=1.2, ms=3, label=label)


def evidence(found: Evidence) -> Iterator[str]:
    """HTML: what the integral is, and of which curve."""
    title = f"{found.text} at {found.at}" if found.at else found.text
    yield f"<h3><code>{escape(title)}</code></h3>"
    yield (
        f"<p>ln Z = {number(found.value, 5)} ± {number(found.standard_error, 2)}, of which "
        f"{number(found.value - found.trapezoid, 2)} corrects the trapezoid rule on {len(found.powers)} powers.</p>"
    )
    with style():
        figure, ((ax,),) = grid(1, 1, (5.6, 2.3))
        sd = np.sqrt(found.variances)
        ax.fill_between(found.powers, found.means - sd, found.means + sd, color=REFERENCE, alpha=0.2, lw=0)
        ax.plot(found.powers, found.means, "o-", color=SERIES[0], ms=3, lw=1.2)
        ax.set_xlabel(plain(found.sweep))
        ax.set_ylabel("mean of ln f")
        picture = svg(figure, f"mean log likelihood: {title}")
    caption = "Mean and standard deviation of the log likelihood of draws at every power: the area under it is ln Z."
    yield f'<figure><div class="scroll">{picture}</div><figcaption>{caption}</figcaption></figure>'

"""The grid of a sweep at a glance: one small panel a point, rows of one sweep and columns of another."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from bsi.runtime.report.corner import chosen, contours, finite, marginal, span
from bsi.runtime.report.data import Images, Posterior
from bsi.runtime.report.figure import colours, grid, style, svg
from bsi.runtime.report.pictures import heat, picture, shade

ALONG = 9  # values of a sweep, at most: of more, so many evenly spaced ones
_SIDE = 1.15  # inches
_TILE = 72  # CSS pixels of a picture

Index = tuple[int, ...]


def multiples(posterior: Posterior) -> str:
    """HTML of a table of panels. Each is a button that `report.js` lets choose its point.

    A panel has the contours of two coordinates, those where samplers and reference differ most, the histogram of one
    where there is no other, or the mean and the sd of a picture.
    """
    shape = tuple(len(values) for values in posterior.sweeps.values())
    kept = [np.unique(np.linspace(0, n - 1, min(n, ALONG)).astype(int)).tolist() for n in shape]
    rows = list(_product(kept[:-1]))
    draw = _density(posterior) if posterior.labels else _picture(posterior, posterior.images[0])
    (*outer, (across, values)) = posterior.sweeps.items()
    head = "".join(f"<th>{values[k]:g}</th>" for k in kept[-1])
    body = ""
    for row in rows:
        named = ", ".join(f"{escape(n)} = {v[k]:g}" for (n, v), k in zip(outer, row, strict=True))
        cells = "".join(f"<td>{_button(posterior, (*row, k), shape, draw)}</td>" for k in kept[-1])
        body += f"<tr><th>{named}</th>{cells}</tr>"
    table = f"<thead><tr><th>{escape(across)} =</th>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="scroll"><table class="multiples">{table}</table></div>'


def shown(posterior: Posterior) -> str:
    """What the panels show, as HTML."""
    if not posterior.labels:
        return f"Mean and sd of <code>{escape(posterior.images[0].name)}</code>."
    names = " and ".join(f"<code>{escape(posterior.labels[k])}</code>" for k in chosen(posterior, 2))
    return f"{names} over the grid, on the same axes."


def _button(posterior: Posterior, index: Index, shape: tuple[int, ...], draw: Any) -> str:
    text = dict(posterior.points())[index]
    number = int(np.ravel_multi_index(index, shape))
    told = f'type="button" data-point="{number}" title="{escape(text)}"'
    return f'<button class="cell" {told}>{draw(index, text)}</button>'


def _density(posterior: Posterior) -> Any:
    columns, colour = chosen(posterior, 2), colours(posterior.samples)
    drawn = sorted(posterior.samples, key=lambda s: not s.reference)  # samplers over references
    m = len(posterior.labels)
    limits = [span(np.concatenate([finite(s.values[..., [k]].reshape(-1, 1))[:, 0] for s in drawn])) for k in columns]

    def draw(index: Index, text: str) -> str:
        with style():
            figure, ((ax,),) = grid(1, 1, (_SIDE, _SIDE))
            for s in drawn:
                table = finite(s.values[index].reshape(-1, m)[:, columns])
                if not len(table):
                    continue
                if len(columns) == 1:
                    marginal(ax, table[:, 0], limits[0], colour[s.name], s.reference)
                else:
                    contours(ax, table[:, 0], table[:, 1], (limits[0], limits[1]), colour[s.name], s.reference)
            ax.set_xlim(limits[0])
            if len(columns) > 1:
                ax.set_ylim(limits[1])
            ax.set_xticks([])
            ax.set_yticks([])
            return svg(figure, f"{posterior.name} at {text}")

    return draw


def _picture(posterior: Posterior, images: Images) -> Any:
    first = next((s for s in posterior.samples if not s.reference), posterior.samples[0])
    values = images.values[first.name]
    lead = len(posterior.sweeps)
    spreads = np.std(values, axis=(lead, lead + 1)).mean(-1, keepdims=True)
    widest = float(np.nanmax(spreads, initial=0.0))

    def draw(index: Index, text: str) -> str:
        mean = shade(values[index].mean((0, 1)), *images.bounds)
        told = f"of {images.name} by {first.name} at {text}"
        scale = max(1, -(-_TILE // max(mean.shape[:2])))
        both = ((mean, f"mean {told}"), (heat(spreads[index], widest), f"sd {told}"))
        return "".join(picture(pixels, alt, scale) for pixels, alt in both)

    return draw


def _product(axes: list[list[int]]) -> list[Index]:
    return [tuple(axis[k] for axis, k in zip(axes, at, strict=True)) for at in np.ndindex(*map(len, axes))]

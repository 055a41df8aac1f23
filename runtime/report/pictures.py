"""Image-shaped params as pictures: draws on one sheet, their mean and sd, and what was observed beside them.

A picture is a PNG inside the page, one pixel a value, that the browser enlarges without smoothing.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from html import escape

import matplotlib
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.image import imsave

from bsi.runtime.report.data import Images, Posterior
from bsi.runtime.report.tables import keys, number

SHEET, SHEET_OF_SWEEP = 64, 16  # draws on a sheet; at one of many points
ACROSS = 8
DRAW, SINGLE = 48, 128  # sides on the page in CSS pixels, at least; a pixel of the image has whole ones
ROWS = 8  # of an observed set
MISSING = (86, 180, 233, 255)  # light blue, as `.ramp.missing` in report.css

Picture = UInt8[np.ndarray, "_height _width 4"]


def pictures(posterior: Posterior, images: Images, index: tuple[int, ...]) -> str:
    """Everything of one param at one point of the sweeps, as HTML."""
    low, high = images.bounds
    names, values = keys(posterior), {name: drawn[index] for name, drawn in images.values.items()}
    flat = {name: drawn.reshape(-1, *drawn.shape[-3:]) for name, drawn in values.items()}
    spreads = {name: np.std(drawn, 0).mean(-1, keepdims=True) for name, drawn in flat.items()}
    widest = max((float(np.nanmax(spread, initial=0.0)) for spread in spreads.values()), default=0.0)

    def summaries() -> Iterator[str]:
        first = images is posterior.images[0]
        for kind, beside in (("data", posterior.given), ("observed", posterior.observed)) if first else ():
            for name, rows in beside.items():
                yield _rows(kind, name, rows, low, high)
        for name, drawn in flat.items():
            mean, spread = shade(drawn.mean(0), low, high), heat(spreads[name], widest)
            yield _figure(mean, f"mean of {images.name} by {name}", f"{names[name]}: mean", _scale(mean, SINGLE))
            deviation = f"standard deviation of {images.name} by {name}"
            yield _figure(spread, deviation, f"{names[name]}: sd", _scale(spread, SINGLE))

    def sheets() -> Iterator[str]:
        for name, drawn in flat.items():
            most = SHEET_OF_SWEEP if index else SHEET
            chosen = np.unique(np.linspace(0, len(drawn) - 1, min(most, len(drawn))).astype(int))
            shades = [shade(drawn[k], low, high) for k in chosen]
            caption = f"{names[name]}: {len(chosen)} of {len(drawn):,} draws"
            yield _figure(sheet(shades, ACROSS), f"draws of {images.name} by {name}", caption, _scale(shades[0], DRAW))

    legend = f"<p>Values {_ramp('grey', low, high)}, sd {_ramp('heat', 0.0, widest)}</p>"
    return f'<div class="tiles">{"".join(summaries())}</div><div class="tiles">{"".join(sheets())}</div>{legend}'


def _rows(kind: str, name: str, rows: Float[np.ndarray, "n height width channels"], low: float, high: float) -> str:
    low, high, own = _units(rows[:ROWS], low, high)
    shades = [shade(row, low, high) for row in rows[:ROWS]]
    some = f", {len(shades)} of {len(rows)} rows" if len(rows) > len(shades) else ""
    hidden = ', <i class="ramp missing"></i> missing' if np.isnan(rows[:ROWS]).any() else ""
    caption = f"{kind} <code>{escape(name)}</code>{some}{own}{hidden}"
    return _figure(sheet(shades, ACROSS), f"{kind} {name}", caption, _scale(shades[0], SINGLE))


def _units(rows: Float[np.ndarray, "n h w c"], low: float, high: float) -> tuple[float, float, str]:
    """Bounds for data, and what the caption says of them: those of the param, unless data are something else."""
    values = rows[np.isfinite(rows)]
    slack = 0.2 * (high - low)
    if not len(values) or np.mean((values > low - slack) & (values < high + slack)) > 0.8:
        return low, high, ""
    low, high = float(values.min()), float(values.max())
    return low, high, f", {_ramp('grey', low, high)}"


def shade(values: Float[np.ndarray, "height width channels"], low: float, high: float) -> Picture:
    """Grey or colour from `low` to `high`; `MISSING` where there is no value."""
    missing = ~np.isfinite(values).all(-1)
    share = np.clip((np.nan_to_num(values) - low) / ((high - low) or 1.0), 0.0, 1.0)
    picture = np.empty((*values.shape[:2], 4), np.uint8)
    picture[..., :3] = np.round(255 * share)
    picture[..., 3] = 255
    picture[missing] = MISSING
    return picture


def heat(values: Float[np.ndarray, "height width 1"], most: float) -> Picture:
    """From black at 0 to light yellow at `most`."""
    share = np.nan_to_num(values[..., 0]) / (most or 1.0)
    return matplotlib.colormaps["inferno"](share, bytes=True)


def sheet(shades: list[Picture], across: int) -> Picture:
    """Pictures of one size in rows of `across`, with a transparent seam of a pixel or more."""
    height, width = shades[0].shape[:2]
    seam = max(1, height // 16)
    across = min(across, len(shades))
    down = -(-len(shades) // across)
    whole = np.zeros((down * (height + seam) - seam, across * (width + seam) - seam, 4), np.uint8)
    for place, picture in enumerate(shades):
        top, left = place // across * (height + seam), place % across * (width + seam)
        whole[top : top + height, left : left + width] = picture
    return whole


def _scale(picture: Picture, side: int) -> int:
    return max(1, -(-side // max(picture.shape[:2])))


def picture(pixels: Picture, alt: str, scale: int) -> str:
    """An `<img>`, with `scale` CSS pixels a pixel."""
    height, width = (scale * side for side in pixels.shape[:2])
    file = io.BytesIO()
    imsave(file, pixels, format="png", pil_kwargs={"optimize": True})
    source = base64.b64encode(file.getvalue()).decode()
    return f'<img src="data:image/png;base64,{source}" width="{width}" height="{height}" alt="{escape(alt)}">'


def _figure(pixels: Picture, alt: str, caption: str, scale: int) -> str:
    return f"<figure>{picture(pixels, alt, scale)}<figcaption>{caption}</figcaption></figure>"


def _ramp(style: str, low: float, high: float) -> str:
    return f'{number(low, 3)} <i class="ramp {style}"></i> {number(high, 3)}'

"""Which images a network takes: what its width, its patches and its levels must divide."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bsi.compiler.ir import Options

NETS = frozenset({"unet", "dit"})  # kinds of nets whose state is an image
GROUPS = 8  # of channels that a unet norms together
_POSITIONS = 4  # sine and cosine of row and column, for which a dit takes a quarter of its width each
_FEATURES = 2  # exponents of Fourier features that quantised images get (VDM, arXiv 2107.00630, appendix C)

Problem = tuple[str, str, str]
"""The option at fault, what is wrong, and what helps."""


def wrong_width(kind: str, options: Options) -> Problem | None:
    """A width that does not divide into what the net makes of it; known before there is an image."""
    values = dict(options)
    if kind == "unet" and values["width"] % GROUPS:
        return _width(values["width"], GROUPS, f"channels are normed in {GROUPS} groups")
    if kind == "dit" and values["width"] % math.lcm(_POSITIONS, values["heads"]):
        why = f"it is shared by {values['heads']} heads, and positions take a quarter each of sines and cosines"
        return _width(values["width"], math.lcm(_POSITIONS, values["heads"]), why)
    return None


def _width(width: int, unit: int, why: str) -> Problem:
    near = max(unit, unit * round(width / unit))
    return "width", f"`width = {width}` is not a multiple of {unit}: {why}", f"use `width = {near}`"


def wrong_size(kind: str, options: Options, shape: tuple[int, ...]) -> Problem | None:
    """Patches or levels that do not divide an image of `shape`."""
    values: Mapping[str, Any] = dict(options)
    height, width = shape[:2]
    common = math.gcd(height, width)
    if kind == "dit" and common % values["patch"]:
        side = max(k for k in range(1, values["patch"]) if common % k == 0)
        said = f"patches of {values['patch']} by {values['patch']} do not tile an image of {height} by {width}"
        return "patch", said, f"use `patch = {side}`"
    halvings = values["levels"] - 1 if kind == "unet" else 0
    if common % 2**halvings:
        most = (common & -common).bit_length()
        said = f"an image of {height} by {width} cannot be halved {halvings} times, as {values['levels']} levels do"
        return "levels", said, f"use `levels = {most}`"
    return None


def fitted(
    kind: str, options: Options, shape: tuple[int, ...], levels: int | None, row: tuple[int, ...] = ()
) -> Options:
    """`options` with the image's height, width and channels, and the Fourier features of its `levels`: the finest one
    has the spacing of two levels of [-1, 1] for its period. A `row` of data that has this height and width is seen
    `beside` it, pixel by pixel, in so many channels."""
    values: dict[str, Any] = dict(options) | {"image": _with_channels(shape)}
    if len(row) in (2, 3) and row[:2] == shape[:2]:
        values["beside"] = _with_channels(row)[2]
    if kind == "unet":
        if values["fourier"] == "auto":
            values["fourier"] = 0 if levels is None else _FEATURES
        values["finest"] = values["fourier"] - 1 if levels is None else round(math.log2(max(levels - 1, 1)))
    return tuple(sorted(values.items()))


def _with_channels(shape: tuple[int, ...]) -> tuple[int, int, int]:
    return shape[0], shape[1], shape[2] if len(shape) == 3 else 1

"""What a check tells besides its value, as text for a terminal of any width."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from bsi import terminal

MOST = 12  # coordinates of a table, those that depend on a prior most; checks.json and the report have all
PLACES = 4  # points of a sweep with a table
INDENT = "        "

Render = Callable[[dict[str, Any], int | None], Iterator[str]]


def lines(detail: dict[str, Any], width: int | None) -> Iterator[str]:
    """Lines no longer than `width`, where words allow it."""
    render = RENDERERS[detail["kind"]]
    room = None if width is None else max(width - len(INDENT), 20)
    for line in render(detail, room):
        yield f"{INDENT}{line}"


def _by_points(one: Render) -> Render:
    """What `one` says of each point, of the first `PLACES`."""

    def render(detail: dict[str, Any], width: int | None) -> Iterator[str]:
        for point in detail["points"][:PLACES]:
            yield from one(point, width)
        if (more := len(detail["points"]) - PLACES) > 0:
            yield from _wrapped(f"and {more} more points: see the report", width)

    return render


def _sensitivity(point: dict[str, Any], width: int | None) -> Iterator[str]:
    if point["at"]:
        yield f"at {point['at']}"
    ways = [component["ways"].get(component["best"]) for component in point["components"]]
    names = [component["name"] for component in point["components"]]
    columns = [None if way is None else way["sensitivity"] for way in ways]
    counted = [c for c, component in zip(columns, point["components"], strict=True) if component["of"] == "prior" and c]
    by = counted or [c for c in columns if c]
    order = sorted(range(len(point["labels"])), key=lambda k: -max((c[k] for c in by), default=0.0))
    kept = sorted(order[:MOST])
    cells = [["–" if column is None else f"{column[k]:.3f}" for column in columns] for k in kept]
    rows = [[point["labels"][k], *own, point["diagnosis"][k]] for k, own in zip(kept, cells, strict=True)]
    text = terminal.table(["", *names, ""], rows).splitlines()
    if width is None or max(map(len, text)) <= width:
        yield from text
    else:
        for label, *own, said in rows:
            values = ", ".join(f"{name} {value}" for name, value in zip(names, own, strict=True))
            yield from _wrapped(f"{label}: {values}{f'; {said}' if said else ''}", width)
    if len(order) > MOST:
        yield from _wrapped(f"and {len(order) - MOST} more params that depend on the prior less", width)
    shapes = [
        f"{name} {way['pareto_k']:.2f}" for name, way in zip(names, ways, strict=True) if way and "pareto_k" in way
    ]
    drawn = [name for name, way in zip(names, ways, strict=True) if way and "pareto_k" not in way]
    if shapes:
        yield from _wrapped(f"by weights, k̂: {', '.join(shapes)}", width)
    if drawn:
        yield from _wrapped(f"by new draws: {', '.join(drawn)}", width)
    for component in point["components"]:
        for why in component["ways"].get("resample", {}).get("lost", ()):
            yield from _wrapped(f"not drawn at every power of {component['name']}: {why}", width)


def _evidence(detail: dict[str, Any], width: int | None) -> Iterator[str]:
    for point in detail["points"]:
        correction = point["value"] - point["trapezoid"]
        at = f"at {point['at']}: " if point["at"] else ""
        own = f"{point['value']:.5g} ± {point['standard_error']:.2g}, " if len(detail["points"]) > 1 else ""
        rule = f"corrects the trapezoid rule on {len(point['powers'])} values of {detail['sweep']}"
        yield from _wrapped(f"{at}{own}of which {correction:.2g} {rule}, and {point['grid']:.1g} may be left", width)


def _sbc(point: dict[str, Any], width: int | None) -> Iterator[str]:
    yield from _ranked(point, width)
    found = sorted(zip(point["p_values"], point["labels"], point["said"], strict=True))
    for p, label, said in found[:MOST]:
        yield from _wrapped(f"{label}: p = {p:.2g}{f', draws are {said}' if said else ''}", width)
    if len(found) > MOST:
        yield from _wrapped(f"and {len(found) - MOST} more params with larger p-values", width)


def _tarp(point: dict[str, Any], width: int | None) -> Iterator[str]:
    yield from _ranked(point, width)
    (share, first), *others = point["covered"]
    text = f"balls with {share:.0%} of the draws hold the params in {first:.0%} of the simulations"
    rest = "".join(f", with {share:.0%} in {found:.0%}" for share, found in others)
    yield from _wrapped(text + rest, width)


def _ranked(point: dict[str, Any], width: int | None) -> list[str]:
    at = f"at {point['at']}: " if point["at"] else ""
    failed = f", and {point['failed']} more that failed" if point["failed"] else ""
    return _wrapped(f"{at}{point['simulations']} simulations{failed}", width) if at or failed else []


def _wrapped(text: str, width: int | None) -> list[str]:
    return [text] if width is None else textwrap.wrap(text, width, subsequent_indent="  ")


RENDERERS: dict[str, Render] = {
    "sensitivity": _by_points(_sensitivity),
    "evidence": _evidence,
    "sbc": _by_points(_sbc),
    "tarp": _by_points(_tarp),
}

"""Known values of constrained vectors and matrices: data and rows must be what their types and laws say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bsi.compiler import fold, supports
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Support
from bsi.dsl import ast


def belong(
    env: Environment, at: ast.Node, name: str, array: Any, support: Support, also: Iterable[tuple[ast.Node, str]]
) -> bool:
    """Whether every vector or matrix of a nested tuple lies in `support`; reports the first that does not."""
    found = _counts(array, support) if support.kind == "counts" else None
    if support.kind in supports.KINDS:
        found = supports.first_wrong(support.kind, array)
    if found is None:
        return True
    place, wrong = found
    which = f"`{name}`" if not place else f"entry [{', '.join(map(str, place))}] of `{name}`"
    env.report.add("E0416", f"{which} {wrong}", at, also=also, help=f"its values must be {supports.shown(support)}")
    return False


def _counts(array: Any, support: Support) -> tuple[tuple[int, ...], str] | None:
    """Counts with another sum than the number of trials, where that is one constant."""
    trials = support.upper
    if trials is None or trials.op != "const" or trials.shape:
        return None
    for place, vector in supports.values(array, 1):
        total = sum(fold.flat(vector))
        if total != trials.value:
            return place, f"sums to {total:g}, not to the {trials.value:g} trials of its law"
    return None

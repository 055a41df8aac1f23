"""Precisions of a bound on the likelihood: what `auto` means, and what does not fit together."""

from __future__ import annotations

from typing import Any

from bsi.compiler import configure
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Prior
from bsi.dsl import ast

OBJECTIVES = frozenset({"bsi"})
_INITIAL = {"belief": 1e-2, "vdm": 1e-2, "bfn": 1.0}
_FINAL = 1e6  # a thousandth of the data's unit
_BINS = 61.5  # times the squared width of a level: decoded right but for 1e-4 nats (Bins of `runtime.elbo`)


def settled(env: Environment, given: ast.Options, values: dict[str, Any], prior: Prior | None) -> dict[str, Any] | None:
    """The options of a `train` of `OBJECTIVES` with their precisions as numbers. `prior` if it is learned."""
    process, first, last = (values[name] for name in ("process", "initial_precision", "final_precision"))
    only = _INITIAL[process]
    if process == "bfn" and first not in ("auto", only):
        item = next(item for item in given.items if item.name.id == "initial_precision")
        message = f"`bfn` begins at precision 1, not {first:g}: its first belief is N(0, 1)"
        env.report.add("E0521", message, item, help="remove it")
        return None
    first = only if first == "auto" else first
    last = _final(prior) if last == "auto" else last
    if last <= first:
        configure.above(env, given, ("initial_precision", first), ("final_precision", last))
        return None
    return values | {"initial_precision": first, "final_precision": last}


def _final(prior: Prior | None) -> float:
    levels = prior.learned.levels if prior and prior.learned else None
    return _FINAL if levels is None else _BINS * (levels - 1) ** 2 / 4

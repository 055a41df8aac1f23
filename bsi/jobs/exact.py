"""Fits without training: a table of simulations and its bandwidths."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np

from bsi.compiler.exact import OBJECTIVE
from bsi.compiler.ir import Program, Sample, Train
from bsi.compiler.lower.exact import exact_options
from bsi.dsl.diagnostic import Diagnostic
from bsi.failure import JobFailure, about
from bsi.jobs.context import FIT, Context
from bsi.runtime.exact import build
from bsi.runtime.files import save_tree
from bsi.runtime.training import Table

_EFFECTIVE = 20  # simulations: a posterior of fewer is a handful of kernels
_DUPLICATES = 0.01  # of the simulations
_LEAST = 10  # finite simulations for every number of one


def fit(context: Context, node: Train, source: Table, folder: Path) -> dict[str, Any]:
    """The fit of a table, and what became of it.

    Raises:
        JobFailure: too few of its simulations are finite.
    """
    finite = int(np.isfinite(np.concatenate([source.z, source.x], axis=1)).all(-1).sum())
    if finite < _LEAST * (source.m + source.p):
        where, label = node.likelihood or node.name, "simulated from here"
        message = (
            f"`{node.name}` has {finite:_} finite simulations of {source.m + source.p} numbers each, too few to use"
        )
        help = "look for a division by zero, a log of a negative number or an overflow in the forward model"
        raise JobFailure(about(context.program, where, "R125", message, label=label, help=help))
    key = jr.fold_in(jr.key(dict(node.options)["seed"]), 2)
    gaussian = context.lowered.coordinates_of(node).gaussian
    found, info = build(source.z, source.x, key, exact_options(node), gaussian_prior=gaussian)
    save_tree(folder / FIT, found)
    return {**asdict(info), "effective": list(info.effective), "flat": list(info.flat), "twins": _twins(source.x)}


def _twins(x: np.ndarray) -> list[list[int]]:
    """Pairs of numbers of a row that are equal in all simulations, each number with the first of its like."""
    first: dict[bytes, int] = {}
    seen = [(first.setdefault(np.ascontiguousarray(column).tobytes(), at), at) for at, column in enumerate(x.T)]
    flat = np.ptp(x, axis=0) == 0 if len(x) else np.zeros(x.shape[1], bool)
    return [[one, other] for one, other in seen if one != other and not flat[other]]


def observed(program: Program, node: Sample, info: dict[str, Any]) -> list[Diagnostic]:
    """What a table cannot tell of the rows that were observed: few of its simulations lie near one of them."""
    count = info.get("effective_simulations")
    fits = [program.trains[name] for name in node.fits if program.trains[name].objective == OBJECTIVE]
    if count is None or not fits or count >= _EFFECTIVE:
        return []
    own = dict(fits[0].options)
    message = f"the posterior of an observed row of `{node.name}` rests on {count:.2g} simulations of `{fits[0].name}`"
    help = (
        "simulate more, observe fewer numbers (a summary of the row), or train `score`, whose net makes its own summary"
    )
    if own["adjust"] is None:
        help = f"write `adjust = regression`, by which far simulations count; or {help}"
    return [about(program, node.name, "W0444", message, help=help)]


def warnings(program: Program, node: Train, info: dict[str, Any]) -> list[Diagnostic]:
    """What a table cannot tell: posteriors of few simulations, columns and rows that say nothing."""
    found = []
    median = info["effective"][1]
    if info["bandwidth"] < 1.0 and median < _EFFECTIVE:
        message = f"half of the posteriors of `{node.name}` rest on fewer than {median:.2g} simulations"
        help = "simulate more, observe fewer numbers (a summary of the row), or train `score`"
        found.append(about(program, node.name, "W0440", message, help=help))
    if info["flat"]:
        count = len(info["flat"])
        message = f"{count} of the numbers of a row of `{node.likelihood}` {'is' if count == 1 else 'are'} constant"
        help = "leave them out of the row: they say nothing"
        found.append(about(program, node.likelihood or node.name, "W0441", message, help=help))
    twins = info.get("twins", ())  # stored results of an earlier version have none
    if twins:
        one, other = twins[0]
        more = f", and {len(twins) - 1} more pairs" if len(twins) > 1 else ""
        message = f"numbers {one} and {other} of a row of `{node.likelihood}` are the same in all simulations{more}"
        help = "leave one of them out of the row: said twice, it counts twice when rows are compared"
        found.append(about(program, node.likelihood or node.name, "W0445", message, help=help))
    if info["duplicates"] > _DUPLICATES * info["simulations"]:
        message = f"{info['duplicates']:_} of {info['simulations']:_} simulations of `{node.name}` are repeated"
        help = "leave repetitions out of the file: they make a kernel look too narrow"
        found.append(about(program, node.likelihood or node.name, "W0442", message, help=help))
    return found

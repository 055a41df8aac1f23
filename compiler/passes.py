"""Rewrites of a checked program before it is planned: seeds filled in, and the smoke profile."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from bsi.compiler.ir import Check, Choice, Options, Program, Sample, Train

Node = TypeVar("Node", Train, Sample, Check)

# Upper limits of the smoke profile: any example runs in seconds, and proves nothing.
SMOKE: Mapping[str, Mapping[str, int]] = {
    "train": {"steps": 250, "simulations": 4_000, "batch": 256, "pairs": 2_000, "flow_steps": 12},
    "sample": {"draws": 400, "warmup": 200, "chains": 2},
    "check": {"draws": 400, "simulations": 200, "permutations": 19},
    "correct": {"steps": 10, "moves": 2},
}


def derived_seed(root: int, name: str) -> int:
    """A seed for the job `name` of a run with seed `root`: adding a job changes no other job's seed."""
    return int.from_bytes(hashlib.sha256(f"{root}:{name}".encode()).digest()[:4], "little") >> 1


def with_seeds(program: Program, root: int) -> Program:
    """Every `seed` that the model leaves open, derived from the root seed and the declaration's name."""

    def seeded(options: Options, name: str) -> Options:
        return tuple((k, derived_seed(root, name) if k == "seed" and v is None else v) for k, v in options)

    return replace(
        program,
        trains={n: replace(t, options=seeded(t.options, n)) for n, t in program.trains.items()},
        samples={n: replace(s, options=seeded(s.options, n)) for n, s in program.samples.items()},
        checks=tuple(
            replace(c, options=seeded(c.options, f"{c.metric}({', '.join(c.samples + c.fits)})"))
            for c in program.checks
        ),
    )


def smoke(program: Program) -> Program:
    """The same program with simulations, steps and draws cut to `SMOKE`."""

    def cut(node: Node, noun: str) -> Node:
        return replace(node, options=_cut(node.options, SMOKE[noun]))

    return replace(
        program,
        trains={n: cut(t, "train") for n, t in program.trains.items()},
        samples={n: cut(s, "sample") for n, s in program.samples.items()},
        checks=tuple(cut(c, "check") for c in program.checks),
    )


def _cut(options: Options, limits: Mapping[str, int]) -> Options:
    return tuple((name, _at_most(value, limits.get(name))) for name, value in options)


def _at_most(value: Any, limit: int | None) -> Any:
    if isinstance(value, Choice):
        return replace(value, options=_cut(value.options, SMOKE["correct"]))
    if limit is None or value is None:
        return value
    return limit if value == "auto" else min(value, limit) if isinstance(value, int) else value

"""Results at every point of a sample's sweeps. Where one point fails the others are kept, and what failed is told."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from bsi.compiler.ir import Program, Sample
from bsi.dsl.diagnostic import Diagnostic
from bsi.failure import JobFailure, about
from bsi.jobs.context import grid, place, sweeps_of

_TOLD = 4  # points that failed
_STAT = "%"  # before the name of a statistic


class PointFailure(Exception):
    """Why there are no draws at one point: a code, what went wrong, and what helps."""

    def __init__(self, code: str, what: str, help: str):
        super().__init__(what)
        self.code, self.what, self.help = code, what, help


@dataclass
class Points:
    """`found` has the arrays of every point that did not fail, by its number in the grid; `lost` the failures."""

    program: Program
    node: Sample
    found: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)
    lost: dict[int, PointFailure] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sweeps = sweeps_of(self.program, self.node)
        self.points = grid(self.program, self.sweeps)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(self.program.sweeps[name].values) for name in self.sweeps)

    @staticmethod
    def named(stats: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Statistics under names that no param has, to stand beside draws in `found`."""
        return {_STAT + name: np.asarray(value) for name, value in stats.items()}

    def lose(self, number: int, failure: PointFailure, cause: Exception | None = None) -> None:
        """Note why a point has no draws."""
        failure.__cause__ = cause
        self.lost[number] = failure

    def gather(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Draws and statistics with the sweeps as leading axes; NaN where a point failed.

        Raises:
            JobFailure: no point has draws.
        """
        if not self.found:
            raise self._failure() from next(iter(self.lost.values())).__cause__
        draws, stats = {}, {}
        for name, first in next(iter(self.found.values())).items():
            nothing = np.full(first.shape, np.nan, np.result_type(first.dtype, np.float32)) if self.lost else first
            rows = [self.found[k][name] if k in self.found else nothing for k in range(len(self.points))]
            values = np.stack(rows).reshape((*self.shape, *first.shape))
            (stats if name.startswith(_STAT) else draws)[name.removeprefix(_STAT)] = values
        return draws, stats

    def _failure(self) -> JobFailure:
        number, first = min(self.lost.items())
        message = f"sampling `{self.node.name}` failed{place(self.points[number])}: {first.what}"
        return JobFailure(about(self.program, self.node.name, first.code, message, help=first.help))

    def told(self) -> dict[str, list[dict[str, Any]]]:
        """The failures as data, for a job's info; nothing where none is."""
        lost = [
            {"at": self.points[number], "code": failure.code, "what": failure.what, "help": failure.help}
            for number, failure in sorted(self.lost.items())
        ]
        return {"lost": lost} if lost else {}


def key_of(seed: int, point: dict[str, float]) -> PRNGKeyArray:
    """The random key of a point. It comes of the point's values: another point in the sweep changes no draw of this
    one, and a sweep of one value has the draws that the grid has there. Names with `%` are no sweeps of the model:
    points that differ in them alone are made of the same noise."""
    own = [float(value) for name, value in point.items() if not name.startswith("%")]
    values = repr(own) if own else ""
    return jr.fold_in(jr.key(seed), jnp.uint32(zlib.crc32(values.encode())))


def failures(program: Program, node: Sample, info: dict[str, Any]) -> list[Diagnostic]:
    """Of a sample that has draws at some points only."""
    lost = info.get("lost", [])
    if not lost:
        return []
    count = len(grid(program, sweeps_of(program, node)))
    message = f"`{node.name}` has no draws at {len(lost)} of {count} points of its sweeps; those of the others are kept"
    notes = tuple(f"{each['code']}{place(each['at'])}: {each['what']}" for each in lost[:_TOLD])
    if len(lost) > _TOLD:
        notes += (f"and {len(lost) - _TOLD} more",)
    return [about(program, node.name, "R140", message, notes=notes, help=lost[0]["help"])]

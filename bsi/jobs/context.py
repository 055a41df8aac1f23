"""What jobs share: the program, its lowered objects, the store, and results already read."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bsi.compiler.exact import OBJECTIVE
from bsi.compiler.ir import Options, Posterior, Program, Sample, SweepRef, Train
from bsi.compiler.lower.distill import distilled_like
from bsi.compiler.lower.exact import exact_like
from bsi.compiler.lower.model import LoweredModel
from bsi.compiler.lower.python_host import Host
from bsi.runtime.distill import FlowMap
from bsi.runtime.exact import ExactFit
from bsi.runtime.files import load_arrays, load_tree
from bsi.runtime.progress import Progress
from bsi.runtime.store import Store
from bsi.runtime.training import Fit

FIT, DRAWS, STATS = "fit.eqx", "draws.npz", "stats.npz"


@dataclass(frozen=True)
class Draws:
    """Results of one `sample`.

    Params are (sweeps..., chain, draw, *shape), stats (sweeps..., chain, draw) or (sweeps...); `sweeps` names the axes.
    `failures` says, for a reference, which of its own checks it failed.
    """

    params: dict[str, np.ndarray]
    stats: dict[str, np.ndarray]
    sweeps: tuple[str, ...]
    meta: dict[str, Any]

    @property
    def failures(self) -> list[str]:
        return self.meta.get("failures", [])

    @property
    def lost(self) -> list[dict[str, float]]:
        """Points of the sweeps where sampling failed; params and stats are NaN there."""
        return [each["at"] for each in self.meta["info"].get("lost", [])]

    def is_lost(self, point: dict[str, float]) -> bool:
        """Whether there are no draws at a point of these sweeps and others."""
        return any(all(point[name] == value for name, value in at.items()) for at in self.lost)

    def matrix(self, point: tuple[int, ...], params: tuple[str, ...]) -> np.ndarray:
        """Some params at one point of the sweeps, (chain, draw, m)."""
        parts = [self.params[name][point] for name in params]
        return np.concatenate([part.reshape(*part.shape[:2], -1) for part in parts], axis=-1)


@dataclass
class Context:
    """`keys` maps a job's name to its key."""

    program: Program
    store: Store
    progress: Progress
    keys: dict[str, str]
    _draws: dict[str, Draws] = field(default_factory=dict)

    @cached_property
    def lowered(self) -> LoweredModel:
        return LoweredModel(self.program, Host())

    def folder(self, job: str) -> Path:
        return self.store.read(self.keys[job]).path

    def fit(self, train: Train) -> Fit | ExactFit:
        """Trained weights, or a table with its bandwidths."""
        return load_tree(self.store.read(self.keys[train.name]).path / FIT, self.like(train))

    def like(self, train: Train) -> Fit | ExactFit:
        """The structure of a fit that is in the store."""
        if train.objective != OBJECTIVE:
            return self.lowered.like(train)
        return exact_like(self.lowered, train, self.store.read(self.keys[train.name]).meta["info"])

    def distilled(self, train: Train) -> FlowMap:
        """The map of a distilled fit."""
        assert train.teacher is not None, "the checker's promise"
        teacher = self.program.trains[train.teacher]
        like = distilled_like(self.lowered, train, self.like(teacher))
        return load_tree(self.store.read(self.keys[train.name]).path / FIT, like)

    def draws(self, sample: str) -> Draws:
        if sample not in self._draws:
            entry = self.store.read(self.keys[sample])
            stats = load_arrays(entry.path / STATS)
            self._draws[sample] = Draws(load_arrays(entry.path / DRAWS), stats, tuple(entry.meta["sweeps"]), entry.meta)
        return self._draws[sample]


def sweeps_of(program: Program, sample: Sample) -> tuple[str, ...]:
    """Sweeps that a sample depends on, by its posterior's powers or its options, in order of declaration."""
    used = _powers_refer_to(program.posteriors[sample.posterior])
    used |= {v.name for _, v in sample.options if isinstance(v, SweepRef)}
    return tuple(name for name in program.sweeps if name in used)


def grid(program: Program, sweeps: tuple[str, ...]) -> list[dict[str, float]]:
    """Every point of the named sweeps, the last one running fastest; one empty point without sweeps."""
    values = [program.sweeps[name].values for name in sweeps]
    return [dict(zip(sweeps, point, strict=True)) for point in itertools.product(*values)]


def place(point: dict[str, float]) -> str:
    """` at lambda = 0.5`, to follow what happened there; nothing without sweeps."""
    return "".join(f" at {name} = {value:g}" for name, value in point.items())


def at_point(options: Options, point: dict[str, float]) -> dict[str, Any]:
    """Options with swept values filled in."""
    return {k: _whole(point[v.name]) if isinstance(v, SweepRef) else v for k, v in options}


def _whole(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value


def _powers_refer_to(posterior: Posterior) -> set[str]:
    names: set[str] = set()
    pending = [factor.power for factor in posterior.factors]
    while pending:
        expr = pending.pop()
        if expr.op == "ref":
            names.add(expr.value)
        pending.extend(expr.args)
    return names

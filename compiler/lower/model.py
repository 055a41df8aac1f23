"""A program with its runtime objects, each built once: coordinates, forward models, rows, training sources."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Array

from bsi.compiler.ir import Posterior, Program, Train
from bsi.compiler.lower.coordinates import Coordinates, coordinates
from bsi.compiler.lower.expr import evaluate
from bsi.compiler.lower.forward import Forward, data_env, observed_rows
from bsi.runtime.nets import Architecture
from bsi.runtime.training import Fit, TrainingOptions, abstract_fit, parameter_count


class LoweredModel:
    """Runtime objects of `program`, by name."""

    def __init__(self, program: Program):
        self.program = program
        self._coordinates: dict[tuple[str, str], Coordinates] = {}
        self._rows: dict[str, np.ndarray] = {}

    @cached_property
    def data(self) -> dict[str, Any]:
        return data_env(self.program)

    def coordinates(self, prior: str, kind: str = "rosenblatt") -> Coordinates:
        """Working coordinates of a prior; `kind` is the `coordinates` option of a train block."""
        key = (prior, kind)
        if key not in self._coordinates:
            self._coordinates[key] = coordinates(kind, self.program.priors[prior], self.program.params, self.data)
        return self._coordinates[key]

    def forward(self, train: Train) -> Forward:
        assert train.likelihood is not None
        return Forward(
            self.coordinates(train.prior, dict(train.options)["coordinates"]),
            self.program.likelihoods[train.likelihood],
            self.data,
        )

    def rows(self, observation: str) -> np.ndarray:
        """Rows of an observation set, (rows, *shape)."""
        if observation not in self._rows:
            self._rows[observation] = observed_rows(self.program, self.program.observations[observation], self.data)
        return self._rows[observation]

    def powers(self, posterior: Posterior, point: dict[str, float]) -> tuple[Array, ...]:
        """Every factor's power at one point of the sweeps: a scalar, or one number a row."""
        env = {name: np.float32(value) for name, value in point.items()}
        return tuple(evaluate(factor.power, {**self.data, **env}).astype(float) for factor in posterior.factors)

    def like(self, train: Train) -> Fit:
        """Structure of a fit, for reading its weights."""
        forward = self.forward(train)
        return abstract_fit(forward.m, forward.p, training_options(train), forward.coordinates.gaussian)

    def parameter_count(self, train: Train) -> int:
        forward = self.forward(train)
        return parameter_count(forward.m, forward.p, training_options(train))


def training_options(train: Train) -> TrainingOptions:
    """The options of a train block and its net, with the runtime's choice wherever the model says `auto`."""
    net = dict(train.network.options)
    given = {name: value for name, value in train.options if value != "auto"}
    known = {name: given[name] for name in given if name in TrainingOptions.__dataclass_fields__}
    architecture = Architecture(train.network.kind, net["width"], net["depth"], net["activation"])
    return TrainingOptions(architecture=architecture, **known)

"""A program with its runtime objects, each built once: coordinates, forward models, rows, training sources."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Array

from bsi.compiler.ir import Likelihood, Posterior, Prior, Program, Train
from bsi.compiler.lower.bounds import objective
from bsi.compiler.lower.coordinates import Coordinates, coordinates
from bsi.compiler.lower.expr import evaluate, table_array
from bsi.compiler.lower.forward import Forward, data_env, observed_rows
from bsi.compiler.lower.learned import Drawn, Empirical, PriorAlone, Quantised, arrays, pairs_table
from bsi.compiler.lower.python_host import HOST, Host
from bsi.runtime.nets import NETWORKS
from bsi.runtime.training import Fit, Simulator, Table, TrainingOptions, abstract_fit, parameter_count

_IMAGE_CHUNK = 50  # steps between two reports and checkpoints: a step takes a second where one on vectors takes 10 ms
_TABLE_CHUNK = 100  # and between two looks at rows kept aside: a network may have learned a table by heart in 250


class LoweredModel:
    """Runtime objects of `program`, by name. User code runs only with a `host`: without one its results are zeros."""

    def __init__(self, program: Program, host: Host | None = None):
        self.program, self.host = program, host
        self._coordinates: dict[tuple[str, str], Coordinates] = {}
        self._rows: dict[str, np.ndarray] = {}

    @cached_property
    def data(self) -> dict[str, Any]:
        return data_env(self.program) | ({HOST: self.host} if self.host else {})

    def coordinates(self, prior: str, kind: str = "rosenblatt") -> Coordinates:
        """Working coordinates of a prior; `kind` is the `coordinates` option of a train block."""
        key = (prior, kind)
        if key not in self._coordinates:
            self._coordinates[key] = self._make_coordinates(self.program.priors[prior], kind)
        return self._coordinates[key]

    def _make_coordinates(self, prior: Prior, kind: str) -> Coordinates:
        if prior.learned and prior.learned.columns:
            of_draws = Empirical if prior.learned.levels is None else Quantised
            return of_draws(prior, self.program.params, self.data, arrays(self.program, prior.learned))
        return coordinates(kind, prior, self.program.params, self.data)

    def coordinates_of(self, train: Train) -> Coordinates:
        """The working coordinates that a fit lives in."""
        return self.coordinates(train.prior, dict(train.options)["coordinates"])

    def forward(self, train: Train) -> Forward | PriorAlone:
        """Fresh simulations for a fit."""
        return self._forward(train, self.coordinates_of(train))

    def source(self, train: Train) -> Simulator | Table:
        """What a fit trains on, unless its simulations were stored: fresh simulations, pairs from a file, or the draws
        of a prior alone. Of a prior in a file with a likelihood some draws are kept aside."""
        law, _ = self.laws(train)
        space = self.coordinates_of(train)
        if law is None and isinstance(space, Drawn):
            return space.table()
        if law is not None and law.learned is not None:
            return pairs_table(self.program, law.learned, space)
        if not isinstance(space, Drawn):
            model = self._forward(train, space)
            return Simulator(model.simulate, model.m, model.p)
        own, kept = (self._forward(train, part) for part in space.parted(dict(train.options)["holdout"]))
        return Simulator(own.simulate, own.m, own.p, kept.simulate)

    def _forward(self, train: Train, space: Coordinates) -> Forward | PriorAlone:
        law, _ = self.laws(train)
        rows = dict(train.options).get("rows", 1)
        return PriorAlone(space) if law is None else Forward(space, law, self.data, rows)

    def laws(self, train: Train) -> tuple[Likelihood | None, Prior]:
        """What a fit learns: its likelihood, unless it learns a prior alone, and its prior."""
        law = None if train.likelihood is None else self.program.likelihoods[train.likelihood]
        return law, self.program.priors[train.prior]

    def seen(self, observation: str) -> np.ndarray | None:
        """1 where an entry of `rows` is observed, 0 where it is missing; None for a set without holes."""
        node = self.program.observations[observation]
        if node.missing is None:
            return None
        holes = table_array(self.program.tables[node.missing])
        return 1.0 - holes.reshape(node.rows, *self.program.likelihoods[node.likelihood].shape)

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
        return abstract_fit(forward.m, forward.p, training_options(train), self.coordinates_of(train).gaussian)

    def parameter_count(self, train: Train) -> int:
        forward = self.forward(train)
        return parameter_count(forward.m, forward.p, training_options(train))


def training_options(train: Train) -> TrainingOptions:
    """The options of a train block and its net, with the runtime's choice wherever the model says `auto`."""
    net = dict(train.network.options)
    given = {name: value for name, value in train.options if value != "auto"}
    known = {name: given[name] for name in given if name in TrainingOptions.__dataclass_fields__}
    architecture = NETWORKS[train.network.kind](**net)
    if architecture.images:
        known["chunk"] = _IMAGE_CHUNK
    elif given.get("simulations") is not None:
        known["chunk"] = _TABLE_CHUNK
    return TrainingOptions(architecture=architecture, objective=objective(train), **known)

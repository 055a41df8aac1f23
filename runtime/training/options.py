"""What a training run may be told, and what it reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.nets import AbstractArchitecture, ResMlpArchitecture, SetArchitecture
from bsi.runtime.training.objective import SCORE, AbstractObjective


@dataclass(frozen=True)
class TrainingOptions:
    """Defaults that work; they were not tuned on any benchmark.

    `patience`: steps without a better held-out loss before a run on finitely many params stops (None: never); fresh
    ones never do. `null_probability` matters only when the prior is learned too. `missing = "random"` hides entries of
    simulated rows: the fit then takes rows `(x, seen)`. So it does with `rows` above 1, where x is a set of 1 to `rows`
    rows, one after the other, and what is not there is not seen; the architecture is then a `SetArchitecture` of such
    sets.
    """

    architecture: AbstractArchitecture = field(default_factory=ResMlpArchitecture)
    objective: AbstractObjective = SCORE
    steps: int = 8_000
    batch: int = 512
    learning_rate: float = 1e-3
    warmup: int = 200
    ema: float = 0.999
    weight_decay: float = 0.0
    clip: float = 1.0
    holdout: float = 0.1
    patience: int | None = 4_000
    null_probability: float = 0.2
    missing: str | None = None
    rows: int = 1
    moment_width: int = 64
    chunk: int = 250  # steps a jitted call, and between checkpoints
    pilot: int = 2**19  # fresh simulations for the regression
    refine: int = 2**24  # and for one that the network could not improve on, so is the answer itself

    @property
    def partial(self) -> bool:
        """Whether entries of what a fit is given may be missing."""
        return self.missing is not None or self.rows > 1

    @property
    def sets(self) -> SetArchitecture | None:
        """The architecture, if rows have no order for it."""
        if isinstance(self.architecture, SetArchitecture) and not self.architecture.labels:
            return self.architecture
        assert self.rows == 1, "sets of rows have no order"
        return None

    def elements(self, p: int) -> int:
        """How many parts of a row of p entries are alike, and in no order."""
        return 1 if self.sets is None else (self.sets.row or (p,))[0]


@dataclass(frozen=True)
class Simulator:
    """`simulate(key, n) -> (z (n, m), x (n, p))`, JAX-traceable with static n.

    `held_out` is the same from params that `simulate` never draws, where their number is finite: then they can be
    learned by heart, and training keeps its best weights and stops early, as on a table.
    """

    simulate: Callable[[PRNGKeyArray, int], tuple[Float[Array, "n m"], Float[Array, "n p"]]]
    m: int
    p: int
    held_out: Callable[[PRNGKeyArray, int], tuple[Float[Array, "n m"], Float[Array, "n p"]]] | None = None


@dataclass(frozen=True)
class Table:
    """A fixed set of simulations."""

    z: np.ndarray
    x: np.ndarray

    @property
    def m(self) -> int:
        return self.z.shape[1]

    @property
    def p(self) -> int:
        return self.x.shape[1]


@runtime_checkable
class Checkpoint(Protocol):
    """Where a run keeps its state; `like` has the shapes and dtypes of what is loaded."""

    def load(self, like: Any) -> Any | None: ...

    def save(self, state: Any) -> None: ...


@dataclass(frozen=True)
class TrainingInfo:
    """Losses are (chunks, parts): score, in the objective's units, and moments where a fit has them.

    `failed` says why a run has no usable weights, or is None. `reach`: the largest sum of a row's squared features, and
    among how many simulated rows: what lies beyond was never seen."""

    train_loss: np.ndarray
    held_out_loss: np.ndarray
    steps: int
    best_step: tuple[int, ...]
    seconds: float
    simulations: int
    bad_rows: int
    gates: tuple[float, ...]
    failed: str | None = None
    reach: tuple[float, int] | None = None

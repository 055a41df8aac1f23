"""A `train ... = exact(...)` as the runtime takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bsi.compiler.ir import Train
from bsi.compiler.lower.model import LoweredModel
from bsi.runtime.exact import ExactFit, ExactOptions, abstract_exact


def exact_options(train: Train) -> ExactOptions:
    """Its options, with None wherever the model says `auto`."""
    given = {name: None if value == "auto" else value for name, value in train.options}
    return ExactOptions(given["bandwidth"], given["neighbours"], given["adjust"] == "regression")


def exact_like(lowered: LoweredModel, train: Train, info: Mapping[str, Any]) -> ExactFit:
    """Structure of a stored fit; `info` is what its job said of it."""
    forward = lowered.forward(train)
    finite, drawn = info["simulations"] - info["non_finite"], info["drawn"]
    return abstract_exact(finite, forward.m, forward.p, info["neighbours"], drawn and tuple(drawn))

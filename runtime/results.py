"""Results as an `xarray.DataTree` with ArviZ's groups and names, in NetCDF files."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

SAMPLE_DIMS = ("chain", "draw")
# Groups with sample dims.
SAMPLED = ("posterior", "sample_stats", "posterior_predictive", "log_likelihood", "log_prior", "prior")
FIXED = ("observed_data", "constant_data")


@dataclass(frozen=True)
class Variable:
    """Arguments:
    values: in a sampled group [*sweeps, chain, draw, *shape], chain = 1 for amortised draws; elsewhere [*shape].
    dims: one a trailing axis, a dim's name or its size as text; by default none has a name.
    attributes: of the variable in the file; those that are None are left out.
    each_draw: in a sampled group, whether there is a value for every draw; else values are [*sweeps, *shape].
    """

    values: np.ndarray
    dims: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    each_draw: bool = True


def build(
    groups: Mapping[str, Mapping[str, Variable]],
    *,
    sweeps: Mapping[str, Sequence[float]] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> xr.DataTree:
    """A DataTree of ArviZ groups.

    Arguments:
        groups: name of a group (`posterior`, `sample_stats`, `observed_data`, ...) -> name -> variable. Empty ones are
            left out. Variables named in `observed_data` and `constant_data` have no sweep, chain and draw axes.
        sweeps: names and values of the leading axes of sampled groups (not of `prior`, which no power changes).
        attributes: keys, seeds, versions, ...; what is no string or number is stored as JSON.

    Raises:
        ValueError: an unknown group, or a variable whose axes do not fit its dims.
    """
    sweeps = sweeps or {}
    datasets = {}
    for group, variables in groups.items():
        if group not in SAMPLED + FIXED:
            raise ValueError(f"`{group}` is not a group of ArviZ's")
        axes = {} if group in FIXED or group == "prior" else dict(sweeps)
        leading = (*axes, *(SAMPLE_DIMS if group in SAMPLED else ()))
        arrays = {
            name: _array(name, variable, leading if variable.each_draw else tuple(axes))
            for name, variable in variables.items()
        }
        if arrays:
            dataset = xr.Dataset(arrays)
            coords = {str(dim): np.arange(size) for dim, size in dataset.sizes.items() if dim not in axes}
            datasets[f"/{group}"] = dataset.assign_coords(coords | {name: np.asarray(v) for name, v in axes.items()})
    tree = xr.DataTree.from_dict(datasets)
    tree.attrs = {name: _attribute(value) for name, value in (attributes or {}).items() if value is not None}
    return tree


def write(tree: xr.DataTree, path: Path) -> None:
    """Write NetCDF-4 by h5netcdf: `path` is replaced in one step, or untouched when writing fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex[:12]}"
    try:
        tree.to_netcdf(temporary, engine="h5netcdf")
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> xr.DataTree:
    """The tree that `write` wrote, in memory: the file is closed."""
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        return tree.load()


def _array(name: str, variable: Variable, leading: tuple[str, ...]) -> xr.DataArray:
    values = np.asarray(variable.values)
    own = variable.dims or ("",) * (values.ndim - len(leading))
    if values.ndim != len(leading) + len(own):
        raise ValueError(f"`{name}` has {values.ndim} axes, expected {', '.join((*leading, *own)) or 'none'}")
    twice = {dim for dim in own if own.count(dim) > 1}  # the axes of a square matrix need names of their own
    dims = ("" if dim in twice else dim for dim in own)
    named = (*leading, *(_dim(name, dim, axis) for axis, dim in enumerate(dims)))
    attributes = {key: _attribute(value) for key, value in variable.attributes.items() if value is not None}
    return xr.DataArray(values, dims=named, attrs=attributes)


def _dim(variable: str, dim: str, axis: int) -> str:
    """ArviZ's `theta_dim_0` for a nameless axis; a dim that the user calls `chain` must not be taken for the chains."""
    if not dim or dim.isdigit():
        return f"{variable}_dim_{axis}"
    return f"{dim}_dim" if dim in SAMPLE_DIMS else dim


def _attribute(value: Any) -> str | float | int:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return json.dumps(value, sort_keys=True)
    return value

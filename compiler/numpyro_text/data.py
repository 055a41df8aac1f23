"""Data and rows as Python text: small ones in the program, large ones read from the file the model reads."""

from __future__ import annotations

import math
import os
from pathlib import PurePath
from typing import Any

from bsi.compiler.ir import Origin, Table
from bsi.compiler.numpyro_text.expressions import array_lines, literal

INLINE = 100  # numbers that may stand in the program


def table_lines(name: str, table: Table, folder: str) -> list[str]:
    """`name = ...` for a table; `folder` is the model's."""
    kind = "int" if table.integer else "float"
    if table.origin is not None and len(table.values) > INLINE:
        return [f"{name} = jnp.array({_reading(table.origin, table.shape, folder)}, {kind})"]
    numbers = [literal(int(x) if table.integer else float(x)) for x in table.values]
    if not table.shape:
        return [f"{name} = {numbers[0]}"]
    return array_lines(name, numbers, table.shape)


def same_as(table: Table, known: dict[str, Table]) -> str | None:
    """A table that is another one, or a slice of its leading axis, as that: `y`, `y[5:]`."""
    for name, other in known.items():
        size = math.prod(other.shape[1:])
        if table.shape[1:] != other.shape[1:] or table.integer != other.integer or not table.shape:
            continue
        values, whole = list(table.values), list(other.values)
        for start in range(other.shape[0] - table.shape[0] + 1):
            if values == whole[start * size : (start + table.shape[0]) * size]:
                stop = start + table.shape[0]
                ends = f"{start or ''}:{stop if stop < other.shape[0] else ''}"
                return name if ends == ":" else f"{name}[{ends}]"
    return None


def _reading(origin: Origin, shape: tuple[int, ...], folder: str) -> str:
    """What reads a file again; see `compiler.tables.read_table`."""
    path = f'HERE / "{PurePath(os.path.relpath(origin.path, folder or ".")).as_posix()}"'
    text = _READERS[PurePath(origin.path).suffix.lower()](path, origin, shape)
    return text if origin.index is None else f"{text}[{origin.index}]"


def _csv(path: str, origin: Origin, shape: tuple[int, ...]) -> str:
    names = origin.columns or ((origin.key,) if origin.key else ())
    if origin.key:
        return f'read_column({path}, "{origin.key}")'
    rows = f"read_columns({', '.join([path, *(f'{name!r}' for name in names)])})"
    one_column = len(shape) == 1 and origin.index is None
    return f"sum({rows}, [])" if one_column else rows


def _json(path: str, origin: Origin, shape: tuple[int, ...]) -> str:
    parts = origin.key.split(".") if origin.key else []
    return f"json.loads(({path}).read_text())" + "".join(f'["{part}"]' for part in parts)


def _npz(path: str, origin: Origin, shape: tuple[int, ...]) -> str:
    return f'np.load({path})["{origin.key}"]' if origin.key else f"next(iter(np.load({path}).values()))"


_READERS: dict[str, Any] = {
    ".csv": _csv,
    ".json": _json,
    ".npz": _npz,
    ".npy": lambda path, origin, shape: f"np.load({path})",
}

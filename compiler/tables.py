"""Data files with the standard library alone: csv, json, npy and npz.

A csv has a header line; lines that start with `#` are comments. A json is read along a dotted `key`. Arrays are
little-endian float32, float64, signed or unsigned integers, or bool, in C or Fortran order. With `holes`, a missing
entry (an empty csv field or one of `HOLES`, a json `null`, a NaN) is read as NaN; without, it is refused.
"""

from __future__ import annotations

import array
import ast as python
import csv
import json
import math
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

from bsi.compiler.ir import Table
from bsi.compiler.report import counted, listed, suggest

LARGEST = 1_000_000_000  # bytes: these readers hold every number as a Python object while they read
FORMATS = (".csv", ".json", ".npy", ".npz")
HOLES = frozenset({"", "na", "n/a", "nan", "null", "none", "."})  # in lower case: what R, pandas and Stata write


class TableError(Exception):
    """Why a table cannot be read: a diagnostic's code and message, the `file(...)` argument to point at, and the name
    that may have been meant there."""

    def __init__(
        self, code: str, message: str, argument: str = "path", help: str | None = None, near: str | None = None
    ):
        super().__init__(message)
        self.code, self.message, self.argument, self.near = code, message, argument, near
        self.help = f"did you mean `{near}`?" if near else help


def read_table(
    path: Path,
    *,
    key: str | None = None,
    columns: tuple[str, ...] | None = None,
    index: int | None = None,
    holes: bool = False,
) -> Table:
    """The numbers in `path`: `key` or `columns` pick what, `index` one entry of the leading axis; `holes`, see above.

    Raises: TableError.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        name = path.name or str(path)
        raise TableError("E0603", f"`{name}` has no known format", help=f"formats are {listed(FORMATS)}")
    if columns is not None and suffix != ".csv":
        raise TableError("E0608", "only a csv has columns", "columns", "use `key`")
    try:
        size = path.stat().st_size
        if size > LARGEST:
            message = f"`{path.name}` has {size / 1e9:.1f} GB, and more than {LARGEST / 1e9:.0f} GB are not read"
            raise TableError("E0628", message, help="keep the part that the model uses in a file of its own")
        content = path.read_bytes()
    except FileNotFoundError:
        near = suggest(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else None
        help = "paths are relative to the .bsi file"
        raise TableError("E0601", f"there is no file `{path.name}` here", help=help, near=near) from None
    except OSError as error:
        raise TableError("E0601", f"`{path.name}` cannot be read: {error.strerror}") from None
    if suffix == ".csv":
        table = _csv(_text(path, content), path.name, (key,) if key else columns, key is not None, holes)
    elif suffix == ".json":
        table = _json(_text(path, content), path.name, key, holes)
    elif suffix == ".npz":
        table = _npz(path, key)
    else:
        if key is not None:
            raise TableError("E0608", "an npy file holds one array and has no keys", "key")
        table = _npy(content, path.name)
    return _checked(table if index is None else _entry(table, index), path.name, holes)


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TableError("E0603", f"`{path.name}` is not text") from None


def _entry(table: Table, index: int) -> Table:
    if not table.shape or not 0 <= index < table.shape[0]:
        n = table.shape[0] if table.shape else 0
        raise TableError("E0609", f"index {index} is out of range: there are {n} entries, counted from 0", "index")
    size = math.prod(table.shape[1:])
    return Table(table.shape[1:], table.values[index * size : (index + 1) * size], table.integer)


def _checked(table: Table, name: str, holes: bool) -> Table:
    if math.prod(table.shape) == 0:
        raise TableError("E0605", f"`{name}` holds no values here")
    # a sum that is finite has finite terms, and takes a tenth of the time of looking at each
    if not table.integer and not math.isfinite(sum(table.values)):
        wrong = math.isinf if holes else lambda x: not math.isfinite(x)
        bad = next((i for i, x in enumerate(table.values) if wrong(x)), None)
        if bad is not None:
            place = []
            for size in reversed(table.shape):
                bad, k = divmod(bad, size)
                place.insert(0, str(k))
            raise TableError("E0604", f"entry [{', '.join(place)}] of `{name}` is not a finite number", "key")
    return table


# ---------------------------------------------------------------- csv

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "`|`"}


def _csv(text: str, name: str, columns: tuple[str, ...] | None, single: bool, holes: bool) -> Table:
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    if not lines:
        raise TableError("E0605", f"`{name}` is empty")
    rows = list(csv.reader((line for _, line in lines), skipinitialspace=True))
    header = [title.strip() for title in rows[0]]
    chosen = tuple(header) if columns is None else columns
    for column in chosen:
        if column not in header:
            near = suggest(column, header)
            argument, help = "key" if single else "columns", f"columns are {listed(header)}"
            if len(header) == 1 and (separator := next((c for c in ";\t|" if c in header[0]), None)):
                help = f"fields are separated by commas in a csv, not by {_SEPARATORS[separator]}"
            raise TableError("E0602", f"`{name}` has no column `{column}`", argument, help, near)
        if header.count(column) > 1:
            raise TableError(
                "E0602",
                f"`{name}` has {header.count(column)} columns called `{column}`",
                "key" if single else "columns",
            )
    if columns is None and all(_is_number(title) for title in header):
        raise TableError(
            "E0603",
            f"the first line of `{name}` holds numbers",
            help="a csv starts with a line of names of its columns",
        )
    places = [header.index(column) for column in chosen]
    values: list[Any] = []
    for (line, _), row in zip(lines[1:], rows[1:], strict=True):
        if len(row) != len(header):
            raise TableError(
                "E0603", f"line {line} of `{name}` has {counted(len(row), 'field')}, but the header has {len(header)}"
            )
        for place in places:
            field = row[place].strip()
            where = f"line {line}, column `{header[place]}` of `{name}`"
            values.append(math.nan if holes and field.lower() in HOLES else _number(field, where))
    n = len(rows) - 1
    shape = (n,) if len(places) == 1 and (single or columns is None) else (n, len(places))
    return _table(shape, values)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(text: str, where: str) -> int | float:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    shown = f"`{text}`" if text else "nothing"
    raise TableError("E0604", f"{where} holds {shown}, not a number", "key")


def _table(shape: tuple[int, ...], values: list[Any]) -> Table:
    integer = bool(values) and all(isinstance(x, int) for x in values)
    if integer and any(not -(2**63) <= x < 2**63 for x in values):
        integer = False
    return Table(shape, array.array("q" if integer else "d", values), integer)


# ---------------------------------------------------------------- json


def _json(text: str, name: str, key: str | None, holes: bool) -> Table:
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        where = f": line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise TableError("E0603", f"`{name}` is not valid json{where}") from None
    for part in key.split(".") if key else ():
        if not isinstance(value, dict) or part not in value:
            known = sorted(value) if isinstance(value, dict) else []
            near = suggest(part, known)
            help = f"keys are {listed(known)}" if known else None
            raise TableError("E0602", f"`{name}` has no key `{part}`", "key", help, near)
        value = value[part]
    if isinstance(value, dict):
        raise TableError(
            "E0602", f"`{name}` holds several values", "key", f"pick one with `key`: {listed(value, 'or')}"
        )
    shape: list[int] = []
    probe = value
    while isinstance(probe, list):
        shape.append(len(probe))
        probe = probe[0] if probe else None
    return _table(tuple(shape), _entries(value, tuple(shape), name, holes))


def _entries(value: Any, shape: tuple[int, ...], name: str, holes: bool) -> list[Any]:
    if shape:
        if not isinstance(value, list) or len(value) != shape[0]:
            raise TableError("E0603", f"the rows of `{name}` have different lengths", "key")
        return [entry for item in value for entry in _entries(item, shape[1:], name, holes)]
    if isinstance(value, list):
        raise TableError("E0603", f"the rows of `{name}` have different depths", "key")
    if isinstance(value, bool):
        return [int(value)]
    if value is None and holes:
        return [math.nan]
    if not isinstance(value, int | float):
        raise TableError("E0604", f"`{name}` holds {json.dumps(value)} where a number should be", "key")
    return [value]


# ---------------------------------------------------------------- npy and npz

_CODES = {"f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "b1": "?"}


def _npz(path: Path, key: str | None) -> Table:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member.removesuffix(".npy") for member in archive.namelist()]
            if key is None and len(members) != 1:
                raise TableError(
                    "E0602", f"`{path.name}` holds several arrays", help=f"pick one with `key`: {listed(members, 'or')}"
                )
            chosen = key if key is not None else members[0]
            if chosen not in members:
                near = suggest(chosen, members)
                help = f"arrays are {listed(members)}"
                raise TableError("E0602", f"`{path.name}` has no array `{chosen}`", "key", help, near)
            return _npy(archive.read(f"{chosen}.npy"), path.name)
    except (zipfile.BadZipFile, EOFError, NotImplementedError):
        raise TableError("E0603", f"`{path.name}` is not an npz archive") from None


def _npy(content: bytes, name: str) -> Table:
    """The npy format, versions 1 to 3: magic, version, header length, a Python dict as text, the entries."""
    damaged = TableError("E0603", f"`{name}` is not a readable npy array")
    if content[:6] != b"\x93NUMPY" or len(content) < 12:
        raise damaged
    wide = content[6] > 1
    start = 12 if wide else 10
    (length,) = struct.unpack_from("<I" if wide else "<H", content, 8)
    try:
        header = python.literal_eval(content[start : start + length].decode("utf-8" if content[6] > 2 else "latin1"))
        kind, fortran, shape = header["descr"], header["fortran_order"], tuple(header["shape"])
    except (ValueError, SyntaxError, KeyError, TypeError):
        raise damaged from None
    code = _CODES.get(str(kind)[1:])
    if code is None or str(kind)[0] not in "<|=":
        help = "save little-endian numbers: `array.astype('<f8')`"
        raise TableError("E0603", f"`{name}` holds entries of type `{kind}`, which cannot be read", "key", help)
    count = math.prod(shape)
    values = array.array("B" if code == "?" else code)
    entries = content[start + length : start + length + count * values.itemsize]
    if len(entries) < count * values.itemsize:
        raise TableError("E0603", f"`{name}` ends before its {count} entries do")
    values.frombytes(entries)
    if sys.byteorder == "big":
        values.byteswap()
    integer = code not in "fd"
    in_order = _from_fortran(values, shape) if fortran and len(shape) > 1 else values
    return Table(shape, array.array("q" if integer else "d", in_order), integer)


def _from_fortran(values: array.array[Any], shape: tuple[int, ...]) -> list[Any]:
    """Column-major entries in row-major order."""
    places = [0]
    stride = math.prod(shape)
    for size in reversed(shape):
        stride //= size or 1
        places = [k * stride + place for k in range(size) for place in places]
    return [values[place] for place in places]

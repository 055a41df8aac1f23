"""Data files, read with the standard library and compared with NumPy's reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bsi.compiler.ir import Table
from bsi.compiler.tables import TableError, read_table


def values(table: Table) -> np.ndarray:
    return np.array(table.values).reshape(table.shape)


@pytest.mark.parametrize("kind", ["<f4", "<f8", "<i4", "<i8", "|i1", "|u1", "|b1"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(), (5,), (3, 2), (2, 3, 4)])
def test_npy(tmp_path: Path, kind: str, order: Any, shape: tuple[int, ...]) -> None:
    array = np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(kind), order=order)
    np.save(tmp_path / "a.npy", array)
    table = read_table(tmp_path / "a.npy")
    assert table.shape == shape and table.integer == (array.dtype.kind != "f")
    np.testing.assert_array_equal(values(table), array.astype(float))


def test_npz_key_and_index(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(4, 3))
    np.savez_compressed(tmp_path / "a.npz", x=x, y=np.zeros(2))
    np.testing.assert_array_equal(values(read_table(tmp_path / "a.npz", key="x", index=2)), x[2])


def test_csv(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("# source: made up\ny, n\n1,10\n\n2.5,20\n# end\n")
    np.testing.assert_array_equal(values(read_table(tmp_path / "a.csv")), [[1, 10], [2.5, 20]])
    assert read_table(tmp_path / "a.csv", key="n") == Table((2,), read_table(tmp_path / "a.csv", key="n").values, True)
    assert read_table(tmp_path / "a.csv", columns=("n", "y")).shape == (2, 2)
    assert read_table(tmp_path / "a.csv", columns=("y",)).shape == (2, 1)


def test_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"deep": {"m": [[1, 2, 3], [4, 5, 6]]}, "s": 1.5}))
    assert read_table(tmp_path / "a.json", key="deep.m").shape == (2, 3)
    assert read_table(tmp_path / "a.json", key="s").shape == ()


BAD: dict[str, tuple[str, bytes, dict[str, Any], str, str]] = {
    "missing key": ("a.json", b'{"y": [1]}', {"key": "z"}, "E0602", "key"),
    "key of a list": ("a.json", b"[1]", {"key": "z"}, "E0602", "key"),
    "several values": ("a.json", b'{"y": [1]}', {}, "E0602", "key"),
    "not json": ("a.json", b"{", {}, "E0603", "path"),
    "ragged": ("a.json", b"[[1, 2], [3]]", {}, "E0603", "key"),
    "uneven depth": ("a.json", b"[1, [3]]", {}, "E0603", "key"),
    "text in json": ("a.json", b'["a"]', {}, "E0604", "key"),
    "null in json": ("a.json", b"[1, null]", {}, "E0604", "key"),
    "NaN in json": ("a.json", b"[1, NaN]", {}, "E0604", "key"),
    "empty list": ("a.json", b"[]", {}, "E0605", "path"),
    "not text": ("a.json", b"\xff\xfe\x00", {}, "E0603", "path"),
    "column": ("a.csv", b"y\n1\n", {"key": "z"}, "E0602", "key"),
    "columns": ("a.csv", b"y\n1\n", {"columns": ("z",)}, "E0602", "columns"),
    "short line": ("a.csv", b"y,z\n1\n", {}, "E0603", "path"),
    "empty field": ("a.csv", b"y,z\n1,\n", {}, "E0604", "key"),
    "nan in csv": ("a.csv", b"y\nnan\n", {}, "E0604", "key"),
    "header only": ("a.csv", b"y\n", {}, "E0605", "path"),
    "nothing": ("a.csv", b"", {}, "E0605", "path"),
    "not npy": ("a.npy", b"1,2,3", {}, "E0603", "path"),
    "cut npy": ("a.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f8',", {}, "E0603", "path"),
    "not npz": ("a.npz", b"PK\x03\x04 broken", {}, "E0603", "path"),
    "format": ("a.xls", b"", {}, "E0603", "path"),
    "index": ("a.json", b"[1, 2]", {"index": 2}, "E0609", "index"),
    "columns of json": ("a.json", b"[1]", {"columns": ("a",)}, "E0608", "columns"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files(tmp_path: Path, case: str) -> None:
    name, content, arguments, code, argument = BAD[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError) as caught:
        read_table(tmp_path / name, **arguments)
    assert (caught.value.code, caught.value.argument) == (code, argument)


def test_missing_file_suggests_a_near_one(tmp_path: Path) -> None:
    (tmp_path / "schools.json").write_text("[1]")
    with pytest.raises(TableError) as caught:
        read_table(tmp_path / "school.json")
    assert caught.value.code == "E0601" and caught.value.help == "did you mean `schools.json`?"
    with pytest.raises(TableError):
        read_table(tmp_path)


@pytest.mark.parametrize("kind", [">f8", "<c16", "<U3", "O"])
def test_types_that_are_refused(tmp_path: Path, kind: str) -> None:
    np.save(tmp_path / "a.npy", np.zeros(2, dtype=kind), allow_pickle=True)
    with pytest.raises(TableError) as caught:
        read_table(tmp_path / "a.npy")
    assert caught.value.code == "E0603"


@pytest.mark.parametrize("cut", [3, 9, 40, 130])
def test_cut_npy_files(tmp_path: Path, cut: int) -> None:
    np.save(tmp_path / "a.npy", np.zeros(10))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:cut])
    with pytest.raises(TableError) as caught:
        read_table(tmp_path / "a.npy")
    assert caught.value.code == "E0603"


def test_quoted_fields_and_wide_tables(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(300)]
    rows = np.arange(900).reshape(3, 300)
    text = ",".join(["place", *names]) + "\n"
    text += "".join(f'"{i}, at ""home""",{",".join(map(str, row))}\n' for i, row in enumerate(rows))
    (tmp_path / "wide.csv").write_text(text)
    table = read_table(tmp_path / "wide.csv", columns=("c299", "c0", "c7"))
    np.testing.assert_array_equal(values(table), rows[:, [299, 0, 7]])
    np.testing.assert_array_equal(
        values(read_table(tmp_path / "wide.csv", columns=("c1", "c2"), index=1)), rows[1, 1:3]
    )
    (tmp_path / "quoted.csv").write_text('"a, b","c"\n"1.5","2"\n')
    assert values(read_table(tmp_path / "quoted.csv", key="a, b")).tolist() == [1.5]


HOLES: dict[str, tuple[str, bytes]] = {
    "csv": ("a.csv", b'y,z\n1,\nNA,n/a\n"",2\n.,NaN\n'),
    "json": ("a.json", b"[[1, null], [null, NaN], [null, 2], [NaN, null]]"),
}


@pytest.mark.parametrize("case", HOLES)
def test_missing_entries(tmp_path: Path, case: str) -> None:
    name, content = HOLES[case]
    (tmp_path / name).write_bytes(content)
    nan = float("nan")
    np.testing.assert_array_equal(
        values(read_table(tmp_path / name, holes=True)), [[1, nan], [nan, nan], [nan, 2], [nan, nan]]
    )
    with pytest.raises(TableError, match=r"where a number should be|not a number") as refused:
        read_table(tmp_path / name)
    assert refused.value.code == "E0604"


def test_an_infinite_entry_is_never_missing(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([1.0, np.nan, np.inf]))
    with pytest.raises(TableError, match="not a finite number"):
        read_table(tmp_path / "a.npy", holes=True)


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    with open(tmp_path / "a.csv", "wb") as file:
        file.truncate(1_500_000_000)  # sparse: takes no room
    with pytest.raises(TableError, match=r"has 1.5 GB") as refused:
        read_table(tmp_path / "a.csv")
    assert refused.value.code == "E0628"

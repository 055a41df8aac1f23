"""The published tables are those of the code."""

import re

import pytest

from bsi.compiler.functions import CALLABLE
from bsi.compiler.laws import LAWS
from bsi.compiler.options import BLOCKS
from bsi.compiler.tables_markdown import README, TABLES, updated


def test_the_published_tables_are_up_to_date() -> None:
    text = README.read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- generated: (\w+) -->", text)) == set(TABLES)
    assert updated(text) == text, "run `python -m bsi.compiler.tables_markdown`"


def test_nothing_is_missing_from_the_tables() -> None:
    text = {name: table() for name, table in TABLES.items()}
    assert all(f"`{law}(" in text["laws"] for law in LAWS)
    assert all(f"`{function}(" in text["functions"] for function in CALLABLE)
    assert all(f"**{noun} `{kind}`**" in text["options"] for noun, kind in BLOCKS)


@pytest.mark.parametrize(
    "table, row",
    [
        ("laws", "| `normal(loc = 0, scale = 1)` | `scale` > 0 | real |"),
        ("laws", "| `truncated(LAW, lower = -inf, upper = inf)` |  | between the bounds |"),
        ("laws", "| `mixture(weights, LAW, ...)` | `weights[k]` non-negative with sum 1 | those of the laws |"),
        ("functions", "| `atan2(a, b)` |"),
        ("options", "| `simulations` | `fresh` | int ≥ 2 or `fresh` |"),
        ("options", "| `target_accept` | `0.8` | real in (0, 1) |"),
    ],
)
def test_rows_read_as_a_model_is_written(table: str, row: str) -> None:
    assert row in TABLES[table]()


def test_a_stale_table_is_written_anew() -> None:
    stale = "before\n<!-- generated: laws -->\nold\n<!-- end -->\nafter\n"
    assert updated(stale) == f"before\n<!-- generated: laws -->\n{TABLES['laws']()}<!-- end -->\nafter\n"

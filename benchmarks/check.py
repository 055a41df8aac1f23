"""`bsi check`, cold: a new process, a 40-line model."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure

MODEL = Path(__file__).parents[1] / "examples" / "eight_schools" / "eight_schools.bsi"


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def measure() -> Iterator[Figure]:
    bsi = str(Path(sys.executable).parent / "bsi")
    yield Figure("`bsi check` cold, 40 lines", [seconds([bsi, "check", str(MODEL)]) for _ in range(7)], "≤ 0.3 s", "s")

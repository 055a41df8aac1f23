"""`python -m benchmarks [NAME ...]`; without names, all of them (about an hour on two cores)."""

from __future__ import annotations

import datetime
import importlib
import platform
import sys

import jax

from benchmarks.figure import HEADER

NAMES = ("check", "mutants", "two_moons", "eight_schools", "gaussian_tall", "work_precision")


def main() -> None:
    wanted = sys.argv[1:] or list(NAMES)
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        raise SystemExit(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    device = jax.devices()[0]
    print(f"{datetime.date.today()}, {device.device_kind}, {platform.machine()}, jax {jax.__version__}\n\n{HEADER}")
    for name in wanted:
        for figure in importlib.import_module(f"benchmarks.{name}").measure():
            print(figure.row(), flush=True)


if __name__ == "__main__":
    main()

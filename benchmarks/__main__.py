"""`python -m benchmarks [NAME ...] [--data DIR]`; without names, all of them (about an hour on two cores)."""

from __future__ import annotations

import argparse
import datetime
import importlib
import os
import platform

import jax

from benchmarks.figure import HEADER

NAMES = (
    "check",
    "mutants",
    "two_moons",
    "eight_schools",
    "gaussian_tall",
    "work_precision",
    "posteriordb",
    "sbibm",
    "tall",
    "tall_tasks",
    "bsi_bounds",
    "digits",
    "exact_scores",
    "sweep",
    "power",
    "sensitivity",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--data", metavar="DIR", help="where posteriordb's draws and data are")
    given = parser.parse_args()
    if given.data:
        os.environ["BSI_POSTERIORDB"] = given.data
    wanted = given.names or [name for name in NAMES if name != "posteriordb" or "BSI_POSTERIORDB" in os.environ]
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

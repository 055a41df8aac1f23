"""A model small enough to run in a second, and the command line in this process or in another."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from bsi.cli import app

ROOT = Path(__file__).parents[2]

TINY = """bsi 1

# A mean with a known error.

param mu : real

prior p(mu) = normal(0, 1)
likelihood f(x : real | mu) = normal(mu, 0.5)

observe obs : f[3] = [0.1, 0.4, 0.2]

posterior post(mu) = p(mu) * f(obs | mu)

net tiny = mlp { width = 8, depth = 1 }
train fit = score(p, f) { network = tiny, steps = 20, batch = 32, seed = 1 }

sample ref = nuts(post) { chains = 2, warmup = 300, draws = 500, seed = 3 }
sample ode = ddim(post, fit) { draws = 200, steps = 10, seed = 2 }

check mean_error(ode, ref) < 0.5
"""


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str


def cli(*arguments: str | Path) -> Result:
    """`bsi ARGUMENTS` in this process; what is no exit is raised."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    return Result(done.exit_code, done.stdout, done.stderr)


def start(*arguments: str) -> subprocess.Popen[str]:
    """`bsi ARGUMENTS` as a process of its own, in the current folder and with the same store.

    It hears SIGINT, also where these tests run in the background of a script, which makes processes deaf to it.
    """
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom bsi.cli import main; main()"
    )
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, env={**os.environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def edit(text: str, *changes: tuple[str, str]) -> str:
    """`text` with every `(old, new)` applied; an `old` that is not there is an error of the test."""
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def write(name: str, text: str) -> Path:
    """A file in the current folder."""
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def results(folder: str) -> dict:
    """checks.json of a run's folder."""
    return json.loads((Path(folder) / "checks.json").read_text())


def reused(folder: str) -> dict[str, bool]:
    """For every job of a run, whether its result came from the store."""
    return {job["name"]: job["reused"] for job in results(folder)["jobs"]}

"""Runs emitted programs where `bsi` cannot be imported: prints their log densities as JSON.

Reads a list of [program's path, [[posterior, powers, points], ...]] from the file it is given.
"""

import importlib.util
import json
import sys
from pathlib import Path

for name in ("bsi", "compiler", "runtime", "dsl"):
    sys.modules[name] = None  # importing it raises ImportError

import jax  # noqa: E402
import numpy as np  # noqa: E402
from numpyro.infer.util import log_density  # noqa: E402


def load(path: str):
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def densities(path: str, wanted: list) -> list:
    module = load(path)
    found = []
    for posterior, powers, points in wanted:
        model = getattr(module, posterior)
        arrays = {name: np.array(value) for name, value in points.items()}
        found.append(jax.jit(jax.vmap(lambda z, m=model, p=powers: log_density(m, (), p, z)[0]))(arrays).tolist())
    return found


if __name__ == "__main__":
    programs = json.loads(Path(sys.argv[1]).read_text())
    sys.stdout.write(json.dumps([densities(path, wanted) for path, wanted in programs]))

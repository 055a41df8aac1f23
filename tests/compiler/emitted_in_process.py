"""Runs emitted programs where `bsi` cannot be imported, and prints JSON: log densities, and what `main` printed.

Reads {"densities": [[program, [[posterior, powers, points], ...]], ...], "main": program or null} from a file.
"""

import contextlib
import importlib.util
import io
import json
import sys
from functools import partial
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
        arrays = {name: np.array(value) for name, value in points.items()}
        found.append(density(getattr(module, posterior), powers, arrays).tolist())
    return found


@partial(jax.jit, static_argnames="model")
def density(model, powers: dict, points: dict) -> jax.Array:
    return jax.vmap(lambda z: log_density(model, (), powers, z)[0])(points)


def printed(path: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        load(path).main()
    return out.getvalue()


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[1]).read_text())
    found = [densities(path, wanted) for path, wanted in asked["densities"]]
    sys.stdout.write(json.dumps({"densities": found, "printed": printed(asked["main"]) if asked["main"] else ""}))

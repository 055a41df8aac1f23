"""Emitted NumPyro programs: run without this package, they have the density of the lowered model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.random as jr
import numpy as np
import pytest
from numpyro.handlers import seed, trace
from numpyro.infer.util import log_density

from bsi.api import check_file
from bsi.compiler.ir import Program
from bsi.compiler.lower.expr import table_array
from bsi.compiler.lower.model import LoweredModel
from bsi.compiler.lower.numpyro_model import numpyro_model
from bsi.compiler.numpyro_text import obstacles, program_text

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
DRAWS = 5
MODELS = sorted([*(ROOT / "examples").glob("*/*.bsi"), *(ROOT / "tests/golden/good").glob("*.bsi")])


@cache
def program_of(path: Path) -> Program:
    program = check_file(path, {}).program
    assert program is not None
    return program


def explicit(path: Path) -> bool:
    program = program_of(path)
    return any(not obstacles(program, posterior) for posterior in program.posteriors.values())


EXPLICIT = [path for path in MODELS if explicit(path)]


def points(program: Program) -> list[tuple[str, dict[str, float], dict[str, Any], list[float]]]:
    """For every posterior with a density, and the first and last point of every sweep: its powers, `DRAWS` draws from
    the prior (non-centred sites included) and their log densities by the lowered model, in double precision."""
    found = []
    model = LoweredModel(program)
    rows = {name: model.rows(name) for name in program.observations}  # simulated ones in single precision
    seen = {name: mask for name in rows if (mask := model.seen(name)) is not None}
    with jax.enable_x64(True):
        data = {name: table_array(program.tables[node.digest]) for name, node in program.data.items()}
        for posterior in program.posteriors.values():
            if obstacles(program, posterior):
                continue
            lowered = numpyro_model(program, posterior, data, rows, seen)
            ends = [{name: sweep.values[end] for name, sweep in program.sweeps.items()} for end in (0, -1)]
            for point in ends[: 2 if program.sweeps else 1]:
                powers = tuple(np.float64(power) for power in model.powers(posterior, point))
                stacked = latent(lowered, powers)
                density = jax.jit(jax.vmap(lambda z, m=lowered, p=powers: log_density(m, (p,), {}, z)[0]))(stacked)
                found.append((posterior.name, used(program, posterior, point), stacked, density.tolist()))
    return found


def used(program: Program, posterior: Any, point: dict[str, float]) -> dict[str, float]:
    from bsi.compiler.fold import references

    names = set().union(*(references(factor.power) for factor in posterior.factors))
    return {f"{name}_" if name == "lambda" else name: value for name, value in point.items() if name in names}


def latent(model: Any, powers: Any) -> dict[str, jax.Array]:
    """Draws from the prior, by site."""

    def one(key: jax.Array) -> dict[str, jax.Array]:
        sites = trace(seed(model, key)).get_trace(powers)
        return {n: s["value"] for n, s in sites.items() if s["type"] == "sample" and not s["is_observed"]}

    return jax.jit(jax.vmap(one))(jr.split(jr.key(1), DRAWS))


def test_programs_have_the_density_of_the_lowered_model(tmp_path: Path) -> None:
    """All in one process of their own, where this package cannot be imported."""
    wanted, expected = [], []
    for path in EXPLICIT:
        program = program_of(path)
        # Beside the model, because it may read the same data; under another name, because the folder is shared.
        folder = tmp_path / path.parent.name
        if not folder.exists():
            folder.mkdir()
            for file in path.parent.iterdir():
                if file.is_file():
                    (folder / file.name).symlink_to(file)
        (folder / f"{path.stem}.py").write_text(program_text(program))
        cases = points(program)
        arrays = [{name: value.tolist() for name, value in case[2].items()} for case in cases]
        wanted.append([str(folder / f"{path.stem}.py"), [(c[0], c[1], z) for c, z in zip(cases, arrays, strict=True)]])
        expected.append([case[3] for case in cases])
    (tmp_path / "wanted.json").write_text(json.dumps(wanted))
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-W", "error", str(HERE / "densities_in_process.py"), str(tmp_path / "wanted.json")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    for (path, _), found, right in zip(wanted, json.loads(done.stdout), expected, strict=True):
        for got, want in zip(found, right, strict=True):
            assert np.isfinite(want).all(), path
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5, err_msg=path)


@pytest.mark.parametrize("path", EXPLICIT, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_programs_are_formatted(path: Path) -> None:
    text = program_text(program_of(path))
    compile(text, path.stem, "exec")
    assert max(map(len, text.splitlines())) <= 120

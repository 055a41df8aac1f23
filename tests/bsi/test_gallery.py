"""Models that others wrote, in the language: checked, laid out, and with the density that SciPy gives them."""

import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from numpyro.handlers import seed, substitute, trace
from numpyro.infer import init_to_uniform

from benchmarks.posteriordb import FOLDER, POSTERIORS, Posterior, compare
from bsi.api import check_file
from bsi.compiler.ir import Program
from bsi.compiler.lower.expr import evaluate, table_array
from bsi.compiler.lower.model import LoweredModel
from bsi.compiler.lower.numpyro_model import numpyro_model
from bsi.compiler.numpyro_text.posteriors import reparametrisation
from bsi.compiler.simulator_calls import simulators_in
from bsi.dsl.format import format_source
from tests.bsi.gallery_densities import GALLERY
from tests.bsi.helpers import ROOT

MODELS = sorted((ROOT / "examples" / "gallery").glob("*.bsi"))
DRAWS = 3


def test_every_model_has_a_second_density() -> None:
    assert [path.stem for path in MODELS] == sorted(GALLERY) and len(MODELS) >= 15


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_model_is_clean_and_laid_out(path: Path) -> None:
    checked = check_file(path)
    assert checked.source is not None and checked.diagnostics == []
    assert format_source(checked.source)[0] == checked.source.text


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_model_has_the_density_that_scipy_gives_it(path: Path) -> None:
    """In float64, at points where chains start; gradients are finite there."""
    program = check_file(path).program
    assert program is not None
    lowered, posterior = LoweredModel(program), program.posteriors["post"]
    rows = {name: lowered.rows(name) for name in program.observations}
    with jax.enable_x64(True):
        data = {name: table_array(program.tables[node.digest]) for name, node in program.data.items()}
        centred = dict(program.samples["ref"].options)["centred"]
        model = numpyro_model(program, posterior, data, rows, centred=centred)
        powers = tuple(jnp.ones(()) for _ in posterior.factors)

        def sites(key: jax.Array) -> dict[str, jax.Array]:
            start = substitute(seed(model, key), substitute_fn=init_to_uniform(radius=1))
            found = trace(start).get_trace(powers)
            return {n: s["value"] for n, s in found.items() if s["type"] == "sample" and not s["is_observed"]}

        def density(latent: dict[str, jax.Array]) -> tuple[jax.Array, dict[str, jax.Array]]:
            """Log density by the params, and the params: those that are non-centred are functions of their sites."""
            found = trace(substitute(seed(model, jr.key(0)), latent)).get_trace(powers)
            total = sum(jnp.sum(s["fn"].log_prob(s["value"])) for s in found.values() if s["type"] == "sample")
            params = {name: found[name]["value"] for name in posterior.params}
            return jnp.asarray(total), params

        @jax.jit
        def everything(keys: jax.Array) -> Any:
            return jax.vmap(jax.value_and_grad(density, has_aux=True))(jax.vmap(sites)(keys))

        (got, params), gradient = everything(jr.split(jr.key(3), DRAWS))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient)), path.stem
    for k in range(DRAWS):
        point = {name: np.asarray(value[k]) for name, value in params.items()}
        tolerance = 1e-3 if simulators_in(program.likelihoods["f"]) else 1e-6  # that of a solver
        expected = GALLERY[path.stem](**point) + log_scales(program, point, centred)
        assert np.isclose(got[k], expected, rtol=tolerance, atol=1e-6), path.stem


def log_scales(program: Program, point: dict[str, np.ndarray], centred: bool) -> float:
    """Log Jacobian of the non-centred params at a point: they are `loc + scale * site`."""
    draws = [
        draw for prior in program.priors.values() for draw in prior.draws if reparametrisation(draw, program, centred)
    ]
    scales = ((draw, np.asarray(evaluate(dict(draw.law.arguments)["scale"], point))) for draw in draws)
    return sum(float(np.sum(np.log(np.broadcast_to(scale, draw.law.shape)))) for draw, scale in scales)


@pytest.mark.slow
@pytest.mark.skipif(FOLDER not in os.environ, reason=f"{FOLDER} names no folder of posteriordb's reference draws")
@pytest.mark.parametrize("posterior", POSTERIORS, ids=lambda posterior: posterior.name)
def test_nuts_agrees_with_posteriordb(posterior: Posterior) -> None:
    """4 x 2 500 draws against 10 x 1 000: standard errors are about .015 sd, so a gate of .15 is ten of them."""
    found = compare(posterior, Path(os.environ[FOLDER]))
    assert found.mean_error <= 0.15
    assert found.ratios[0] >= 0.9 and found.ratios[1] <= 1.1

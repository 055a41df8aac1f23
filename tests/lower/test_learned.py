"""Laws known by draws: coordinates, composition with a learned prior, pairs, generation; all against closed forms."""

import json

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats as st

from bsi.compiler.analyse import compile_source
from bsi.compiler.lower.composed import ComposedPosterior, NoScore
from bsi.compiler.lower.learned import Empirical
from bsi.compiler.lower.model import LoweredModel, training_options
from bsi.dsl.span import Source
from bsi.runtime.samplers import DpmSolverPP
from bsi.runtime.training import Table, train

ROWS, DRAWS, NOISE = 4_000, 8_000, 0.7
MEAN, COVARIANCE = np.array([1.0, -2.0]), np.array([[1.0, 1.2], [1.2, 4.0]])  # correlation 0.6, far from unit scale
PRIOR = np.random.default_rng(0).multivariate_normal(MEAN, COVARIANCE, ROWS)
X = np.random.default_rng(1).normal([0.5, -1.0], 1.0, (5, 2))

MODEL = """bsi 1
param theta : real[2]
prior p(theta) = learned file("prior.json")
likelihood f(x : real[2] | theta) = normal(theta, 0.7)
observe one : f = {one}
observe five : f[5] = {five}
sweep b in [0.5, 1, 2]
posterior single(theta) = p(theta) * f(one | theta)
posterior tall(theta) = p(theta) * f(five | theta)^b
posterior tempered(theta) = p(theta)^b * f(five | theta)
train fit = score(p, f) {{ steps = 64, batch = 512, seed = 1 }}
sample s = dpmpp(single, fit)
sample t = dpmpp(tall, fit)
sample u = dpmpp(tempered, fit)  # bsi: allow W0430
"""


def compiled(folder, text, **files):
    for name, values in files.items():
        (folder / f"{name}.json").write_text(json.dumps(values))
    program, diagnostics = compile_source(Source(str(folder / "m.bsi"), text))
    assert program is not None and not diagnostics, [(d.code, d.message) for d in diagnostics]
    return program


def trained(model, name):
    node = model.program.trains[name]
    fit, info = train(
        model.source(node),
        jr.key(dict(node.options)["seed"] or 0),
        training_options(node),
        gaussian_prior=model.coordinates_of(node).gaussian,
    )
    assert fit is not None, info.failed
    return fit, info


def sampled(model, posterior, fits, point=None, draws=DRAWS, steps=40):
    """Draws of theta, (draws, entries)."""
    target = ComposedPosterior(model, model.program.posteriors[posterior], "unconstrained", fits, "gauss")
    denoiser, notes = target.at(point or {})
    z, _ = jax.jit(lambda key: DpmSolverPP(steps=steps).sample(denoiser, key, (draws, target.coordinates.m)))(jr.key(2))
    return np.asarray(jax.vmap(target.coordinates.to_params)(z)["theta"], float).reshape(draws, -1), notes


@pytest.fixture(scope="module")
def gaussian(tmp_path_factory):
    text = MODEL.format(one=X[0].tolist(), five=X.tolist())
    model = LoweredModel(compiled(tmp_path_factory.mktemp("gaussian"), text, prior=PRIOR.tolist()))
    return model, *trained(model, "fit")


def closed_form(alpha, beta, rows):
    """Of the Gaussian with the moments of the file, to a power."""
    prior = alpha * np.linalg.inv(np.cov(PRIOR.T))
    precision = prior + beta * len(rows) * np.eye(2) / NOISE**2
    shift = prior @ PRIOR.mean(0) + beta * rows.sum(0) / NOISE**2
    return np.linalg.solve(precision, shift), np.linalg.inv(precision)


@pytest.mark.parametrize(
    "posterior, point, alpha, beta, rows",
    [
        ("single", {}, 1, 1, X[:1]),
        ("tall", {"b": 0.5}, 1, 0.5, X),
        ("tall", {"b": 1.0}, 1, 1, X),
        ("tall", {"b": 2.0}, 1, 2, X),
        ("tempered", {"b": 0.5}, 0.5, 1, X),
        ("tempered", {"b": 2.0}, 2, 1, X),
    ],
)
def test_a_gaussian_prior_learned_from_draws(gaussian, posterior, point, alpha, beta, rows):
    """Means within 4 sigma and 5 % of an sd (a tenth of the draws is kept aside), covariances within 8 %."""
    model, fit, info = gaussian
    assert info.gates == (0.0, 0.0)
    got, notes = sampled(model, posterior, {"f": fit}, point)
    mean, covariance = closed_form(alpha, beta, rows)
    sd = np.sqrt(np.diag(covariance))
    assert np.abs((got.mean(0) - mean) / sd).max() < 4 / np.sqrt(DRAWS) + 0.05
    assert np.abs(np.cov(got.T) / np.outer(sd, sd) - covariance / np.outer(sd, sd)).max() < 0.08
    assert int(notes.get("projected", 0)) == 0

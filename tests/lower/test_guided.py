"""The route `guided` from the text of a model: laws opened at their arguments, coordinates, powers, several sets."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from bsi.compiler.analyse import compile_source
from bsi.compiler.lower.forward import log_likelihood
from bsi.compiler.lower.guided import GuidedPosterior
from bsi.compiler.lower.model import LoweredModel
from bsi.dsl.span import Source
from bsi.runtime.samplers import DpmSolverPP

MODEL = """bsi 1
param t : real
param s : real<lower = 0>
prior p(t, s) = {{ t ~ normal(0, 1); s ~ lognormal(0, 0.5) }}
likelihood f({observed} | t, s) = {law}
observe obs : f[2] = {rows}
sweep b in [0.5, 2]
posterior post(t, s) = p(t, s) * f(obs | t, s)^b
sample d = ddim(post) {{ route = guided }}
"""
# observed, law, rows, metric, whether the log density is quadratic in working coordinates
LAWS = {
    "normal": ("x : real", "normal(2 * t, 0.5)", "[0.3, 1.1]", "entrywise", True),
    "scale": ("x : real[2]", "normal(t, s)", "[[0.3, 1.1], [0.2, -0.4]]", "entrywise", False),
    "student_t": ("x : real", "student_t(4, t, s)", "[0.3, 7]", "entrywise", False),
    "poisson": ("x : int", "poisson(s)", "[0, 3]", "entrywise", False),
    "bernoulli": ("x : int", "bernoulli_logit(t)", "[0, 1]", "entrywise", False),
    "categorical": ("x : int", "categorical_logit([t, 0.5, log(s)])", "[0, 2]", "entrywise", False),
    "mixture": ("x : real", "mixture([0.3, 0.7], normal(t, 1), normal(-t, s))", "[0.3, 1]", "entrywise", False),
    "mv_normal": ("x : real[2]", "mv_normal([t, 0.5 * t], 0.5 * eye(2))", "[[0.3, 1], [0, 1]]", "whole", True),
    "covariance": ("x : real[2]", "mv_normal([t, t], s * eye(2))", "[[0.3, 1], [0, 1]]", "whole", False),
    "dirichlet": ("x : simplex[2]", "dirichlet([s, 2.0])", "[[0.3, 0.7], [0.1, 0.9]]", "whole", False),
}


def guided(text):
    program, diagnostics = compile_source(Source("m.bsi", text))
    assert program is not None, diagnostics
    model = LoweredModel(program)
    return model, GuidedPosterior(model, program.posteriors["post"], "rosenblatt", None, False)


@pytest.mark.parametrize("name", LAWS)
def test_evidence_is_the_log_likelihood(name):
    """The opened law has the density of the whole one, its slopes, and entry by entry no negative curvature."""
    observed, law, rows, metric, quadratic = LAWS[name]
    model, target = guided(MODEL.format(observed=observed, law=law, rows=rows))
    evidence = target.at({"b": 2.0})[0].evidence
    assert evidence.terms[0].metric == metric and evidence.quadratic == quadratic
    z, v = jr.normal(jr.key(0), (6, 2)), jr.normal(jr.key(1), (6, 2))

    def whole(z):
        params = target.coordinates.to_params(z)
        return 2 * jnp.sum(log_likelihood(model.program.likelihoods["f"], params, jnp.asarray(model.rows("obs")), {}))

    @jax.jit
    def look(z, v):
        h = 1e-2
        slope = (evidence(z + h * v) - evidence(z - h * v)) / (2 * h)
        bent = jnp.sum(v * evidence.curvature(z)(v), -1)
        return evidence(z), jax.vmap(whole)(z), jnp.sum(evidence.gradient(z) * v, -1), slope, bent

    value, expected, along, slope, bent = look(z, v)
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(along, slope, rtol=2e-2, atol=2e-2)
    assert metric == "whole" or (bent >= -1e-4).all()


TALL = """bsi 1
param t : real[2]
data spread : real[2] = [1.0, 2.0]
prior p(t) = normal(0, spread)
likelihood f(x : real[2] | t) = normal([t[0] + t[1], t[0]], 0.5)
likelihood g(y : real | t) = normal(t[1], 1)
observe obs : f[3] = [[0.3, 1.1], [0.2, -99], [0.1, 0.4]] { missing = -99 }
observe more : g = 1.5
sweep a in [1, 2]
posterior post(t) = p(t)^a * f(obs | t)^0.5 * g(more | t)
sample d = dpmpp(post) { route = guided }
"""


@pytest.mark.parametrize("alpha", [pytest.param(1.0, marks=pytest.mark.slow), 2.0])
def test_sets_holes_and_powers_together(alpha):
    """All linear and Gaussian: 20 000 draws against the closed form, 4.5 standard errors and .5 % of the solver's."""
    _, target = guided(TALL)
    denoiser, _ = target.at({"a": alpha})
    z, _ = jax.jit(lambda key: DpmSolverPP(50).sample(denoiser, key, (20_000, 2)))(jr.key(0))
    draws = np.asarray(jax.vmap(target.coordinates.to_params)(z)["t"], float)
    design = np.array([[1, 1], [1, 0], [1, 1], [1, 1], [1, 0], [0, 1]])
    x, weight = np.array([0.3, 1.1, 0.2, 0.1, 0.4, 1.5]), np.array([2, 2, 2, 2, 2, 1.0])
    covariance = np.linalg.inv(np.diag([alpha, alpha / 4]) + design.T * weight @ design)
    mean = covariance @ (design.T * weight @ x)
    sd = np.sqrt(np.diag(covariance))
    assert (np.abs(draws.mean(0) - mean) < (4.5 / np.sqrt(20_000) + 0.005) * sd).all()
    assert np.abs(draws.std(0) / sd - 1).max() < 4.5 / np.sqrt(40_000) + 0.005
    assert abs(np.corrcoef(draws.T)[0, 1] - covariance[0, 1] / sd.prod()) < 0.02

"""Working coordinates: N(0, I) under the prior, supports, Jacobians, densities (METHODS §0)."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats as st

from bsi.compiler.analyse import compile_source
from bsi.compiler.lower.coordinates import Rosenblatt, Unconstrained, coordinates
from bsi.dsl.span import Source

MODEL = """bsi 1
param mu : real
param tau : real<lower = 0>
param theta : real[3]
param w : real<lower = 0, upper = 1>
param b : real[2]
param g : real<lower = 0>
prior p(mu, tau, theta, w, b, g) = {
  mu ~ normal(1, 5)
  tau ~ half_cauchy(5)
  theta ~ normal(mu, tau)
  w ~ beta(2, 3)
  b ~ mv_normal([1, 2], [[2, 0.5], [0.5, 1]])
  g ~ gamma(2, 1 + tau)
}
likelihood f(x : real | mu) = normal(mu, 1)
observe obs : f[1] = [0.5]
posterior post(mu, tau, theta, w, b, g) = p(mu, tau, theta, w, b, g) * f(obs | mu)
sample s = nuts(post)
"""
N = 20_000


@pytest.fixture(scope="module")
def program():
    program, diagnostics = compile_source(Source("m.bsi", MODEL))
    assert program is not None, diagnostics
    return program


def made(kind, program):
    return coordinates(kind, program.priors["p"], program.params, {})


def test_the_rosenblatt_map_makes_the_prior_standard_normal(program):
    lowered = made("rosenblatt", program)
    assert isinstance(lowered, Rosenblatt)
    z, _ = jax.jit(jax.vmap(lowered.draw))(jr.split(jr.key(0), N))
    z = np.asarray(z)
    assert np.abs(z.mean(0)).max() < 4 / np.sqrt(N)
    assert np.abs(np.cov(z.T) - np.eye(lowered.m)).max() < 4 * np.sqrt(2 / N)
    for column in z.T:
        assert st.kstest(column, st.norm.cdf).statistic * np.sqrt(N) < 2.3  # 4 sigma


@pytest.mark.parametrize("kind", ["rosenblatt", "unconstrained"])
def test_draws_and_the_map_agree(program, kind):
    lowered = made(kind, program)
    z, params = jax.jit(jax.vmap(lowered.draw))(jr.split(jr.key(1), 200))
    again = jax.vmap(lowered.to_params)(z)
    for name, value in params.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(jax.jit(jax.vmap(lowered.from_params))(params), z, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["rosenblatt", "unconstrained"])
def test_no_point_leaves_the_support(program, kind):
    lowered = made(kind, program)
    z = 4.0 * jr.normal(jr.key(2), (2_000, lowered.m))  # far outside the prior's own draws
    params = jax.vmap(lowered.to_params)(z)
    assert np.all(np.asarray(params["tau"]) >= 0)
    assert np.all((np.asarray(params["w"]) >= 0) & (np.asarray(params["w"]) <= 1))
    assert np.all(np.asarray(params["g"]) >= 0)


def test_the_unconstrained_jacobian_is_that_of_the_map(program):
    lowered = made("unconstrained", program)
    assert isinstance(lowered, Unconstrained)
    z = jr.normal(jr.key(3), (5, lowered.m))
    jacobian = jax.vmap(jax.jacfwd(lambda v: lowered.flat(lowered.to_params(v))))(z)
    expected = np.linalg.slogdet(np.asarray(jacobian, float))[1]
    np.testing.assert_allclose(jax.vmap(lowered.log_jacobian)(z), expected, rtol=1e-4, atol=1e-4)


def test_the_rosenblatt_jacobian_makes_the_prior_standard_normal(program):
    lowered = made("rosenblatt", program)
    z = jr.normal(jr.key(4), (5, lowered.m))
    log_prior = jax.vmap(lambda v: lowered.log_prior(lowered.to_params(v)) + lowered.log_jacobian(v))(z)
    np.testing.assert_allclose(log_prior, st.norm.logpdf(np.asarray(z)).sum(-1), rtol=1e-4)


def test_the_prior_density_is_that_of_its_laws(program):
    lowered = made("rosenblatt", program)
    params = {
        "mu": jnp.asarray(0.3),
        "tau": jnp.asarray(1.5),
        "theta": jnp.array([0.1, -1.0, 2.0]),
        "w": jnp.asarray(0.4),
        "b": jnp.array([0.0, 1.0]),
        "g": jnp.asarray(0.7),
    }
    expected = (
        st.norm(1, 5).logpdf(0.3)
        + st.halfcauchy(scale=5).logpdf(1.5)
        + st.norm(0.3, 1.5).logpdf([0.1, -1.0, 2.0]).sum()
        + st.beta(2, 3).logpdf(0.4)
        + st.multivariate_normal([1, 2], [[2, 0.5], [0.5, 1]]).logpdf([0, 1])
        + st.gamma(2, scale=1 / 2.5).logpdf(0.7)
    )
    assert float(lowered.log_prior(params)) == pytest.approx(expected, rel=1e-5)


def test_a_prior_without_quantiles_gets_unconstrained_coordinates():
    text = MODEL.replace("mv_normal([1, 2], [[2, 0.5], [0.5, 1]])",
                         "mixture([0.5, 0.5], mv_normal([1, 2], eye(2)), mv_normal([-1, -2], eye(2)))")  # fmt: skip
    program, diagnostics = compile_source(Source("m.bsi", text))
    assert program is not None, diagnostics
    assert isinstance(made("rosenblatt", program), Unconstrained)

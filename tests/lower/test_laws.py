"""Every law of the table against SciPy: density, sampler, and the map to the standard normal. One row a law."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats as st

from bsi.compiler.ir import Expr, Law, Support
from bsi.compiler.laws import LAWS
from bsi.compiler.lower.laws import LAWS as LOWERED
from bsi.compiler.lower.laws import distribution, scalar_transport

COVARIANCE = ((2.0, 0.5), (0.5, 1.0))
N = 4_000  # draws of the sampler test
CONTINUOUS = {
    "normal": ((1.0, 2.0), st.norm(1, 2)),
    "student_t": ((4.0, 1.0, 2.0), st.t(4, 1, 2)),
    "cauchy": ((1.0, 2.0), st.cauchy(1, 2)),
    "laplace": ((1.0, 2.0), st.laplace(1, 2)),
    "logistic": ((1.0, 2.0), st.logistic(1, 2)),
    "gumbel": ((1.0, 2.0), st.gumbel_r(1, 2)),
    "uniform": ((-1.0, 3.0), st.uniform(-1, 4)),
    "beta": ((2.0, 3.0), st.beta(2, 3)),
    "truncated_normal": ((1.0, 2.0, 0.0, 3.0), st.truncnorm(-0.5, 1, 1, 2)),
    "lognormal": ((0.5, 1.2), st.lognorm(1.2, scale=np.exp(0.5))),
    "half_normal": ((2.0,), st.halfnorm(0, 2)),
    "half_cauchy": ((2.0,), st.halfcauchy(0, 2)),
    "half_student_t": ((1.0, 2.0), st.halfcauchy(0, 2)),
    "exponential": ((2.0,), st.expon(0, 0.5)),
    "gamma": ((1.6, 2.0), st.gamma(1.6, scale=0.5)),
    "inverse_gamma": ((3.0, 2.0), st.invgamma(3, scale=2)),
    "chi_square": ((3.0,), st.chi2(3)),
    "weibull": ((1.5, 2.0), st.weibull_min(1.5, scale=2)),
    "pareto": ((2.0, 1.5), st.pareto(1.5, scale=2)),
}
COUNTS = {
    "bernoulli": ((0.3,), st.bernoulli(0.3)),
    "bernoulli_logit": ((0.5,), st.bernoulli(1 / (1 + np.exp(-0.5)))),
    "binomial": ((7, 0.3), st.binom(7, 0.3)),
    "binomial_logit": ((7, 0.5), st.binom(7, 1 / (1 + np.exp(-0.5)))),
    "beta_binomial": ((7, 2.0, 3.0), st.betabinom(7, 2, 3)),
    "poisson": ((2.5,), st.poisson(2.5)),
    "neg_binomial": ((2.5, 1.5), st.nbinom(1.5, 1.5 / (1.5 + 2.5))),
    "geometric": ((0.3,), st.geom(0.3, loc=-1)),
    "categorical": (((0.2, 0.3, 0.5),), st.rv_discrete(values=([0, 1, 2], [0.2, 0.3, 0.5]))),
}
SCALARS = CONTINUOUS | COUNTS
VECTORS = {
    "mv_normal": ((1.0, 2.0), COVARIANCE),
    "mv_normal_cholesky": ((1.0, 2.0), tuple(map(tuple, np.linalg.cholesky(COVARIANCE).tolist()))),
}


def const(value):
    return Expr("const", value=value, shape=np.shape(value), integer=isinstance(value, int))


def law(name, values, shape=(), components=()):
    names = [argument.name for argument in LAWS[name].arguments]
    arguments = tuple(zip(names, map(const, values), strict=True))
    return Law(name, arguments, shape, Support(), components)


def test_every_law_is_lowered_and_tested():
    combinators = {"mixture", "truncated"}
    assert set(LOWERED) == set(LAWS) - combinators
    assert set(LAWS) - combinators == SCALARS.keys() | VECTORS.keys()


@pytest.mark.parametrize("name", SCALARS)
def test_densities_agree_with_scipy(name):
    values, reference = SCALARS[name]
    if name in COUNTS:
        x = np.arange(0, 8 if name not in ("bernoulli", "bernoulli_logit", "categorical") else 2)
        expected = reference.logpmf(x)
    else:
        x = reference.ppf([0.01, 0.2, 0.5, 0.8, 0.99])
        expected = reference.logpdf(x)
    lowered = distribution(law(name, values), {})
    got = [float(lowered.log_prob(jnp.asarray(v))) for v in x]
    np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("name", SCALARS)
def test_samplers_agree_with_scipy(name):
    """Kolmogorov-Smirnov for continuous laws, the worst cell against its standard error for counts; 4 sigma."""
    values, reference = SCALARS[name]
    draws = np.asarray(jax.vmap(distribution(law(name, values), {}).sample)(jr.split(jr.key(1), N)), float)
    if name in CONTINUOUS:
        statistic = st.kstest(draws, reference.cdf).statistic
        assert statistic * np.sqrt(N) < 2.3  # P(D sqrt(n) > 2.3) = 5e-5, the two-sided 4 sigma
    else:
        p = reference.pmf(np.arange(12))
        share = np.array([(draws == k).mean() for k in range(12)])
        assert np.all(np.abs(share - p) <= 4 * np.sqrt(p * (1 - p) / N) + 4 / N)


@pytest.mark.parametrize("name", VECTORS)
def test_vector_laws_have_the_gaussian_density(name):
    lowered = distribution(law(name, VECTORS[name], (2,)), {})
    reference = st.multivariate_normal((1.0, 2.0), COVARIANCE)
    for x in ([0.0, 0.0], [1.0, 3.0], [-2.0, 5.0]):
        assert float(lowered.log_prob(jnp.asarray(x))) == pytest.approx(reference.logpdf(x), rel=1e-4)


def test_a_scalar_law_fills_its_declared_shape():
    lowered = distribution(law("normal", (1.0, 2.0), (3, 2)), {})
    x = jnp.arange(6.0).reshape(3, 2)
    assert float(lowered.log_prob(x)) == pytest.approx(st.norm(1, 2).logpdf(np.arange(6)).sum(), rel=1e-5)


def test_mixtures_of_scalars_and_of_vectors():
    parts = (law("normal", (-2.0, 0.5)), law("normal", (1.0, 1.0)))
    scalar = Law("mixture", (("weights", const((0.3, 0.7))),), (), Support(), parts)
    x = np.linspace(-4, 4, 9)
    expected = np.log(0.3 * st.norm(-2, 0.5).pdf(x) + 0.7 * st.norm(1, 1).pdf(x))
    got = [float(distribution(scalar, {}).log_prob(jnp.asarray(v))) for v in x]
    np.testing.assert_allclose(got, expected, rtol=1e-4)
    draws = np.asarray(jax.vmap(distribution(scalar, {}).sample)(jr.split(jr.key(2), N)))
    z = np.asarray(scalar_transport(scalar, {}).to_normal(jnp.asarray(draws)))
    assert st.kstest(z, st.norm.cdf).statistic * np.sqrt(N) < 2.3
    components = tuple(law("mv_normal", ((m, m), COVARIANCE), (2,)) for m in (-1.0, 1.0))
    vector = Law("mixture", (("weights", const((0.5, 0.5))),), (2,), Support(), components)
    densities = [st.multivariate_normal((m, m), COVARIANCE).pdf([0.3, -0.2]) for m in (-1.0, 1.0)]
    assert float(distribution(vector, {}).log_prob(jnp.array([0.3, -0.2]))) == pytest.approx(
        np.log(np.mean(densities)), rel=1e-4
    )


def test_truncated_laws_are_renormalised():
    arguments = (("lower", const(0.5)), ("upper", const(float("inf"))))
    half = Law("truncated", arguments, (), Support("interval", const(0.5)), (law("normal", (0.0, 1.0)),))
    reference = st.truncnorm(0.5, np.inf)
    lowered = distribution(half, {})
    got = [float(lowered.log_prob(jnp.asarray(v))) for v in (0.4, 0.6, 2.0)]
    np.testing.assert_allclose(got, reference.logpdf([0.4, 0.6, 2.0]), rtol=1e-4)
    draws = np.asarray(jax.vmap(lowered.sample)(jr.split(jr.key(3), N)))
    assert st.kstest(draws, reference.cdf).statistic * np.sqrt(N) < 2.3

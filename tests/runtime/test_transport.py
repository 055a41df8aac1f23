"""Quantile transports against SciPy, in float32 and far into both tails."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st

from bsi.runtime import transport as t

Z = np.linspace(-6, 6, 25)

CASES = {
    "normal": (t.NORMAL, (1.0, 2.0), st.norm(1, 2)),
    "cauchy": (t.CAUCHY, (1.0, 2.0), st.cauchy(1, 2)),
    "laplace": (t.LAPLACE, (1.0, 2.0), st.laplace(1, 2)),
    "logistic": (t.LOGISTIC, (1.0, 2.0), st.logistic(1, 2)),
    "gumbel": (t.GUMBEL, (1.0, 2.0), st.gumbel_r(1, 2)),
    "uniform": (t.UNIFORM, (-1.0, 3.0), st.uniform(-1, 4)),
    "truncated_normal": (t.TRUNCATED_NORMAL, (1.0, 2.0, 0.0, 3.0), st.truncnorm(-0.5, 1, 1, 2)),
    "truncated_normal, far": (t.TRUNCATED_NORMAL, (0.0, 1.0, 5.0, np.inf), st.truncnorm(5, np.inf)),
    "lognormal": (t.LOGNORMAL, (0.5, 1.2), st.lognorm(1.2, scale=np.exp(0.5))),
    "half_normal": (t.HALF_NORMAL, (2.0,), st.halfnorm(0, 2)),
    "half_cauchy": (t.HALF_CAUCHY, (2.0,), st.halfcauchy(0, 2)),
    "half_student_t": (t.HALF_STUDENT_T, (1.0, 2.0), st.halfcauchy(0, 2)),
    "exponential": (t.EXPONENTIAL, (2.0,), st.expon(0, 0.5)),
    "weibull": (t.WEIBULL, (1.5, 2.0), st.weibull_min(1.5, scale=2)),
    "pareto": (t.PARETO, (2.0, 1.5), st.pareto(1.5, scale=2)),
    "student_t": (t.STUDENT_T, (4.0, 1.0, 2.0), st.t(4, 1, 2)),
    "beta": (t.BETA, (0.7, 3.0), st.beta(0.7, 3)),
    "gamma": (t.GAMMA, (0.6, 2.0), st.gamma(0.6, scale=0.5)),
    "inverse_gamma": (t.INVERSE_GAMMA, (3.0, 2.0), st.invgamma(3, scale=2)),
    "chi_square": (t.CHI_SQUARE, (3.0,), st.chi2(3)),
    "inverse_chi_square": (t.INVERSE_CHI_SQUARE, (5.0,), st.invgamma(2.5, scale=0.5)),
    "scaled_inverse_chi_square": (t.SCALED_INVERSE_CHI_SQUARE, (5.0, 2.0), st.invgamma(2.5, scale=10)),
    "asymmetric_laplace": (t.ASYMMETRIC_LAPLACE, (1.0, 2.0, 1.5), st.laplace_asymmetric(1.5, 1, 2)),
    "soft_laplace": (t.SOFT_LAPLACE, (1.0, 2.0), st.hypsecant(1, 2)),
    "log_uniform": (t.LOG_UNIFORM, (0.5, 8.0), st.loguniform(0.5, 8)),
    "beta_proportion": (t.BETA_PROPORTION, (0.4, 5.0), st.beta(2, 3)),
    "rayleigh": (t.RAYLEIGH, (2.0,), st.rayleigh(0, 2)),
    "frechet": (t.FRECHET, (1.5, 2.0), st.invweibull(1.5, scale=2)),
    "gompertz": (t.GOMPERTZ, (0.7, 2.0), st.gompertz(0.7, scale=0.5)),
    "loglogistic": (t.LOGLOGISTIC, (2.0, 1.5), st.fisk(1.5, scale=2)),
    "dagum": (t.DAGUM, (0.7, 1.5, 2.0), st.burr(1.5, 0.7, scale=2)),
    "lomax": (t.LOMAX, (2.0, 1.5), st.lomax(1.5, scale=2)),
    "levy": (t.LEVY, (1.0, 2.0), st.levy(1, 2)),
}


def quantile(law, z):
    return np.where(z < 0, law.ppf(st.norm.cdf(z)), law.isf(st.norm.sf(z)))


@pytest.mark.parametrize("name", CASES)
def test_quantiles_agree_with_scipy_in_both_tails(name):
    transport, args, law = CASES[name]
    x = np.asarray(transport.from_normal(jnp.asarray(Z, jnp.float32), *args))
    np.testing.assert_allclose(x, quantile(law, Z), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", CASES)
def test_to_normal_inverts(name):
    transport, args, _ = CASES[name]
    z = Z[6:-6]  # beyond ±3 a value beside a finite bound no longer tells z in float32
    x = transport.from_normal(jnp.asarray(z, jnp.float32), *args)
    np.testing.assert_allclose(np.asarray(transport.to_normal(x, *args)), z, atol=2e-3)


def test_a_mixture_follows_its_components():
    weights = jnp.array([0.3, 0.7])
    mixture = t.mixture(weights, (lambda x: t.NORMAL.tails(x, -2.0, 0.5), lambda x: t.NORMAL.tails(x, 1.0, 1.0)))
    x = np.asarray(mixture.from_normal(jnp.asarray(Z, jnp.float32)))
    lower = 0.3 * st.norm.cdf(x, -2, 0.5) + 0.7 * st.norm.cdf(x, 1, 1)
    upper = 0.3 * st.norm.sf(x, -2, 0.5) + 0.7 * st.norm.sf(x, 1, 1)
    z = np.where(lower < upper, st.norm.ppf(lower), st.norm.isf(upper))
    np.testing.assert_allclose(z, Z, atol=1e-3)


@pytest.mark.parametrize("lower, upper", [(0.0, np.inf), (-1.0, 0.5), (3.0, 4.0)])
def test_a_truncated_law_is_the_law_given_the_interval(lower, upper):
    transport = t.truncated(lambda x: t.NORMAL.tails(x, 0.0, 1.0), lower, upper)
    x = np.asarray(transport.from_normal(jnp.asarray(Z, jnp.float32)))
    assert np.all((x >= lower) & (x <= upper))
    np.testing.assert_allclose(x, quantile(st.truncnorm(lower, upper), Z), rtol=2e-3, atol=1e-4)


SEARCHED = ("student_t", "half_student_t", "beta", "gamma", "inverse_gamma")  # the other ones are these with names
QUICK = ("student_t", "beta", "gamma", "laplace", "half_normal")
TRICKY = ("cauchy", "laplace", "logistic", "half_normal", "soft_laplace")  # in halves that meet at z = 0


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in [*SEARCHED, *TRICKY]]
)
def test_derivatives_are_those_of_differences(name):
    """By z and by every argument, in double precision; those by shapes of a searched law are differences themselves."""
    transport, args, _ = CASES[name]
    with jax.enable_x64(True):
        points = (jnp.asarray(Z), *(jnp.full(Z.shape, a) for a in args))

        @jax.jit
        def both(points, along):
            _, slope = jax.jvp(transport.from_normal, points, along)
            step = 1e-3  # JAX has betainc to nine digits
            more, less = (
                transport.from_normal(*(p + h * a for p, a in zip(points, along, strict=True))) for h in (step, -step)
            )
            return slope, (more - less) / (2 * step)

        for k in range(len(points)):
            slope, difference = both(points, tuple(jnp.full(Z.shape, float(i == k)) for i in range(len(points))))
            np.testing.assert_allclose(slope, difference, rtol=5e-3 if k else 1e-3, atol=1e-5, err_msg=str(k))


@pytest.mark.parametrize("name", QUICK)
def test_slopes_are_positive_numbers(name):
    """Backwards, in single precision."""
    transport, args, _ = CASES[name]
    z = jnp.concatenate([jnp.asarray(Z, jnp.float32), jnp.array([-1e-30, 1e-30])])
    slope = jax.jit(jax.vmap(jax.grad(lambda z: transport.from_normal(z, *args))))(z)
    assert np.isfinite(slope).all() and (slope > 0).all()


def test_laws_of_laws_differentiate_by_what_they_close_over():
    """A mixture and a truncated law, by z and by an argument of a component, against differences."""
    weights = jnp.array([0.3, 0.7])

    def mixed(z, loc):
        tails = (lambda x: t.NORMAL.tails(x, loc, 0.5), lambda x: t.STUDENT_T.tails(x, 5.0, 1.0, 1.0))
        return t.mixture(weights, tails).from_normal(z)

    def cut(z, loc):
        return t.truncated(lambda x: t.GAMMA.tails(x, 2.0, loc + 2.0), 0.2, 1.5).from_normal(z)

    with jax.enable_x64(True):
        for law in map(jax.jit, (mixed, cut)):
            for z in (-1.3, 0.4, 2.0):
                slopes = jax.jit(jax.grad(law, (0, 1)))(z, -0.5)
                h = 1e-3
                by_z = (law(z + h, -0.5) - law(z - h, -0.5)) / (2 * h)
                by_loc = (law(z, -0.5 + h) - law(z, -0.5 - h)) / (2 * h)
                np.testing.assert_allclose(slopes, (by_z, by_loc), rtol=5e-3, atol=1e-8)

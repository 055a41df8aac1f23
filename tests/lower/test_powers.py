"""Powers act on the density in the declared coordinates: score path and NumPyro path against quadrature (METHODS §0).

Get the Jacobian's power wrong and every Gaussian test passes while each of these fails.
"""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats as st
from numpyro.infer.util import log_density

from bsi.compiler.analyse import compile_source
from bsi.compiler.lower.composed import ComposedPosterior, ImproperPower
from bsi.compiler.lower.model import LoweredModel
from bsi.compiler.lower.numpyro_model import numpyro_model
from bsi.dsl.span import Source
from bsi.runtime.samplers import DpmSolverPP

DRAWS = 20_000
PRIOR_ONLY = """bsi 1
param t : real
prior p(t) = {law}
sweep a in [{power}]
posterior post(t) = p(t)^a
sample s = dpmpp(post)
"""
# law, SciPy's law, powers at which p^a can be normalised
LAWS = {
    "lognormal": ("lognormal(0.3, 0.7)", st.lognorm(0.7, scale=np.exp(0.3)), (0.25, 0.5, 2, 4)),
    "half_normal": ("half_normal(2)", st.halfnorm(0, 2), (0.25, 0.5, 2, 4)),
    "uniform": ("uniform(-1, 3)", st.uniform(-1, 4), (0.25, 0.5, 2, 4)),
    "exponential": ("exponential(0.5)", st.expon(0, 2), (0.5, 2)),
    "gamma": ("gamma(3, 2)", st.gamma(3, scale=0.5), (0.5, 2)),
    "beta": ("beta(2, 3)", st.beta(2, 3), (0.5, 2)),
    "normal": ("normal(1, 2)", st.norm(1, 2), (0.25, 4)),
}
CASES = [(name, power) for name, (_, _, powers) in LAWS.items() for power in powers]


def compiled(text):
    program, diagnostics = compile_source(Source("m.bsi", text))
    assert program is not None, diagnostics
    return program


def quadrature(law, power):
    """Grid, cumulative distribution, mean and sd of `p^a`."""
    low, high = law.support()
    low = law.ppf(1e-14) - 30 if np.isinf(low) else low
    high = law.isf(1e-12) + (200 if power < 1 else 0) if np.isinf(high) else high
    grid = np.linspace(low, high, 2_000_001)[1:-1]
    weight = np.exp(power * law.logpdf(grid))
    cumulative = np.cumsum(weight) / weight.sum()
    mean = (grid * weight).sum() / weight.sum()
    return grid, cumulative, mean, np.sqrt(((grid - mean) ** 2 * weight).sum() / weight.sum())


@pytest.mark.parametrize("name, power", CASES)
def test_a_prior_to_a_power_is_sampled_right(name, power):
    """Kolmogorov-Smirnov against the tempered distribution function: 4 sigma and 1 % for the solver's own error."""
    text, law, _ = LAWS[name]
    program = compiled(PRIOR_ONLY.format(law=text, power=power))
    target = ComposedPosterior(LoweredModel(program), program.posteriors["post"], "rosenblatt", {}, "gauss")
    denoiser, _ = target.at({"a": power})
    z, _ = DpmSolverPP(steps=60).sample(denoiser, jr.key(0), (DRAWS, 1))
    draws = np.asarray(jax.vmap(target.coordinates.to_params)(z)["t"], float)
    grid, cumulative, _, _ = quadrature(law, power)
    distance = st.kstest(draws, lambda x: np.interp(x, grid, cumulative, 0, 1)).statistic
    assert distance < 2.3 / np.sqrt(DRAWS) + 0.01


@pytest.mark.parametrize("name, power", CASES)
def test_numpyro_has_the_same_density(name, power):
    text, law, _ = LAWS[name]
    program = compiled(PRIOR_ONLY.format(law=text, power=power).replace("dpmpp", "nuts"))
    model = numpyro_model(program, program.posteriors["post"], {}, {})
    points = law.ppf([0.2, 0.6, 0.9])
    values = [float(log_density(model, ((jnp.asarray(power),),), {}, {"t": jnp.asarray(x)})[0]) for x in points]
    expected = power * law.logpdf(points)
    np.testing.assert_allclose(np.diff(values), np.diff(expected), rtol=1e-4, atol=1e-4)


HIERARCHY = """bsi 1
param mu : real
param tau : real<lower = 0>
param theta : real[3]
prior p(mu, tau, theta) = { mu ~ normal(0, 1); tau ~ gamma(9, 3); theta ~ normal(mu, tau) }
sweep a in [0.5, 2]
posterior post(mu, tau, theta) = p(mu, tau, theta)^a
sample s = dpmpp(post)
"""


@pytest.mark.parametrize("power", [0.5, 2.0])
def test_a_hierarchy_to_a_power(power):
    """`p^a` of a hierarchy is no product of tempered conditionals: tau's margin gains `tau^(3 (1 - a))` from theta."""
    program = compiled(HIERARCHY)
    target = ComposedPosterior(LoweredModel(program), program.posteriors["post"], "rosenblatt", {}, "gauss")
    denoiser, _ = target.at({"a": power})
    z, _ = DpmSolverPP(steps=60).sample(denoiser, jr.key(0), (DRAWS, 5))
    params = jax.vmap(target.coordinates.to_params)(z)
    grid = np.linspace(1e-4, 40, 400_001)
    weight = np.exp(power * st.gamma(9, scale=1 / 3).logpdf(grid) + 3 * (1 - power) * np.log(grid))
    cumulative = np.cumsum(weight) / weight.sum()
    tau = np.asarray(params["tau"], float)
    assert st.kstest(tau, lambda x: np.interp(x, grid, cumulative, 0, 1)).statistic < 2.3 / np.sqrt(DRAWS) + 0.01
    standardised = np.asarray((params["theta"] - params["mu"][:, None]) / params["tau"][:, None], float)
    assert standardised.std() == pytest.approx(power**-0.5, rel=0.03)


@pytest.mark.parametrize("law, power", [("normal(0, 1)", 0.0), ("half_cauchy(1)", 0.25)])
def test_an_improper_power_is_refused(law, power):
    program = compiled(PRIOR_ONLY.format(law=law, power=power))
    target = ComposedPosterior(LoweredModel(program), program.posteriors["post"], "rosenblatt", {}, "gauss")
    with pytest.raises(ImproperPower, match="improper in t"):
        target.at({"a": power})


COUPLED = """bsi 1
param a : real
param b : real<lower = 0>
prior p(a, b) = { a ~ normal(0, 1); b ~ gamma(9, 3 * exp(0.5 * sin(a))) }
sweep k in [0.5, 2]
posterior post(a, b) = p(a, b)^k
sample s = dpmpp(post)
"""


@pytest.mark.parametrize("power", [0.5, 2.0])
def test_a_prior_that_does_not_separate_to_a_power(power):
    """Means and sds against quadrature on a grid, to 5 % of an sd: quasi-Monte-Carlo, 256 nodes a state."""
    program = compiled(COUPLED)
    target = ComposedPosterior(LoweredModel(program), program.posteriors["post"], "rosenblatt", {}, "gauss")
    denoiser, notes = target.at({"k": power})
    assert ("prior_effective" in notes) == (not target._separable)
    z, _ = DpmSolverPP(steps=40).sample(denoiser, jr.key(0), (4_000, 2))
    params = jax.vmap(target.coordinates.to_params)(z)
    a, b = np.meshgrid(np.linspace(-7, 7, 701), np.linspace(1e-3, 25, 2_001), indexing="ij")
    rate = 3 * np.exp(0.5 * np.sin(a))
    weight = np.exp(power * (st.norm.logpdf(a) + st.gamma(9, scale=1 / rate).logpdf(b)))
    for name, grid in (("a", a), ("b", b)):
        mean = (grid * weight).sum() / weight.sum()
        sd = np.sqrt(((grid - mean) ** 2 * weight).sum() / weight.sum())
        draws = np.asarray(params[name], float)
        assert abs(draws.mean() - mean) / sd < 4 / np.sqrt(4_000) + 0.05
        assert draws.std() / sd == pytest.approx(1, abs=4 / np.sqrt(8_000) + 0.05)

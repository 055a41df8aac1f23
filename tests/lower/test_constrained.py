"""Priors of constrained vectors and matrices: powers against closed forms, NumPyro's model, a short NUTS."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats as st
from numpyro.infer import MCMC, NUTS
from numpyro.infer.util import log_density

from bsi.compiler.analyse import compile_source
from bsi.compiler.lower.composed import ComposedPosterior
from bsi.compiler.lower.coordinates import Rosenblatt, Unconstrained, coordinates
from bsi.compiler.lower.laws import distribution
from bsi.compiler.lower.model import LoweredModel
from bsi.compiler.lower.numpyro_model import numpyro_model
from bsi.dsl.span import Source
from bsi.runtime.samplers import DpmSolverPP

DRAWS = 4_000
PRIOR_ONLY = """bsi 1
param t : {type}
prior p(t) = {law}
sweep a in [{power}]
posterior post(t) = p(t)^a
sample s = dpmpp(post)
"""


def compiled(text):
    program, diagnostics = compile_source(Source("m.bsi", text))
    assert program is not None, [d.message for d in diagnostics]
    return program


def lkj_diagonal(row, power):
    """L_ii² of a k = 3 Cholesky factor, i = row from 1: its density is L_ii^(k - i + 2 (2 - 1)) over a ball of i - 1
    dimensions, so that a power is a beta law."""
    return st.beta(0.5 * power * (5 - row) + 1, 0.5 * (row - 1))


# What is drawn, the law, a number of a draw, and its law when p^a is sampled.
POWERS = {
    "dirichlet": (
        "simplex[3]",
        "dirichlet([2, 3, 4])",
        lambda x: x[:, 0],
        lambda a: st.beta(a * 1 + 1, a * 5 + 2),  # dirichlet(c)^a = dirichlet(a (c - 1) + 1)
    ),
    "lkj": ("corr_matrix[3]", "lkj(2)", lambda x: 0.5 + 0.5 * x[:, 0, 1], lambda a: st.beta(a + 1.5, a + 1.5)),
    "lkj_cholesky": ("cholesky_corr[3]", "lkj_cholesky(2)", lambda x: x[:, 2, 2] ** 2, lambda a: lkj_diagonal(3, a)),
}


@pytest.mark.parametrize(
    "name, power",
    [
        ("dirichlet", 0.5),
        pytest.param("lkj", 2.0, marks=pytest.mark.slow),
        pytest.param("lkj_cholesky", 0.5, marks=pytest.mark.slow),
    ],
)
def test_a_power_is_sampled_right(name, power):
    """Kolmogorov-Smirnov, 4 sigma and 1 % for the solver's own error."""
    type, law, number, expected = POWERS[name]
    program = compiled(PRIOR_ONLY.format(type=type, law=law, power=power))
    target = ComposedPosterior(LoweredModel(program), program.posteriors["post"], "rosenblatt", {}, "gauss")
    assert isinstance(target.coordinates, Rosenblatt)
    denoiser, _ = target.at({"a": power})
    z, _ = DpmSolverPP(steps=40).sample(denoiser, jr.key(0), (DRAWS, target.coordinates.m))
    draws = np.asarray(jax.jit(jax.vmap(target.coordinates.to_params))(z)["t"], float)
    assert st.kstest(number(draws), expected(power).cdf).statistic < 2.3 / np.sqrt(DRAWS) + 0.01


ALL = """bsi 1
dim k = 3
param s : real<lower = 0>
param w : simplex[k]
param mu : ordered[k]
param pos : positive_ordered[2, k]
param unit : ordered[k]
param u : unit_vector[k]
param d : unit_vector[4]
param z : sum_to_zero[k]
param L : cholesky_corr[k]
param R : corr_matrix[k]
param S : covariance[k]
param C : cholesky_cov[k]
param cut : real[2]
prior p(s, w, mu, pos, unit, u, d, z, L, R, S, C, cut) = {
  s ~ half_normal(1)
  w ~ dirichlet(2)
  mu ~ normal(0, 1 + s)
  pos ~ exponential([1, 2])
  unit ~ uniform(0, 1 + s)
  u ~ uniform_sphere()
  d ~ projected_normal([s, 0, 0, 1])
  z ~ zero_sum_normal(s)
  L ~ lkj_cholesky(2)
  R ~ lkj(1.5)
  S ~ inverse_wishart(5, eye(k))
  C ~ wishart_cholesky(5, s * eye(k))
  cut ~ truncated(normal(0, 1), lower = -s, upper = [s, 2 * s])
}
likelihood f(y : real | s) = normal(0, s)
observe obs : f[1] = [0.5]
posterior post(s, w, mu, pos, unit, u, d, z, L, R, S, C, cut) =
  p(s, w, mu, pos, unit, u, d, z, L, R, S, C, cut)^2 * f(obs | s)
sample draws = nuts(post)
"""


ALL_PARAMS = ("s", "w", "mu", "pos", "unit", "u", "d", "z", "L", "R", "S", "C", "cut")


@pytest.fixture(scope="module")
def every_kind():
    return compiled(ALL)


@pytest.fixture(scope="module")
def lowered(every_kind):
    return coordinates("rosenblatt", every_kind.priors["p"], every_kind.params, {})


@pytest.fixture(scope="module")
def drawn(lowered):
    return jax.jit(jax.vmap(lowered.draw))(jr.split(jr.key(1), 100))


def test_coordinates_of_every_kind(lowered, drawn):
    """`d` has no map of N(0, I), so all are unconstrained; a draw, its coordinates and the way back agree."""
    assert isinstance(lowered, Unconstrained)
    sizes = {name: place.stop - place.start for name, place in lowered.places.items()}
    assert sizes == dict(zip(ALL_PARAMS, (1, 2, 3, 6, 3, 2, 3, 2, 3, 3, 6, 6, 2), strict=True))
    assert lowered.m == sum(sizes.values())
    z, params = drawn
    again = jax.jit(jax.vmap(lowered.to_params))(z)
    for name, value in params.items():
        np.testing.assert_allclose(again[name], value, rtol=2e-3, atol=2e-3)


def test_numpyro_has_the_same_density(every_kind, lowered, drawn):
    """Site by site through NumPyro's `sample`, with a power of 2; directions are Gaussian vectors there."""
    one, other = ({name: value[i] for name, value in drawn[1].items()} for i in (0, 1))
    model = numpyro_model(every_kind, every_kind.posteriors["post"], {}, {"obs": jnp.array([0.5])})
    powers = (jnp.asarray(2.0), jnp.asarray(1.0))

    def theirs(params):
        given = dict(params)
        for name, mean in (("u", jnp.zeros(3)), ("d", jnp.array([params["s"], 0.0, 0.0, 1.0]))):
            given[f"{name}_normal"] = given.pop(name) - mean  # normalised, it is the direction
        total, _ = log_density(model, (powers,), {}, given)
        normals = sum(float(st.norm.logpdf(given[f"{name}_normal"]).sum()) for name in "ud")
        return float(total) - normals

    def ours(params):
        likelihood = st.norm(0, params["s"]).logpdf(0.5)
        # the first power of a direction's density is in its Gaussian vector, only the second is a factor
        directions = sum(float(lowered_law(every_kind, name, params).log_prob(params[name])) for name in ("u", "d"))
        return float(2 * lowered.log_prior(params)) - directions + float(likelihood)

    assert theirs(one) == pytest.approx(ours(one), rel=2e-4, abs=2e-3)
    assert theirs(other) == pytest.approx(ours(other), rel=2e-4, abs=2e-3)


def lowered_law(program, name, params):
    (draw,) = [draw for draw in program.priors["p"].draws if draw.target == name]
    return distribution(draw.law, params)


CONJUGATE = """bsi 1
param w : simplex[3]
param L : cholesky_corr[2]
param mu : ordered[2]
prior p(w, L, mu) = { w ~ dirichlet([1, 2, 3]); L ~ lkj_cholesky(2); mu ~ normal(0, 1) }
likelihood f(y : int[3] | w) = multinomial(6, w)
observe obs : f = [3, 2, 1]
posterior post(w, L, mu) = p(w, L, mu) * f(obs | w)
sample s = nuts(post)
"""


def test_a_short_nuts_on_constrained_params():
    """The simplex is conjugate; the others keep their priors. Gate: 5 Monte-Carlo sd at a third of the draws."""
    program = compiled(CONJUGATE)
    model = numpyro_model(program, program.posteriors["post"], {}, {"obs": jnp.array([[3, 2, 1]])})
    mcmc = MCMC(NUTS(model), num_warmup=300, num_samples=1_000, progress_bar=False)
    mcmc.run(jr.key(0), (jnp.asarray(1.0), jnp.asarray(1.0)))
    draws = {name: np.asarray(value, float) for name, value in mcmc.get_samples().items()}
    assert np.all(np.diff(draws["mu"], axis=-1) > 0)
    expected = {
        "w": (draws["w"], st.dirichlet([4, 4, 4]).mean()),
        "correlation": (draws["L"][:, 1, 0], 0.0),
        "spread": (draws["L"][:, 1, 0] ** 2, 0.2),  # 4 Var beta(2, 2)
        "gap": (draws["mu"][:, 1] - draws["mu"][:, 0], 2 / np.sqrt(np.pi)),  # range of two normals
    }
    for values, mean in expected.values():
        assert np.all(np.abs(values.mean(0) - mean) < 5 * values.std(0) / np.sqrt(300))

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
train fit = score(p, f) {{ steps = 64, network = mlp {{ width = 16 }}, seed = 1 }}
sample s = dpmpp(single, fit)
sample t = dpmpp(tall, fit)  # bsi: allow W0447
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


def test_coordinates_of_draws_invert_and_keep_bounds(tmp_path):
    """θ -> z -> θ, and no z leaves the types; z has median 0 and 68 % in an interval of length 2, as N(0, 1) has."""
    rng = np.random.default_rng(2)
    tau, w, s = rng.gamma(2, 1, 500), rng.beta(2, 5, (500, 3)), rng.dirichlet([1, 2, 3], 500)
    text = """bsi 1
param tau : real<lower = 0>
param w : real<lower = 0, upper = 1>[3]
param s : simplex[3]
prior p(tau, w, s) = learned file("both.json")
posterior post(tau, w, s) = p(tau, w, s)
sample draws = dpmpp(post)
"""
    model = LoweredModel(compiled(tmp_path, text, both={"tau": tau.tolist(), "w": w.tolist(), "s": s.tolist()}))
    space = model.coordinates("p", "unconstrained")
    assert isinstance(space, Empirical) and space.m == 6
    params = {name: jnp.asarray(value, jnp.float32) for name, value in {"tau": tau, "w": w, "s": s}.items()}
    z = jax.vmap(space.from_params)(params)
    again = jax.vmap(space.to_params)(z)
    np.testing.assert_allclose(again["tau"], tau, rtol=1e-4)
    np.testing.assert_allclose(again["w"], w, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(again["s"], s, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(np.quantile(z, 0.5, axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.subtract(*np.quantile(z, [0.8413, 0.1587], axis=0)), 2, rtol=1e-3)
    far = jax.vmap(space.to_params)(8.0 * jr.normal(jr.key(0), (1_000, 6)))
    assert (
        (np.asarray(far["tau"]) > 0).all() and (np.asarray(far["w"]) >= 0).all() and (np.asarray(far["w"]) <= 1).all()
    )
    at = z[0]

    def free(z):  # the last entry of a simplex follows from the others
        params = space.to_params(z)
        return jnp.concatenate([params["tau"][None], params["w"], params["s"][:2]])

    jacobian = jax.jacobian(free)(at)
    np.testing.assert_allclose(space.log_jacobian(at), np.linalg.slogdet(jacobian)[1], rtol=1e-4)
    own, kept = space.parted(0.1)
    assert (own.rows, kept.rows) == (450, 50)
    assert not set(np.asarray(own.draws["tau"]).tolist()) & set(np.asarray(kept.draws["tau"]).tolist())


MIXTURE = """bsi 1
param theta : real
prior p(theta) = learned mixture([0.3, 0.7], normal(-3, 0.5), normal(1, 1))
likelihood f(x : real | theta) = normal(theta, 2)
observe obs : f = -0.5
posterior post(theta) = p(theta) * f(obs | theta)
posterior alone(theta) = p(theta)
net small = resmlp { width = 48, depth = 1 }
train both = score(p, f) { network = small, steps = 1_500, batch = 256, learning_rate = 3e-3 }
train own = score(p) { network = small, steps = 1_500, batch = 256, learning_rate = 3e-3 }
sample s = dpmpp(post, both)
sample g = dpmpp(alone, own)
sample ref = nuts(post)
"""


def mixture_density(t):
    return 0.3 * st.norm.pdf(t, -3, 0.5) + 0.7 * st.norm.pdf(t, 1, 1)


@pytest.mark.parametrize("posterior, fit, law", [("post", "both", "f"), ("alone", "own", None)])
def test_a_law_that_is_simulated(tmp_path, posterior, fit, law):
    """Posterior and generation against quadrature: Kolmogorov-Smirnov, 4 sigma and 3 % for a net of 1 500 steps."""
    model = LoweredModel(compiled(tmp_path, MIXTURE))
    weights, info = trained(model, fit)
    assert info.gates[0] == 1.0
    got, _ = sampled(model, posterior, {law: weights})
    grid = np.linspace(-10, 10, 20_001)
    density = mixture_density(grid) * (st.norm.pdf(-0.5, grid, 2) if law else 1)
    cumulative = np.cumsum(density) / density.sum()
    distance = st.kstest(got[:, 0], lambda x: np.interp(x, grid, cumulative)).statistic
    assert distance < 2.3 / np.sqrt(DRAWS) + 0.03


def test_pairs_are_what_simulation_gives(tmp_path):
    """20 000 pairs of the linear-Gaussian model: the fit equals the closed form as well as a simulated one does."""
    rng = np.random.default_rng(3)
    theta = rng.normal([1, -1], [2, 0.5], (20_000, 2))
    x = theta @ np.array([[1, 0, 0.5], [0.3, 1, 0]]) + 0.5 * rng.standard_normal((20_000, 3))
    text = """bsi 1
param theta : real[2]
prior p(theta) = normal([1, -1], [2, 0.5])
likelihood f(x : real[3] | theta) = learned pairs("pairs.json")
observe obs : f = [1.5, -0.5, 0.2]
posterior post(theta) = p(theta) * f(obs | theta)
train fit = score(p, f) { steps = 250, batch = 256, network = mlp { width = 16, depth = 1 } }
sample s = dpmpp(post, fit)
"""
    model = LoweredModel(compiled(tmp_path, text, pairs={"theta": theta.tolist(), "x": x.tolist()}))
    source = model.source(model.program.trains["fit"])
    assert isinstance(source, Table) and source.z.shape == (20_000, 2) and source.x.shape == (20_000, 3)
    assert st.kstest(source.z[:, 0], st.norm.cdf).pvalue > 1e-4  # Rosenblatt coordinates of the declared prior
    fit, info = trained(model, "fit")
    assert info.gates == (0.0, 0.0) and info.simulations == 20_000
    target = ComposedPosterior(model, model.program.posteriors["post"], "rosenblatt", {"f": fit}, "gauss")
    denoiser, _ = target.at({})
    z, _ = DpmSolverPP(steps=40).sample(denoiser, jr.key(2), (DRAWS, 2))
    got = np.asarray(jax.vmap(target.coordinates.to_params)(z)["theta"], float)
    design = np.array([[1, 0, 0.5], [0.3, 1, 0]]).T
    precision = np.diag([0.25, 4.0]) + design.T @ design / 0.25
    shift = np.array([0.25, -4.0]) + design.T @ np.array([1.5, -0.5, 0.2]) / 0.25
    mean, sd = np.linalg.solve(precision, shift), np.sqrt(np.diag(np.linalg.inv(precision)))
    assert np.abs((got.mean(0) - mean) / sd).max() < 4 * (1 / np.sqrt(DRAWS) + 2 / np.sqrt(20_000))
    assert np.abs(got.std(0) / sd - 1).max() < 4 * (1 / np.sqrt(2 * DRAWS) + 1 / np.sqrt(40_000)) + 0.02


def test_a_prior_alone_without_a_score_is_refused(tmp_path):
    text = """bsi 1
param theta : real[2]
prior p(theta) = mixture([0.5, 0.5], mv_normal([0, 0], eye(2)), mv_normal([3, 3], eye(2)))
posterior post(theta) = p(theta)
sample s = dpmpp(post)
"""
    model = LoweredModel(compiled(tmp_path, text))
    target = ComposedPosterior(model, model.program.posteriors["post"], "rosenblatt", {}, "gauss")
    with pytest.raises(NoScore):
        target.at({})

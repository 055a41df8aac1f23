"""Working coordinates of quantised images, and what else takes no matrix of their pixels."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jax.scipy.stats import norm

from bsi.compiler.analyse import compile_source
from bsi.compiler.lower.composed import ComposedPosterior
from bsi.compiler.lower.learned import Quantised
from bsi.compiler.lower.model import LoweredModel, training_options
from bsi.dsl.span import Source
from bsi.runtime.composition import NormalPrior, temper
from bsi.runtime.gaussian import Gaussian, standard
from bsi.runtime.nets import UNetArchitecture

MODEL = """bsi 1
param img : real<lower = -1, upper = 16>[2, 2]
prior p(img) = learned file("images.json") { levels = 18, network = unet { width = 8, levels = 1 } }
posterior any(img) = p(img)
sample s = ddim(any)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    values = np.random.default_rng(0).integers(-1, 17, (600, 2, 2))
    values[:, 0, 0] = 16
    (folder / "images.json").write_text(json.dumps(values.tolist()))
    program, diagnostics = compile_source(Source(str(folder / "m.bsi"), MODEL))
    assert program is not None and not diagnostics
    return LoweredModel(program), values


def test_levels_lie_evenly_between_minus_one_and_one(model):
    lowered, values = model
    space = lowered.coordinates("p")
    assert isinstance(space, Quantised) and not space.gaussian and space.affine
    z = jax.vmap(space.from_params)({"img": jnp.asarray(values, jnp.float32)})
    np.testing.assert_allclose(z, (values.reshape(600, 4) + 1) / 8.5 - 1, atol=1e-6)
    np.testing.assert_allclose(space.table().z, z)
    back = jax.vmap(space.to_params)(z)["img"]
    np.testing.assert_allclose(back, values, atol=1e-5)
    jacobian = jax.jacobian(lambda z: space.to_params(z)["img"].ravel())(jnp.zeros(4))
    np.testing.assert_allclose(np.linalg.slogdet(jacobian)[1], space.log_jacobian(jnp.zeros(4)), rtol=1e-6)


def test_draws_are_clipped_and_yet_pulled(model):
    """Beyond a bound the value is the bound, but the derivative is not zero: a likelihood must still be heard there."""
    space = model[0].coordinates("p")
    value, slope = jax.jvp(lambda z: space.to_params(z)["img"].ravel(), (jnp.array([-3.0, 3.0, 0, 0]),), (jnp.ones(4),))
    assert value[0] == -1.0 and value[1] == 16.0
    np.testing.assert_allclose(slope, 8.5)


def test_guesses_stay_within_the_levels(model):
    """A network asked where it was not trained may say anything; a mean of levels lies between them."""
    lowered, _ = model
    (train,) = lowered.program.trains.values()
    fit = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 50.0, leaf.dtype), lowered.like(train))
    wild = ComposedPosterior(lowered, lowered.program.posteriors["any"], "unconstrained", {None: fit}, "gauss")
    denoiser, _ = wild.at({})
    u = jr.normal(jr.key(0), (3, 4))
    assert jnp.abs(fit.score.denoise(u, jnp.zeros(()), jnp.zeros(0))).max() > 1
    value, slope = jax.jvp(lambda u: denoiser(u, jnp.zeros(())), (u,), (jnp.ones_like(u),))
    assert jnp.abs(value).max() <= 1 + 1e-6 and jnp.any(slope != 0)


def test_the_net_comes_from_the_prior(model):
    """18 levels: the finest Fourier feature repeats every two levels, `2^n π · 2/17 ≈ 2π`."""
    lowered, _ = model
    (train,) = lowered.program.trains.values()
    net = training_options(train).architecture
    assert isinstance(net, UNetArchitecture)
    assert net == UNetArchitecture((2, 2, 1), width=8, levels=1, fourier=2, finest=4)
    assert abs(2.0**net.finest * 2 / 17 / 2 - 1) < 0.1


def test_axes_need_no_matrix():
    """Without a basis a Gaussian does what it does with the identity."""
    kept = Gaussian(jnp.array([1.0, -2.0]), None, jnp.eye(2), jnp.array([0.5, 3.0]))
    bare = eqx.tree_at(lambda g: g.basis, kept, None)
    x = jr.normal(jr.key(0), (5, 2))
    for name in ("whiten", "unwhiten"):
        np.testing.assert_allclose(getattr(bare, name)(x), getattr(kept, name)(x), rtol=1e-6)
    np.testing.assert_allclose(bare.covariance(), kept.covariance())
    np.testing.assert_allclose(bare.precision() @ kept.covariance(), np.eye(2), atol=1e-6)
    assert standard(3072, axes=False).basis is None


@pytest.mark.parametrize("power", [0.25, 3.0])
def test_a_power_of_a_normal_law_needs_no_table(power):
    """N(0, 1/α) in closed form, against the quadrature that any law would get."""
    closed, table = NormalPrior(2, power), temper(lambda z: jnp.sum(norm.logpdf(z), -1), 2, power)
    u, log_snr = jr.normal(jr.key(0), (7, 2)), jnp.asarray(0.3)
    np.testing.assert_allclose(closed.plain(u, log_snr), table.plain(u, log_snr), atol=2e-4)
    np.testing.assert_allclose(closed.precision(), table.precision(), rtol=1e-3, atol=1e-3)
    weighted = closed.weighted(u, log_snr, jnp.exp(log_snr))
    np.testing.assert_allclose(weighted, table.weighted(u, log_snr, jnp.exp(log_snr)), rtol=1e-3, atol=1e-3)


def test_powers_of_an_image_add_scores_as_they_are(tmp_path):
    """`λ θ̂(u | x) + (1 - λ) θ̂(u)` with the row beside the state, of a network with any weights."""
    values = np.random.default_rng(0).integers(-1, 17, (600, 2, 2))
    (tmp_path / "images.json").write_text(json.dumps(values.tolist()))
    text = """bsi 1
param img : real<lower = -1, upper = 16>[2, 2]
prior p(img) = learned file("images.json") { levels = 18, network = unet { width = 8, levels = 1, depth = 1 } }
likelihood f(x : real[2, 2] | img) = normal(img, 2)
observe obs : f = [[1, 2], [3, 4]]
posterior post(img) = p(img) * f(obs | img)^1.5
train fit = score(p, f)
sample s = ddim(post, fit) { compose = sum, correct = langevin }
"""
    program, diagnostics = compile_source(Source(str(tmp_path / "m.bsi"), text))
    assert program is not None and not diagnostics
    lowered, (train,) = LoweredModel(program), program.trains.values()
    assert dict(train.network.options)["beside"] == 1
    like, keys = lowered.like(train), iter(jr.split(jr.key(0), 200))
    fit = jax.tree.map(lambda leaf: jnp.abs(0.3 * jr.normal(next(keys), leaf.shape)).astype(leaf.dtype), like)
    post = ComposedPosterior(lowered, program.posteriors["post"], "unconstrained", {"f": fit}, "sum")
    denoiser, _ = post.at({})
    u, level, x = jr.normal(jr.key(1), (3, 4)), jnp.asarray(0.5), jnp.array([1.0, 2, 3, 4])
    wanted = 1.5 * fit.score.denoise(u, level, x) - 0.5 * fit.score.denoise_prior(u, level)
    np.testing.assert_allclose(denoiser(u, level), wanted, rtol=1e-4, atol=1e-4)

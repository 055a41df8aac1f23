"""Flow maps: coordinates in which Gaussians rest, flows against quantiles, students against teachers."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jaxtyping import Array
from scipy.stats import norm

from bsi.runtime.distill import DistillOptions, FlowMap, abstract_velocity, distill, exact_teacher, score_teacher
from bsi.runtime.distill.flow_map import log_snr_of, rate, state_of
from bsi.runtime.distill.measure import Asked, Measure, MeasureFrame, RegressionHead
from bsi.runtime.exact import ExactOptions, build
from bsi.runtime.files import tree_from_bytes, tree_to_bytes
from bsi.runtime.gaussian import gaussian_of_moments
from bsi.runtime.nets import ResMlpArchitecture
from bsi.runtime.samplers.one_step import one_step
from bsi.runtime.standardise import Standardiser
from bsi.runtime.training import Simulator, TrainingOptions
from bsi.runtime.training.fit import untrained
from tests.runtime.models import gaussian_denoiser
from tests.runtime.test_exact import distance, square

SMALL = TrainingOptions(architecture=ResMlpArchitecture(width=32, depth=1), steps=400, batch=128, chunk=200)


@pytest.fixture(scope="module")
def fitted():
    return build(*square(4_000), jr.key(0), ExactOptions(rows=128, neighbours=128))[0]


def test_a_gaussian_does_not_move():
    covariance = np.array([[0.3, 0.1], [0.1, 0.05]])
    gaussian = gaussian_of_moments(np.array([0.5, -1.0]), covariance)
    denoiser = gaussian_denoiser(gaussian.mean, jnp.asarray(covariance, jnp.float32))
    w = jr.normal(jr.key(0), (50, 2))
    for share in (0.0, 0.3, 0.7, 1.0):
        log_snr = log_snr_of(gaussian, jnp.full(50, share))
        u = state_of(gaussian, w, log_snr)
        assert jnp.max(jnp.abs(rate(gaussian, w, denoiser(u, log_snr[0]), log_snr))) < 5e-3


def test_flow_in_one_dimension_is_the_quantile_map(fitted):
    """The flow of the mixture takes noise to the same quantile of it: 128 steps of Heun, 1 % of probability."""
    teacher, features = exact_teacher(fitted), fitted.standardise(jnp.full((64, 1), 1.0))
    w = jnp.asarray(norm.ppf((np.arange(64) + 0.5) / 64)[:, None], jnp.float32)
    given = fitted.given_features(features)
    gaussian = fitted.gaussian.given(features)
    end = eqx.filter_jit(teacher.path)(gaussian, w, given, 128)[:, -1]
    z = gaussian.mean + gaussian.unwhiten(jnp.sqrt(gaussian.variance) * end)
    centre = gaussian.mean[0] + fitted.gaussian.unwhiten(fitted.residuals[given.index[0]])
    sd = fitted.bandwidth * jnp.sqrt(fitted.gaussian.variance)
    below = norm.cdf((z - centre[:, 0]) / sd) @ np.exp(np.asarray(given.log_weight[0], np.float64))
    np.testing.assert_allclose(below, norm.cdf(w[:, 0] * float(fitted.gaussian.basis[0, 0])), atol=0.01)


@pytest.mark.parametrize(("method", "left"), [("regression", 0.66), ("flow_map", 0.8)])
def test_one_step_learns_two_modes(fitted, method, left):
    """400 steps of a small net leave less than that share of the Gaussian's error; weights can be read back."""
    options = DistillOptions(method, rows=1_024, flow_steps=24, training=SMALL)
    found, info = distill(exact_teacher(fitted), jr.key(1), options)
    assert found is not None and info.error < left * info.baseline, info
    assert info.baseline > 0.6 and info.steps == 400
    again = tree_from_bytes(tree_to_bytes(found), FlowMap(found.frame, abstract_velocity(1, 1, SMALL)))
    z, stats = one_step(again, jnp.array([1.0]), jr.key(2), 1_000)
    np.testing.assert_array_equal(z, one_step(found, jnp.array([1.0]), jr.key(2), 1_000)[0])
    assert 0.35 < float(jnp.mean(z > 0)) < 0.65 and stats["evaluations"] == 1


@pytest.mark.slow
@pytest.mark.parametrize(("method", "steps"), [("regression", 1), ("flow_map", 1), ("flow_map", 4)])
def test_draws_by_quadrature(fitted, method, steps):
    """4 000 steps of a net of width 64: W1 of |z| of 4 000 draws given x = 1 in sds of a mode, a twentieth of the whole
    law's (.5 to .8 here, 1.6 by squared error), draws between the modes, and the weight of these within .06."""
    training = TrainingOptions(architecture=ResMlpArchitecture(width=64, depth=2), steps=4_000, batch=256)
    found, _ = distill(exact_teacher(fitted), jr.key(1), DistillOptions(method, rows=4_096, training=training))
    assert found is not None
    z = np.asarray(one_step(found, jnp.array([1.0]), jr.key(2), 4_000, steps)[0])[:, 0]
    assert distance(np.abs(z), lambda g: norm.pdf(g) * norm.pdf(1.0, g**2, 0.1)) < 1.2
    assert np.mean(np.abs(z) < 0.6) < 0.045 and abs(np.mean(z > 0) - 0.5) < 0.06


@pytest.mark.slow
def test_a_trained_network_is_a_teacher_too():
    """Before training a score network is the Gaussian of its regression, which the untrained map is already."""
    score = untrained(2, 3, SMALL, True, jr.key(0)).score

    def simulate(key, n):
        return jr.normal(key, (n, 2)), jnp.zeros((n, 3))

    found, info = distill(
        score_teacher(score, Simulator(simulate, 2, 3)), jr.key(1), DistillOptions(rows=256, training=SMALL)
    )
    assert found is not None and info.error < 2e-2 and info.steps == 0
    noise = jr.normal(jr.key(2), (10, 2))
    np.testing.assert_array_equal(found(noise, jnp.zeros((10, 3))), noise)


def test_a_flow_that_is_not_finite_teaches_nothing(fitted):
    teacher = exact_teacher(fitted)
    lost = eqx.tree_at(lambda t: t.denoise, teacher, lambda u, log_snr, given: jnp.full_like(u, jnp.nan))
    found, info = distill(lost, jr.key(1), DistillOptions(rows=64, flow_steps=4, training=SMALL))
    assert found is None and info.failed == "the flow of its teacher is not finite"


def test_measures_are_of_the_rows_and_powers_that_are_asked_for():
    """Half of the sets are whole and the others of any size: of four rows 5/8 of the sets, 5 sigma of 4 000."""
    asked = Asked((0.5, 1.0), ((4, 0.25, 4.0, False), (1, 2.0, 2.0, False), (3, 0.0, 1.0, True)))
    weights, power = map(np.asarray, asked.draw(jr.key(0), 4_000))
    assert weights.shape == (4_000, 8) and power.min() >= 0.5 and power.max() <= 1.0
    first, there = weights[:, :4], weights[:, :4] > 0
    assert np.all(there[:, 0]) and abs(there.all(1).mean() - 0.625) < 5 * np.sqrt(0.625 * 0.375 / 4_000)
    assert np.all((first == first[:, :1]) | ~there)  # rows of a set have its power, and the first rows are there
    assert abs(np.mean(np.log(first[:, 0]))) < 5 * np.log(16) / np.sqrt(12 * 4_000)  # evenly in the logarithm
    np.testing.assert_array_equal(weights[:, 4], 2.0)
    assert np.all(np.ptp(weights[:, 5:], axis=1) > 0)


def test_frame_of_a_linear_gaussian_model_is_its_posterior():
    """θ ~ N(0, I), x ~ N(θ, ½ I): B = α + 2 Σ β, mean 2 Σ β x / B."""
    whole = Standardiser(jnp.zeros(2), jnp.ones(2), jnp.zeros(2, bool))
    regression = gaussian_of_moments(np.zeros(2), np.eye(2) / 3, 2 / 3 * np.eye(2))
    frame = MeasureFrame(whole, RegressionHead(whole, regression), None)
    x, weights = jr.normal(jr.key(0), (5, 3, 2)), jr.uniform(jr.key(1), (5, 3))
    power = jnp.linspace(0.5, 1.5, 5)
    found = frame.gaussian(frame.see(Measure(x, weights, power)))
    precision = power + 2 * weights.sum(-1)
    np.testing.assert_allclose(found.variance, jnp.broadcast_to(1 / precision[:, None], (5, 2)), rtol=1e-5)
    expected = 2 * jnp.einsum("bn,bnm->bm", weights, x) / precision[:, None]
    np.testing.assert_allclose(found.mean, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_more_steps_of_a_flow_map_are_no_worse(fitted):
    """Two and four passes against the flow of the teacher, on noise and rows that were not seen: 5 % at most."""
    training = replace(SMALL, steps=800)
    found, _ = distill(exact_teacher(fitted), jr.key(1), DistillOptions("flow_map", 2_048, 24, training))
    assert found is not None
    teacher = exact_teacher(fitted)
    features, given = teacher.draw(jr.key(5), 512)
    begin, gaussian = jr.normal(jr.key(6), (512, 1)), teacher.frame.gaussian(features)
    truth = eqx.filter_jit(teacher.path)(gaussian, begin, given, 24)[:, -1]

    @eqx.filter_jit
    def error(steps: int) -> Array:
        w, size = begin, 1 / steps
        for k in range(steps):
            w = w + size * found.network(w, jnp.full(512, k * size), jnp.full(512, (k + 1) * size), features)
        return jnp.sqrt(jnp.mean((w - truth) ** 2))

    one, two, four = (float(error(steps)) for steps in (1, 2, 4))
    assert two < 1.05 * one and four < 1.05 * one, (one, two, four)

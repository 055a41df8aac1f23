"""The tempered predictor of `sum`: powers of learned Gaussians against their closed form, whatever their covariance."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from scipy import stats

from bsi.runtime.composition import NormalPrior, Rows, plain_sum, tempered_sum
from bsi.runtime.log_density import FlowDensity
from bsi.runtime.samplers import BeliefUpdates, Ddim, Heun, Langevin, PredictorCorrector, ReverseSde
from tests.runtime.models import gaussian_denoiser
from tests.runtime.test_samplers import moments_agree

MEAN, VARIANCE = np.array([0.3, 0.0, -0.5]), np.array([0.1, 1.0, 2.0])  # of the learned prior
SEEN, NOISE = 0.5, 0.25  # an observation of every coordinate, and its variance
POWERS = (0.25, 0.5, 2.0, 4.0)
DRAWS = 10_000
# steps at a fixed size widen or narrow variances by this much, of which moments have to know
SAMPLERS = {
    "reverse_sde": (ReverseSde(steps=100), 0.005),
    "predictor_corrector": (PredictorCorrector(100, 5, 0.1), 0.015),
    "ddim": (Ddim(1_000), 0.005),
    "ddim, eta = 1": (Ddim(1_000, 1.0), 0.005),
    "heun": (Heun(100, churn=10.0), 0.01),
    "belief": (BeliefUpdates(1_000), 0.005),
    "langevin": (Langevin(400, 10, 0.1), 0.015),
}


def row(mean, variance, power):
    denoise = gaussian_denoiser(jnp.asarray(mean, jnp.float32), jnp.diag(jnp.asarray(variance, jnp.float32)))
    nothing = jnp.zeros((1, 3, 3))  # an image's network learns no covariances
    return Rows(lambda u, t, x: denoise(u, t), jnp.zeros((1, 1)), jnp.reshape(power, (1,)), nothing, jnp.asarray(0))


def composition(alpha, power, compose=tempered_sum):
    """`q^α f^λ` as amortised networks give it: q to the power `α - λ` and the posterior to the power λ."""
    precision = 1 / VARIANCE + 1 / NOISE
    posterior = row((MEAN / VARIANCE + SEEN / NOISE) / precision, 1 / precision, power)
    return compose(NormalPrior(3, alpha), [posterior, row(MEAN, VARIANCE, alpha - power)])


def truth(alpha, power):
    precision = alpha / VARIANCE + power / NOISE
    return (alpha * MEAN / VARIANCE + power * SEEN / NOISE) / precision, 1 / precision


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "reverse_sde" else pytest.mark.slow) for name in SAMPLERS]
)
def test_powers_of_one_gaussian_are_exact(name):
    """10 000 draws, 4.5 σ: the prior alone (λ = 0), and the posterior alone (λ = α)."""
    sampler, error = SAMPLERS[name]
    run = jax.jit(lambda alpha, power: sampler.sample(composition(alpha, power), jr.key(0), (DRAWS, 3))[0])
    for alpha in POWERS:
        for power in (0.0, alpha):
            mean, variance = truth(alpha, power)
            moments_agree(run(jnp.float32(alpha), jnp.float32(power)), mean, np.diag(variance), error)


@pytest.mark.slow
def test_a_plain_sum_is_wrong_there():
    """Twice the power: draws of 1.5 times the variance and half of it, where that of N(0, I) is right."""
    run = jax.jit(lambda alpha: Ddim(100).sample(composition(alpha, 0.0, plain_sum), jr.key(0), (DRAWS, 3))[0])
    ratio = np.asarray(run(jnp.float32(2.0))).var(0) / truth(2.0, 0.0)[1]
    assert ratio[0] < 0.5 and 0.85 < ratio[1] < 1.05 and ratio[2] > 1.5


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "power"), [(2.0, 4.0), (0.25, 1.0), (4.0, 1.0)])
def test_steps_take_a_sum_to_a_product(alpha, power):
    """Where weights differ the bridge is nobody's noised law: 40 Langevin steps a level bring it within a tenth of the
    variance, of which there were 1.6 times as much, or nothing, before."""
    composed = composition(jnp.float32(alpha), jnp.float32(power))
    mean, variance = truth(alpha, power)
    sampler = PredictorCorrector(100, 40, 0.2 / composed.stiffness())
    z = np.asarray(jax.jit(lambda key: sampler.sample(composed, key, (DRAWS, 3))[0])(jr.key(0)))
    assert np.all(np.abs(z.var(0) / variance - 1) < 0.15) and np.all(np.abs(z.mean(0) - mean) < 0.15 * variance**0.5)


@pytest.mark.slow
def test_the_flow_of_a_tempered_sum_has_its_density():
    """`ln q^α` by the flow ODE, at ten places: to 1e-3."""
    mean, variance = truth(0.5, 0.0)
    z = jnp.asarray(mean + np.random.default_rng(0).standard_normal((10, 3)) * variance**0.5, jnp.float32)
    value, _ = jax.jit(lambda z: FlowDensity()(composition(jnp.float32(0.5), jnp.float32(0.0)), z))(z)
    np.testing.assert_allclose(value, stats.norm(mean, variance**0.5).logpdf(z).sum(-1), atol=1e-3)

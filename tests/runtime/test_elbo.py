"""The bounds on Gaussian data with the exact denoiser, where everything is an integral."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from bsi.runtime.elbo import BeliefClock, Bins, DiffusionClock, Elbo, FlowClock, bits_per_dim, low_discrepancy
from bsi.runtime.process import signal_noise

VARIANCE, M, N = 0.49, 3, 200_000
ENTROPY = 0.5 * M * np.log(2 * np.pi * np.e * VARIANCE)
OTHERS = [Elbo(1e-2, 1e3, DiffusionClock()), Elbo(1.0, 1e3, FlowClock())]


def denoiser(u, log_snr):
    """Exact for N(0, .49 I)."""
    a, s = signal_noise(log_snr[:, None])
    return a * VARIANCE * u / (a**2 * VARIANCE + s**2)


def minimum(precision, initial):
    """`E‖θ - θ̂‖²` of a belief at `precision`."""
    eta = (precision - initial) ** 2 / precision
    return M * VARIANCE / (1 + eta * VARIANCE)


def within(estimates, truth, sigmas=4.0):
    error = float(jnp.std(estimates)) / np.sqrt(len(estimates))
    assert abs(float(jnp.mean(estimates)) - truth) < sigmas * error, (float(jnp.mean(estimates)), truth, error)


@pytest.fixture(scope="module")
def theta():
    return np.sqrt(VARIANCE) * jr.normal(jr.key(0), (N, M))


def infinite(elbo):
    return 0.5 * quad(lambda t: np.exp(t) * minimum(np.exp(t), elbo.initial), *np.log([elbo.initial, elbo.final]))[0]


@pytest.mark.parametrize("proposal", ["log_uniform", "uniform"])
def test_infinite_steps(theta, proposal):
    elbo = Elbo(1e-2, 1e3)
    within(jax.jit(lambda k: elbo.infinite(denoiser, k, theta, proposal))(jr.key(1)), infinite(elbo))


def test_log_uniform_proposal_has_less_variance(theta):
    elbo = Elbo(1e-2, 1e3)
    spread = [float(jnp.std(elbo.infinite(denoiser, jr.key(1), theta, p))) for p in ("log_uniform", "uniform")]
    assert spread[0] < spread[1]


def test_finite_steps_fall_to_the_limit(theta):
    elbo = Elbo(1e-2, 1e3)
    values = []
    for steps in (5, 20, 80):
        edges = np.geomspace(elbo.initial, elbo.final, steps + 1)
        values.append(0.5 * np.sum(np.diff(edges) * minimum(edges[:-1], elbo.initial)))
        within(elbo.finite(denoiser, jr.key(2), theta, steps), values[-1])
    assert values[0] > values[1] > values[2] > infinite(elbo)


@pytest.mark.parametrize("initial", [1e-3, 1e-1, 1.0])
def test_gap_to_the_entropy(initial):
    """The whole bound exceeds the entropy by exactly `½ ∫ mmse (λ₀/λ)² dλ`, which is at most `½ λ₀ tr Cov(θ)`.

    At λ_M = 1e6 the reconstruction with the exact denoiser is the Gaussian's own entropy up to 1e-5.
    """
    elbo = Elbo(initial, 1e6)
    guess = minimum(elbo.final, initial) * elbo.final  # λ_M E‖θ - θ̂‖²
    bound = infinite(elbo) + 0.5 * guess + 0.5 * M * np.log(2 * np.pi / elbo.final)
    ends = np.log([initial, elbo.final])
    # dη = (1 - (λ₀/λ)²) dλ: the diffusion bound integrates over η, BSI's over λ
    gap = 0.5 * quad(lambda t: np.exp(t) * minimum(np.exp(t), initial) * (initial / np.exp(t)) ** 2, *ends)[0]
    np.testing.assert_allclose(bound - ENTROPY, gap, atol=2e-5 + 1e-6 * abs(bound))
    assert 0 < gap < 0.5 * initial * M * VARIANCE


def eta_minimum(eta):
    """`E‖θ - θ̂‖²` at a signal-to-noise ratio."""
    return M * VARIANCE / (1 + eta * VARIANCE)


@pytest.mark.parametrize("elbo", OTHERS, ids=["vdm", "bfn"])
def test_other_clocks(theta, elbo):
    """A diffusion counts η itself, a Bayesian flow network ρ = 1 + η: both are `½ ln(1 + c η)` of a Gaussian."""
    below = 0.0 if elbo.initial == 1.0 else elbo.initial
    above = elbo.final - 1.0 if elbo.initial == 1.0 else elbo.final
    truth = 0.5 * M * np.log((1 + above * VARIANCE) / (1 + below * VARIANCE))
    within(jax.jit(lambda k: elbo.infinite(denoiser, k, theta))(jr.key(1)), truth)
    edges = np.geomspace(elbo.initial, elbo.final, 21)
    steps = 0.5 * np.sum(np.diff(edges) * eta_minimum(edges[:-1] - (elbo.initial == 1.0)))
    within(elbo.finite(denoiser, jr.key(2), theta, 20), steps)
    assert steps > truth


def test_the_start_of_a_diffusion(theta):
    """K is a divergence of two Gaussians; a belief and a Bayesian flow network start where the receiver knows."""
    elbo = Elbo(0.3, 1e3, DiffusionClock())
    a2, s2 = 0.3 / 1.3, 1 / 1.3
    truth = 0.5 * (M * (s2 - 1 - np.log(s2)) + a2 * np.sum(np.asarray(theta) ** 2, -1))
    np.testing.assert_allclose(elbo.start(theta), truth, rtol=1e-5)
    for clock in (BeliefClock(), FlowClock()):
        assert not np.any(Elbo(1.0, 1e3, clock).start(theta))


@pytest.mark.parametrize("initial", [1e-3, 1e-1])
def test_gaps_of_three_processes(initial):
    """At one p₀ a flow network wastes nothing, a diffusion `KL(q(u_0) ‖ N(0, 1)) = O(η₀²)`, a belief `O(λ₀)`.

    The diffusion's whole bound, start included, exceeds the entropy by exactly the first of these.
    """
    above = 1e6
    decoded = 0.5 * above * eta_minimum(above) + 0.5 * M * np.log(2 * np.pi / above)
    flow = 0.5 * M * np.log(1 + above * VARIANCE) + decoded - ENTROPY
    measured = 0.5 * M * np.log((1 + above * VARIANCE) / (1 + initial * VARIANCE))
    elbo = Elbo(initial, above, DiffusionClock())
    start = float(elbo.start(jnp.full((1, M), np.sqrt(VARIANCE)))[0])  # linear in θ², so at its mean
    diffusion = measured + start + decoded - ENTROPY
    variance = (1 + initial * VARIANCE) / (1 + initial)
    np.testing.assert_allclose(diffusion, 0.5 * M * (variance - 1 - np.log(variance)), atol=2e-5)
    belief = infinite(Elbo(initial, above)) + decoded - ENTROPY
    assert abs(flow) < 2e-5 and diffusion < 0.2 * belief and belief < 0.5 * initial * M * VARIANCE + 2e-5


def test_reconstruction_of_continuous_data(theta):
    elbo = Elbo(1e-2, 1e3)
    truth = 0.5 * elbo.final * minimum(elbo.final, elbo.initial) + 0.5 * M * np.log(2 * np.pi / elbo.final)
    within(elbo.reconstruction(denoiser, jr.key(3), theta), truth)


def test_bins():
    """Masses of a Gaussian over the bins of quantised data: they sum to one, and each is SciPy's."""
    bins = Bins(-1.0, 0.25, 9)
    centres = -1.0 + 0.25 * np.arange(9)
    edges = np.concatenate([[-np.inf], centres[:-1] + 0.125, [np.inf]])
    for mean in (-1.3, 0.1, 0.9):
        got = bins.log_probability(jnp.asarray(centres[:, None]), jnp.full((9, 1), mean), 2.0)[:, 0]
        np.testing.assert_allclose(got, np.log(np.diff(norm(mean, 0.5).cdf(edges))), rtol=1e-4, atol=1e-5)
        assert abs(float(jnp.sum(jnp.exp(got))) - 1) < 1e-5
    far = bins.log_probability(jnp.array([[1.0]]), jnp.array([[-40.0]]), 2.0)
    np.testing.assert_allclose(far, norm.logsf(2 * (0.875 + 40.0)), rtol=1e-4)


def test_precision_for_bins():
    assert Elbo.for_bins(2 / 255).final == pytest.approx(61.5 * 127.5**2)


def test_low_discrepancy_covers():
    points = np.sort(low_discrepancy(jr.key(5), 64))
    assert np.all(np.diff(points) < 1.01 / 64) and points[0] >= 0 and points[-1] < 1


def test_bits_per_dim():
    mean, error = bits_per_dim(jnp.log(2.0) * jnp.array([4.0, 8.0]), 2)
    assert float(mean) == pytest.approx(3.0) and float(error) == pytest.approx(1 / np.sqrt(2), rel=1e-5)

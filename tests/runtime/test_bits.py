"""Bits a dimension by exact denoisers, where entropies are known."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from bsi.runtime.elbo import BeliefClock, Bins, DiffusionClock, Elbo, FlowClock
from bsi.runtime.metrics.bits import STEPS, HeldOut, bits_per_dim, bound
from bsi.runtime.process import signal_noise

N, M, VARIANCE, NOISE = 4096, 3, 0.49, 0.3
ELBOS = {
    "bsi": Elbo(1e-3, 1e6, BeliefClock()),
    "vdm": Elbo(1e-2, 1e6, DiffusionClock()),
    "bfn": Elbo(1.0, 1e6, FlowClock()),
}


def gaussian(u, log_snr, x):
    """Exact for z ~ N(0, .49 I) seen as x = z + .3 ε; without a row (p = 0), for z alone."""
    a, s = signal_noise(log_snr[:, None])
    precision = 1 / VARIANCE + a**2 / s**2 + (x.shape[1] > 0) / NOISE**2
    return (a * u / s**2 + (x / NOISE**2 if x.shape[1] else 0.0)) / precision


def rows(conditional=False, log_jacobian=None):
    z = np.sqrt(VARIANCE) * np.asarray(jr.normal(jr.key(0), (N, M)))
    x = z + NOISE * np.asarray(jr.normal(jr.key(1), (N, M))) if conditional else np.zeros((N, 0), np.float32)
    return HeldOut(z, x, np.zeros(N) if log_jacobian is None else log_jacobian(z))


@pytest.mark.parametrize("process, conditional", [("bsi", False), ("bsi", True), ("vdm", True), ("bfn", False)])
def test_bits_of_a_gaussian(process, conditional):
    """The bound is the entropy, of z or of z given x, up to the 7e-4 bits that a belief's start costs; 4 sigma."""
    held = rows(conditional)
    found = bound(gaussian, ELBOS[process], held, jr.key(2))
    variance = 1 / (1 / VARIANCE + 1 / NOISE**2) if conditional else VARIANCE
    truth = 0.5 * np.log2(2 * np.pi * np.e * variance)
    assert abs(found["value"] - truth) < 4 * found["standard_error"] + 7e-4
    assert found["standard_error"] < 0.04
    assert sum(found["terms"].values()) == pytest.approx(found["value"])
    assert held.nominal(ELBOS[process]) + found["terms"]["measurement"] == pytest.approx(found["value"], abs=0.02)
    steps = found["finite"]["values"]
    assert found["finite"]["steps"] == list(STEPS) and np.all(np.diff(steps) < 0) and steps[-1] > found["value"]
    area = np.sum(found["integrand"]["values"]) * ELBOS[process].span / len(found["integrand"]["values"])
    assert area == pytest.approx(found["terms"]["measurement"], rel=0.02)
    again = bits_per_dim(gaussian, ELBOS[process], held, jr.key(2))
    assert again.value == pytest.approx(found["value"], abs=1e-6)
    assert bits_per_dim(gaussian, ELBOS[process], held, jr.key(2), 100).value == pytest.approx(steps[2], abs=1e-5)


def test_bits_are_of_the_declared_coordinates():
    """θ = exp(3 z) is lognormal: `ln |∂θ/∂z| = ln 3 + 3 z`."""
    held = rows(log_jacobian=lambda z: np.sum(np.log(3) + 3 * z, -1))
    found = bits_per_dim(gaussian, ELBOS["bfn"], held, jr.key(2))
    truth = 0.5 * np.log2(2 * np.pi * np.e * VARIANCE) + np.log2(3)
    assert abs(found.value - truth) < 4 * found.standard_error


@pytest.mark.parametrize("process", ["bsi", "bfn"])
def test_quantised_data_cost_their_entropy(process):
    """Five levels, independent and not alike: Huffman could not do better than the bound, which is their entropy."""
    levels, p = jnp.linspace(-1.0, 1.0, 5), jnp.array([0.1, 0.4, 0.2, 0.05, 0.25])

    def denoiser(u, log_snr, x):
        a, s = (v[..., None] for v in signal_noise(log_snr[:, None]))
        weights = jax.nn.softmax(jnp.log(p) - 0.5 * ((u[..., None] - a * levels) / s) ** 2)
        return weights @ levels

    z = np.asarray(levels[jr.categorical(jr.key(0), jnp.log(p), shape=(N, M))])
    clock = ELBOS[process].clock
    elbo = Elbo.for_bins(0.5, ELBOS[process].initial, clock)
    held = HeldOut(z, np.zeros((N, 0), np.float32), np.zeros(N), Bins(-1.0, 0.5, 5))
    found = bits_per_dim(denoiser, elbo, held, jr.key(1))
    entropy = -float(jnp.sum(p * jnp.log2(p)))
    assert abs(found.value - entropy) < 4 * found.standard_error + 1e-3, (found, entropy)


def test_few_rows_are_used_again():
    """100 rows have 46 estimates each; the error is that of 100 rows, and nothing is averaged twice."""
    whole = rows()
    held = HeldOut(whole.z[:100], whole.x[:100], whole.log_jacobian[:100])
    found = bound(gaussian, ELBOS["bfn"], held, jr.key(2))
    assert found["rows"] == 100
    # -ln p of a row varies by √(m/2) nats
    expected = np.sqrt(M / 2) / (M * np.log(2)) / 10
    assert 0.7 * expected < found["standard_error"] < 2.0 * expected

"""Noising processes: conversions, one recursion for three papers' samplers, and the grids they step on."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from bsi.runtime.process import BFN, VE, VP, Belief, signal_noise
from bsi.runtime.schedule import LogAccuracy, LogLinear, LogPrecision

PROCESSES = {"vp": VP(), "ve": VE(), "belief": Belief(0.03), "bfn": BFN()}


@pytest.fixture(autouse=True)
def doubles():
    with jax.enable_x64(True):
        yield


def log_snrs():
    return jnp.linspace(-9.0, 14.0, 24)


@pytest.mark.parametrize("name", PROCESSES)
def test_conversions(name):
    """State -> VP -> state, time -> ln η -> time, and `c²/τ = η`, to 1e-12."""
    process = PROCESSES[name]
    t = log_snrs()
    state = jr.normal(jr.key(0), (24, 3), jnp.float64)
    there = jax.vmap(process.to_vp)(state, t)
    np.testing.assert_allclose(jax.vmap(process.from_vp)(there, t), state, rtol=1e-12)
    np.testing.assert_allclose(process.log_snr(process.time(t)), t, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(process.signal(t) ** 2 / process.clock(t), jnp.exp(t), rtol=1e-12)


@pytest.mark.parametrize("name", PROCESSES)
def test_vp_state_of_noised_data(name):
    """`z = c θ + √τ ξ` is `u = a θ + s ξ` in VP coordinates, whichever the process."""
    process = PROCESSES[name]
    theta, key = jnp.array([0.7, -1.2, 3.0]), jr.key(1)
    noise = jr.normal(key, (3,), jnp.float64)
    for t in log_snrs():
        a, s = signal_noise(t)
        state = process.noise(key, theta, t) / process.scale(t)
        np.testing.assert_allclose(process.to_vp(state, t), a * theta + s * noise, rtol=1e-12, atol=1e-13)


def test_states_are_the_papers():
    """σ of VE, λ and the mean of a belief, ρ and the mean of a Bayesian flow network, written out."""
    t, u = jnp.asarray(1.3), jnp.array([0.4, -2.0])
    a, s = signal_noise(t)
    np.testing.assert_allclose(VE().from_vp(u, t), u / a, rtol=1e-12)
    np.testing.assert_allclose(VE().time(t), s / a, rtol=1e-12)
    np.testing.assert_allclose(BFN().time(t), 1 / s**2, rtol=1e-12)
    np.testing.assert_allclose(BFN().from_vp(u, t), a * u, rtol=1e-12)
    precision = Belief(0.5).time(t)
    np.testing.assert_allclose((precision - 0.5) ** 2 / precision, jnp.exp(t), rtol=1e-12)
    np.testing.assert_allclose(Belief(0.5).from_vp(u, t), u / (s * jnp.sqrt(precision)), rtol=1e-12)


def denoiser(u, log_snr):
    """Any nonlinear function will do."""
    a, _ = signal_noise(log_snr)
    return jnp.tanh(a * u) + 0.1 * jnp.sin(3 * u)


def bsi(grid, start, noises):
    """Algorithm 1 of arXiv 2502.07580: measure the guess with precision α, update mean and precision."""
    mu, precision = start, 1e-2
    for then, noise in zip(grid[1:], noises, strict=True):
        eta = (precision - 1e-2) ** 2 / precision
        guess = denoiser(mu * jnp.sqrt(precision / (1 + eta)), jnp.log(eta))
        alpha = Belief(1e-2).time(then) - precision
        y = guess + noise / jnp.sqrt(alpha)
        mu = (precision * mu + alpha * y) / (precision + alpha)
        precision = precision + alpha
    return mu


def bfn(grid, start, noises):
    """Algorithm 3 of arXiv 2308.07037 (continuous data): sender at the network's guess, Bayesian update."""
    mu, rho = start, 1.0
    for then, noise in zip(grid[1:], noises, strict=True):
        log_snr = jnp.log(rho - 1.0)
        u = mu * jnp.sqrt(rho / (rho - 1.0)) if rho > 1 else jnp.zeros_like(mu)
        guess = denoiser(u, log_snr)
        alpha = 1.0 + jnp.exp(then) - rho
        y = guess + noise / jnp.sqrt(alpha)
        mu = (rho * mu + alpha * y) / (rho + alpha)
        rho = rho + alpha
    return mu


def vdm(grid, start, noises):
    """Ancestral sampling of arXiv 2107.00630, eq. 33: mean and variance of q(u' | u, θ̂)."""
    u = start
    for now, then, noise in zip(grid[:-1], grid[1:], noises, strict=True):
        (a, s), (a1, s1) = signal_noise(now), signal_noise(then)
        guess = denoiser(u, now)
        ratio = a / a1  # α_{t|s}
        sigma2 = s**2 - ratio**2 * s1**2  # σ²_{t|s}
        mean = ratio * s1**2 / s**2 * u + a1 * sigma2 / s**2 * guess
        u = mean + jnp.sqrt(sigma2) * s1 / s * noise
    return u


CASES = {
    "bsi": (bsi, Belief(1e-2), LogPrecision(1e-2, 1e4)),
    "bfn": (bfn, BFN(), LogAccuracy(1e4)),
    "vdm": (vdm, VP(), LogLinear(-8.0, 8.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_one_recursion(name):
    """`z' = z + Δc θ̂ + √Δτ ξ` gives the three papers' samplers, step for step."""
    reference, process, schedule = CASES[name]
    grid = schedule.grid(12).astype(jnp.float64)
    first = jr.normal(jr.key(2), (4,), jnp.float64)
    start = {"bsi": first / 0.1, "bfn": jnp.zeros(4), "vdm": first}[name]  # N(0, 1/λ₀); exactly 0; N(0, 1)
    noises = jr.normal(jr.key(3), (11, 4), jnp.float64)
    z = start * process.scale(grid[0])
    for now, then, noise in zip(grid[:-1], grid[1:], noises, strict=True):
        u = jnp.zeros(4) if process.clock(now) == 0 else process.to_vp(z / process.scale(now), now)
        z = process.advance(z, denoiser(u, now), now, then, noise)
    np.testing.assert_allclose(z / process.scale(grid[-1]), reference(grid, start, noises), rtol=1e-12)


def test_grids_of_precision():
    grid = LogPrecision(0.01, 100.0).grid(9)
    assert grid[0] == -jnp.inf and bool(jnp.all(jnp.diff(grid[1:]) > 0))
    np.testing.assert_allclose(Belief(0.01).time(grid[1:]), np.geomspace(0.01, 100.0, 9)[1:], rtol=1e-12)
    np.testing.assert_allclose(BFN().time(LogAccuracy(50.0).grid(5)), np.geomspace(1.0, 50.0, 5), rtol=1e-12)

"""Bounds of the evidence where all of it is known: the law that gives every training digit the same probability.

Its denoiser is a softmax over the 1437 images and its evidence is `ln 1437` nats, so whatever a bound has above that is
the bound's own: of the steps (`L^k - L_∞`), of a start that knows something (`½ ∫ h (λ₀/λ)² dλ ≤ ½ λ₀ tr Cov`, with
`h` the denoiser's squared error), and of noise in its estimate (the proposal of λ).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from benchmarks.figure import Figure, plot
from bsi.runtime.elbo import Bins, DiffusionClock, Elbo, FlowClock, low_discrepancy
from bsi.runtime.process import signal_noise

DIGITS = Path(__file__).parent.parent / "examples/digits/digits.npz"
WIDTH = 1 / 8  # of a bin, with the 17 levels at -1 to 1
BINS = Bins(-1.0, WIDTH, 17)
SEEDS, BATCH = 3, 128
STEPS = tuple(25 * 2**i for i in range(7))
INITIALS = (1e-3, 1e-2, 1e-1, 1.0)


def images() -> np.ndarray:
    with np.load(DIGITS) as file:
        return (file["train"].reshape(-1, 64) / 8 - 1).astype(np.float32)


IMAGES = images()
EVIDENCE = math.log(len(IMAGES))
TRACE = float(np.sum(np.var(IMAGES, axis=0)))


def denoiser(u: jax.Array, log_snr: jax.Array) -> jax.Array:
    """Exact `E[θ | u]`: the images weighted by how well they explain u."""

    def one(u: jax.Array, log_snr: jax.Array) -> jax.Array:
        a, s = signal_noise(log_snr)
        return jax.nn.softmax(a * (IMAGES @ u - 0.5 * a * np.sum(IMAGES**2, -1)) / s**2) @ IMAGES

    return jax.lax.map(lambda row: one(*row), (u, log_snr), batch_size=2048)


@eqx.filter_jit
def _excess(elbo: Elbo, seed: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Nats above the evidence, and those that the clock of a belief predicts."""
    theta = jnp.tile(IMAGES, (364, 1))
    shares, noise, decode = jr.split(jr.key(seed), 3)
    passed, weight = elbo.levels(low_discrepancy(shares, len(theta)))
    cost = 0.5 * weight * elbo.squared_error(denoiser, noise, theta, passed)
    rest = elbo.start(jnp.asarray(IMAGES)).mean() + elbo.reconstruction(denoiser, decode, theta, BINS).mean()
    return cost.mean() + rest - EVIDENCE, jnp.mean(cost * jnp.exp(-2 * passed))


@jax.jit
def _steps(seed: jax.Array) -> jax.Array:
    """`L^k - L_∞` for every number of steps, on the same noise."""
    theta, elbo = jnp.tile(IMAGES, (91, 1)), Elbo.for_bins(WIDTH)
    limit = elbo.infinite(denoiser, jr.key(seed), theta).mean()
    return jax.lax.map(lambda k: elbo.finite(denoiser, jr.key(seed), theta, k).mean(), jnp.array(STEPS, float)) - limit


def _noise(proposal: str, seed: int) -> tuple[float, float]:
    """Standard deviations of `L_∞` estimated by one row, and by a batch that shares its noise levels."""
    theta, elbo = jnp.asarray(IMAGES), Elbo.for_bins(WIDTH)

    @jax.jit
    def batch(key: jax.Array) -> jax.Array:
        which, inside = jr.split(key)
        return elbo.infinite(denoiser, inside, theta[jr.choice(which, len(theta), (BATCH,))], proposal)  # type: ignore

    rows = np.asarray(jax.lax.map(batch, jr.split(jr.key(seed), 500)))
    return float(rows.std()), float(rows.mean(-1).std())


def measure() -> Iterator[Figure]:
    gaps = []
    for initial in INITIALS:
        found = np.array([_excess(Elbo.for_bins(WIDTH, initial), jnp.asarray(seed)) for seed in range(SEEDS)])
        predicted, bound = found[:, 1].mean(), 0.5 * initial * TRACE
        gaps.append((found[:, 0].mean(), predicted, bound))
        what = f"BSI from λ₀ = {initial:g}: bound - ln 1437"
        yield Figure(what, found[:, 0].tolist(), f"{predicted:.3f} (the integral), ≤ {bound:.3f}", "nats")
    for name, elbo in (
        ("VDM from η₀ = 1e-4", Elbo.for_bins(WIDTH, 1e-4, DiffusionClock())),
        ("BFN", Elbo.for_bins(WIDTH, 1.0, FlowClock())),
    ):
        found = [float(_excess(elbo, jnp.asarray(seed))[0]) for seed in range(SEEDS)]
        yield Figure(f"{name}: bound - ln 1437", found, "0", "nats")

    steps = np.array([_steps(jnp.asarray(seed)) for seed in range(SEEDS)])
    for k, values in zip(STEPS, steps.T, strict=True):
        yield Figure(f"BSI, L^k - L_∞, k = {k}", values.tolist(), "falls by half", "nats")

    for name in ("log_uniform", "uniform"):
        rows, batches = zip(*(_noise(name, seed) for seed in range(SEEDS)), strict=True)
        yield Figure(f"sd of the loss, λ {name}, one row", rows, "", "nats")
        yield Figure(f"sd of the loss, λ {name}, a batch of {BATCH}", batches, "", "nats")

    _draw(np.array(gaps), steps.mean(0))


def _draw(gaps: np.ndarray, steps: np.ndarray) -> None:
    with plot("bsi_bounds", 2) as (left, right):
        left.loglog(STEPS, steps, "o-")
        left.set(xlabel="steps k", ylabel="$L^k - L_∞$ in nats")
        for values, label, mark in zip(
            gaps.T, ("measured", "½∫h(λ₀/λ)²dλ", "½λ₀ tr Cov"), ("o", "-", "--"), strict=True
        ):
            right.loglog(INITIALS, values, mark, label=label)
        right.set(xlabel="λ₀", ylabel="bound - evidence in nats")
        right.legend()

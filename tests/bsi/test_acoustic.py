"""The wave equation of examples/acoustic: a closed form, a boundary that takes what leaves, the adjoint of records."""

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.bsi.helpers import ROOT

SPEED, DISTANCE = 2.0, 0.16  # km/s, km


@pytest.fixture(scope="module")
def shooting():
    spec = importlib.util.spec_from_file_location("shooting", ROOT / "examples" / "acoustic" / "shooting.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def closed_form(wavelet, times):
    """Pressure in even ground, `1/(2π) ∫ s(τ) / √((t - τ)² - T²) dτ` up to `t - T` with T the travel time: by
    `t - τ = T cosh q`, `1/(2π) ∫ s(t - T cosh q) dq`."""
    arrival = DISTANCE / SPEED
    q = np.linspace(0, np.arccosh(np.maximum(times / arrival, 1)), 2_000)
    return np.trapezoid(wavelet(times - arrival * np.cosh(q)), q, axis=0) / (2 * np.pi)


def error(shooting, finer):
    """Of a trace in even ground at cells and steps `finer` times finer, relative, up to .2 s: before the sponge, far
    away here, sends anything back."""
    cell, step, steps = shooting.CELL / finer, shooting.STEP / finer, 80 * finer
    even = jnp.full((6 * finer, 24 * finer), SPEED)
    source, away = 4 * finer, round(DISTANCE / cell)
    times = step * np.arange(steps)
    wavelet = np.asarray(shooting.ricker(steps, step))
    found = np.asarray(shooting.shoot(even, source, wavelet, cell, step, margin=40 * finer))[:, source + away]
    truth = closed_form(lambda t: np.interp(t, times, wavelet, left=0.0), times)
    return np.linalg.norm(found - truth) / np.linalg.norm(truth)


def test_a_wave_is_the_closed_form(shooting):
    """The error falls by more than the second order's 4 when cells and steps are halved."""
    coarse, fine = error(shooting, 1), error(shooting, 2)
    assert fine < 0.01 and coarse > 4 * fine, (coarse, fine)


def test_an_image_is_made_by_the_adjoint(shooting):
    """`<J v, q> = <v, Jᵀ q>` for velocities v and pressures q, in float32."""
    known = shooting.background((4, 8))
    records = jax.jit(shooting.records)
    velocity = jax.random.normal(jax.random.key(0), known.shape)
    expected, change = jax.jvp(records, (known,), (velocity,))
    other = jax.random.normal(jax.random.key(1), expected.shape)
    (image,) = jax.vjp(records, known)[1](other)
    size = float(jnp.linalg.norm(change) * jnp.linalg.norm(other))
    assert abs(float(jnp.vdot(change, other) - jnp.vdot(velocity, image))) < 1e-5 * size
    assert float(jnp.linalg.norm(change)) > 1e-3 * float(jnp.linalg.norm(expected))


def test_echoes_come_when_they_should(shooting):
    """Faster ground below row 10 changes nothing before sound has been there and back."""
    shoot = jax.jit(lambda ground: shooting.shoot(ground, 8, shooting.ricker(160)))
    even = jnp.full((16, 16), SPEED)
    change = np.abs(np.asarray(shoot(even.at[10:].set(2.4)) - shoot(even)))
    first = (change > 1e-2 * change.max()).any(1).argmax() * shooting.STEP
    there_and_back = 2 * 10 * shooting.CELL / SPEED
    assert there_and_back < first < there_and_back + 1.2 / shooting.FREQUENCY, first


def test_little_comes_back_from_the_margin(shooting):
    """At the end of the record of even ground there is a fiftieth of its strongest pressure."""
    record = np.abs(np.asarray(shooting.records(jnp.full((16, 16), 1.8))))
    assert np.isfinite(record).all() and record[:, -20:].max() < 0.02 * record.max()


def test_an_image_shows_an_interface(shooting):
    """Between the rows beside a contrast the image changes more than between all others, the last one left out: it
    stands for all below it."""
    deep = shooting.background((16, 16)).at[7:].add(0.4)
    image = np.asarray(jax.jit(shooting.migrated)(deep, jax.random.key(0)))[:, 2:-2].mean(1)
    assert abs(int(np.argmax(np.abs(np.diff(image[2:-1])))) + 2 - 6) <= 1, image

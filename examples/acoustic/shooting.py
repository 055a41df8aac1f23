"""Sound through a section of the ground, and the image that its echoes make: what the model's likelihood simulates.

Pressure p obeys `∂²p/∂t² = v² (∇²p + s δ)`. Differences are of second order in time and fourth in space; a sponge
(Cerjan et al. 1985) takes what leaves. Lengths are in km, times in s, velocities in km/s.
"""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

CELL, STEP = 0.02, 0.0025
COVER, MARGIN = 4, 12  # cells of known ground above the section, and of the sponge around both
SHOTS = 4
FREQUENCY = 15.0  # Hz: waves are 5 cells long in the slowest ground
NOISE = 0.002  # sd of every sample of a record, where echoes are some thousandths
SCALE = 0.05  # of an image, so that it is of order 1


def ricker(steps, step=STEP):
    """The wavelet of a source."""
    phase = (np.pi * FREQUENCY * (step * np.arange(steps) - 1.2 / FREQUENCY)) ** 2
    return jnp.asarray((1 - 2 * phase) * np.exp(-phase), jnp.float32)


def background(shape):
    """What is known before: velocity grows with depth."""
    return jnp.broadcast_to(jnp.linspace(1.8, 2.8, shape[0])[:, None], shape)


def shoot(velocity, column, wavelet, cell=CELL, step=STEP, margin=MARGIN):
    """Pressure along the first row of `velocity` [depth, across], after a source at its `column`: [time, across]."""
    courant = (jnp.pad(velocity, margin, mode="edge") * step / cell) ** 2
    sponge = jnp.asarray(np.multiply.outer(*(_sponge(n, margin) for n in courant.shape)), jnp.float32)

    def advance(state, source):
        before, now = state
        after = 2 * now - before + courant * _laplacian(now).at[margin, margin + column].add(source)
        return (sponge * now, sponge * after), now[margin, margin:-margin]

    rest = jnp.zeros_like(courant)
    return jax.lax.scan(advance, (rest, rest), wavelet)[1]


def _laplacian(p):
    """`cell² ∇²p`, of fourth order."""
    near, far = (sum(jnp.roll(p, shift, axis) for shift in (-k, k) for axis in (0, 1)) for k in (1, 2))
    return (16 * near - far - 60 * p) / 12


def _sponge(cells, margin):
    inside = np.maximum(0, np.maximum(margin - np.arange(cells), np.arange(cells) - (cells - 1 - margin)))
    return np.exp(-((0.25 * inside / margin) ** 2))


def records(velocity):
    """Echoes of all shots over a section [depth, across]: [shot, time, across]."""
    depth, across = velocity.shape
    ground = jnp.concatenate([jnp.broadcast_to(background(velocity.shape)[0], (COVER, across)), velocity])
    duration = 2 * (depth + COVER) * CELL / 2.4 + 2.4 / FREQUENCY  # down and up again
    wavelet = ricker(round(duration / STEP))
    columns = jnp.arange(across // (2 * SHOTS), across, across // SHOTS)
    return jax.vmap(lambda column: shoot(ground, column, wavelet))(columns)


def migrated(velocity, key):
    """Noisy records, less those of the background, carried back by the adjoint of the equation linearised there
    (`jax.vjp`): reverse-time migration, the gradient that full waveform inversion starts with."""
    expected, back = jax.vjp(records, background(velocity.shape))
    noise = NOISE * jr.normal(key, expected.shape)
    (image,) = back(records(velocity) - expected + noise)
    gain = (COVER + jnp.arange(len(velocity))) ** 1.5  # waves weaken with depth, down and up again
    return gain[:, None] * image / SCALE

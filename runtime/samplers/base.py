"""A sampler turns a denoiser into draws and never asks what the denoiser was made of."""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.composition import temperature
from bsi.runtime.process import signal_noise
from bsi.runtime.score import Denoiser

Stats = dict[str, Array]
"""Scalars beside the draws: `evaluations` of the denoiser, `non_finite` draws, `failed` (the solver gave up)."""


class AbstractSampler(eqx.Module):
    """Draws from the data law of a denoiser; pure and traceable, the batch of draws is one state."""

    @abc.abstractmethod
    def sample(
        self, denoiser: Denoiser, key: PRNGKeyArray, shape: tuple[int, int], dtype: DTypeLike = jnp.float32
    ) -> tuple[Float[Array, "draws m"], Stats]:
        """**Arguments:** `shape` is (draws, m). **Returns:** draws in working coordinates, and stats."""


def start(
    denoiser: Denoiser, key: PRNGKeyArray, shape: tuple[int, int], log_snr: Float[Array, ""], dtype: DTypeLike
) -> Float[Array, "draws m"]:
    """`u = a E[θ] + s ε` at the first noise level.

    The mean matters under powers: that of a lognormal prior to the ¼ lies 3 sds out, and N(0, I) alone would shift
    every draw by `3 a`. There `θ̂` hardly depends on u, so one evaluation gives it.
    """
    a, s = signal_noise(log_snr)
    noise = noise_of(denoiser, key, shape, dtype)
    return a * denoiser(noise, log_snr) + s * noise


def noise_of(denoiser: Denoiser, key: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike) -> Float[Array, "*b m"]:
    """Standard noise, of the variance that the denoiser's law is noised with."""
    return jnp.sqrt(temperature(denoiser)) * jr.normal(key, shape, dtype)


def stats(z: Float[Array, "draws m"], evaluations: int | Array, failed: bool | Array = False) -> Stats:
    """What every sampler reports."""
    return {
        "evaluations": jnp.asarray(evaluations),
        "non_finite": jnp.sum(~jnp.all(jnp.isfinite(z), axis=-1)),
        "failed": jnp.asarray(failed),
    }

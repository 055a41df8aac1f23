"""The flow of a posterior from noise to data as one map, in coordinates in which a Gaussian does not move.

With the Gaussian `N(μ(x), Q diag(c) Qᵀ)` of a teacher's regression, `w = Qᵀ(u - a μ)/√(a²c + s²)` has unit scale at
every noise level. Along the probability flow of a denoiser θ̂, and the angle `φ = arctan(√c a/s)` of one coordinate,

    dw/dφ = F = (Qᵀ(θ̂ - μ) - g w)/sd,

with gain g and posterior sd of the Gaussian (`Gaussian.coefficients`): what a score network has as its residual, of
unit scale. All coordinates share the angle of the geometric mean of c; `share = φ/(π/2)` runs from noise to data, from
0 to 1.
"""

from __future__ import annotations

import abc
import itertools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsi.runtime.gaussian import Gaussian
from bsi.runtime.nets.base import AbstractNetwork, time_features
from bsi.runtime.process import signal_noise
from bsi.runtime.schedule import CLEAN, NOISE
from bsi.runtime.standardise import Standardiser

_HALF_TURN = 0.5 * math.pi


class AbstractFrame(eqx.Module):
    """What is known of a posterior before anything is learned: features that a network sees, and a Gaussian."""

    @abc.abstractmethod
    def see(self, x: Any) -> Any:
        """Features of what a posterior is given."""

    @abc.abstractmethod
    def gaussian(self, features: Any) -> Gaussian:
        """The Gaussian of a posterior that `features` tell."""


class RowFrame(AbstractFrame):
    """Of posteriors given one row: its standardised entries, and the regression of its teacher."""

    standardise: Standardiser
    regression: Gaussian

    def see(self, x: Float[Array, "*b p"]) -> Float[Array, "*b p"]:
        return self.standardise(x)

    def gaussian(self, features: Float[Array, "*b p"]) -> Gaussian:
        return self.regression.given(features)


class FlowMap(eqx.Module):
    """`w(end) = w(begin) + (end - begin) U(w, begin, end, features)`: an average velocity U, learned."""

    frame: AbstractFrame
    network: AbstractVelocity

    @property
    def size(self) -> int:
        """Working coordinates of a draw."""
        return self.network.size

    def __call__(self, noise: Float[Array, "*b m"], x: Any, steps: int = 1) -> Float[Array, "*o m"]:
        """Draws of z, from draws of N(0, I); batch axes of `x` broadcast, so that one row is looked at once."""
        features = self.frame.see(x)
        gaussian = self.frame.gaussian(features)
        w = gaussian.whiten(noise)
        ends = jnp.linspace(0.0, 1.0, steps + 1)
        for begin, end in itertools.pairwise(ends):
            w = w + (end - begin) * self.network(w, begin, end, features)
        return gaussian.mean + gaussian.unwhiten(jnp.sqrt(gaussian.variance) * w)


class AbstractVelocity(eqx.Module):
    """The average velocity of a map."""

    size: eqx.AbstractVar[int]

    @abc.abstractmethod
    def __call__(
        self, w: Float[Array, "*b m"], begin: Float[Array, "*t"], end: Float[Array, "*t"], features: Any
    ) -> Float[Array, "*o m"]:
        """From share `begin` to share `end`; batch axes broadcast."""


class RowVelocity(AbstractVelocity):
    """A network whose condition is a row's features, and where the step ends."""

    network: AbstractNetwork
    size: int = eqx.field(static=True)

    def __call__(
        self,
        w: Float[Array, "*b m"],
        begin: Float[Array, "*t"],
        end: Float[Array, "*t"],
        features: Float[Array, "*c p"],
    ) -> Float[Array, "*o m"]:
        return self.network(w, begin, joined(features, end))


def joined(features: Float[Array, "*c p"], end: Float[Array, "*t"]) -> Float[Array, "*o q"]:
    """Features beside those of a time."""
    times = time_features(end)
    axes = jnp.broadcast_shapes(features.shape[:-1], times.shape[:-1])
    return jnp.concatenate([jnp.broadcast_to(part, (*axes, part.shape[-1])) for part in (features, times)], axis=-1)


def log_snr_of(gaussian: Gaussian, share: Float[Array, "*t"]) -> Float[Array, "*t"]:
    """`ln η` at a share of the way."""
    # the tangent by two sines: its pole is not a float
    sine, cosine = (jnp.maximum(jnp.sin(_HALF_TURN * part), 1e-12) for part in (share, 1.0 - share))
    return jnp.clip(2.0 * jnp.log(sine / cosine) - _log_scale(gaussian), NOISE, CLEAN)


def state_of(gaussian: Gaussian, w: Float[Array, "*b m"], log_snr: Float[Array, "*b"]) -> Float[Array, "*b m"]:
    """The VP state u of w; `gaussian` is that of its row."""
    scale, _, _ = gaussian.coefficients(log_snr)
    return signal_noise(log_snr)[0][..., None] * gaussian.mean + gaussian.unwhiten(scale * w)


def rate(
    gaussian: Gaussian, w: Float[Array, "*b m"], theta: Float[Array, "*b m"], log_snr: Float[Array, "*b"]
) -> Float[Array, "*b m"]:
    """`dw/dshare` where the denoiser says `theta`."""
    a, s = (part[..., None] for part in signal_noise(log_snr))
    _, gain, sd = gaussian.coefficients(log_snr)
    residual = (gaussian.whiten(theta - gaussian.mean) - gain * w) / sd
    mean = jnp.exp(_log_scale(gaussian))[..., None]
    speed = jnp.sqrt(gaussian.variance / mean) * (a**2 * mean + s**2) / (a**2 * gaussian.variance + s**2)
    return _HALF_TURN * speed * residual


def _log_scale(gaussian: Gaussian) -> Float[Array, "*c"]:
    return jax.lax.stop_gradient(jnp.mean(jnp.log(gaussian.variance), -1))

"""The Gaussian that everything learned starts from: `z | x ≈ N(W e(x) + b, Q diag(c) Qᵀ)`.

With it a linear-Gaussian model is exact before any training, and a network only learns what is not Gaussian. With mean
0 and covariance I the denoiser below plus the network's residual is v-prediction, exactly.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsi.runtime.process import signal_noise

_FLOOR = (
    1e-7  # of the residual variance, in prior variances: a posterior narrower than 3e-4 prior sds is a function of x
)


class Gaussian(eqx.Module):
    """`N(mean, basis diag(variance) basisᵀ)`; the mean is affine in features, or constant when `slope` is None."""

    mean: Float[Array, " m"]
    slope: Float[Array, "m p"] | None
    basis: Float[Array, "m m"]
    variance: Float[Array, " m"]

    def centre(self, features: Float[Array, "*b p"] | None) -> Float[Array, "*b m"]:
        """The mean given features."""
        if self.slope is None or features is None:
            return self.mean
        return self.mean + features @ self.slope.T

    def whiten(self, centred: Float[Array, "*b m"]) -> Float[Array, "*b m"]:
        """Coordinates along the principal axes, not yet scaled."""
        return centred @ self.basis

    def unwhiten(self, w: Float[Array, "*b m"]) -> Float[Array, "*b m"]:
        """Inverse of `whiten`."""
        return w @ self.basis.T

    def coefficients(
        self, log_snr: Float[Array, "*t"]
    ) -> tuple[Float[Array, "*t m"], Float[Array, "*t m"], Float[Array, "*t m"]]:
        """For `w = Qᵀ(u - a m)/d`, unit scale: `d = √(a²c + s²)`, gain `g = a c / d`, posterior sd `√c s / d`.

        Given u the law of `Qᵀ(θ - m)` is `N(g w, sd²)`.
        """
        a, s = signal_noise(log_snr)
        a, s = a[..., None], s[..., None]
        scale = jnp.sqrt(a**2 * self.variance + s**2)
        return scale, a * self.variance / scale, jnp.sqrt(self.variance) * s / scale

    def covariance(self) -> Float[Array, "m m"]:
        return (self.basis * self.variance) @ self.basis.T


def standard(m: int) -> Gaussian:
    """N(0, I)."""
    return Gaussian(jnp.zeros(m), None, jnp.eye(m), jnp.ones(m))


def gaussian_of_moments(mean: np.ndarray, covariance: np.ndarray, slope: np.ndarray | None = None) -> Gaussian:
    """A Gaussian from its mean and covariance, eigenvalues floored."""
    variance, basis = np.linalg.eigh(np.asarray(covariance, np.float64))
    single = [np.asarray(v, np.float32) for v in (mean, basis, np.maximum(variance, _FLOOR))]
    mean_, basis_, variance_ = map(jnp.asarray, single)
    return Gaussian(mean_, None if slope is None else jnp.asarray(slope, jnp.float32), basis_, variance_)


def regress(gram: np.ndarray, count: float, m: int) -> Gaussian:
    """Least squares of z on features from sufficient statistics.

    **Arguments:** `gram` (1 + p + m, 1 + p + m), the sum of outer products of `(1, e, z)` over `count` rows. The
    slope is shrunk by p pseudo-rows: nothing for a million simulations, half for as many rows as columns.
    """
    gram = np.asarray(gram, np.float64)
    p = len(gram) - 1 - m
    mean = gram[0, 1:] / count
    covariance = gram[1:, 1:] / count - np.outer(mean, mean)
    ee, ez, zz = covariance[:p, :p], covariance[:p, p:], covariance[p:, p:]
    scale = np.maximum(np.diag(ee), 1e-12)
    penalty = np.diag(scale * (p / count + 1e-9))
    slope = np.linalg.solve(ee + penalty, ez).T
    residual = zz - slope @ ez - ez.T @ slope.T + slope @ ee @ slope.T
    residual *= count / max(count - p - 1, 0.5 * count)
    return gaussian_of_moments(mean[p:] - slope @ mean[:p], residual, slope)

"""The Gaussian that everything learned starts from: `z | x ≈ N(W e(x) + b, Q diag(c) Qᵀ)`.

With it a linear-Gaussian model is exact before any training, and a network only learns what is not Gaussian. With mean
0 and covariance I the denoiser below plus the network's residual is v-prediction, exactly.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsi.runtime.process import signal_noise

_FLOOR = (
    1e-7  # of the residual variance, in prior variances: a posterior narrower than 3e-4 prior sds is a function of x
)


class Gaussian(eqx.Module):
    """`N(mean, basis diag(variance) basisᵀ)`; the mean is affine in features, or constant when `slope` is None.

    Without a slope it may have batch axes, one Gaussian for each. Without a basis its axes are the coordinates: then
    nothing here takes more than m numbers, and an image stays one.
    """

    mean: Float[Array, "*b m"]
    slope: Float[Array, "m p"] | None
    basis: Float[Array, "*c m m"] | None
    variance: Float[Array, "*c m"]

    @property
    def size(self) -> int:
        return self.mean.shape[-1]

    def given(self, features: Float[Array, "*b p"]) -> Gaussian:
        """The Gaussian of z for these features."""
        if self.slope is None:
            return self
        return Gaussian(self.mean + features @ self.slope.T, None, self.basis, self.variance)

    def whiten(self, centred: Float[Array, "*b m"]) -> Float[Array, "*o m"]:
        """Coordinates along the principal axes, not yet scaled."""
        return centred if self.basis is None else _times(centred, self.basis)

    def unwhiten(self, w: Float[Array, "*b m"]) -> Float[Array, "*o m"]:
        """Inverse of `whiten`."""
        return w if self.basis is None else _times(w, jnp.swapaxes(self.basis, -1, -2))

    def coefficients(
        self, log_snr: Float[Array, "*t"]
    ) -> tuple[Float[Array, "*o m"], Float[Array, "*o m"], Float[Array, "*o m"]]:
        """For `w = Qᵀ(u - a m)/d`, unit scale: `d = √(a²c + s²)`, gain `g = a c / d`, posterior sd `√c s / d`.

        Given u the law of `Qᵀ(θ - m)` is `N(g w, sd²)`.
        """
        a, s = signal_noise(log_snr)
        a, s = a[..., None], s[..., None]
        scale = jnp.sqrt(a**2 * self.variance + s**2)
        return scale, a * self.variance / scale, jnp.sqrt(self.variance) * s / scale

    def covariance(self) -> Float[Array, "m m"]:
        return self._along_axes(self.variance)

    def precision(self) -> Float[Array, "m m"]:
        return self._along_axes(1.0 / self.variance)

    def _along_axes(self, values: Float[Array, " m"]) -> Float[Array, "m m"]:
        return jnp.diag(values) if self.basis is None else (self.basis * values) @ self.basis.T


def _times(x: Array, matrix: Array) -> Array:
    return x @ matrix if matrix.ndim == 2 else jnp.einsum("...i,...ij->...j", x, matrix)


class PartialGaussian(eqx.Module):
    """z and features e jointly Gaussian, so that z is known given any of the features: exact for rows with holes.

    Features come as `(e, seen)`, twice as wide, 0 where an entry is not seen.
    """

    mean: Float[Array, " m"]
    covariance: Float[Array, "m m"]
    feature_mean: Float[Array, " p"]
    feature_covariance: Float[Array, "p p"]
    cross: Float[Array, "m p"]

    @property
    def size(self) -> int:
        return len(self.mean)

    def given(self, features: Float[Array, "*b q"]) -> Gaussian:
        """`z | e_seen`: what is not seen gets variance 1 and no covariance, which leaves it out."""
        p = len(self.feature_mean)
        e, seen = features[..., :p], features[..., p:]
        both = seen[..., :, None] * seen[..., None, :]
        root = jnp.linalg.cholesky(both * self.feature_covariance + (1.0 - seen)[..., None] * jnp.eye(p))
        joint = jnp.concatenate([(seen * (e - self.feature_mean))[..., None], seen[..., None] * self.cross.T], axis=-1)
        solved = jax.scipy.linalg.solve_triangular(root, joint, lower=True)
        shift, gain = solved[..., 0], solved[..., 1:]
        mean = self.mean + jnp.einsum("...p,...pm->...m", shift, gain)
        variance, basis = jnp.linalg.eigh(self.covariance - jnp.einsum("...pi,...pj->...ij", gain, gain))
        return Gaussian(mean, None, basis, jnp.maximum(variance, _FLOOR))


def standard(m: int, *, axes: bool = True) -> Gaussian:
    """N(0, I); without `axes`, of one number a coordinate."""
    return Gaussian(jnp.zeros(m), None, jnp.eye(m) if axes else None, jnp.ones(m))


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
    mean, covariance = _moments(gram, count)
    p = len(mean) - m
    ee, ez, zz = covariance[:p, :p], covariance[:p, p:], covariance[p:, p:]
    slope = np.linalg.solve(ee + _penalty(ee, count), ez).T
    residual = zz - slope @ ez - ez.T @ slope.T + slope @ ee @ slope.T
    residual *= count / max(count - p - 1, 0.5 * count)
    return gaussian_of_moments(mean[p:] - slope @ mean[:p], residual, slope)


def joint(gram: np.ndarray, count: float, m: int) -> PartialGaussian:
    """The same from the same statistics, for features of which any may be missing."""
    mean, covariance = _moments(gram, count)
    p = len(mean) - m
    ee = covariance[:p, :p]
    parts = mean[p:], covariance[p:, p:], mean[:p], ee + _penalty(ee, count), covariance[p:, :p]
    return PartialGaussian(*(jnp.asarray(part, jnp.float32) for part in parts))


def exchangeable(gram: np.ndarray, rows: int, m: int) -> np.ndarray:
    """The same statistics of features that are `rows` rows of one law, as if each had stood at every place."""
    q = (len(gram) - 1 - m) // rows
    where = slice(1, 1 + rows * q)
    out = np.array(gram, np.float64)
    pairs = out[where, where].reshape(rows, q, rows, q)
    own = np.einsum("iaib->ab", pairs) / rows
    other = (pairs.sum((0, 2)) - rows * own) / (rows * (rows - 1))
    out[where, where] = np.kron(np.eye(rows), own - other) + np.kron(np.ones((rows, rows)), other)
    for rest in (slice(0, 1), slice(where.stop, None)):
        mean = out[rest, where].reshape(-1, rows, q).mean(1)
        out[rest, where] = np.tile(mean, rows)
        out[where, rest] = out[rest, where].T
    return out


def _moments(gram: np.ndarray, count: float) -> tuple[np.ndarray, np.ndarray]:
    gram = np.asarray(gram, np.float64)
    mean = gram[0, 1:] / count
    return mean, gram[1:, 1:] / count - np.outer(mean, mean)


def _penalty(ee: np.ndarray, count: float) -> np.ndarray:
    return np.diag(np.maximum(np.diag(ee), 1e-12) * (len(ee) / count + 1e-9))

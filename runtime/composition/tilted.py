"""A tempered prior whose density does not separate over coordinates, by quasi-Monte-Carlo.

`q(z) ∝ N(z) exp(g(z))` is matched by a Gaussian N(μ, C); given u the Gaussian's posterior proposes nodes, and weights
`q/N(μ, C)` correct them. Good while q is close to its Gaussian; `effective` says how close, as a share of the nodes.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.stats import norm, qmc

from bsi.runtime.composition.tempered import AbstractPrior, LogPrior
from bsi.runtime.process import signal_noise

_MATCHING = 4096  # nodes that find the mean and covariance
_NODES = 256  # nodes a state
_ROUNDS = 4  # of matching, each from the last one's Gaussian
_WIDEN = 1.5  # of the proposal while matching, so that tails are seen


class TiltedPrior(AbstractPrior):
    """`N(z) exp((α - 1) ln p(θ(z)))`, any `ln p(θ(z))`."""

    size: int = eqx.field(static=True)
    log_prior: LogPrior = eqx.field(static=True)
    power: Float[Array, ""]
    mean: Float[Array, " m"]
    root: Float[Array, "m m"]  # C = root rootᵀ
    effective: Float[Array, ""]
    proper: Bool[Array, ""]

    def precision(self) -> Float[Array, "m m"]:
        inverse = jnp.linalg.inv(self.root)
        return inverse.T @ inverse

    def plain(self, u: Float[Array, "b m"], log_snr: Float[Array, ""]) -> Float[Array, "b m"]:
        """`E[z | u] - a u`, self-normalised over the same nodes for every state."""
        a, s = signal_noise(log_snr)
        covariance = self.root @ self.root.T
        gain = a * jnp.linalg.inv(a**2 * covariance + s**2 * jnp.eye(self.size)) @ covariance
        spread = jnp.linalg.cholesky(jnp.linalg.inv(self.precision() + jnp.exp(log_snr) * jnp.eye(self.size)))
        nodes = _nodes(self.size, _NODES).astype(u.dtype) @ spread.T

        def denoise(state: Array) -> Array:
            centre = self.mean + (state - a * self.mean) @ gain
            weight = jax.nn.softmax(_log_ratio(self.log_prior, self.power, centre + nodes, self.mean, self.root))
            return centre + weight @ nodes - a * state

        return jax.lax.map(denoise, u, batch_size=512)

    def weighted(self, u: Float[Array, "b m"], log_snr: Float[Array, ""], r: Float[Array, ""]) -> Float[Array, "b m"]:
        return self.plain(u, log_snr) @ (self.precision() + r * jnp.eye(self.size))

    def log_density(self, z: Float[Array, "b m"]) -> Float[Array, " b"]:
        return (self.power - 1.0) * self.log_prior(z) - 0.5 * jnp.sum(z**2, -1)


def tilt(log_prior: LogPrior, m: int, power: Float[Array, ""] | float) -> TiltedPrior:
    """`N(z) p(θ(z))^(α-1)` for any `ln p(θ(z))`; `α = power` may be traced. Prefer `temper` where it separates."""
    power = jnp.asarray(power, jnp.float32)
    nodes = _nodes(m, _MATCHING)
    mean, root = jnp.zeros(m), jnp.eye(m) / jnp.sqrt(jnp.minimum(power, 1.0))
    effective = jnp.zeros(())
    for _ in range(_ROUNDS):
        wide = _WIDEN * root
        z = mean + nodes @ wide.T
        weight = jax.nn.softmax(_log_ratio(log_prior, power, z, mean, wide))
        effective = 1.0 / (_MATCHING * jnp.sum(weight**2))
        mean = weight @ z
        centred = z - mean
        root = jnp.linalg.cholesky((weight[:, None] * centred).T @ centred + 1e-6 * jnp.eye(m))
    proper = jnp.all(jnp.isfinite(root)) & (jnp.max(jnp.abs(root)) < 20.0)
    return TiltedPrior(m, log_prior, power, mean, root, effective, proper)


def _log_ratio(log_prior: LogPrior, power: Array, z: Array, mean: Array, root: Array) -> Array:
    """`ln q(z) - ln N(z; mean, root rootᵀ)` up to a constant; -inf where `ln p` is not finite."""
    white = jax.scipy.linalg.solve_triangular(root, (z - mean).T, lower=True).T
    value = (power - 1.0) * log_prior(z) - 0.5 * jnp.sum(z**2, -1) + 0.5 * jnp.sum(white**2, -1)
    return jnp.where(jnp.isfinite(value), value, -jnp.inf)


def _nodes(m: int, count: int) -> Float[Array, "count m"]:
    """Sobol points, off the edges by half a cell, as standard normals; with their negatives, so that the mean is 0."""
    half = count // 2
    points = norm.ppf(qmc.Sobol(m, scramble=False).random(half) + 0.5 / half)
    return jnp.asarray(np.concatenate([points, -points]), jnp.float32)

"""A test bed where everything about powers is known: a Gaussian-mixture prior, data linear in it with Gaussian noise.

Prior and posterior are mixtures, so their scores at every noise level are exact; `p^alpha f^power` is drawn from by
rejection, and whatever a sampler makes of the two scores can be held against it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsi.runtime.composition import Composed, NormalPrior, Rows
from bsi.runtime.process import signal_noise

Compose = Callable[[NormalPrior, list[Rows]], Composed]


@dataclass(frozen=True)
class Mixture:
    """`Σ weights_k N(means_k, covariances_k)`; `log_weights` need not be normalised."""

    log_weights: Float[np.ndarray, " k"]
    means: Float[np.ndarray, "k m"]
    covariances: Float[np.ndarray, "k m m"]

    @cached_property
    def weights(self) -> Float[np.ndarray, " k"]:
        weights = np.exp(self.log_weights - self.log_weights.max())
        return weights / weights.sum()

    @cached_property
    def mean(self) -> Float[np.ndarray, " m"]:
        return self.weights @ self.means

    @cached_property
    def covariance(self) -> Float[np.ndarray, "m m"]:
        gap = self.means - self.mean
        return np.einsum("k,kij->ij", self.weights, self.covariances + gap[:, :, None] * gap[:, None])

    def log_parts(self, x: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n k"]:
        """`ln w_k N(x; m_k, C_k)` up to one constant."""
        inverse = np.linalg.inv(self.covariances)
        gap = x[:, None] - self.means
        squares = np.einsum("nki,kij,nkj->nk", gap, inverse, gap)
        return self.log_weights - 0.5 * np.linalg.slogdet(self.covariances)[1] - 0.5 * squares

    def draws(self, rng: np.random.Generator, count: int) -> Float[np.ndarray, "count m"]:
        roots = np.linalg.cholesky(self.covariances)
        chosen = rng.choice(len(self.weights), count, p=self.weights)
        noise = rng.standard_normal((count, self.means.shape[1]))
        return self.means[chosen] + np.einsum("nij,nj->ni", roots[chosen], noise)


@dataclass(frozen=True)
class Bed:
    """Prior, and data `y = operator x + N(0, noise²)`."""

    prior: Mixture
    operator: Float[np.ndarray, "p m"]
    noise: float

    def simulate(
        self, rng: np.random.Generator, count: int
    ) -> tuple[Float[np.ndarray, "n m"], Float[np.ndarray, "n p"]]:
        """Params and data, `count` of each."""
        x = self.prior.draws(rng, count)
        return x, x @ self.operator.T + self.noise * rng.standard_normal((count, len(self.operator)))

    def scaled(self, y: Float[np.ndarray, " p"], alpha: float, power: float) -> Mixture:
        """`Σ (w_k N_k)^alpha f^power`: the posterior at (1, 1), and a cover of `p^alpha f^power` elsewhere."""
        prior = self.prior
        inverse = np.linalg.inv(prior.covariances)
        precisions = alpha * inverse + power * self.operator.T @ self.operator / self.noise**2
        covariances = np.linalg.inv(precisions)
        own = np.einsum("kij,kj->ki", inverse, prior.means)
        shifts = alpha * own + power * self.operator.T @ y / self.noise**2
        means = np.einsum("kij,kj->ki", covariances, shifts)
        norms = np.linalg.slogdet(prior.covariances)[1] + np.sum(own * prior.means, 1)
        log_weights = alpha * (prior.log_weights - 0.5 * norms)
        log_weights += 0.5 * np.sum(shifts * means, 1) + 0.5 * np.linalg.slogdet(covariances)[1]
        return Mixture(log_weights, means, covariances)

    def exact(
        self, rng: np.random.Generator, y: Float[np.ndarray, " p"], alpha: float, power: float, count: int
    ) -> Float[np.ndarray, "count m"]:
        """Independent draws of `p^alpha f^power`: those of `scaled`, accepted by `(Σ a_k)^alpha / Σ a_k^alpha`, which
        is at most 1 for alpha up to 1 and `k^(alpha - 1)` above (power means)."""
        cover = self.scaled(y, alpha, power)
        bound = max(0.0, (alpha - 1) * np.log(len(cover.weights)))
        kept: list[np.ndarray] = []
        while sum(map(len, kept)) < count:
            x = cover.draws(rng, 4 * count)
            parts = self.prior.log_parts(x)
            log_ratio = alpha * np.logaddexp.reduce(parts, 1) - np.logaddexp.reduce(alpha * parts, 1)
            kept.append(x[np.log(rng.random(len(x))) < log_ratio - bound])
        return np.concatenate(kept)[:count]

    @cached_property
    def _root(self) -> Float[np.ndarray, "m m"]:
        return np.linalg.cholesky(self.prior.covariance)

    def to_params(self, z: Float[np.ndarray, "*b m"]) -> Float[np.ndarray, "*b m"]:
        """From working coordinates, in which the prior has mean 0 and covariance I."""
        return self.prior.mean + z @ self._root.T

    def working(self, law: Mixture) -> Mixture:
        """A law of params as one of working coordinates."""
        inverse = np.linalg.inv(self._root)
        means = (law.means - self.prior.mean) @ inverse.T
        return Mixture(law.log_weights, means, inverse @ law.covariances @ inverse.T)

    def composition(
        self, compose: Compose, alpha: float | Array, power: float | Array, error: float = 0.0
    ) -> Callable[[Float[Array, " k"], Float[Array, "k m"], Float[Array, "m m"]], Composed]:
        """The composed denoiser of `p^alpha f^power`, of exact scores, by what data change: log weights and means of
        the posterior in working coordinates, and its information `C⁻¹ - I`.

        **Arguments:** `error` is added to the noise that both denoisers see, a smooth field of this root mean square.
        """
        prior, one = self.working(self.prior), self.working(self.scaled(np.zeros(len(self.operator)), 1.0, 1.0))
        m = len(self.prior.mean)
        rest = _rows(_denoiser(prior.covariances, error, 1), prior, np.zeros((m, m)), alpha - power)

        def composed(log_weights: Array, means: Array, information: Array) -> Composed:
            row = Rows(
                _denoiser(one.covariances, error, 0),
                (log_weights[None], means[None]),
                jnp.reshape(jnp.asarray(power, jnp.float32), (1,)),
                information[None],
                jnp.asarray(0),
            )
            return compose(NormalPrior(m, alpha), [row, rest])

        return composed

    def given(self, y: Float[np.ndarray, " p"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What `composition` asks of data."""
        law = self.working(self.scaled(y, 1.0, 1.0))
        values, basis = np.linalg.eigh(law.covariance)
        # as `make_rows` has it: two modes far apart may make a posterior wider than its prior
        information = (basis * np.maximum(1 / values - 1, 0.0)) @ basis.T
        parts = (np.log(law.weights), law.means, information)
        log_weights, means, information = (part.astype(np.float32) for part in parts)
        return log_weights, means, information


def _rows(denoiser: Callable[..., Array], law: Mixture, information: np.ndarray, power: float | Array) -> Rows:
    x = (jnp.asarray(np.log(law.weights), jnp.float32)[None], jnp.asarray(law.means, jnp.float32)[None])
    powers = jnp.reshape(jnp.asarray(power, jnp.float32), (1,))
    return Rows(denoiser, x, powers, jnp.asarray(information, jnp.float32)[None], jnp.asarray(0))


def _denoiser(covariances: np.ndarray, error: float, seed: int) -> Callable[..., Array]:
    """`(u, ln η, (log weights, means)) -> E[z | u]` of a mixture with these covariances, taken apart once."""
    values, basis = (jnp.asarray(part, jnp.float32) for part in np.linalg.eigh(covariances))
    m = basis.shape[-1]
    rng = np.random.default_rng(seed)
    slopes, phases = (jnp.asarray(v, jnp.float32) for v in (rng.standard_normal((m, m)), rng.uniform(0, 6, m)))

    def denoise(u: Array, log_snr: Array, x: tuple[Array, Array]) -> Array:
        a, s = signal_noise(log_snr)
        log_weights, means = x
        total = a**2 * values + s**2
        along = jnp.einsum("...km,kmj->...kj", u[..., None, :] - a * means, basis)
        log_parts = log_weights - 0.5 * jnp.sum(jnp.log(total), -1) - 0.5 * jnp.sum(along**2 / total, -1)
        component = means + a * jnp.einsum("...kj,kmj->...km", along * values / total, basis)
        mean = jnp.sum(jax.nn.softmax(log_parts)[..., None] * component, -2)
        if not error:
            return mean
        # θ̂ = (u - s ε)/a, so an error of ε moves θ̂ by s/a; the field has unit mean square
        wave = jnp.sqrt(2.0) * jnp.sin(u @ slopes.T / jnp.sqrt(m) + phases)
        return mean + error * jnp.minimum(s / a, 1.0) * wave

    return denoise


def wasserstein(draws: Float[np.ndarray, "a m"], truth: Float[np.ndarray, "b m"]) -> Float[np.ndarray, " m"]:
    """W1 of every coordinate's marginal, in sds of `truth`."""
    at = (np.arange(len(draws)) + 0.5) / len(draws)
    gap = np.abs(np.sort(draws, 0) - np.quantile(truth, at, axis=0))
    return gap.mean(0) / truth.std(0)

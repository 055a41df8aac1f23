"""The posterior of a kernel density estimate of simulations, and its exact denoiser (METHODS §2, `exact`; EXACT, 2025).

K simulations (z_k, x_k) with a Gaussian kernel around each, of covariance block-diagonal in z and features e(x), are a
joint density. Its conditional given x is a mixture over z alone,

    π_k ∝ exp(-½ |e - e_k|²/h_x²),   components N(m_k, h_z² C),   m_k = z_k + S (e - e_k),

with C the residual covariance of the regression of z on e and S its slope (`adjust`), or C the covariance of z and
S = 0. All components share one covariance, so at any noise level the denoiser is an attention over simulations: along
the axes of C, with `v = a² h_z² c + s²` and `r_k` the residuals of the regression,

    ln w_k = ln π_k + a w·r_k/v - ½ a² r_k²/v,   θ̂ = (s²/v) Σ w_k r_k + (a h_z² c/v) w,   w = u - a (S e + b).

Only the `neighbours` simulations nearest to x are components: the kernel in x ends there.
"""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int, PRNGKeyArray

from bsi.runtime.composition import Rows, make_rows
from bsi.runtime.gaussian import Gaussian, standard
from bsi.runtime.process import signal_noise
from bsi.runtime.score import Denoiser
from bsi.runtime.standardise import Standardiser

_LOGITS = 2**24  # states times components at once: 64 MB each array


class Given(eqx.Module):
    """What a row says: the regression's mean, and the components near it with their log weights, which sum to 1."""

    mean: Float[Array, "*b m"]
    index: Int[Array, "*b k"]
    log_weight: Float[Array, "*b k"]

    @property
    def effective(self) -> Float[Array, "*b"]:
        """Effective number of simulations, `1/Σ π_k²`."""
        return jnp.exp(-jax.nn.logsumexp(2.0 * self.log_weight, -1))


class ExactFit(eqx.Module):
    """Table and bandwidths: `row_bandwidth` in sds of features, `bandwidth` in sds of residuals. `drawn` is the same of
    z alone; None: N(0, I)."""

    standardise: Standardiser
    gaussian: Gaussian
    features: Float[Array, "n p"]
    residuals: Float[Array, "n m"]
    row_bandwidth: Float[Array, ""]
    bandwidth: Float[Array, ""]
    drawn: ExactFit | None
    neighbours: int = eqx.field(static=True)

    def given(self, x: Float[Array, "*b p"]) -> Given:
        """The components for each row."""
        return self.given_features(self.standardise(x))

    def given_features(self, features: Float[Array, "*b p"]) -> Given:
        """The same for standardised rows."""
        batch = features.shape[:-1]
        near = jax.lax.map(self._near, features.reshape(math.prod(batch), features.shape[-1]))
        index, log_weight = (part.reshape(*batch, self.neighbours) for part in near)
        return Given(self.gaussian.given(features).mean, index, log_weight)

    def _near(self, features: Float[Array, " p"]) -> tuple[Int[Array, " k"], Float[Array, " k"]]:
        distance = jnp.sum((self.features - features) ** 2, -1)
        closest, index = jax.lax.top_k(-distance, self.neighbours)
        return index, jax.nn.log_softmax(0.5 * closest / self.row_bandwidth**2)

    def condition(self, x: Float[Array, " p"]) -> Denoiser:
        """The denoiser of the posterior given one row."""
        return Conditioned(self, self.given(x))

    def denoise(self, u: Float[Array, "*b m"], log_snr: Float[Array, "*t"], given: Given) -> Float[Array, "*o m"]:
        """`E[θ | u, x]`; batch axes broadcast: (rows, draws, m) with `given` of (rows, 1), as many draws at a time as
        memory allows."""
        total = self.neighbours * math.prod(jnp.broadcast_shapes(u.shape[:-1], given.mean.shape[:-1]))
        shared = jnp.ndim(log_snr) == 0 and (given.mean.ndim < 2 or given.mean.shape[-2] == 1)
        if total <= _LOGITS or not shared or u.ndim < 2:
            return self._denoise(u, log_snr, given)
        draws = jax.lax.map(
            lambda v: self._denoise(v[..., None, :], log_snr, given)[..., 0, :],
            jnp.moveaxis(u, -2, 0),
            batch_size=max(1, _LOGITS * u.shape[-2] // total),
        )
        return jnp.moveaxis(draws, 0, -2)

    def _denoise(self, u: Array, log_snr: Array, given: Given) -> Array:
        a, s = (part[..., None] for part in signal_noise(log_snr))
        kernel = self.bandwidth**2 * self.gaussian.variance
        total = a**2 * kernel + s**2
        w = self.gaussian.whiten(u - a * given.mean)
        r = self.residuals[given.index]
        # two powers of r/√v beside each other: what they have in common is no digit lost, v ≥ (h_z r)² for all near w
        cross = jnp.einsum("...i,...ki->...k", a * w / total, r)
        square = jnp.einsum("...i,...ki->...k", jnp.broadcast_to(a**2 / total, _with(total, r)), r**2)
        weight = jax.nn.softmax(given.log_weight + cross - 0.5 * square, axis=-1)
        centre = jnp.einsum("...k,...ki->...i", weight, r)
        return given.mean + self.gaussian.unwhiten((s**2 * centre + a * kernel * w) / total)

    def rows(self, x: Float[Array, "n p"], powers: Float[Array, "*n"]) -> Rows:
        """Rows as factors of a composition, relative to N(0, I)."""
        given = self.given(x)
        _, covariances = self.moments(given)
        return make_rows(self.denoise, given, powers, jnp.linalg.inv(covariances), self.prior.precision())

    @property
    def score(self) -> ExactFit:
        """Itself: the face of a trained fit, whose score network is a part of it."""
        return self

    @property
    def partial(self) -> bool:
        """Whether it takes rows with holes."""
        return False

    @property
    def set_rows(self) -> int:
        """How many rows it takes at once."""
        return 1

    @property
    def gaussian_prior(self) -> bool:
        """Whether the prior is N(0, I)."""
        return self.alone is None

    @property
    def alone(self) -> ExactFit | None:
        """The mixture of the params alone, unless they are N(0, I)."""
        return self if self.features.shape[1] == 0 else self.drawn

    @property
    def prior(self) -> Gaussian:
        """The Gaussian of the moments of the prior that `denoise_prior` is of."""
        if self.alone is None:
            return standard(self.residuals.shape[1])
        mean, covariance = self.alone.moments(self.alone.given(jnp.zeros(0)))
        variance, basis = jnp.linalg.eigh(covariance)
        return Gaussian(mean, None, basis, variance)

    def denoise_prior(self, u: Float[Array, "*b m"], log_snr: Float[Array, "*t"]) -> Float[Array, "*b m"]:
        """`E[θ | u]` under the prior."""
        if self.alone is None:
            return signal_noise(log_snr)[0][..., None] * u
        return self.alone.denoise(u, log_snr, self.alone.given(jnp.zeros(0)))

    def moments(self, given: Given) -> tuple[Float[Array, "*b m"], Float[Array, "*b m m"]]:
        """Mean and covariance of the mixture: exactly those of the law that is sampled."""
        r, weight = self.residuals[given.index], jnp.exp(given.log_weight)
        centre = jnp.einsum("...k,...ki->...i", weight, r)
        gap = r - centre[..., None, :]
        spread = jnp.einsum("...k,...ki,...kj->...ij", weight, gap, gap)
        spread = spread + jnp.diag(self.bandwidth**2 * self.gaussian.variance)
        turned = self.gaussian.unwhiten(jnp.swapaxes(self.gaussian.unwhiten(spread), -1, -2))
        return given.mean + self.gaussian.unwhiten(centre), turned

    def sample(self, key: PRNGKeyArray, given: Given, draws: int) -> Float[Array, "*b draws m"]:
        """Draws of the mixture itself: what every sampler of its score should give."""
        which, noise = jr.split(key)
        batch = given.index.shape[:-1]
        chosen = jr.categorical(which, given.log_weight[..., None, :], shape=(*batch, draws))
        r = self.residuals[jnp.take_along_axis(given.index, chosen, -1)]
        kernel = self.bandwidth * jnp.sqrt(self.gaussian.variance) * jr.normal(noise, r.shape)
        return given.mean[..., None, :] + self.gaussian.unwhiten(r + kernel)


class Conditioned(eqx.Module):
    """The denoiser of the posterior given one row."""

    fit: ExactFit
    given: Given

    def __call__(self, u: Float[Array, "*b m"], log_snr: Float[Array, ""]) -> Float[Array, "*b m"]:
        return self.fit.denoise(u, log_snr, self.given)


def _with(total: Array, r: Array) -> tuple[int, ...]:
    """Batch axes of both, then the entries: einsum wants the axes of its first operand to be there."""
    return (*jnp.broadcast_shapes(total.shape[:-1], r.shape[:-2]), r.shape[-1])

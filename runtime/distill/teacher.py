"""Teachers: a denoiser for every row, with draws of rows and params to look at it from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.distill.flow_map import log_snr_of, rate, state_of
from bsi.runtime.exact import ExactFit
from bsi.runtime.gaussian import Gaussian
from bsi.runtime.score import ScoreNetwork
from bsi.runtime.standardise import Standardiser

_WIDEST = 0.5  # sds of a feature by which rows are spread between those of a table


class Teacher(eqx.Module):
    """`draw(key, n) -> (z, features, given)`, n rows each with a draw of its params and what `denoise` takes of it."""

    standardise: Standardiser
    gaussian: Gaussian
    denoise: Callable[[Float[Array, "n m"], Float[Array, " n"], Any], Float[Array, "n m"]]
    draw: Callable[[PRNGKeyArray, int], tuple[Float[Array, "n m"], Float[Array, "n p"], Any]]

    def velocity(
        self, w: Float[Array, "n m"], share: Float[Array, " n"], features: Float[Array, "n p"], given: Any
    ) -> Float[Array, "n m"]:
        """`dw/dshare` of the teacher's flow."""
        gaussian = self.gaussian.given(features)
        log_snr = log_snr_of(gaussian, share)
        return rate(gaussian, w, self.denoise(state_of(gaussian, w, log_snr), log_snr, given), log_snr)

    def flow(
        self, w: Float[Array, "n m"], features: Float[Array, "n p"], given: Any, steps: int
    ) -> Float[Array, "n m"]:
        """Where the flow takes w from noise to data: `steps` steps of Heun, equal in the share."""
        size = 1.0 / steps

        def step(w: Array, index: Array) -> tuple[Array, None]:
            begin = jnp.full(len(w), index * size)
            first = self.velocity(w, begin, features, given)
            second = self.velocity(w + size * first, begin + size, features, given)
            return w + 0.5 * size * (first + second), None

        return jax.lax.scan(step, w, jnp.arange(steps))[0]


def exact_teacher(fit: ExactFit) -> Teacher:
    """Simulations as a teacher. Rows are spread by their kernel, and params drawn from the mixture given each."""

    def draw(key: PRNGKeyArray, n: int) -> tuple[Array, Array, Any]:
        which, spread, draws = jr.split(key, 3)
        chosen = fit.features[jr.randint(which, (n,), 0, len(fit.features))]
        features = chosen + jnp.minimum(fit.row_bandwidth, _WIDEST) * jr.normal(spread, chosen.shape)
        given = fit.given_features(features)
        return fit.sample(draws, given, 1)[:, 0], features, given

    return Teacher(fit.standardise, fit.gaussian, fit.denoise, draw)


def score_teacher(
    score: ScoreNetwork, simulate: Callable[[PRNGKeyArray, int], tuple[Float[Array, "n m"], Float[Array, "n p"]]]
) -> Teacher:
    """A trained network as a teacher, seen from simulations.

    **Raises:** `TypeError` for a network that takes rows with holes.
    """
    if not isinstance(score.standardise, Standardiser) or not isinstance(score.posterior, Gaussian):
        raise TypeError("the teacher takes rows with holes")

    def draw(key: PRNGKeyArray, n: int) -> tuple[Array, Array, Any]:
        z, x = simulate(key, n)
        return z, score.standardise(x), x

    return Teacher(score.standardise, score.posterior, score.denoise, draw)

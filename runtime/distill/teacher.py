"""Teachers: a denoiser for every posterior, with draws of what posteriors are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.distill.flow_map import AbstractFrame, RowFrame, log_snr_of, rate, state_of
from bsi.runtime.exact import ExactFit
from bsi.runtime.gaussian import Gaussian
from bsi.runtime.score import ScoreNetwork
from bsi.runtime.standardise import Standardiser
from bsi.runtime.training import Simulator, Table

_WIDEST = 0.5  # sds of a feature by which rows are spread between those of a table


class Teacher(eqx.Module):
    """`draw(key, n) -> (features, given)`: of n posteriors what a student sees, and what `denoise` takes."""

    frame: AbstractFrame
    denoise: Callable[[Float[Array, "n m"], Float[Array, " n"], Any], Float[Array, "n m"]]
    draw: Callable[[PRNGKeyArray, int], tuple[Any, Any]]
    rows: int = eqx.field(static=True, default=1)  # of a posterior, at most

    def velocity(
        self, gaussian: Gaussian, w: Float[Array, "n m"], share: Float[Array, " n"], given: Any
    ) -> Float[Array, "n m"]:
        """`dw/dshare` of the teacher's flow; `gaussian` is the frame's."""
        log_snr = log_snr_of(gaussian, share)
        return rate(gaussian, w, self.denoise(state_of(gaussian, w, log_snr), log_snr, given), log_snr)

    def path(self, gaussian: Gaussian, w: Float[Array, "n m"], given: Any, steps: int) -> Float[Array, "n times m"]:
        """The way of the flow from noise w to data: itself and `steps` steps of Heun, equal in the share."""
        size = 1.0 / steps

        def step(w: Array, index: Array) -> tuple[Array, Array]:
            begin = jnp.full(len(w), index * size)
            first = self.velocity(gaussian, w, begin, given)
            second = self.velocity(gaussian, w + size * first, begin + size, given)
            w = w + 0.5 * size * (first + second)
            return w, w

        way = jax.lax.scan(step, w, jnp.arange(steps))[1]
        return jnp.moveaxis(jnp.concatenate([w[None], way]), 0, 1)


def exact_teacher(fit: ExactFit) -> Teacher:
    """Simulations as a teacher, of rows spread by their kernel."""

    def draw(key: PRNGKeyArray, n: int) -> tuple[Array, Any]:
        which, spread = jr.split(key)
        chosen = fit.features[jr.randint(which, (n,), 0, len(fit.features))]
        features = chosen + jnp.minimum(fit.row_bandwidth, _WIDEST) * jr.normal(spread, chosen.shape)
        return features, fit.given_features(features)

    return Teacher(RowFrame(fit.standardise, fit.gaussian), fit.denoise, draw)


def score_teacher(score: ScoreNetwork, source: Simulator | Table) -> Teacher:
    """A trained network as a teacher, seen from simulations.

    **Raises:** `TypeError` for a network that takes rows with holes.
    """
    if not isinstance(score.standardise, Standardiser) or not isinstance(score.posterior, Gaussian):
        raise TypeError("the teacher takes rows with holes")
    simulate = rows_of(source)

    def draw(key: PRNGKeyArray, n: int) -> tuple[Array, Any]:
        x = simulate(key, n)[1]
        return score.standardise(x), x

    return Teacher(RowFrame(score.standardise, score.posterior), score.denoise, draw)


def rows_of(
    source: Simulator | Table,
) -> Callable[[PRNGKeyArray, int], tuple[Float[Array, "n m"], Float[Array, "n p"]]]:
    """Simulations; in place of one that is not finite stands another one."""
    if isinstance(source, Table):
        finite = jnp.isfinite(jnp.asarray(source.z)).all(-1) & jnp.isfinite(jnp.asarray(source.x)).all(-1)
        z, x = jnp.asarray(source.z)[finite], jnp.asarray(source.x)[finite]

        def picked(key: PRNGKeyArray, n: int) -> tuple[Array, Array]:
            at = jr.randint(key, (n,), 0, len(z))
            return z[at], x[at]

        return picked

    def simulate(key: PRNGKeyArray, n: int) -> tuple[Array, Array]:
        z, x = source.simulate(key, n)
        ok = jnp.isfinite(z).all(-1) & jnp.isfinite(x).all(-1)
        # the next finite one in a cycle, so that no shape depends on how many there are
        at = jnp.argsort(~ok, stable=True)[jnp.arange(n) % jnp.maximum(jnp.sum(ok), 1)]
        return z[at], x[at]

    return simulate

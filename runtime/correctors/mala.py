"""Metropolis-adjusted Langevin moves of many draws at once (Roberts & Tweedie 1996).

Every draw is a chain of its own. The proposal `z' = z + (h²/2) C ∇ln π(z) + h C^{1/2} ξ`, its drift truncated, takes
its covariance C from all draws, and h from the share of them that accepts, during the first half of the steps; then
both are kept, so that the second half leaves the target as it is. After each move half of the draws try to go where
others are, see `exchange.py`: small steps never cross from mode to mode.

Factors of π that have a score and no density count by the line integral of the score from z to z' (METHODS §4). It is
as good as the score all along the line, and scores are learned where draws are: then no difference of draws is tried,
which leads through places of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.correctors.exchange import exchange
from bsi.runtime.correctors.line import line_integral
from bsi.runtime.correctors.modes import separation

LogDensity = Callable[[Float[Array, "n m"]], Float[Array, " n"]]
"""`ln π` of every row, up to a constant; rows must not interact."""

Score = Callable[[Float[Array, "n m"], Float[Array, ""]], Float[Array, "n m"]]
"""`∇ln π` of every row, and the largest precision of what is sampled, which says how fine it needs to be."""

_ACCEPTANCE = 0.574  # at which Langevin proposals move fastest (Roberts & Rosenthal 1998)
_USUAL = 2.7  # square of the step of a Gaussian of one dimension, at this acceptance
_STEEPEST = 3.0  # drift, in units of what is usual, √m: beyond it, proposals from tails overshoot and are refused
_RIDGE = 1e-6  # of C, in units of its mean variance: few draws have a singular covariance


class Mala(eqx.Module):
    """Stats: `acceptance` of the second half; `drift`, how far the mean of all draws moved in it, at most, in sds: what
    was still on its way is not there; and `separation` of the chains' own means in it, see `modes.py`: chains that
    stay in modes apart keep their numbers, and so weights of modes are those of the starts."""

    steps: int = eqx.field(static=True, default=100)

    def __call__(
        self, log_density: LogDensity, z: Float[Array, "n m"], key: PRNGKeyArray, score: Score | None = None
    ) -> tuple[Float[Array, "n m"], dict[str, Array]]:
        """**Arguments:** `log_density` of the factors of π that have one, `score` of the others."""
        n, m = z.shape
        half = self.steps // 2

        def known(z: Array) -> tuple[Array, Array]:
            """`ln π`, -inf where it is not a number, and its gradient, 0 where it is not."""
            value, pull = jax.vjp(log_density, z)
            (gradient,) = pull(jnp.ones_like(value))
            bad = jnp.isnan(value) | ~jnp.all(jnp.isfinite(gradient), -1)
            return jnp.where(jnp.isnan(value), -jnp.inf, value), jnp.where(bad[:, None], 0.0, gradient)

        def beyond(z: Array, slope: Array, ahead: Array, precision: Array) -> tuple[Array, Array]:
            """What factors without a density add: to `ln π(ahead) - ln π(z)`, and to its gradient ahead."""
            if score is None:
                return jnp.zeros(n, z.dtype), slope
            field = score
            gain, there = line_integral(lambda place: field(place, precision), z, slope, ahead)
            good = jnp.all(jnp.isfinite(there), -1)
            return jnp.where(good & jnp.isfinite(gain), gain, -jnp.inf), jnp.where(good[:, None], there, 0.0)

        def step(state: State, index: Array) -> tuple[State, tuple[Array, Array]]:
            z, (value, gradient, push), (root, precision), log_step, (anchor, first, second) = state
            adapts = index < half
            root = jnp.where(adapts, _root(z), root)
            h = jnp.exp(log_step)
            precision = jnp.where(adapts, _largest_precision(root, h), precision)
            move, choose, cross = jr.split(jr.fold_in(key, index), 3)
            noise = jr.normal(move, z.shape, z.dtype)
            ahead = z + (0.5 * h**2 * _truncated((gradient + push) @ root) + h * noise) @ root.T
            there, slope = known(ahead)
            gain, pushed = beyond(z, push, ahead, precision)
            # the way back, in units of the noise
            back = solve_triangular(root, (z - ahead).T, lower=True).T / h
            back = back - 0.5 * h * _truncated((slope + pushed) @ root)
            log_ratio = there - value + gain + 0.5 * jnp.sum(noise**2 - back**2, -1)
            # a start without density takes anything that has one
            log_ratio = jnp.where(value == -jnp.inf, jnp.where(there == -jnp.inf, -jnp.inf, 0.0), log_ratio)
            yes = jnp.log(jr.uniform(choose, (n,), z.dtype)) < log_ratio
            share = jnp.mean(jnp.minimum(jnp.exp(log_ratio), 1.0))
            log_step = jnp.where(adapts, log_step + (share - _ACCEPTANCE), log_step)
            value = jnp.where(yes, there, value)
            z, gradient, push = (
                jnp.where(yes[:, None], new, old) for new, old in ((ahead, z), (slope, gradient), (pushed, push))
            )
            if score is None:
                z, value, gradient = exchange(known, (z, value, gradient), cross)
            # moments of every chain around its place at half time: around 0 they would lose the digits of narrow modes
            anchor = jnp.where(adapts, z, anchor)
            moved = z - anchor
            places = anchor, first + moved, second + moved.T @ moved
            return (z, (value, gradient, push), (root, precision), log_step, places), (share, jnp.mean(z, 0))

        log_step, root = jnp.asarray(-jnp.log(m) / 6.0, z.dtype), _root(z)
        precision = _largest_precision(root, jnp.exp(log_step))
        push = jnp.zeros_like(z) if score is None else score(z, precision)
        places = z, jnp.zeros_like(z), jnp.zeros((m, m), z.dtype)
        state = (z, (*known(z), push), (root, precision), log_step, places)
        state, (shares, means) = jax.lax.scan(step, state, jnp.arange(self.steps))
        gap = jnp.abs(means[-1] - means[half - 1]) / jnp.maximum(jnp.std(state[0], 0), 1e-30)
        anchor, first, second = state[-1]
        moved = first / (self.steps - half)
        within = _factor(second / (n * (self.steps - half)) - moved.T @ moved / n)
        own = anchor + moved
        places = solve_triangular(within, (own - jnp.mean(own, 0)).T, lower=True).T
        return state[0], {
            "acceptance": jnp.mean(shares[half:]),
            "drift": jnp.max(gap),
            "separation": separation(places, jr.fold_in(key, self.steps)),
        }


State = tuple[Array, tuple[Array, Array, Array], tuple[Array, Array], Array, tuple[Array, Array, Array]]


def _largest_precision(root: Float[Array, "m m"], h: Float[Array, ""]) -> Float[Array, ""]:
    """Of what draws lie in, mode by mode: the covariance of all is that of no mode, but steps are as long as a mode
    lets them. Of `N(0, C)` they have `h² = 2.7 m^(-1/3)` (Roberts & Rosenthal 1998)."""
    narrowest = jnp.linalg.eigvalsh(root @ root.T)[0]
    return _USUAL * len(root) ** (-1.0 / 3.0) / (h**2 * jnp.maximum(narrowest, 1e-12))


def _truncated(slope: Float[Array, "n m"]) -> Float[Array, "n m"]:
    """Whitened gradients, none longer than `_STEEPEST √m` (Roberts & Tweedie 1996, MALTA)."""
    longest = _STEEPEST * slope.shape[-1] ** 0.5
    length = jnp.linalg.norm(slope, axis=-1, keepdims=True)
    return slope * jnp.minimum(1.0, longest / jnp.maximum(length, 1e-30))


def _root(z: Float[Array, "n m"]) -> Float[Array, "m m"]:
    """Cholesky factor of the draws' covariance."""
    centred = z - jnp.mean(z, 0)
    return _factor(centred.T @ centred / len(z))


def _factor(covariance: Float[Array, "m m"]) -> Float[Array, "m m"]:
    """Cholesky factor of what may be singular."""
    m = len(covariance)
    return jnp.linalg.cholesky(
        covariance + (_RIDGE * jnp.trace(covariance) / m + 1e-12) * jnp.eye(m, dtype=covariance.dtype)
    )

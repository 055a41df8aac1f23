"""Laws of laws as NumPyro distributions: truncated laws, order statistics, hidden Markov models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import jax.random as jr
import numpyro.distributions as dist
from jax.scipy.special import gammaln, logsumexp
from jaxtyping import Array
from numpyro.distributions import constraints

from bsi.runtime import transport as t

Shape = tuple[int, ...]
_NEVER = -1e30  # log of a probability of zero: finite, so that gradients beside it are


class Truncated(dist.Distribution):
    """A scalar law restricted to an interval, by its tails (NumPyro truncates only symmetric laws)."""

    def __init__(
        self,
        base: dist.Distribution,
        tails: Callable[[Array], t.Tails],
        lower: Array,
        upper: Array,
        support: constraints.Constraint,
    ):
        self.base, self.tails = base, tails
        self.lower, self.upper = jnp.asarray(lower, float), jnp.asarray(upper, float)
        self._on = support
        super().__init__(base.batch_shape, ())

    @property
    def support(self) -> constraints.Constraint:
        return self._on

    def sample(self, key: Array, sample_shape: Shape = ()) -> Array:
        z = jr.normal(key, (*sample_shape, *self.batch_shape))
        return t.truncated(self.tails, self.lower, self.upper).from_normal(z)

    def log_prob(self, value: Array) -> Array:
        below = self.tails(self.lower)
        above = self.tails(self.upper)
        mass = jnp.where(below[0] < 0.5, above[0] - below[0], below[1] - above[1])
        inside = (value >= self.lower) & (value <= self.upper)
        return jnp.where(inside, self.base.log_prob(jnp.clip(value, self.lower, self.upper)) - jnp.log(mass), -jnp.inf)


class OrderStatistics(dist.Distribution):
    """k independent draws of `base` in increasing order: density `k! Π p(x_i)` where they are in order."""

    def __init__(self, base: dist.Distribution, k: int, support: constraints.Constraint):
        self.base, self._on = base, support
        super().__init__(base.batch_shape, (k,))

    @property
    def support(self) -> constraints.Constraint:
        return self._on

    def sample(self, key: Array, sample_shape: Shape = ()) -> Array:
        draws = self.base.sample(key, (*self.event_shape, *sample_shape))
        return jnp.sort(jnp.moveaxis(draws, 0, -1), axis=-1)

    def log_prob(self, value: Array) -> Array:
        density = jnp.sum(self.base.log_prob(jnp.moveaxis(value, -1, 0)), axis=0)
        in_order = jnp.all(jnp.diff(value, axis=-1) >= 0, axis=-1)
        return jnp.where(in_order, density + gammaln(self.event_shape[0] + 1.0), -jnp.inf)


class HiddenMarkov(dist.Distribution):
    """A sequence shown by a Markov chain of k hidden states, summed over the states by the forward recursion.

    Arguments:
        initial: [k], probabilities of the first state.
        transition: [k, k], a row for every state that is left.
        shown: k laws with values of the whole sequence's shape: entry t along the leading axis is what their state
            shows at time t. Entries are independent given the states.
        shape: of the sequence.
    """

    def __init__(
        self,
        initial: Array,
        transition: Array,
        shown: Sequence[dist.Distribution],
        shape: Shape,
        support: constraints.Constraint,
    ):
        self.initial, self.transition, self.shown = jnp.asarray(initial), jnp.asarray(transition), tuple(shown)
        self._on = support
        super().__init__((), shape)

    @property
    def support(self) -> constraints.Constraint:
        return self._on

    def sample(self, key: Array, sample_shape: Shape = ()) -> Array:
        n = 1
        for size in sample_shape:
            n *= size
        draws = jax.vmap(self._sample)(jr.split(key, n))
        return draws.reshape(*sample_shape, *self.event_shape)

    def _sample(self, key: Array) -> Array:
        first, rest, values = jr.split(key, 3)
        start = jr.categorical(first, _log(self.initial))
        log_transition = _log(self.transition)

        def step(state: Array, key: Array) -> tuple[Array, Array]:
            return jr.categorical(key, log_transition[state]), state

        _, states = jax.lax.scan(step, start, jr.split(rest, self.event_shape[0]))
        keys = jr.split(values, len(self.shown))
        drawn = jnp.stack([jnp.asarray(law.sample(sub)) for law, sub in zip(self.shown, keys, strict=True)])
        return drawn[states, jnp.arange(self.event_shape[0])]

    def log_prob(self, value: Array) -> Array:
        log_prob = self._log_prob
        for _ in range(jnp.ndim(value) - len(self.event_shape)):
            log_prob = jax.vmap(log_prob)
        return log_prob(value)

    def _log_prob(self, value: Array) -> Array:
        time = self.event_shape[0]
        parts = [jnp.asarray(law.log_prob(value)).reshape(time, -1).sum(-1) for law in self.shown]
        shown = jnp.maximum(jnp.stack(parts, axis=-1), _NEVER)  # [time, k]
        log_transition = _log(self.transition)

        def step(forward: Array, now: Array) -> tuple[Array, None]:
            return logsumexp(forward[:, None] + log_transition, axis=0) + now, None

        forward, _ = jax.lax.scan(step, _log(self.initial) + shown[0], shown[1:])
        total = logsumexp(forward)
        return jnp.where(total < 0.5 * _NEVER, -jnp.inf, total)


def _log(probability: Array) -> Array:
    return jnp.where(probability > 0, jnp.log(jnp.where(probability > 0, probability, 1.0)), _NEVER)

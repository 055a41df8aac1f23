"""NumPyro distributions of laws that NumPyro lacks, or has for some sizes only."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpyro.distributions as dist
from jax.scipy.special import gammaln, log_ndtr, logsumexp, ndtr
from jaxtyping import Array
from numpyro.distributions import constraints, transforms

Shape = tuple[int, ...]


class SkewNormal(dist.Distribution):
    """Density `2 φ(t) Φ(shape t) / scale` at `t = (x - loc) / scale` (Azzalini 1985)."""

    support = constraints.real  # type: ignore[assignment]

    def __init__(self, loc: Array, scale: Array, shape: Array):
        self.loc, self.scale, self.skew = jnp.broadcast_arrays(*map(jnp.asarray, (loc, scale, shape)))
        super().__init__(self.loc.shape, ())

    def sample(self, key: Array, sample_shape: Shape = ()) -> Array:
        full = (*sample_shape, *self.batch_shape)
        one, two = (jr.normal(sub, full) for sub in jr.split(key))
        share = self.skew / jnp.sqrt(1 + self.skew**2)
        return self.loc + self.scale * (share * jnp.abs(one) + jnp.sqrt(1 - share**2) * two)

    def log_prob(self, value: Array) -> Array:
        t = (value - self.loc) / self.scale
        return math.log(2) + dist.Normal().log_prob(t) + log_ndtr(self.skew * t) - jnp.log(self.scale)


class ExpModNormal(dist.Distribution):
    """Sum of a normal and an exponential variable: `rate exp(rate (m + rate s² / 2 - x)) Φ((x - m) / s - rate s)`."""

    support = constraints.real  # type: ignore[assignment]

    def __init__(self, loc: Array, scale: Array, rate: Array):
        self.loc, self.scale, self.rate = jnp.broadcast_arrays(*map(jnp.asarray, (loc, scale, rate)))
        super().__init__(self.loc.shape, ())

    def sample(self, key: Array, sample_shape: Shape = ()) -> Array:
        full = (*sample_shape, *self.batch_shape)
        one, two = jr.split(key)
        return self.loc + self.scale * jr.normal(one, full) + jr.exponential(two, full) / self.rate

    def log_prob(self, value: Array) -> Array:
        t, spread = (value - self.loc) / self.scale, self.rate * self.scale
        return jnp.log(self.rate) + spread * (0.5 * spread - t) + log_ndtr(t - spread)


class ProjectedNormal(dist.ProjectedNormal):
    """NumPyro's, with a density in any dimension: the directional part of `N(mean, I)` in polar coordinates,

    `(2π)^(-k/2) exp(-|mean|² / 2) ∫₀^∞ r^(k-1) exp(r t - r² / 2) dr` with `t = x · mean`,

    by the trapezium rule around the mode of the log-concave integrand. NumPyro has closed forms for k = 2 and 3.
    """

    def log_prob(self, value: Array, intermediates: None = None) -> Array:
        k = self.event_shape[0]
        if k < 4:
            return super().log_prob(value)
        t = jnp.sum(value * self.concentration, axis=-1)[..., None]
        mode = jax.lax.stop_gradient(0.5 * (t + jnp.sqrt(t**2 + 4 * (k - 1))))
        step = mode / jnp.sqrt(mode**2 + k - 1) / 12  # a twelfth of the width at the mode
        r = mode + step * jnp.arange(-128, 129)
        log_r = jnp.log(jnp.where(r > 0, r, 1.0))
        terms = jnp.where(r > 0, (k - 1) * log_r + r * t - 0.5 * r**2, -jnp.inf)
        square = jnp.sum(self.concentration**2, axis=-1)
        constant = -0.5 * (k * math.log(2 * math.pi) + square)
        return logsumexp(terms, axis=-1) + jnp.log(step[..., 0]) + constant


class ZeroSumNormal(dist.Distribution):
    """NumPyro's, with a scale for every row: density on the plane of vectors of k entries that sum to 0."""

    support = constraints.zero_sum(1)  # type: ignore[assignment]

    def __init__(self, k: int, scale: Array):
        self.scale = jnp.asarray(scale, float)
        super().__init__(self.scale.shape, (k,))

    def sample(self, key: Array, sample_shape: Shape = ()) -> Array:
        z = jr.normal(key, (*sample_shape, *self.batch_shape, *self.event_shape))
        return self.scale[..., None] * (z - jnp.mean(z, axis=-1, keepdims=True))

    def log_prob(self, value: Array) -> Array:
        free = self.event_shape[0] - 1
        square = jnp.sum((value / self.scale[..., None]) ** 2, axis=-1)
        return -0.5 * square - free * (jnp.log(self.scale) + 0.5 * math.log(2 * math.pi))


def frechet(shape: Array, scale: Array) -> dist.Distribution:
    return dist.TransformedDistribution(dist.Weibull(1 / scale, shape), transforms.PowerTransform(-1.0))


def loglogistic(scale: Array, shape: Array) -> dist.Distribution:
    return dist.TransformedDistribution(dist.Logistic(jnp.log(scale), 1 / shape), transforms.ExpTransform())


def lomax(scale: Array, shape: Array) -> dist.Distribution:
    to_zero = transforms.AffineTransform(-scale, 1.0, domain=constraints.greater_than(scale))
    return dist.TransformedDistribution(dist.Pareto(scale, shape), to_zero)


def ordered_probit(predictor: Array, cutpoints: Array) -> Any:
    """Differences of Φ, each from the tail that is the smaller."""
    predictor = jnp.asarray(predictor)[..., None]
    edges = cutpoints - predictor
    ends = jnp.full_like(edges[..., :1], jnp.inf)
    low, high = jnp.concatenate([-ends, edges], axis=-1), jnp.concatenate([edges, ends], axis=-1)
    return dist.Categorical(probs=jnp.where(low > 0, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low)))


class CountsAmong(dist.Distribution):
    """`total` things among k classes, class by class: what is left goes to the next by a binomial law. NumPyro's
    multinomial needs a bound of the total that is known while compiling; this one does not."""

    def __init__(self, total: Array, logits: Array):
        batch = jnp.broadcast_shapes(jnp.shape(total), logits.shape[:-1])
        self.total = jnp.broadcast_to(total, batch)
        self.logits = jax.nn.log_softmax(jnp.broadcast_to(logits, (*batch, logits.shape[-1])), axis=-1)
        super().__init__(batch, logits.shape[-1:])

    @property
    def support(self) -> constraints.Constraint:
        return constraints.multinomial(self.total)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Array:
        left = jnp.broadcast_to(self.total, (*sample_shape, *self.batch_shape))
        behind = jnp.flip(jax.lax.cumlogsumexp(jnp.flip(self.logits, -1), axis=self.logits.ndim - 1), -1)
        counts = []
        for i, sub in enumerate(jr.split(key, self.event_shape[0] - 1)):
            share = jnp.exp(self.logits[..., i] - behind[..., i])
            counts.append(dist.Binomial(left, probs=jnp.clip(share, 0.0, 1.0)).sample(sub))
            left = left - counts[-1]
        return jnp.stack([*counts, left], axis=-1)

    def log_prob(self, value: Array) -> Array:
        terms = jnp.where(value > 0, value * self.logits, 0.0) - gammaln(value + 1.0)
        density = gammaln(self.total + 1.0) + jnp.sum(terms, axis=-1)
        return jnp.where(jnp.sum(value, axis=-1) == self.total, density, -jnp.inf)


class DirichletCountsAmong(dist.Distribution):
    """`CountsAmong` with shares of their own for every draw, from a Dirichlet law."""

    def __init__(self, total: Array, concentration: Array):
        batch = jnp.broadcast_shapes(jnp.shape(total), concentration.shape[:-1])
        self.total = jnp.broadcast_to(total, batch)
        self.concentration = jnp.broadcast_to(concentration, (*batch, concentration.shape[-1]))
        super().__init__(batch, concentration.shape[-1:])

    @property
    def support(self) -> constraints.Constraint:
        return constraints.multinomial(self.total)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Array:
        one, two = jr.split(key)
        shares = dist.Dirichlet(self.concentration).sample(one, sample_shape)
        return CountsAmong(self.total, jnp.log(shares)).sample(two)

    def log_prob(self, value: Array) -> Array:
        a, sum_a = self.concentration, jnp.sum(self.concentration, axis=-1)
        terms = gammaln(value + a) - gammaln(a) - gammaln(value + 1.0)
        density = gammaln(self.total + 1.0) + gammaln(sum_a) - gammaln(self.total + sum_a) + jnp.sum(terms, axis=-1)
        return jnp.where(jnp.sum(value, axis=-1) == self.total, density, -jnp.inf)

"""Posteriors of many rows with powers, distilled: what they are given is a measure `Σ β_i δ(x_i)` and a power α.

`π(θ) ∝ p(θ)^α ∏ f(x_i | θ)^{β_i}` depends on its rows only by that measure, so powers and numbers of rows are learned
in one form: a row that is not there has weight 0. The frame is what `gauss` would sample if every factor were Gaussian,
`N(B⁻¹ η, B⁻¹)` with `B = αI + Σ β_i (P_i - I)` and `η = Σ β_i P_i μ_i`; a network learns the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.composition import NormalPrior, Rows, gauss, make_rows
from bsi.runtime.composition.base import NUGGET
from bsi.runtime.distill.flow_map import AbstractFrame, AbstractVelocity, joined
from bsi.runtime.distill.teacher import Teacher
from bsi.runtime.exact import ExactFit
from bsi.runtime.gaussian import Gaussian
from bsi.runtime.moments import MomentHead
from bsi.runtime.nets import AbstractArchitecture
from bsi.runtime.nets.base import TIME_FEATURES, Linear
from bsi.runtime.standardise import Standardiser
from bsi.runtime.training import Fit

EMBED = 64  # units that a row becomes
_GEOMETRIC = 2.0  # ratio of a range of powers from which on they are drawn evenly in their logarithm

Head = Callable[[Float[Array, "*b p"]], tuple[Float[Array, "*b m"], Float[Array, "*b m m"]]]


class Measure(NamedTuple):
    """Rows, their weights, and the prior's power."""

    x: Float[Array, "*b n p"]
    weights: Float[Array, "*b n"]
    power: Float[Array, "*b"]


class Seen(NamedTuple):
    """What a network is told of a measure: features of its rows, their weights, the prior's power, and the Gaussian."""

    features: Float[Array, "*b n p"]
    weights: Float[Array, "*b n"]
    power: Float[Array, "*b"]
    mean: Float[Array, "*b m"]
    basis: Float[Array, "*b m m"]
    variance: Float[Array, "*b m"]


class RegressionHead(eqx.Module):
    """Mean and precision of params given a row, by a regression alone."""

    standardise: Standardiser
    regression: Gaussian

    def __call__(self, x: Float[Array, "*b p"]) -> tuple[Float[Array, "*b m"], Float[Array, "*b m m"]]:
        found = self.regression.given(self.standardise(x))
        precision = self.regression.precision()
        return found.mean, jnp.broadcast_to(precision, (*found.mean.shape[:-1], *precision.shape))


class MeasureFrame(AbstractFrame):
    """Of posteriors given a measure: the product of its factors' Gaussians. `prior` if it is learned."""

    standardise: Standardiser
    head: MomentHead | RegressionHead
    prior: Gaussian | None

    def see(self, x: Measure) -> Seen:
        one = self._see
        for _ in range(x.weights.ndim - 1):
            one = jax.vmap(one)
        return one(x)

    def _see(self, x: Measure) -> Seen:
        means, precisions = self.head(x.x)
        own = None if self.prior is None else self.prior.precision()
        information = make_rows(_nothing, x.x, x.weights, precisions, own).information
        unit = jnp.eye(means.shape[-1])
        total = x.power * unit + jnp.einsum("n,nij->ij", x.weights, information)
        shift = jnp.einsum("n,nij,nj->i", x.weights, information + unit, means)
        if self.prior is not None and own is not None:
            rest = x.power - jnp.sum(x.weights)
            total, shift = total + rest * (own - unit), shift + rest * own @ self.prior.mean
        values, basis = jnp.linalg.eigh(0.5 * (total + total.T))
        variance = 1.0 / jnp.maximum(values, NUGGET)
        mean = basis @ (variance * (basis.T @ shift))
        return Seen(self.standardise(x.x), x.weights, x.power, mean, basis, variance)

    def gaussian(self, features: Seen) -> Gaussian:
        return Gaussian(features.mean, None, features.basis, features.variance)


class MeasureVelocity(AbstractVelocity):
    """A network of the mean of an embedding of rows under their measure, of its mass, the powers, and the Gaussian.

    The axes of a Gaussian may change places between posteriors that are close, so the network sees the coordinates
    themselves.
    """

    size: int = eqx.field(static=True)
    first: Linear
    second: Linear
    network: eqx.Module

    def __init__(self, m: int, p: int, architecture: AbstractArchitecture, key: PRNGKeyArray):
        keys = jr.split(key, 3)
        self.size = m
        self.first = Linear(p, EMBED, keys[0])
        self.second = Linear(EMBED, EMBED, keys[1], gain=2.0**0.5)
        self.network = architecture.build(m, EMBED + 2 + 2 * m + TIME_FEATURES, keys[2])

    def __call__(
        self, w: Float[Array, "*b m"], begin: Float[Array, "*t"], end: Float[Array, "*t"], features: Seen
    ) -> Float[Array, "*o m"]:
        gaussian = Gaussian(features.mean, None, features.basis, features.variance)
        condition = joined(self._told(features), end)
        return gaussian.whiten(self.network(gaussian.unwhiten(w), begin, condition))  # type: ignore[operator]

    def _told(self, seen: Seen) -> Float[Array, "*b q"]:
        h = jax.nn.silu(self.second(jax.nn.silu(self.first(seen.features))))
        mass = jnp.sum(seen.weights, -1, keepdims=True)
        mean = jnp.einsum("...n,...ne->...e", seen.weights, h) / (mass + 1e-3)
        spread = jnp.log(jnp.einsum("...ij,...j->...i", seen.basis**2, seen.variance))
        return jnp.concatenate([mean, jnp.log1p(mass), seen.power[..., None], seen.mean, spread], axis=-1)


class Asked(NamedTuple):
    """Which measures are learned: the range of the prior's power, and of every set its rows, the range of their power,
    and whether each row has one of its own."""

    prior: tuple[float, float]
    sets: tuple[tuple[int, float, float, bool], ...]

    @property
    def rows(self) -> int:
        return sum(count for count, _, _, _ in self.sets)

    def draw(self, key: PRNGKeyArray, n: int) -> tuple[Float[Array, "n r"], Float[Array, " n"]]:
        """Weights and prior's powers of n measures. Half of the sets are whole, of the others every number of rows is
        as likely as every other."""
        prior, *keys = jr.split(key, 1 + len(self.sets))
        weights = []
        for (count, low, high, each), own in zip(self.sets, keys, strict=True):
            power, whole, some = jr.split(own, 3)
            powers = _between(power, (n, count if each else 1), low, high)
            there = jnp.where(jr.bernoulli(whole, 0.5, (n, 1)), count, jr.randint(some, (n, 1), 1, count + 1))
            weights.append(jnp.where(jnp.arange(count) < there, powers, 0.0))
        return jnp.concatenate(weights, -1), _between(prior, (n,), *self.prior)


@runtime_checkable
class Simulate(Protocol):
    """Draws of params, each with rows of its own: `(key, n) -> (z (n, m), x (n, rows, p))`."""

    def __call__(self, key: PRNGKeyArray, n: int) -> tuple[Float[Array, "n m"], Float[Array, "n r p"]]: ...


class _Given(NamedTuple):
    """What a composition of rows is made of, apart from the fit."""

    x: Any
    weights: Array
    information: Array
    power: Array
    basis: Array
    values: Array


def measure_teacher(fit: Fit | ExactFit, asked: Asked, simulate: Simulate) -> Teacher:
    """A fit, composed by `gauss`, as a teacher of posteriors given measures. The prior is tempered as N(0, I) is."""
    frame = measure_frame(fit)
    m = len(frame.prior.mean) if frame.prior is not None else _size(fit)

    def rows_of(given: _Given) -> list[Rows]:
        none = jnp.asarray(0, jnp.int32)
        own = [Rows(fit.score.denoise, given.x, given.weights, given.information, none)]
        if frame.prior is None:
            return own
        rest = jnp.reshape(given.power - jnp.sum(given.weights), (1,))
        information = (frame.prior.precision() - jnp.eye(m))[None]
        return [*own, Rows(_PriorDenoiser(fit.score), jnp.zeros((1, 0)), rest, information, none)]

    def prepare(x: Array, weights: Array, power: Array) -> _Given:
        if isinstance(fit, ExactFit):
            rows = fit.rows(x, weights)
        else:
            assert fit.moments is not None, "a fit of rows that can be composed"
            rows = make_rows(
                fit.score.denoise,
                x,
                weights,
                fit.moments(x)[1],
                None if frame.prior is None else frame.prior.precision(),
            )
        given = _Given(rows.x, weights, rows.information, power, jnp.eye(m), jnp.ones(m))
        found = gauss(NormalPrior(m, power), rows_of(given))
        return given._replace(basis=found.basis, values=found.values)

    def denoise_one(u: Array, log_snr: Array, given: _Given) -> Array:
        composed = gauss(NormalPrior(m, given.power), rows_of(given))
        # B was taken apart once, when the posterior was prepared: here the compiler drops that
        composed = eqx.tree_at(lambda c: (c.basis, c.values), composed, (given.basis, given.values))
        return composed(u[None], log_snr)[0]

    def draw(key: PRNGKeyArray, n: int) -> tuple[Seen, _Given]:
        first, second = jr.split(key)
        x = simulate(first, n)[1]
        weights, power = asked.draw(second, n)
        return frame.see(Measure(x, weights, power)), jax.vmap(prepare)(x, weights, power)

    return Teacher(frame, jax.vmap(denoise_one), draw, asked.rows)


def measure_frame(fit: Fit | ExactFit) -> MeasureFrame:
    """The frame of a fit's compositions; `fit` may be abstract."""
    if isinstance(fit, ExactFit):
        prior = None if fit.gaussian_prior else fit.prior
        return MeasureFrame(fit.standardise, RegressionHead(fit.standardise, fit.gaussian), prior)
    assert fit.moments is not None and isinstance(fit.score.standardise, Standardiser), (
        "whole rows that can be composed"
    )
    return MeasureFrame(fit.score.standardise, fit.moments, None if fit.score.gaussian_prior else fit.score.prior)


class _PriorDenoiser(eqx.Module):
    """The learned prior, in the form of a row's denoiser."""

    score: Any

    def __call__(self, u: Array, log_snr: Array, x: Array) -> Array:
        return self.score.denoise_prior(u, log_snr)


def _size(fit: Fit | ExactFit) -> int:
    return (fit.gaussian if isinstance(fit, ExactFit) else fit.score.posterior).size


def _between(key: PRNGKeyArray, shape: tuple[int, ...], low: float, high: float) -> Array:
    if low > 0 and high / low >= _GEOMETRIC:
        return low * (high / low) ** jr.uniform(key, shape)
    return low + (high - low) * jr.uniform(key, shape)


def _nothing(u: Array, log_snr: Array, x: Any) -> Array:
    """In place of a denoiser where rows are asked for their information alone."""
    return jnp.zeros_like(u)

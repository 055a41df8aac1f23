"""Every row of `compiler.laws` as a NumPyro distribution and, for scalar continuous laws, a quantile transport.

The distribution is built by NumPyro alone, so that reference and score-based samplers share nothing but its density.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpyro.distributions as dist
from jaxtyping import Array, PRNGKeyArray
from numpyro.distributions import constraints

from bsi.compiler.ir import Law
from bsi.compiler.lower.expr import Env, evaluate
from bsi.runtime import transport as t


@dataclass(frozen=True)
class LawRow:
    """`distribution` takes the arguments by the names of `compiler.laws`; `transport` takes them in that order.
    A `location_scale` law can be sampled as `loc + scale * standard`."""

    distribution: Callable[..., Any]  # NumPyro types some of its constructors as optional
    transport: t.Transport | None = None
    location_scale: bool = False


LAWS: dict[str, LawRow] = {
    "normal": LawRow(lambda loc, scale: dist.Normal(loc, scale), t.NORMAL, True),
    "student_t": LawRow(lambda df, loc, scale: dist.StudentT(df, loc, scale), t.STUDENT_T, True),
    "cauchy": LawRow(lambda loc, scale: dist.Cauchy(loc, scale), t.CAUCHY, True),
    "laplace": LawRow(lambda loc, scale: dist.Laplace(loc, scale), t.LAPLACE, True),
    "logistic": LawRow(lambda loc, scale: dist.Logistic(loc, scale), t.LOGISTIC, True),
    "gumbel": LawRow(lambda loc, scale: dist.Gumbel(loc, scale), t.GUMBEL, True),
    "uniform": LawRow(lambda low, high: dist.Uniform(low, high), t.UNIFORM),
    "beta": LawRow(lambda a, b: dist.Beta(a, b), t.BETA),
    "truncated_normal": LawRow(
        lambda loc, scale, lower, upper: dist.TruncatedNormal(loc, scale, low=lower, high=upper), t.TRUNCATED_NORMAL
    ),
    "lognormal": LawRow(lambda loc, scale: dist.LogNormal(loc, scale), t.LOGNORMAL),
    "half_normal": LawRow(lambda scale: dist.HalfNormal(scale), t.HALF_NORMAL),
    "half_cauchy": LawRow(lambda scale: dist.HalfCauchy(scale), t.HALF_CAUCHY),
    "half_student_t": LawRow(
        lambda df, scale: dist.FoldedDistribution(dist.StudentT(df, 0.0, scale)), t.HALF_STUDENT_T
    ),
    "exponential": LawRow(lambda rate: dist.Exponential(rate), t.EXPONENTIAL),
    "gamma": LawRow(lambda shape, rate: dist.Gamma(shape, rate), t.GAMMA),
    "inverse_gamma": LawRow(lambda shape, scale: dist.InverseGamma(shape, scale), t.INVERSE_GAMMA),
    "chi_square": LawRow(lambda df: dist.Chi2(df), t.CHI_SQUARE),
    "weibull": LawRow(lambda shape, scale: dist.Weibull(scale, shape), t.WEIBULL),
    "pareto": LawRow(lambda lower, shape: dist.Pareto(lower, shape), t.PARETO),
    "mv_normal": LawRow(lambda mean, covariance: dist.MultivariateNormal(mean, covariance_matrix=covariance)),
    "mv_normal_cholesky": LawRow(lambda mean, cholesky: dist.MultivariateNormal(mean, scale_tril=cholesky)),
    "bernoulli": LawRow(lambda p: dist.Bernoulli(probs=p)),
    "bernoulli_logit": LawRow(lambda logits: dist.Bernoulli(logits=logits)),
    "binomial": LawRow(lambda n, p: dist.Binomial(n, probs=p)),
    "binomial_logit": LawRow(lambda n, logits: dist.Binomial(n, logits=logits)),
    "beta_binomial": LawRow(lambda n, a, b: dist.BetaBinomial(a, b, total_count=n)),
    "poisson": LawRow(lambda rate: dist.Poisson(rate)),
    "neg_binomial": LawRow(lambda mean, dispersion: dist.NegativeBinomial2(mean, dispersion)),
    "geometric": LawRow(lambda p: dist.Geometric(probs=p)),
    "categorical": LawRow(lambda p: dist.Categorical(probs=p)),
}


def arguments(law: Law, env: Env) -> dict[str, Array]:
    """Values of a law's arguments, by name."""
    return {name: evaluate(expr, env) for name, expr in law.arguments}


def distribution(law: Law, env: Env) -> dist.Distribution:
    """The law with all axes of its value as event axes: `log_prob` is a scalar."""
    base = _batched(law, env)
    return base.to_event(len(base.batch_shape))


def log_density(law: Law, env: Env, value: Array) -> Array:
    """Log density of one value, a scalar."""
    return jnp.asarray(distribution(law, env).log_prob(value))


def draw_from(law: Law, env: Env, key: PRNGKeyArray) -> Array:
    """One value."""
    return jnp.asarray(distribution(law, env).sample(key))


def _batched(law: Law, env: Env) -> dist.Distribution:
    values = arguments(law, env)
    if law.name == "mixture":
        parts = [_batched(component, env) for component in law.components]
        batch = law.shape[: len(law.shape) - parts[0].event_dim]
        weights = jnp.broadcast_to(values["weights"], (*batch, len(parts)))
        return dist.MixtureGeneral(
            dist.Categorical(probs=weights),
            [part.expand(batch) for part in parts],
            support=getattr(constraints, "real_vector" if parts[0].event_dim else "real"),
        )
    if law.name == "truncated":
        (component,) = law.components
        return Truncated(_batched(component, env), _tails(component, env), values["lower"], values["upper"])
    base = LAWS[law.name].distribution(**values)
    return base.expand(law.shape[: len(law.shape) - base.event_dim])


class Truncated(dist.Distribution):
    """A scalar law restricted to an interval, by its tails (NumPyro truncates only symmetric laws)."""

    def __init__(self, base: dist.Distribution, tails: Callable[[Array], t.Tails], lower: Array, upper: Array):
        self.base, self.tails = base, tails
        self.lower, self.upper = jnp.asarray(lower, float), jnp.asarray(upper, float)
        super().__init__(base.batch_shape, ())

    @property
    def support(self) -> constraints.Constraint:
        return interval(self.lower, self.upper, self.base.support)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        z = jr.normal(key, (*sample_shape, *self.batch_shape))
        return t.truncated(self.tails, self.lower, self.upper).from_normal(z)

    def log_prob(self, value: Array) -> Array:
        below = self.tails(self.lower)
        above = self.tails(self.upper)
        mass = jnp.where(below[0] < 0.5, above[0] - below[0], below[1] - above[1])
        inside = (value >= self.lower) & (value <= self.upper)
        return jnp.where(inside, self.base.log_prob(jnp.clip(value, self.lower, self.upper)) - jnp.log(mass), -jnp.inf)


def interval(lower: Array, upper: Array, base: constraints.Constraint | None) -> constraints.Constraint:
    """Constraint of a truncated law. Bounds are constants (the checker's promise), so they can be looked at."""
    low, high = float(jnp.max(lower)), float(jnp.min(upper))
    if base is constraints.positive or base is constraints.nonnegative:
        low = max(low, 0.0)
    if low == -jnp.inf:
        return constraints.real if high == jnp.inf else constraints.less_than(high)
    return constraints.greater_than(low) if high == jnp.inf else constraints.interval(low, high)


def _tails(law: Law, env: Env) -> Callable[[Array], t.Tails]:
    transport = scalar_transport(law, env)
    assert transport is not None, f"`{law.name}` inside `truncated`: the checker promised a scalar continuous law"
    return transport.tails


def scalar_transport(law: Law, env: Env) -> t.Transport | None:
    """The transport of a scalar law with its arguments filled in (`from_normal(z)`, `tails(x)`, `to_normal(x)`)."""
    values = arguments(law, env)
    if law.name == "mixture":
        parts = [scalar_transport(component, env) for component in law.components]
        if any(part is None for part in parts):
            return None
        return t.mixture(values["weights"], tuple(part.tails for part in parts if part is not None))
    if law.name == "truncated":
        return t.truncated(_tails(law.components[0], env), values["lower"], values["upper"])
    transport = LAWS[law.name].transport
    if transport is None:
        return None
    filled = tuple(values.values())
    return t.Transport(
        lambda x: transport.tails(x, *filled), lambda z: transport.from_normal(z, *filled), transport.closed
    )


def has_transport(law: Law) -> bool:
    """Whether `scalar_transport` gives one, known without values."""
    if law.components:
        return all(has_transport(component) for component in law.components)
    return LAWS[law.name].transport is not None

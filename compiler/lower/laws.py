"""Every row of `compiler.laws` as a NumPyro distribution and, where there is one, as a map of N(0, I).

The distribution is built by NumPyro alone, so that reference and score-based samplers share nothing but its density.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, PRNGKeyArray

from bsi.compiler.ir import Law
from bsi.compiler.lower import own_distributions as own
from bsi.compiler.lower.compound import HiddenMarkov, OrderStatistics, Truncated
from bsi.compiler.lower.expr import Env, evaluate
from bsi.compiler.lower.supports import constraint
from bsi.runtime import transport as t


@dataclass(frozen=True)
class LawRow:
    """`distribution` takes the arguments by the names of `compiler.laws`, and `k`, the size of what it draws, where no
    argument tells it (`sized`); `transport` takes the arguments in that order. A `location_scale` law can be sampled as
    `loc + scale * standard`."""

    distribution: Callable[..., Any]  # NumPyro types some of its constructors as optional
    transport: t.Transport | t.VectorTransport | None = None
    location_scale: bool = False
    sized: bool = False


LAWS: dict[str, LawRow] = {
    # continuous, on the whole line
    "normal": LawRow(lambda loc, scale: dist.Normal(loc, scale), t.NORMAL, True),
    "student_t": LawRow(lambda df, loc, scale: dist.StudentT(df, loc, scale), t.STUDENT_T, True),
    "cauchy": LawRow(lambda loc, scale: dist.Cauchy(loc, scale), t.CAUCHY, True),
    "laplace": LawRow(lambda loc, scale: dist.Laplace(loc, scale), t.LAPLACE, True),
    "asymmetric_laplace": LawRow(
        lambda loc, scale, asymmetry: dist.AsymmetricLaplace(loc, scale, asymmetry), t.ASYMMETRIC_LAPLACE, True
    ),
    "logistic": LawRow(lambda loc, scale: dist.Logistic(loc, scale), t.LOGISTIC, True),
    "gumbel": LawRow(lambda loc, scale: dist.Gumbel(loc, scale), t.GUMBEL, True),
    "soft_laplace": LawRow(lambda loc, scale: dist.SoftLaplace(loc, scale), t.SOFT_LAPLACE, True),
    "skew_normal": LawRow(lambda loc, scale, shape: own.SkewNormal(loc, scale, shape)),
    "exp_mod_normal": LawRow(lambda loc, scale, rate: own.ExpModNormal(loc, scale, rate)),
    # continuous, bounded
    "uniform": LawRow(lambda low, high: dist.Uniform(low, high), t.UNIFORM),
    "log_uniform": LawRow(lambda low, high: dist.LogUniform(low, high), t.LOG_UNIFORM),
    "beta": LawRow(lambda a, b: dist.Beta(a, b), t.BETA),
    "beta_proportion": LawRow(lambda mean, concentration: dist.BetaProportion(mean, concentration), t.BETA_PROPORTION),
    "kumaraswamy": LawRow(lambda a, b: dist.Kumaraswamy(a, b), t.KUMARASWAMY),
    "truncated_normal": LawRow(
        lambda loc, scale, lower, upper: dist.TruncatedNormal(loc, scale, low=lower, high=upper), t.TRUNCATED_NORMAL
    ),
    "power_law": LawRow(lambda exponent, low, high: dist.DoublyTruncatedPowerLaw(exponent, low, high)),
    "von_mises": LawRow(lambda loc, concentration: dist.VonMises(loc, concentration)),
    # continuous, positive
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
    "inverse_chi_square": LawRow(lambda df: dist.InverseGamma(df / 2, 0.5), t.INVERSE_CHI_SQUARE),
    "scaled_inverse_chi_square": LawRow(
        lambda df, scale: dist.InverseGamma(df / 2, df * scale**2 / 2), t.SCALED_INVERSE_CHI_SQUARE
    ),
    "rayleigh": LawRow(lambda scale: dist.Weibull(scale * jnp.sqrt(2.0), 2.0), t.RAYLEIGH),
    "weibull": LawRow(lambda shape, scale: dist.Weibull(scale, shape), t.WEIBULL),
    "frechet": LawRow(lambda shape, scale: own.frechet(shape, scale), t.FRECHET),
    "gompertz": LawRow(lambda shape, rate: dist.Gompertz(shape, rate), t.GOMPERTZ),
    "loglogistic": LawRow(lambda scale, shape: own.loglogistic(scale, shape), t.LOGLOGISTIC),
    "dagum": LawRow(lambda p, shape, scale: dist.Dagum(p, shape, scale), t.DAGUM),
    "lomax": LawRow(lambda scale, shape: own.lomax(scale, shape), t.LOMAX),
    "pareto": LawRow(lambda lower, shape: dist.Pareto(lower, shape), t.PARETO),
    "levy": LawRow(lambda loc, scale: dist.Levy(loc, scale), t.LEVY),
    # continuous, vectors
    "mv_normal": LawRow(
        lambda mean, covariance: dist.MultivariateNormal(mean, covariance_matrix=covariance), t.MV_NORMAL
    ),
    "mv_normal_cholesky": LawRow(
        lambda mean, cholesky: dist.MultivariateNormal(mean, scale_tril=cholesky), t.MV_NORMAL_CHOLESKY
    ),
    "mv_normal_precision": LawRow(
        lambda mean, precision: dist.MultivariateNormal(mean, precision_matrix=precision), t.MV_NORMAL_PRECISION
    ),
    "low_rank_mv_normal": LawRow(
        lambda mean, factor, diagonal: dist.LowRankMultivariateNormal(mean, factor, diagonal), t.LOW_RANK_MV_NORMAL
    ),
    "mv_student_t": LawRow(
        lambda df, mean, scale: dist.MultivariateStudentT(df, mean, jnp.linalg.cholesky(scale)), t.MV_STUDENT_T
    ),
    "gaussian_random_walk": LawRow(
        lambda k, scale: dist.GaussianRandomWalk(scale, num_steps=k), t.GAUSSIAN_RANDOM_WALK, sized=True
    ),
    "car": LawRow(
        lambda mean, correlation, precision, adjacency: dist.CAR(mean, correlation, precision, adjacency), t.CAR
    ),
    "matrix_normal": LawRow(lambda mean, rows, columns: dist.MatrixNormal(mean, rows, columns), t.MATRIX_NORMAL),
    # constrained vectors and matrices
    "dirichlet": LawRow(lambda concentration: dist.Dirichlet(concentration), t.DIRICHLET),
    "uniform_sphere": LawRow(lambda k: own.ProjectedNormal(jnp.zeros(k)), t.UNIFORM_SPHERE, sized=True),
    "projected_normal": LawRow(lambda mean: own.ProjectedNormal(mean)),
    "zero_sum_normal": LawRow(lambda k, scale: own.ZeroSumNormal(k, scale), t.ZERO_SUM_NORMAL, sized=True),
    "lkj": LawRow(lambda k, concentration: dist.LKJ(k, concentration), t.LKJ, sized=True),
    "lkj_cholesky": LawRow(lambda k, concentration: dist.LKJCholesky(k, concentration), t.LKJ_CHOLESKY, sized=True),
    "wishart": LawRow(lambda df, scale: dist.Wishart(df, scale), t.WISHART),
    "wishart_cholesky": LawRow(lambda df, scale: dist.WishartCholesky(df, scale), t.WISHART_CHOLESKY),
    "inverse_wishart": LawRow(lambda df, scale: dist.InverseWishart(df, scale), t.INVERSE_WISHART),
    "inverse_wishart_cholesky": LawRow(
        lambda df, scale: dist.InverseWishartCholesky(df, scale), t.INVERSE_WISHART_CHOLESKY
    ),
    # counts
    "bernoulli": LawRow(lambda p: dist.Bernoulli(probs=p)),
    "bernoulli_logit": LawRow(lambda logits: dist.Bernoulli(logits=logits)),
    "binomial": LawRow(lambda n, p: dist.Binomial(n, probs=p)),
    "binomial_logit": LawRow(lambda n, logits: dist.Binomial(n, logits=logits)),
    "beta_binomial": LawRow(lambda n, a, b: dist.BetaBinomial(a, b, total_count=n)),
    "poisson": LawRow(lambda rate: dist.Poisson(rate)),
    "poisson_log": LawRow(lambda log_rate: dist.Poisson(jnp.exp(log_rate))),
    "neg_binomial": LawRow(lambda mean, dispersion: dist.NegativeBinomial2(mean, dispersion)),
    "neg_binomial_log": LawRow(lambda log_mean, dispersion: dist.NegativeBinomial2(jnp.exp(log_mean), dispersion)),
    "gamma_poisson": LawRow(lambda shape, rate: dist.GammaPoisson(shape, rate)),
    "beta_neg_binomial": LawRow(lambda n, a, b: dist.BetaNegativeBinomial(b, a, n)),
    "geometric": LawRow(lambda p: dist.Geometric(probs=p)),
    "discrete_uniform": LawRow(lambda low, high: dist.DiscreteUniform(low, high)),
    "categorical": LawRow(lambda p: dist.Categorical(probs=p)),
    "categorical_logit": LawRow(lambda logits: dist.Categorical(logits=logits)),
    "ordered_logistic": LawRow(lambda predictor, cutpoints: dist.OrderedLogistic(predictor, cutpoints)),
    "ordered_probit": LawRow(lambda predictor, cutpoints: own.ordered_probit(predictor, cutpoints)),
    "multinomial": LawRow(lambda n, p: own.CountsAmong(n, jnp.log(p))),
    "multinomial_logit": LawRow(lambda n, logits: own.CountsAmong(n, logits)),
    "dirichlet_multinomial": LawRow(lambda n, concentration: own.DirichletCountsAmong(n, concentration)),
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
    if law.components:
        return _compound(law, [_batched(component, env) for component in law.components], values, env)
    row = LAWS[law.name]
    if row.sized:
        values["k"] = law.shape[-1]  # type: ignore[assignment]
    base = row.distribution(**values)
    return base.expand(law.shape[: len(law.shape) - base.event_dim])


def _compound(law: Law, parts: list[dist.Distribution], values: dict[str, Array], env: Env) -> dist.Distribution:
    """A law of laws."""
    first = parts[0]
    support = constraint(law.support, env, first.event_dim)
    match law.name:
        case "mixture":
            batch = law.shape[: len(law.shape) - first.event_dim]
            weights = jnp.broadcast_to(values["weights"], (*batch, len(parts)))
            return dist.MixtureGeneral(
                dist.Categorical(probs=weights), [p.expand(batch) for p in parts], support=support
            )
        case "truncated":
            tails = scalar_transport(law.components[0], env)
            assert tails is not None, f"`{law.components[0].name}` has no distribution function: the checker's promise"
            return Truncated(first, tails.tails, values["lower"], values["upper"], support)
        case "ordered":
            return OrderStatistics(first, law.shape[-1], support)
        case "zero_inflated":
            return dist.ZeroInflatedDistribution(first, gate=values["gate"])
        case "hurdle":
            return dist.HurdleDistribution(first, gate=values["gate"])
        case "hidden_markov":
            sequence = constraint(law.support, env, len(law.shape))
            return HiddenMarkov(values["initial"], values["transition"], parts, law.shape, sequence)
    raise AssertionError(f"law of laws `{law.name}`")


def scalar_transport(law: Law, env: Env) -> t.Transport | None:
    """The transport of a scalar law with its arguments filled in (`from_normal(z)`, `tails(x)`, `to_normal(x)`)."""
    values = arguments(law, env)
    if law.name == "mixture":
        parts = [scalar_transport(component, env) for component in law.components]
        if any(part is None for part in parts):
            return None
        return t.mixture(values["weights"], tuple(part.tails for part in parts if part is not None))
    if law.name == "truncated":
        inner = scalar_transport(law.components[0], env)
        return t.truncated(inner.tails, values["lower"], values["upper"]) if inner else None
    transport = LAWS[law.name].transport if law.name in LAWS else None
    if not isinstance(transport, t.Transport):
        return None
    filled = tuple(values.values())
    return t.Transport(
        lambda x: transport.tails(x, *filled), lambda z: transport.from_normal(z, *filled), transport.closed
    )


def transport(law: Law, env: Env) -> t.Transport | t.VectorTransport | None:
    """The law, its arguments filled in, as a map of N(0, I): `from_normal(z)` and `to_normal(x)`."""
    if law.name == "ordered":
        inner = scalar_transport(law.components[0], env)
        return t.ordered(inner) if inner else None
    row = LAWS.get(law.name)
    if row is None or not isinstance(row.transport, t.VectorTransport):
        return scalar_transport(law, env)
    vector, filled = row.transport, tuple(arguments(law, env).values())
    return t.VectorTransport(
        lambda z: vector.from_normal(z, *filled), lambda x: vector.to_normal(x, *filled), vector.closed
    )


def has_transport(law: Law) -> bool:
    """Whether `transport` gives one, known without values."""
    if law.name in ("mixture", "truncated", "ordered"):
        return all(_is_scalar(component) for component in law.components)
    return law.name in LAWS and LAWS[law.name].transport is not None


def _is_scalar(law: Law) -> bool:
    if law.components:
        return law.name != "ordered" and has_transport(law)
    return isinstance(LAWS[law.name].transport, t.Transport)

"""Every row of `compiler.laws` as Python text: the arguments by their names, each an expression of its own.

What NumPyro has no distribution for has a definition in `numpyro_text.definitions`, which goes into the program.
"""

from __future__ import annotations

LAWS = {
    "normal": "dist.Normal({loc}, {scale})",
    "student_t": "dist.StudentT({df}, {loc}, {scale})",
    "cauchy": "dist.Cauchy({loc}, {scale})",
    "laplace": "dist.Laplace({loc}, {scale})",
    "logistic": "dist.Logistic({loc}, {scale})",
    "gumbel": "dist.Gumbel({loc}, {scale})",
    "uniform": "dist.Uniform({low}, {high})",
    "beta": "dist.Beta({a}, {b})",
    "truncated_normal": "dist.TruncatedNormal({loc}, {scale}, low={lower}, high={upper})",
    "lognormal": "dist.LogNormal({loc}, {scale})",
    "half_normal": "dist.HalfNormal({scale})",
    "half_cauchy": "dist.HalfCauchy({scale})",
    "half_student_t": "dist.FoldedDistribution(dist.StudentT({df}, 0.0, {scale}))",
    "exponential": "dist.Exponential({rate})",
    "gamma": "dist.Gamma({shape}, {rate})",
    "inverse_gamma": "dist.InverseGamma({shape}, {scale})",
    "chi_square": "dist.Chi2({df})",
    "weibull": "dist.Weibull({scale}, {shape})",
    "pareto": "dist.Pareto({lower}, {shape})",
    "mv_normal": "dist.MultivariateNormal({mean}, {covariance})",
    "mv_normal_cholesky": "dist.MultivariateNormal({mean}, scale_tril={cholesky})",
    "bernoulli": "dist.Bernoulli({p})",
    "bernoulli_logit": "dist.Bernoulli(logits={logits})",
    "binomial": "dist.Binomial({n}, {p})",
    "binomial_logit": "dist.Binomial({n}, logits={logits})",
    "beta_binomial": "dist.BetaBinomial({a}, {b}, {n})",
    "poisson": "dist.Poisson({rate})",
    "neg_binomial": "dist.NegativeBinomial2({mean}, {dispersion})",
    "geometric": "dist.Geometric({p})",
    "categorical": "dist.Categorical({p})",
}

# Laws whose arguments are laws: `{components}` is their list; `{0}` the only one.
LAWS_OF_LAWS = {
    "mixture": "dist.MixtureGeneral(dist.Categorical({weights}), [{components}], support={support})",
    "truncated": "Truncated({0}, {lower}, {upper})",
}

# Laws that can be drawn as `loc + scale * standard`: non-centred where a param is among their arguments.
LOCATION_SCALE = frozenset({"normal", "student_t", "cauchy", "laplace", "logistic", "gumbel"})

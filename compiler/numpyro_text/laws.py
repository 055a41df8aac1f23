"""Every row of `compiler.laws` as Python text: the arguments by their names, each an expression; `{k}` is the
size of what is drawn.

What NumPyro has no distribution for has a definition (`numpyro_text.definitions`), which goes into the program.
"""

from __future__ import annotations

LAWS = {
    # continuous, on the whole line
    "normal": "dist.Normal({loc}, {scale})",
    "student_t": "dist.StudentT({df}, {loc}, {scale})",
    "cauchy": "dist.Cauchy({loc}, {scale})",
    "laplace": "dist.Laplace({loc}, {scale})",
    "asymmetric_laplace": "dist.AsymmetricLaplace({loc}, {scale}, {asymmetry})",
    "logistic": "dist.Logistic({loc}, {scale})",
    "gumbel": "dist.Gumbel({loc}, {scale})",
    "soft_laplace": "dist.SoftLaplace({loc}, {scale})",
    "skew_normal": "SkewNormal({loc}, {scale}, {shape})",
    "exp_mod_normal": "ExpModNormal({loc}, {scale}, {rate})",
    # continuous, bounded
    "uniform": "dist.Uniform({low}, {high})",
    "log_uniform": "dist.LogUniform({low}, {high})",
    "beta": "dist.Beta({a}, {b})",
    "beta_proportion": "dist.BetaProportion({mean}, {concentration})",
    "kumaraswamy": "dist.Kumaraswamy({a}, {b})",
    "truncated_normal": "dist.TruncatedNormal({loc}, {scale}, low={lower}, high={upper})",
    "power_law": "dist.DoublyTruncatedPowerLaw({exponent}, {low}, {high})",
    "von_mises": "dist.VonMises({loc}, {concentration})",
    # continuous, positive
    "lognormal": "dist.LogNormal({loc}, {scale})",
    "half_normal": "dist.HalfNormal({scale})",
    "half_cauchy": "dist.HalfCauchy({scale})",
    "half_student_t": "dist.FoldedDistribution(dist.StudentT({df}, 0.0, {scale}))",
    "exponential": "dist.Exponential({rate})",
    "gamma": "dist.Gamma({shape}, {rate})",
    "inverse_gamma": "dist.InverseGamma({shape}, {scale})",
    "chi_square": "dist.Chi2({df})",
    "inverse_chi_square": "dist.InverseGamma(({df}) / 2, 0.5)",
    "scaled_inverse_chi_square": "dist.InverseGamma(({df}) / 2, ({df}) * ({scale}) ** 2 / 2)",
    "rayleigh": "dist.Weibull(({scale}) * jnp.sqrt(2.0), 2.0)",
    "weibull": "dist.Weibull({scale}, {shape})",
    "frechet": "frechet({shape}, {scale})",
    "gompertz": "dist.Gompertz({shape}, {rate})",
    "loglogistic": "loglogistic({scale}, {shape})",
    "dagum": "dist.Dagum({p}, {shape}, {scale})",
    "lomax": "lomax({scale}, {shape})",
    "pareto": "dist.Pareto({lower}, {shape})",
    "levy": "dist.Levy({loc}, {scale})",
    # continuous, vectors
    "mv_normal": "dist.MultivariateNormal({mean}, {covariance})",
    "mv_normal_cholesky": "dist.MultivariateNormal({mean}, scale_tril={cholesky})",
    "mv_normal_precision": "dist.MultivariateNormal({mean}, precision_matrix={precision})",
    "low_rank_mv_normal": "dist.LowRankMultivariateNormal({mean}, {factor}, {diagonal})",
    "mv_student_t": "dist.MultivariateStudentT({df}, {mean}, jnp.linalg.cholesky({scale}))",
    "gaussian_random_walk": "dist.GaussianRandomWalk({scale}, num_steps={k})",
    "car": "dist.CAR({mean}, {correlation}, {precision}, {adjacency})",
    "matrix_normal": "dist.MatrixNormal({mean}, {rows}, {columns})",
    # constrained vectors and matrices
    "dirichlet": "dist.Dirichlet({concentration})",
    "uniform_sphere": "ProjectedNormal(jnp.zeros({k}))",
    "projected_normal": "ProjectedNormal({mean})",
    "zero_sum_normal": "ZeroSumNormal({k}, {scale})",
    "lkj": "dist.LKJ({k}, {concentration})",
    "lkj_cholesky": "dist.LKJCholesky({k}, {concentration})",
    "wishart": "dist.Wishart({df}, {scale})",
    "wishart_cholesky": "dist.WishartCholesky({df}, {scale})",
    "inverse_wishart": "dist.InverseWishart({df}, {scale})",
    "inverse_wishart_cholesky": "dist.InverseWishartCholesky({df}, {scale})",
    # counts
    "bernoulli": "dist.Bernoulli({p})",
    "bernoulli_logit": "dist.Bernoulli(logits={logits})",
    "binomial": "dist.Binomial({n}, {p})",
    "binomial_logit": "dist.Binomial({n}, logits={logits})",
    "beta_binomial": "dist.BetaBinomial({a}, {b}, {n})",
    "poisson": "dist.Poisson({rate})",
    "poisson_log": "dist.Poisson(jnp.exp({log_rate}))",
    "neg_binomial": "dist.NegativeBinomial2({mean}, {dispersion})",
    "neg_binomial_log": "dist.NegativeBinomial2(jnp.exp({log_mean}), {dispersion})",
    "gamma_poisson": "dist.GammaPoisson({shape}, {rate})",
    "beta_neg_binomial": "dist.BetaNegativeBinomial({b}, {a}, {n})",
    "geometric": "dist.Geometric({p})",
    "discrete_uniform": "dist.DiscreteUniform({low}, {high})",
    "categorical": "dist.Categorical({p})",
    "categorical_logit": "dist.Categorical(logits={logits})",
    "ordered_logistic": "dist.OrderedLogistic({predictor}, {cutpoints})",
    "ordered_probit": "ordered_probit({predictor}, {cutpoints})",
    "multinomial": "CountsAmong({n}, jnp.log({p}))",
    "multinomial_logit": "CountsAmong({n}, {logits})",
    "dirichlet_multinomial": "DirichletCountsAmong({n}, {concentration})",
}

# Laws whose arguments are laws: `{components}` is their list, `{0}` the first, `{support}` a constraint.
LAWS_OF_LAWS = {
    "mixture": "dist.MixtureGeneral(dist.Categorical({weights}), [{components}], support={support})",
    "truncated": "Truncated({0}, {lower}, {upper}, {support})",
    "ordered": "OrderStatistics({0}, {k}, {support})",
    "zero_inflated": "dist.ZeroInflatedDistribution({0}, gate={gate})",
    "hurdle": "dist.HurdleDistribution({0}, gate={gate})",
    "hidden_markov": "HiddenMarkov({initial}, {transition}, [{components}], {shape}, {support})",
}

# Laws that can be drawn as `loc + scale * standard`: non-centred where a param is among their arguments.
LOCATION_SCALE = frozenset(
    ["normal", "student_t", "cauchy", "laplace", "asymmetric_laplace", "logistic", "gumbel", "soft_laplace"]
)
DIRECTIONS = frozenset({"uniform_sphere", "projected_normal"})

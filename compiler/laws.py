"""The laws of the language, one row each: arguments, their domains, the support and shape of a value.

Adding a law is one row here, one row in `compiler.lower.laws`, and one case in `tests/lower/law_cases.py`.

Shapes name the event axes: `mv_normal` takes a mean ("k",) and a covariance ("k", "k") and gives a value ("k",).
Axes in front of the event axes broadcast, as in NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Domain = Literal[
    "real",
    "positive",
    "nonnegative",
    "unit",  # in [0, 1]
    "correlation",  # in (-1, 1)
    "whole",  # any whole number
    "natural",  # 0, 1, 2, ...
    "probabilities",  # non-negative, summing to one over the last axis
    "increasing",
    "positive_definite",
    "cholesky",  # lower triangular with a positive diagonal
    "adjacency",  # symmetric, of zeros and ones, every row with a one
]


@dataclass(frozen=True)
class Argument:
    """A law's argument. `default` is None where it must be given. `above` names an axis: the argument must exceed its
    size minus one."""

    name: str
    domain: Domain = "real"
    axes: tuple[str, ...] = ()
    default: float | None = None
    above: str | None = None


@dataclass(frozen=True)
class Last:
    """The bound `size of the argument's last axis - 1`, or that plus `plus`."""

    argument: str
    plus: int = 0


Bound = float | str | Last | None  # a number, the name of an argument, or no bound


@dataclass(frozen=True)
class LawRow:
    """`lower` and `upper` bound the support, or `kind` names it: a row of `compiler.supports.KINDS`, or `counts`.

    Laws that take laws (`mixture`, `truncated`) have `components`: how many laws they take at least, and at most (None:
    any number). A law with `axes` of which no argument tells the size takes it from what it draws.
    """

    name: str
    arguments: tuple[Argument, ...]
    doc: str
    lower: Bound = None
    upper: Bound = None
    axes: tuple[str, ...] = ()
    integer: bool = False
    components: tuple[int, int | None] = (0, 0)
    kind: str | None = None
    cdf: bool = True  # for continuous laws of one number: whether the distribution function has a closed form

    def argument(self, name: str) -> Argument:
        return next(a for a in self.arguments if a.name == name)


LOC = Argument("loc", default=0.0)
SCALE = Argument("scale", "positive", default=1.0)
RATE = Argument("rate", "positive")
SHAPE = Argument("shape", "positive")
SPREAD = Argument("scale", "positive")  # a scale that must be given
DF = Argument("df", "positive")
P = Argument("p", "unit")
LOGITS = Argument("logits")
N = Argument("n", "natural")
MEAN = Argument("mean", axes=("k",))
WEIGHTS = Argument("weights", "probabilities", axes=("k",))
GATE = Argument("gate", "unit")
CONCENTRATION = Argument("concentration", "positive")
DISPERSION = Argument("dispersion", "positive")
SPD = ("positive_definite", ("k", "k"))
WISHART = (Argument("df", "positive", above="k"), Argument("scale", *SPD))

_ROWS = (
    # continuous, on the whole line
    LawRow("normal", (LOC, SCALE), "Gaussian with mean `loc` and standard deviation `scale`"),
    LawRow("student_t", (DF, LOC, SCALE), "Student's t with `df` degrees of freedom"),
    LawRow("cauchy", (LOC, SCALE), "Cauchy"),
    LawRow("laplace", (LOC, SCALE), "Laplace (double exponential)"),
    LawRow(
        "asymmetric_laplace",
        (LOC, SCALE, Argument("asymmetry", "positive")),
        "Laplace with scale `scale` * `asymmetry` to the left and `scale` / `asymmetry` to the right of `loc`",
    ),
    LawRow("logistic", (LOC, SCALE), "logistic"),
    LawRow("gumbel", (LOC, SCALE), "Gumbel (of maxima)"),
    LawRow("soft_laplace", (LOC, SCALE), "hyperbolic secant: a Laplace without the kink"),
    LawRow(
        "skew_normal",
        (LOC, SCALE, Argument("shape")),
        "density 2 normal(x) Φ(`shape` (x - `loc`) / `scale`)",
        cdf=False,
    ),
    LawRow("exp_mod_normal", (LOC, SCALE, RATE), "sum of normal(`loc`, `scale`) and exponential(`rate`)", cdf=False),
    # continuous, bounded
    LawRow("uniform", (Argument("low", default=0.0), Argument("high", default=1.0)), "uniform", "low", "high"),
    LawRow(
        "log_uniform", (Argument("low", "positive"), Argument("high", "positive")), "log x is uniform", "low", "high"
    ),
    LawRow("beta", (Argument("a", "positive"), Argument("b", "positive")), "beta on [0, 1]", 0.0, 1.0),
    LawRow(
        "beta_proportion",
        (Argument("mean", "unit"), CONCENTRATION),
        "beta(`mean` * `concentration`, (1 - `mean`) * `concentration`)",
        0.0,
        1.0,
    ),
    LawRow(
        "kumaraswamy", (Argument("a", "positive"), Argument("b", "positive")), "1 - F(x) = (1 - x^`a`)^`b`", 0.0, 1.0
    ),
    LawRow(
        "truncated_normal",
        (LOC, SCALE, Argument("lower"), Argument("upper")),
        "Gaussian restricted to [`lower`, `upper`]",
        "lower",
        "upper",
    ),
    LawRow(
        "power_law",
        (Argument("exponent"), Argument("low", "positive"), Argument("high", "positive")),
        "density proportional to x^`exponent`",
        "low",
        "high",
        cdf=False,
    ),
    LawRow(
        "von_mises",
        (LOC, CONCENTRATION),
        "angle in [-pi, pi], density proportional to exp(`concentration` cos(x - `loc`))",
        -3.141592653589793,
        3.141592653589793,
        cdf=False,
    ),
    # continuous, positive
    LawRow("lognormal", (LOC, SCALE), "exponential of normal(`loc`, `scale`)", 0.0),
    LawRow("half_normal", (SCALE,), "absolute value of normal(0, `scale`)", 0.0),
    LawRow("half_cauchy", (SCALE,), "absolute value of cauchy(0, `scale`)", 0.0),
    LawRow("half_student_t", (DF, SCALE), "absolute value of student_t(`df`, 0, `scale`)", 0.0),
    LawRow("exponential", (RATE,), "exponential with mean 1 / `rate`", 0.0),
    LawRow("gamma", (SHAPE, RATE), "gamma with mean `shape` / `rate`", 0.0),
    LawRow("inverse_gamma", (SHAPE, SPREAD), "1 / gamma(`shape`, rate = `scale`)", 0.0),
    LawRow("chi_square", (DF,), "chi-square with `df` degrees of freedom", 0.0),
    LawRow("inverse_chi_square", (DF,), "1 / chi_square(`df`)", 0.0),
    LawRow("scaled_inverse_chi_square", (DF, SPREAD), "`df` * `scale`^2 / chi_square(`df`)", 0.0),
    LawRow("rayleigh", (SPREAD,), "length of two independent normal(0, `scale`)", 0.0),
    LawRow("weibull", (SHAPE, SPREAD), "1 - F(x) = exp(-(x / `scale`)^`shape`)", 0.0),
    LawRow("frechet", (SHAPE, SPREAD), "F(x) = exp(-(x / `scale`)^-`shape`)", 0.0),
    LawRow("gompertz", (SHAPE, RATE), "1 - F(x) = exp(-`shape` (exp(`rate` x) - 1))", 0.0),
    LawRow("loglogistic", (SPREAD, SHAPE), "exponential of logistic(log(`scale`), 1 / `shape`)", 0.0),
    LawRow(
        "dagum",
        (Argument("p", "positive"), SHAPE, SPREAD),
        "F(x) = (1 + (x / `scale`)^-`shape`)^-`p`",
        0.0,
    ),
    LawRow("lomax", (SPREAD, SHAPE), "1 - F(x) = (1 + x / `scale`)^-`shape`", 0.0),
    LawRow("pareto", (Argument("lower", "positive"), SHAPE), "Pareto above `lower`, tail index `shape`", "lower"),
    LawRow("levy", (Argument("loc"), SPREAD), "`loc` + `scale` / normal(0, 1)^2", "loc"),
    # continuous, vectors
    LawRow("mv_normal", (MEAN, Argument("covariance", *SPD)), "multivariate Gaussian", axes=("k",)),
    LawRow(
        "mv_normal_cholesky",
        (MEAN, Argument("cholesky", "cholesky", axes=("k", "k"))),
        "multivariate Gaussian with covariance L @ transpose(L)",
        axes=("k",),
    ),
    LawRow(
        "mv_normal_precision",
        (MEAN, Argument("precision", *SPD)),
        "multivariate Gaussian with covariance inverse(`precision`)",
        axes=("k",),
    ),
    LawRow(
        "low_rank_mv_normal",
        (MEAN, Argument("factor", axes=("k", "r")), Argument("diagonal", "positive", axes=("k",))),
        "multivariate Gaussian with covariance `factor` @ transpose(`factor`) + diag(`diagonal`)",
        axes=("k",),
    ),
    LawRow(
        "mv_student_t",
        (DF, MEAN, Argument("scale", *SPD)),
        "multivariate t: `mean` + mv_normal(0, `scale`) / sqrt(chi_square(`df`) / `df`)",
        axes=("k",),
    ),
    LawRow("gaussian_random_walk", (SCALE,), "cumulative sums of normal(0, `scale`)", axes=("k",)),
    LawRow(
        "car",
        (
            MEAN,
            Argument("correlation", "correlation"),
            Argument("precision", "positive"),
            Argument("adjacency", "adjacency", axes=("k", "k")),
        ),
        "conditional autoregression: precision matrix `precision` (D - `correlation` `adjacency`)",
        axes=("k",),
    ),
    LawRow(
        "matrix_normal",
        (
            Argument("mean", axes=("n", "k")),
            Argument("rows", "cholesky", axes=("n", "n")),
            Argument("columns", "cholesky", axes=("k", "k")),
        ),
        "`mean` + `rows` @ Z @ transpose(`columns`) with Z of independent normal(0, 1)",
        axes=("n", "k"),
    ),
    # constrained vectors and matrices
    LawRow(
        "dirichlet",
        (Argument("concentration", "positive", axes=("k",)),),
        "Dirichlet",
        axes=("k",),
        kind="simplex",
    ),
    LawRow("uniform_sphere", (), "uniform over directions", axes=("k",), kind="unit_vector"),
    LawRow(
        "projected_normal",
        (MEAN,),
        "direction of mv_normal(`mean`, eye(k))",
        axes=("k",),
        kind="unit_vector",
    ),
    LawRow(
        "zero_sum_normal",
        (SCALE,),
        "independent normal(0, `scale`) given that they sum to 0",
        axes=("k",),
        kind="sum_to_zero",
    ),
    LawRow(
        "lkj",
        (CONCENTRATION,),
        "correlation matrix, density proportional to det^(`concentration` - 1)",
        axes=("k", "k"),
        kind="corr_matrix",
    ),
    LawRow(
        "lkj_cholesky",
        (CONCENTRATION,),
        "Cholesky factor of lkj(`concentration`)",
        axes=("k", "k"),
        kind="cholesky_corr",
    ),
    LawRow("wishart", WISHART, "Wishart with mean `df` * `scale`", axes=("k", "k"), kind="covariance"),
    LawRow(
        "wishart_cholesky",
        WISHART,
        "Cholesky factor of wishart(`df`, `scale`)",
        axes=("k", "k"),
        kind="cholesky_cov",
    ),
    LawRow(
        "inverse_wishart",
        WISHART,
        "inverse of wishart(`df`, inverse(`scale`))",
        axes=("k", "k"),
        kind="covariance",
    ),
    LawRow(
        "inverse_wishart_cholesky",
        WISHART,
        "Cholesky factor of inverse_wishart(`df`, `scale`)",
        axes=("k", "k"),
        kind="cholesky_cov",
    ),
    # counts
    LawRow("bernoulli", (P,), "1 with probability `p`, else 0", 0.0, 1.0, integer=True),
    LawRow("bernoulli_logit", (LOGITS,), "bernoulli(expit(`logits`))", 0.0, 1.0, integer=True),
    LawRow("binomial", (N, P), "successes in `n` trials", 0.0, "n", integer=True),
    LawRow("binomial_logit", (N, LOGITS), "binomial(`n`, expit(`logits`))", 0.0, "n", integer=True),
    LawRow(
        "beta_binomial",
        (N, Argument("a", "positive"), Argument("b", "positive")),
        "binomial(`n`, p) with p from beta(`a`, `b`)",
        0.0,
        "n",
        integer=True,
    ),
    LawRow("poisson", (RATE,), "Poisson", 0.0, integer=True),
    LawRow("poisson_log", (Argument("log_rate"),), "poisson(exp(`log_rate`))", 0.0, integer=True),
    LawRow(
        "neg_binomial",
        (Argument("mean", "positive"), DISPERSION),
        "variance `mean` + `mean`^2 / `dispersion` (Stan's neg_binomial_2)",
        0.0,
        integer=True,
    ),
    LawRow(
        "neg_binomial_log",
        (Argument("log_mean"), DISPERSION),
        "neg_binomial(exp(`log_mean`), `dispersion`)",
        0.0,
        integer=True,
    ),
    LawRow("gamma_poisson", (SHAPE, RATE), "poisson(r) with r from gamma(`shape`, `rate`)", 0.0, integer=True),
    LawRow(
        "beta_neg_binomial",
        (Argument("n", "positive"), Argument("a", "positive"), Argument("b", "positive")),
        "failures before `n` successes of probability p, with p from beta(`a`, `b`)",
        0.0,
        integer=True,
    ),
    LawRow("geometric", (P,), "failures before the first success", 0.0, integer=True),
    LawRow(
        "discrete_uniform",
        (Argument("low", "whole"), Argument("high", "whole")),
        "one of `low`, ..., `high`",
        "low",
        "high",
        integer=True,
    ),
    LawRow(
        "categorical",
        (Argument("p", "probabilities", axes=("k",)),),
        "0, ..., k - 1 with probabilities `p`",
        0.0,
        Last("p"),
        integer=True,
    ),
    LawRow(
        "categorical_logit",
        (Argument("logits", axes=("k",)),),
        "categorical(softmax(`logits`))",
        0.0,
        Last("logits"),
        integer=True,
    ),
    LawRow(
        "ordered_logistic",
        (Argument("predictor"), Argument("cutpoints", "increasing", axes=("c",))),
        "how many of the `cutpoints` are below logistic(`predictor`, 1)",
        0.0,
        Last("cutpoints", 1),
        integer=True,
    ),
    LawRow(
        "ordered_probit",
        (Argument("predictor"), Argument("cutpoints", "increasing", axes=("c",))),
        "how many of the `cutpoints` are below normal(`predictor`, 1)",
        0.0,
        Last("cutpoints", 1),
        integer=True,
    ),
    LawRow(
        "multinomial",
        (N, Argument("p", "probabilities", axes=("k",))),
        "how often each of k outcomes comes in `n` trials",
        0.0,
        "n",
        axes=("k",),
        integer=True,
        kind="counts",
    ),
    LawRow(
        "multinomial_logit",
        (N, Argument("logits", axes=("k",))),
        "multinomial(`n`, softmax(`logits`))",
        0.0,
        "n",
        axes=("k",),
        integer=True,
        kind="counts",
    ),
    LawRow(
        "dirichlet_multinomial",
        (N, Argument("concentration", "positive", axes=("k",))),
        "multinomial(`n`, p) with p from dirichlet(`concentration`)",
        0.0,
        "n",
        axes=("k",),
        integer=True,
        kind="counts",
    ),
    # laws of laws
    LawRow("mixture", (WEIGHTS,), "one of the laws that follow, picked by `weights`", components=(2, None)),
    LawRow(
        "truncated",
        (Argument("lower", default=float("-inf")), Argument("upper", default=float("inf"))),
        "a continuous law of one number restricted to [`lower`, `upper`]",
        components=(1, 1),
    ),
    LawRow(
        "ordered",
        (),
        "k independent draws of a continuous law of one number, in increasing order",
        components=(1, 1),
        axes=("k",),
        kind="ordered",
    ),
    LawRow("zero_inflated", (GATE,), "0 with probability `gate`, else a count from the law", components=(1, 1)),
    LawRow(
        "hurdle",
        (GATE,),
        "0 with probability `gate`, else a count from the law given that it is not 0",
        components=(1, 1),
    ),
    LawRow(
        "hidden_markov",
        (
            Argument("initial", "probabilities", axes=("k",)),
            Argument("transition", "probabilities", axes=("k", "k")),
        ),
        "a sequence along the leading axis: a Markov chain of k hidden states, one law for what each of them shows",
        axes=("time",),
        components=(2, None),
    ),
)

LAWS = {row.name: row for row in _ROWS}

# What users of other tools write -> the name here.
ALIASES = {
    "gaussian": "normal",
    "std_normal": "normal",
    "neg_binomial_2": "neg_binomial",
    "neg_binomial_2_log": "neg_binomial_log",
    "negative_binomial": "neg_binomial",
    "multi_normal": "mv_normal",
    "multi_normal_cholesky": "mv_normal_cholesky",
    "multi_normal_prec": "mv_normal_precision",
    "multi_student_t": "mv_student_t",
    "multivariate_normal": "mv_normal",
    "multivariate_student_t": "mv_student_t",
    "low_rank_multivariate_normal": "low_rank_mv_normal",
    "double_exponential": "laplace",
    "skew_double_exponential": "asymmetric_laplace",
    "log_normal": "lognormal",
    "halfnormal": "half_normal",
    "halfcauchy": "half_cauchy",
    "studentt": "student_t",
    "chi2": "chi_square",
    "inv_gamma": "inverse_gamma",
    "inv_chi_square": "inverse_chi_square",
    "scaled_inv_chi_square": "scaled_inverse_chi_square",
    "inv_wishart": "inverse_wishart",
    "inv_wishart_cholesky": "inverse_wishart_cholesky",
    "lkj_corr": "lkj",
    "lkj_corr_cholesky": "lkj_cholesky",
    "lkjcholesky": "lkj_cholesky",
    "pareto_type_2": "lomax",
    "reciprocal": "log_uniform",
    "log_logistic": "loglogistic",
    "ex_gaussian": "exp_mod_normal",
    "vonmises": "von_mises",
    "discrete_range": "discrete_uniform",
    "random_walk": "gaussian_random_walk",
    "zero_inflated_poisson": "zero_inflated",
    "zero_inflated_neg_binomial": "zero_inflated",
    "hurdle_poisson": "hurdle",
    "order_statistics": "ordered",
    "hmm": "hidden_markov",
}

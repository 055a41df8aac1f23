"""The laws of the language, one row each: arguments, their domains, the support and shape of a value.

Adding a law is one row here, one row in `compiler.lower.laws`, and one golden file.

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
    "natural",  # 0, 1, 2, ...
    "probabilities",  # non-negative, summing to one over the last axis
    "positive_definite",
    "cholesky",  # lower triangular with a positive diagonal
]


@dataclass(frozen=True)
class Argument:
    """A law's argument. `default` is None where it must be given."""

    name: str
    domain: Domain = "real"
    axes: tuple[str, ...] = ()
    default: float | None = None


@dataclass(frozen=True)
class Last:
    """The bound `size of the argument's last axis - 1`."""

    argument: str


Bound = float | str | Last | None  # a number, the name of an argument, or no bound


@dataclass(frozen=True)
class LawRow:
    """`lower` and `upper` bound the support. Laws that take laws (`mixture`, `truncated`) have `components`: how many
    laws they take at least, and at most (None: any number)."""

    name: str
    arguments: tuple[Argument, ...]
    doc: str
    lower: Bound = None
    upper: Bound = None
    axes: tuple[str, ...] = ()
    integer: bool = False
    components: tuple[int, int | None] = (0, 0)

    def argument(self, name: str) -> Argument:
        return next(a for a in self.arguments if a.name == name)


LOC = Argument("loc", default=0.0)
SCALE = Argument("scale", "positive", default=1.0)
RATE = Argument("rate", "positive")
SHAPE = Argument("shape", "positive")
P = Argument("p", "unit")
LOGITS = Argument("logits")
N = Argument("n", "natural")
MEAN = Argument("mean", axes=("k",))
WEIGHTS = Argument("weights", "probabilities", axes=("k",))

_ROWS = (
    # continuous, on the whole line
    LawRow("normal", (LOC, SCALE), "Gaussian with mean `loc` and standard deviation `scale`"),
    LawRow("student_t", (Argument("df", "positive"), LOC, SCALE), "Student's t with `df` degrees of freedom"),
    LawRow("cauchy", (LOC, SCALE), "Cauchy"),
    LawRow("laplace", (LOC, SCALE), "Laplace (double exponential)"),
    LawRow("logistic", (LOC, SCALE), "logistic"),
    LawRow("gumbel", (LOC, SCALE), "Gumbel (of maxima)"),
    # continuous, bounded
    LawRow("uniform", (Argument("low", default=0.0), Argument("high", default=1.0)), "uniform", "low", "high"),
    LawRow("beta", (Argument("a", "positive"), Argument("b", "positive")), "beta on [0, 1]", 0.0, 1.0),
    LawRow(
        "truncated_normal",
        (LOC, SCALE, Argument("lower"), Argument("upper")),
        "Gaussian restricted to [`lower`, `upper`]",
        "lower",
        "upper",
    ),
    # continuous, positive
    LawRow("lognormal", (LOC, SCALE), "exponential of normal(`loc`, `scale`)", 0.0),
    LawRow("half_normal", (SCALE,), "absolute value of normal(0, `scale`)", 0.0),
    LawRow("half_cauchy", (SCALE,), "absolute value of cauchy(0, `scale`)", 0.0),
    LawRow("half_student_t", (Argument("df", "positive"), SCALE), "absolute value of student_t(`df`, 0, `scale`)", 0.0),
    LawRow("exponential", (RATE,), "exponential with mean 1 / `rate`", 0.0),
    LawRow("gamma", (SHAPE, RATE), "gamma with mean `shape` / `rate`", 0.0),
    LawRow("inverse_gamma", (SHAPE, Argument("scale", "positive")), "1 / gamma(`shape`, rate = `scale`)", 0.0),
    LawRow("chi_square", (Argument("df", "positive"),), "chi-square with `df` degrees of freedom", 0.0),
    LawRow("weibull", (SHAPE, Argument("scale", "positive")), "Weibull", 0.0),
    LawRow("pareto", (Argument("lower", "positive"), SHAPE), "Pareto above `lower`, tail index `shape`", "lower"),
    # continuous, vectors
    LawRow(
        "mv_normal",
        (MEAN, Argument("covariance", "positive_definite", axes=("k", "k"))),
        "multivariate Gaussian",
        axes=("k",),
    ),
    LawRow(
        "mv_normal_cholesky",
        (MEAN, Argument("cholesky", "cholesky", axes=("k", "k"))),
        "multivariate Gaussian with covariance L @ transpose(L)",
        axes=("k",),
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
    LawRow(
        "neg_binomial",
        (Argument("mean", "positive"), Argument("dispersion", "positive")),
        "variance `mean` + `mean`^2 / `dispersion` (Stan's neg_binomial_2)",
        0.0,
        integer=True,
    ),
    LawRow("geometric", (P,), "failures before the first success", 0.0, integer=True),
    LawRow(
        "categorical",
        (Argument("p", "probabilities", axes=("k",)),),
        "0, ..., k - 1 with probabilities `p`",
        0.0,
        Last("p"),
        integer=True,
    ),
    # laws of laws
    LawRow("mixture", (WEIGHTS,), "one of the laws that follow, picked by `weights`", components=(2, None)),
    LawRow(
        "truncated",
        (Argument("lower", default=float("-inf")), Argument("upper", default=float("inf"))),
        "a scalar continuous law restricted to [`lower`, `upper`]",
        components=(1, 1),
    ),
)

LAWS = {row.name: row for row in _ROWS}

# Known names whose rows come with the special types: using one says so instead of "unknown".
LATER = frozenset({"dirichlet", "multinomial", "lkj_cholesky", "wishart", "inverse_wishart", "ordered_logistic"})

# What users of other tools write -> the name here.
ALIASES = {
    "gaussian": "normal",
    "neg_binomial_2": "neg_binomial",
    "multi_normal": "mv_normal",
    "multi_normal_cholesky": "mv_normal_cholesky",
    "multivariate_normal": "mv_normal",
    "double_exponential": "laplace",
    "log_normal": "lognormal",
    "halfnormal": "half_normal",
    "halfcauchy": "half_cauchy",
    "studentt": "student_t",
    "chi2": "chi_square",
    "inv_gamma": "inverse_gamma",
}

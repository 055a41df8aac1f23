"""One case a law: its arguments, its reference density, points to compare at. `test_laws.py` tries them all.

A reference is SciPy's where it has the law, else a formula in float64 from the law's own literature.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special as sp
import scipy.stats as st
from scipy.integrate import quad

COVARIANCE = [[2.0, 0.5], [0.5, 1.0]]
PRECISION = np.linalg.inv(COVARIANCE).round(6).tolist()
FACTOR = np.linalg.cholesky(COVARIANCE).round(6).tolist()
SCALE = [[1.0, 0.3, 0.0], [0.3, 2.0, 0.1], [0.0, 0.1, 0.5]]
RING = [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


@dataclass(frozen=True)
class Case:
    """`arguments` by name, as they stand in a model; `inside` are the laws of a law of laws, as calls; `type` is what
    the law draws.

    `density(x)` is the reference's log density. `cdf` (numbers) and `pmf` (counts) judge the sampler; vectors with a
    map of N(0, I) are judged by it, the others by `moment`: a function of draws [n, ...] and its expectation.
    """

    arguments: Mapping[str, Any]
    density: Callable[[Any], float]
    points: Any = None
    type: str = "real"
    inside: tuple[str, ...] = ()
    cdf: Callable[[Any], Any] | None = None
    pmf: Callable[[Any], Any] | None = None
    moment: tuple[Callable[[np.ndarray], np.ndarray], Any] | None = None


def _number(reference: Any, **arguments: Any) -> Case:
    """A law of SciPy's."""
    points = reference.ppf([0.01, 0.2, 0.5, 0.8, 0.99])
    return Case(arguments, reference.logpdf, points, cdf=reference.cdf)


def _formula(density: Callable[[Any], Any], first: float, last: float, /, **arguments: Any) -> Case:
    """A density by formula; its distribution function by summation on a grid."""
    grid = np.linspace(first, last, 200_001)
    weight = np.exp(density(grid))
    total = np.concatenate([[0.0], np.cumsum((weight[1:] + weight[:-1]) / 2 * np.diff(grid))])
    assert abs(total[-1] - 1) < 1e-3, "the formula is not a density"
    points = np.interp([0.05, 0.3, 0.7, 0.95], total, grid)
    return Case(arguments, density, points, cdf=lambda x: np.interp(x, grid, total))


def _count(reference: Any, **arguments: Any) -> Case:
    low, high = reference.support()
    return Case(
        arguments,
        reference.logpmf,
        np.arange(max(low, 0), min(high, 7) + 1),
        type="int",
        pmf=reference.pmf,
    )


def _table(shares: Any, /, **arguments: Any) -> Case:
    return _count(st.rv_discrete(values=(range(len(shares)), shares)), **arguments)


def _kumaraswamy(x: Any) -> Any:
    x = np.clip(x, 1e-12, 1 - 1e-12)
    return np.log(2 * 3) + np.log(x) + 2 * np.log1p(-(x**2))


def _power_law(x: Any) -> Any:
    return -1.5 * np.log(x) - np.log((4**-0.5 - 1) / -0.5)


def _lkj_constant(k: int, eta: float) -> float:
    """Normaliser of det^(eta - 1) over correlation matrices (Lewandowski, Kurowicka and Joe 2009, eq. 16)."""
    i = np.arange(1, k)
    half = eta + (k - i - 1) / 2
    return float(np.sum((2 * eta - 2 + k - i) * (k - i) * np.log(2) + (k - i) * sp.betaln(half, half)))


def _lkj(x: Any) -> float:
    k = len(x)
    return np.linalg.slogdet(x)[1] - _lkj_constant(k, 2.0)


def _lkj_cholesky(x: Any) -> float:
    """The Jacobian from a factor to its matrix is Π L_ii^(k - i) (i from 1), of the strictly lower entries."""
    k = len(x)
    return _lkj(x @ x.T) + float(np.sum((k - 1 - np.arange(k)) * np.log(np.diag(x))))


def _of_cholesky(density: Callable[[Any], float]) -> Callable[[Any], float]:
    """Density of the Cholesky factor of a covariance matrix: times 2^k Π L_ii^(k - i + 1) (i from 1)."""

    def of_factor(x: Any) -> float:
        k = len(x)
        return density(x @ x.T) + k * np.log(2) + float(np.sum((k - np.arange(k)) * np.log(np.diag(x))))

    return of_factor


def _projected(mean: list[float]) -> Callable[[Any], float]:
    def density(x: Any) -> float:
        k, t = len(mean), float(np.dot(x, mean))
        integral, _ = quad(lambda r: r ** (k - 1) * np.exp(-0.5 * r**2 + r * t), 0, 40)
        return np.log(integral) - 0.5 * (k * np.log(2 * np.pi) + np.dot(mean, mean))

    return density


def _sphere(x: Any) -> float:
    k = len(x)
    return sp.gammaln(k / 2) - np.log(2) - k / 2 * np.log(np.pi)


def _zero_sum(x: Any) -> float:
    return float(st.norm(0, 2).logpdf(x).sum() + np.log(2) + 0.5 * np.log(2 * np.pi))


def _hidden_markov(x: Any) -> float:
    """By enumeration of all paths of hidden states."""
    initial, transition = np.array([0.4, 0.6]), np.array([[0.9, 0.1], [0.2, 0.8]])
    shown = np.stack([st.norm(-1, 1).pdf(x), st.norm(2, 0.5).pdf(x)])
    total = 0.0
    for path in itertools.product(range(2), repeat=len(x)):
        chain = initial[path[0]] * np.prod([transition[a, b] for a, b in itertools.pairwise(path)])
        total += chain * np.prod([shown[state, t] for t, state in enumerate(path)])
    return np.log(total)


def _car() -> Any:
    degrees = np.diag(np.sum(RING, axis=1))
    return st.multivariate_normal([1, 2, 3], np.linalg.inv(2.0 * (degrees - 0.4 * np.array(RING))))


def _random_walk() -> Any:
    steps = np.tril(np.ones((3, 3)))
    return st.multivariate_normal(np.zeros(3), 4 * steps @ steps.T)


GAUSSIAN = st.multivariate_normal([1, 2], COVARIANCE)
PAIRS = [[0.0, 0.0], [1.0, 3.0], [-2.0, 5.0]]
SHARES = [[0.2, 0.3, 0.5], [0.1, 0.8, 0.1], [0.6, 0.05, 0.35]]
TALLIES = [[1, 2, 4], [0, 0, 7], [3, 3, 1]]
DIRECTIONS = [[1.0, 0.0, 0.0], [0.6, 0.0, 0.8], [-0.48, 0.64, 0.6]]
LOADINGS = [[1.0], [0.5]]
POISSON = st.poisson(2.5)


def _matrices(k: int, n: int = 3, correlation: bool = False, factor: bool = False) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(n):
        root = rng.normal(size=(k, k + 1))
        matrix = root @ root.T
        if correlation:
            spread = np.sqrt(np.diag(matrix))
            matrix = matrix / np.outer(spread, spread)
        found.append(np.linalg.cholesky(matrix) if factor else matrix)
    return found


def _hurdle(x: Any) -> Any:
    return np.where(x == 0, 0.3, 0.7 * POISSON.pmf(x) / (1 - POISSON.pmf(0)))


def _inflated(x: Any) -> Any:
    return np.where(x == 0, 0.3, 0.0) + 0.7 * POISSON.pmf(x)


_CHAIN = np.stack([np.array([0.4, 0.6]) @ np.linalg.matrix_power([[0.9, 0.1], [0.2, 0.8]], t) for t in range(4)])
_SHOWN = _CHAIN @ [-1.0, 2.0]  # means of what a hidden Markov model shows


def _direction(mean: list[float]) -> np.ndarray:
    """Mean of directions, by 200 000 draws of NumPy's."""
    draws = np.random.default_rng(0).normal(size=(200_000, len(mean))) + mean
    return (draws / np.linalg.norm(draws, axis=-1, keepdims=True)).mean(0)


CASES: dict[str, Case] = {
    "normal": _number(st.norm(1, 2), loc=1.0, scale=2.0),
    "student_t": _number(st.t(4, 1, 2), df=4.0, loc=1.0, scale=2.0),
    "cauchy": _number(st.cauchy(1, 2), loc=1.0, scale=2.0),
    "laplace": _number(st.laplace(1, 2), loc=1.0, scale=2.0),
    "asymmetric_laplace": _number(st.laplace_asymmetric(1.5, 1, 2), loc=1.0, scale=2.0, asymmetry=1.5),
    "logistic": _number(st.logistic(1, 2), loc=1.0, scale=2.0),
    "gumbel": _number(st.gumbel_r(1, 2), loc=1.0, scale=2.0),
    "soft_laplace": _number(st.hypsecant(1, 2), loc=1.0, scale=2.0),
    "skew_normal": _number(st.skewnorm(3, 1, 2), loc=1.0, scale=2.0, shape=3.0),
    "exp_mod_normal": _number(st.exponnorm(1 / (2 * 0.5), 1, 2), loc=1.0, scale=2.0, rate=0.5),
    "uniform": _number(st.uniform(-1, 4), low=-1.0, high=3.0),
    "log_uniform": _number(st.loguniform(0.5, 8), low=0.5, high=8.0),
    "beta": _number(st.beta(2, 3), a=2.0, b=3.0),
    "beta_proportion": _number(st.beta(2, 3), mean=0.4, concentration=5.0),
    "kumaraswamy": _formula(_kumaraswamy, 0, 1, a=2.0, b=3.0),
    "truncated_normal": _number(st.truncnorm(-0.5, 1, 1, 2), loc=1.0, scale=2.0, lower=0.0, upper=3.0),
    "power_law": _formula(_power_law, 1, 4, exponent=-1.5, low=1.0, high=4.0),
    "von_mises": _number(st.vonmises(2, 0.5), loc=0.5, concentration=2.0),
    "lognormal": _number(st.lognorm(1.2, scale=np.exp(0.5)), loc=0.5, scale=1.2),
    "half_normal": _number(st.halfnorm(0, 2), scale=2.0),
    "half_cauchy": _number(st.halfcauchy(0, 2), scale=2.0),
    "half_student_t": _number(st.halfcauchy(0, 2), df=1.0, scale=2.0),
    "exponential": _number(st.expon(0, 0.5), rate=2.0),
    "gamma": _number(st.gamma(1.6, scale=0.5), shape=1.6, rate=2.0),
    "inverse_gamma": _number(st.invgamma(3, scale=2), shape=3.0, scale=2.0),
    "chi_square": _number(st.chi2(3), df=3.0),
    "inverse_chi_square": _number(st.invgamma(2.5, scale=0.5), df=5.0),
    "scaled_inverse_chi_square": _number(st.invgamma(2.5, scale=10), df=5.0, scale=2.0),
    "rayleigh": _number(st.rayleigh(0, 2), scale=2.0),
    "weibull": _number(st.weibull_min(1.5, scale=2), shape=1.5, scale=2.0),
    "frechet": _number(st.invweibull(1.5, scale=2), shape=1.5, scale=2.0),
    "gompertz": _number(st.gompertz(0.7, scale=0.5), shape=0.7, rate=2.0),
    "loglogistic": _number(st.fisk(1.5, scale=2), scale=2.0, shape=1.5),
    "dagum": _number(st.burr(1.5, 0.7, scale=2), p=0.7, shape=1.5, scale=2.0),
    "lomax": _number(st.lomax(1.5, scale=2), scale=2.0, shape=1.5),
    "pareto": _number(st.pareto(1.5, scale=2), lower=2.0, shape=1.5),
    "levy": _number(st.levy(1, 2), loc=1.0, scale=2.0),
    "mv_normal": Case({"mean": [1.0, 2.0], "covariance": COVARIANCE}, GAUSSIAN.logpdf, PAIRS, "real[2]"),
    "mv_normal_cholesky": Case({"mean": [1.0, 2.0], "cholesky": FACTOR}, GAUSSIAN.logpdf, PAIRS, "real[2]"),
    "mv_normal_precision": Case({"mean": [1.0, 2.0], "precision": PRECISION}, GAUSSIAN.logpdf, PAIRS, "real[2]"),
    "low_rank_mv_normal": Case(
        {"mean": [1.0, 2.0], "factor": LOADINGS, "diagonal": [1.0, 0.75]},
        GAUSSIAN.logpdf,
        PAIRS,
        "real[2]",
    ),
    "mv_student_t": Case(
        {"df": 5.0, "mean": [1.0, 2.0], "scale": COVARIANCE},
        st.multivariate_t([1, 2], COVARIANCE, df=5).logpdf,
        PAIRS,
        "real[2]",
    ),
    "gaussian_random_walk": Case({"scale": 2.0}, _random_walk().logpdf, [[0.0, 1.0, 2.0], [3.0, -1.0, 0.5]], "real[3]"),
    "car": Case(
        {"mean": [1.0, 2.0, 3.0], "correlation": 0.4, "precision": 2.0, "adjacency": RING},
        _car().logpdf,
        [[0.0, 1.0, 2.0], [3.0, -1.0, 0.5]],
        "real[3]",
    ),
    "matrix_normal": Case(
        {"mean": [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], "rows": FACTOR, "columns": np.linalg.cholesky(SCALE).tolist()},
        st.matrix_normal([[1, 2, 3], [0, 0, 0]], np.array(FACTOR) @ np.transpose(FACTOR), SCALE).logpdf,
        [np.arange(6.0).reshape(2, 3), np.zeros((2, 3))],
        "real[2, 3]",
    ),
    "dirichlet": Case({"concentration": [1.0, 2.0, 3.0]}, st.dirichlet([1, 2, 3]).logpdf, SHARES, "simplex[3]"),
    "uniform_sphere": Case({}, _sphere, DIRECTIONS, "unit_vector[3]"),
    "projected_normal": Case(
        {"mean": [1.0, -0.5, 0.3, 0.0]},
        _projected([1.0, -0.5, 0.3, 0.0]),
        [[1.0, 0.0, 0.0, 0.0], [-0.5, 0.5, 0.5, 0.5], [0.0, -0.6, 0.8, 0.0]],
        "unit_vector[4]",
        moment=(lambda x: x, _direction([1.0, -0.5, 0.3, 0.0])),
    ),
    "zero_sum_normal": Case({"scale": 2.0}, _zero_sum, [[1.0, -2.0, 1.0], [0.0, 3.0, -3.0]], "sum_to_zero[3]"),
    "lkj": Case({"concentration": 2.0}, _lkj, _matrices(3, correlation=True), "corr_matrix[3]"),
    "lkj_cholesky": Case(
        {"concentration": 2.0}, _lkj_cholesky, _matrices(3, correlation=True, factor=True), "cholesky_corr[3]"
    ),
    "wishart": Case({"df": 4.5, "scale": SCALE}, st.wishart(4.5, SCALE).logpdf, _matrices(3), "covariance[3]"),
    "wishart_cholesky": Case(
        {"df": 4.5, "scale": SCALE},
        _of_cholesky(st.wishart(4.5, SCALE).logpdf),
        _matrices(3, factor=True),
        "cholesky_cov[3]",
    ),
    "inverse_wishart": Case(
        {"df": 4.5, "scale": SCALE}, st.invwishart(4.5, SCALE).logpdf, _matrices(3), "covariance[3]"
    ),
    "inverse_wishart_cholesky": Case(
        {"df": 4.5, "scale": SCALE},
        _of_cholesky(st.invwishart(4.5, SCALE).logpdf),
        _matrices(3, factor=True),
        "cholesky_cov[3]",
    ),
    "bernoulli": _count(st.bernoulli(0.3), p=0.3),
    "bernoulli_logit": _count(st.bernoulli(sp.expit(0.5)), logits=0.5),
    "binomial": _count(st.binom(7, 0.3), n=7, p=0.3),
    "binomial_logit": _count(st.binom(7, sp.expit(0.5)), n=7, logits=0.5),
    "beta_binomial": _count(st.betabinom(7, 2, 3), n=7, a=2.0, b=3.0),
    "poisson": _count(POISSON, rate=2.5),
    "poisson_log": _count(st.poisson(np.exp(0.5)), log_rate=0.5),
    "neg_binomial": _count(st.nbinom(1.5, 1.5 / 4), mean=2.5, dispersion=1.5),
    "neg_binomial_log": _count(st.nbinom(1.5, 1.5 / (1.5 + np.exp(0.5))), log_mean=0.5, dispersion=1.5),
    "gamma_poisson": _count(st.nbinom(1.5, 2 / 3), shape=1.5, rate=2.0),
    "beta_neg_binomial": _count(st.betanbinom(3, 4, 2), n=3.0, a=4.0, b=2.0),
    "geometric": _count(st.geom(0.3, loc=-1), p=0.3),
    "discrete_uniform": _count(st.randint(2, 6), low=2, high=5),
    "categorical": _table([0.2, 0.3, 0.5], p=[0.2, 0.3, 0.5]),
    "categorical_logit": _table(sp.softmax([0.2, 0.3, -0.5]), logits=[0.2, 0.3, -0.5]),
    "ordered_logistic": _table(np.diff(sp.expit([-np.inf, -1.5, 0.5, np.inf])), predictor=0.5, cutpoints=[-1.0, 1.0]),
    "ordered_probit": _table(np.diff(st.norm.cdf([-np.inf, -1.5, 0.5, np.inf])), predictor=0.5, cutpoints=[-1.0, 1.0]),
    "multinomial": Case(
        {"n": 7, "p": [0.2, 0.3, 0.5]},
        st.multinomial(7, [0.2, 0.3, 0.5]).logpmf,
        TALLIES,
        "int[3]",
        moment=(lambda x: x, 7 * np.array([0.2, 0.3, 0.5])),
    ),
    "multinomial_logit": Case(
        {"n": 7, "logits": [0.2, 0.3, -0.5]},
        st.multinomial(7, sp.softmax([0.2, 0.3, -0.5])).logpmf,
        TALLIES,
        "int[3]",
        moment=(lambda x: x, 7 * sp.softmax([0.2, 0.3, -0.5])),
    ),
    "dirichlet_multinomial": Case(
        {"n": 7, "concentration": [1.0, 2.0, 3.0]},
        st.dirichlet_multinomial([1, 2, 3], 7).logpmf,
        TALLIES,
        "int[3]",
        moment=(lambda x: x**2, st.betabinom([7] * 3, [1, 2, 3], [5, 4, 3]).moment(2)),
    ),
    "mixture": Case(
        {"weights": [0.3, 0.7]},
        lambda x: np.log(0.3 * st.norm(-2, 0.5).pdf(x) + 0.7 * st.norm(1, 1).pdf(x)),
        np.linspace(-4, 4, 9),
        inside=("normal(-2, 0.5)", "normal(1, 1)"),
        cdf=lambda x: 0.3 * st.norm(-2, 0.5).cdf(x) + 0.7 * st.norm(1, 1).cdf(x),
    ),
    "truncated": Case(
        {"lower": 0.5},
        st.truncnorm(0.5, np.inf).logpdf,
        [0.6, 2.0, 4.0],
        inside=("normal(0, 1)",),
        cdf=st.truncnorm(0.5, np.inf).cdf,
    ),
    "ordered": Case(
        {},
        lambda x: float(np.log(6) + st.norm(1, 2).logpdf(x).sum()),
        [[-1.0, 0.0, 3.0], [1.0, 1.5, 2.0]],
        "ordered[3]",
        inside=("normal(1, 2)",),
    ),
    "zero_inflated": Case(
        {"gate": 0.3},
        lambda x: np.log(_inflated(x)),
        np.arange(8),
        "int",
        inside=("poisson(2.5)",),
        pmf=_inflated,
    ),
    "hurdle": Case(
        {"gate": 0.3}, lambda x: np.log(_hurdle(x)), np.arange(8), "int", inside=("poisson(2.5)",), pmf=_hurdle
    ),
    "hidden_markov": Case(
        {"initial": [0.4, 0.6], "transition": [[0.9, 0.1], [0.2, 0.8]]},
        _hidden_markov,
        [[-1.0, 0.3, 2.0, 1.5], [2.0, 2.0, -3.0, 0.0]],
        "real[4]",
        inside=("normal(-1, 1)", "normal(2, 0.5)"),
        moment=(lambda x: x, _SHOWN),
    ),
}

"""Log densities of the gallery's posteriors, written once more with SciPy alone: prior times likelihood, all constants.

Each takes the params by name, as float64 arrays, and reads the data beside the models by its own means.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import scipy.stats as st
from scipy.integrate import solve_ivp
from scipy.special import gammaln, log_expit, logsumexp

FOLDER = Path(__file__).parents[2] / "examples" / "gallery"
GALLERY: dict[str, Callable[..., float]] = {}


def model(density: Callable[..., float]) -> Callable[..., float]:
    GALLERY[density.__name__] = density
    return density


@cache
def column(name: str, key: str) -> np.ndarray:
    header, *rows = (FOLDER / f"{name}.csv").read_text().splitlines()
    return np.array([float(row.split(",")[header.split(",").index(key)]) for row in rows])


@cache
def table(name: str) -> dict[str, np.ndarray]:
    return {k: np.array(v) for k, v in json.loads((FOLDER / f"{name}.json").read_text()).items()}


def normal(x, loc, scale):
    return np.sum(st.norm.logpdf(x, loc, scale))


def half_cauchy(x, scale):
    return np.sum(st.halfcauchy.logpdf(x, 0, scale))


def half_normal(x, scale):
    return np.sum(st.halfnorm.logpdf(x, 0, scale))


def binomial(k, n, logits):
    k, n = np.asarray(k), np.asarray(n)
    choices = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return np.sum(choices + k * log_expit(logits) + (n - k) * log_expit(-logits))


@model
def ar(alpha, beta, sigma):
    y, total = column("ar", "y"), normal(alpha, 0, 10) + normal(beta, 0, 10) + half_cauchy(sigma, 2.5)
    for t in range(5, len(y)):
        total += st.norm.logpdf(y[t], alpha + sum(beta[k] * y[t - 1 - k] for k in range(5)), sigma)
    return total


@model
def arma(mu, phi, theta, sigma):
    y = column("arma", "y")
    total = normal(mu, 0, 10) + normal(phi, 0, 2) + normal(theta, 0, 2) + half_cauchy(sigma, 2.5)
    error = y[0] - (mu + phi * mu)
    total += st.norm.logpdf(error, 0, sigma)
    for t in range(1, len(y)):
        error = y[t] - (mu + phi * y[t - 1] + theta * error)
        total += st.norm.logpdf(error, 0, sigma)
    return total


@model
def regression(beta, sigma):
    data = table("regression")
    return normal(beta, 0, 10) + half_normal(sigma, 10) + normal(data["y"], data["X"] @ beta, sigma)


def kernel(x, rho, alpha):
    return alpha**2 * np.exp(-0.5 * (x[:, None] - x[None, :]) ** 2 / rho**2)


@model
def gp_regression(rho, alpha, sigma):
    x, y = column("gp", "x"), column("gp", "y")
    prior = st.gamma.logpdf(rho, 25, scale=1 / 4) + half_normal(alpha, 2) + half_normal(sigma, 1)
    return prior + st.multivariate_normal.logpdf(y, np.zeros(len(x)), kernel(x, rho, alpha) + sigma * np.eye(len(x)))


@model
def gp_poisson(rho, alpha, z):
    x, k = column("gp", "x"), column("gp", "k")
    prior = st.gamma.logpdf(rho, 25, scale=1 / 4) + half_normal(alpha, 2) + normal(z, 0, 1)
    f = np.linalg.cholesky(kernel(x, rho, alpha) + 1e-6 * np.eye(len(x))) @ z
    return prior + np.sum(k * f - np.exp(f) - gammaln(k + 1))


@model
def gauss_mix(mu, sigma, theta):
    y = column("gauss_mix", "y")
    prior = np.log(2) + normal(mu, 0, 2) + half_normal(sigma, 2) + st.beta.logpdf(theta, 5, 5)  # 2! orders of mu
    parts = st.norm.logpdf(y[:, None], mu, sigma) + np.log([theta, 1 - theta])
    return prior + np.sum(logsumexp(parts, axis=1))


@model
def hmm(stay, mu):
    y = column("hmm", "y")
    forward = np.array([0.5, 0.5]) * st.norm.pdf(y[0], mu, 1)
    total = np.log(2) + normal(mu, 5, 5)  # 2! orders of mu; rows of `stay` are uniform: density 1
    for value in y[1:]:
        total += np.log(forward.sum())
        forward = forward / forward.sum() @ stay * st.norm.pdf(value, mu, 1)
    return total + np.log(forward.sum())


@model
def michaelis_menten(k_a, K_m, V_m, sigma):
    data = table("michaelis_menten")
    times = data["times"]
    solution = solve_ivp(
        lambda t, c: np.exp(-k_a * t) * 30 * k_a / 2 - V_m / 2 * c / (K_m + c),
        (0, times[-1]),
        [0.0],
        t_eval=times,
        method="LSODA",
        rtol=1e-10,
        atol=1e-12,
    )
    prior = sum(half_cauchy(x, 1) for x in (k_a, K_m, V_m, sigma))
    return prior + np.sum(st.lognorm.logpdf(data["C_hat"], sigma, scale=solution.y[0]))


@model
def logistic(alpha, beta):
    distance, arsenic = column("logistic", "distance"), column("logistic", "arsenic")
    logits = alpha + beta[0] * distance + beta[1] * arsenic + beta[2] * distance * arsenic
    return normal(alpha, 0, 2.5) + normal(beta, 0, 2.5) + binomial(column("logistic", "switched"), 1, logits)


@model
def rats(mu, tau, alpha, beta, sigma):
    weeks = (8, 15, 22, 29, 36)
    prior = normal(mu, [200, 0], [200, 20]) + half_cauchy(tau, [20, 2]) + half_cauchy(sigma, 10)
    effects = normal(alpha, mu[0], tau[0]) + normal(beta, mu[1], tau[1])
    return (
        prior + effects + sum(normal(column("rats", f"day_{day}"), alpha + beta * (day - 22), sigma) for day in weeks)
    )


@model
def seeds(alpha, sigma, b):
    r, n, x1, x2 = (column("seeds", key) for key in ("r", "n", "x1", "x2"))
    prior = normal(alpha, 0, 1) + half_cauchy(sigma, 1) + normal(b, 0, sigma)
    return prior + binomial(r, n, alpha[0] + alpha[1] * x1 + alpha[2] * x2 + alpha[3] * x1 * x2 + b)


@model
def pumps(alpha, beta, rate):
    hours = np.array([94.3, 15.7, 62.9, 126, 5.24, 31.4, 1.05, 1.05, 2.1, 10.5])
    prior = st.expon.logpdf(alpha) + st.gamma.logpdf(beta, 0.1)
    rates = np.sum(st.gamma.logpdf(rate, alpha, scale=1 / beta))
    return prior + rates + np.sum(st.poisson.logpmf([5, 1, 5, 14, 3, 19, 1, 1, 4, 22], rate * hours))


@model
def surgical(mu, sigma, b):
    operations = [47, 148, 119, 810, 211, 196, 148, 215, 207, 97, 256, 360]
    deaths = [0, 18, 8, 46, 8, 13, 9, 31, 14, 8, 29, 24]
    prior = normal(mu, 0, 5) + half_cauchy(sigma, 1) + normal(b, mu, sigma)
    return prior + binomial(deaths, operations, b)


@model
def capture(omega, p):
    k = column("capture", "captures")
    return np.sum(np.log(omega * st.binom.pmf(k, 3, p) + (1 - omega) * (k == 0)))


@model
def dugongs(alpha, beta, **rest):
    age, length = column("dugongs", "age"), column("dugongs", "length")
    decay, sigma = rest["lambda"], rest["sigma"]
    prior = normal(alpha, 0, 10) + normal(beta, 0, 10) + np.log(2) + half_normal(sigma, 1)
    return prior + normal(length, alpha - beta * decay**age, sigma)

"""Power-scaling sensitivity against arviz-stats and against quadrature of closed forms; evidence against both."""

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy.integrate import quad
from scipy.stats import norm

from benchmarks.scaled_normal import divergence
from bsi.runtime.sensitivity import CONFLICT, STRONG, diagnosis, distance, moved_slope, slope, weighted_slope, weights
from bsi.runtime.thermodynamic import log_evidence

DATA_MEAN, DATA_SD = 0.0, 0.3  # of the likelihood of a normal mean: `normal(DATA_MEAN | mu, DATA_SD)`


def closed(prior_mean: float, prior_power: float = 1.0, likelihood_power: float = 1.0) -> tuple[float, float]:
    """Mean and sd of the posterior of a normal mean with prior `normal(prior_mean, 1)` at any powers."""
    a, b = prior_power, likelihood_power / DATA_SD**2
    return (a * prior_mean + b * DATA_MEAN) / (a + b), (a + b) ** -0.5


def draws(prior_mean: float, n: int = 20_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean, sd = closed(prior_mean)
    x = mean + sd * np.random.default_rng(seed).normal(size=n)
    return x[:, None], norm.logpdf(x, prior_mean, 1), norm.logpdf(DATA_MEAN, x, DATA_SD)


@pytest.mark.parametrize("power", [0.99, 1.01, 0.5, 2.0])
def test_the_distance_is_that_of_arviz(power):
    x, log_prior, _ = draws(5.0, 3_000)
    w, _ = weights(log_prior, power)
    theirs = max(array_stats._cjs_dist(x[:, 0], w), array_stats._cjs_dist(-x[:, 0], w))
    assert distance(x, x, y_weights=w)[0] == pytest.approx(theirs, rel=1e-9)


def test_the_distance_of_two_samples_is_that_of_their_laws():
    """Exact draws of two laws, 4 seeds of 20 000; scale changes nothing, and equal samples have none."""
    p, q = closed(5.0), closed(5.0, prior_power=2.0)
    rng = np.random.default_rng(1)
    found = []
    for _ in range(4):
        x, y = (mean + sd * rng.normal(size=(20_000, 1)) for mean, sd in (p, q))
        low, high = min(x.min(), y.min()), max(x.max(), y.max())
        found.append(distance(x, y)[0] / divergence(p, q, low, high))
        assert distance(3 * x + 7, 3 * y + 7)[0] == pytest.approx(distance(x, y)[0], rel=1e-9)
    assert abs(np.mean(found) - 1) < 5 * np.std(found, ddof=1) / 2 < 0.05
    assert distance(x, x)[0] == 0


@pytest.mark.parametrize("prior_mean", [0.0, 5.0, 10.0])
@pytest.mark.parametrize("of_prior", [True, False])
def test_slopes_of_a_conjugate_normal(prior_mean, of_prior):
    """Weights near 1 and draws of the same noise at 0.8 and 1.25, 20 000 of each, against quadrature: 5 standard
    errors, and 5 % between both, as a chord is no slope."""
    x, log_prior, log_likelihood = draws(prior_mean)
    name = "prior_power" if of_prior else "likelihood_power"
    here, near, steps = closed(prior_mean), np.array([0.99, 1.01]), np.array([0.8, 1.25])

    def exact(powers: np.ndarray, there: list[np.ndarray]) -> float:
        """The distance is over the range of all draws."""
        each = [
            divergence(here, closed(prior_mean, **{name: p}), min(x.min(), y.min()), max(x.max(), y.max()))
            for p, y in zip(powers, there, strict=True)
        ]
        return slope(powers, np.array(each)[:, None])[0]

    value, error, shape = weighted_slope(x, log_prior if of_prior else log_likelihood, 0.01)
    expected = exact(near, [x, x])
    assert abs(value[0] - expected) < 5 * error[0] and shape < 0.5
    noise = (x - here[0]) / here[1]
    there = [mean + sd * noise for mean, sd in (closed(prior_mean, **{name: p}) for p in steps)]
    moved, moved_error = moved_slope(x, np.stack(there), steps)
    assert abs(moved[0] - exact(steps, there)) < 5 * moved_error[0]
    assert abs(moved[0] - value[0]) < 5 * np.hypot(error[0], moved_error[0]) + 0.05 * expected


def test_diagnoses():
    assert diagnosis(0.2, 0.3, 0.05) == CONFLICT and diagnosis(0.2, 0.01, 0.05) == STRONG
    assert diagnosis(0.01, 0.3, 0.05) == "" == diagnosis(0.01, 0.01, 0.05)


def test_weights_that_cannot_be_trusted():
    """A component with a tail that its cube has no mean over: k̂ says so."""
    x = np.random.default_rng(3).standard_t(2, size=(4_000, 1))
    _, shape = weights(np.log1p(x[:, 0] ** 2), 2.0)
    assert shape > 0.7
    assert weights(np.zeros(100), 2.0)[1] == -np.inf


# ---------------------------------------------------------------- evidence


def power_draws(log_likelihood, powers: np.ndarray, n: int, rng: np.random.Generator) -> list[np.ndarray]:
    """`ln f` at n exact draws of `normal(0, 1) f^power` on a fine grid, for every power."""
    grid = np.linspace(-8, 8, 20_001)
    found = []
    for power in powers:
        p = norm.pdf(grid) * np.exp(power * (log_likelihood(grid) - log_likelihood(grid).max()))
        found.append(log_likelihood(rng.choice(grid, size=(2, n // 2), p=p / p.sum())))
    return found


@pytest.mark.parametrize("gaussian", [True, False])
def test_evidence_of_one_number(gaussian):
    """11 powers, 4 000 draws of each: 4 standard errors of quadrature; their spread over 12 seeds is what they say."""

    def log_likelihood(x):
        return (
            norm.logpdf(1.5, x, 0.4) if gaussian else np.log(0.2 * norm.pdf(x, 2, 0.3) + 0.8 * norm.pdf(x**2, 1, 0.5))
        )

    exact = np.log(quad(lambda x: norm.pdf(x) * np.exp(log_likelihood(x)), -8, 8, limit=400)[0])
    if gaussian:
        assert exact == pytest.approx(norm.logpdf(1.5, 0, (1 + 0.4**2) ** 0.5), abs=1e-8)
    powers = np.linspace(0, 1, 21) ** 3
    found = [
        log_evidence(powers.tolist(), power_draws(log_likelihood, powers, 4_000, np.random.default_rng(k)))
        for k in range(12)
    ]
    values, errors = (np.array([getattr(one, name) for one in found]) for name in ("value", "standard_error"))
    assert abs(values.mean() - exact) < 4 * errors.mean() / 12**0.5 + 2e-3
    assert 0.6 < values.std(ddof=1) / errors.mean() < 1.7
    assert abs(np.mean([one.trapezoid for one in found]) - exact) > 3 * abs(values.mean() - exact)


@pytest.mark.parametrize(("steps", "power"), [(2, 5), (4, 3), (6, 3), (10, 4), (20, 4)])
def test_the_standard_error_of_the_evidence_covers_a_coarse_grid(steps, power):
    """A normal mean 5 prior sds away, 4 000 draws, in closed form: within three standard errors at every grid, of which
    most is the grid's where it is coarse and little where it is fine; without it the coarse ones are far off."""
    prior_sd, seen, precision = 1.0, 5.0, 12.0
    powers, rng = np.linspace(0, 1, steps + 1) ** power, np.random.default_rng(steps)
    tables = []
    for lam in powers:
        total = prior_sd**-2 + lam * precision
        mu = lam * precision * seen / total + rng.standard_normal((1, 4_000)) / total**0.5
        tables.append(-precision / 2 * (mu - seen) ** 2)
    found = log_evidence(powers.tolist(), tables)
    exact = -0.5 * np.log1p(precision * prior_sd**2) - 0.5 * seen**2 / (prior_sd**2 + 1 / precision)
    error, of_draws = abs(found.value - exact), (found.standard_error**2 - found.grid**2) ** 0.5
    assert error < 3 * found.standard_error
    assert (error > 6 * of_draws and found.grid > 0.1) == (steps < 6), (error, of_draws, found.grid)
    assert found.grid < of_draws or steps < 10


def test_evidence_needs_finite_likelihoods():
    with pytest.raises(ValueError, match="zero at some draws"):
        log_evidence([0.0, 1.0], [np.array([[0.0, -np.inf]]), np.zeros((1, 2))])

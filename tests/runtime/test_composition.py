"""Composition against closed forms: Gaussian factors at any powers, tempered priors by quadrature."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jax.scipy.special import log_ndtr, ndtri

from bsi.runtime.composition import (
    NormalPrior,
    fnpse,
    gauss,
    grouped,
    is_separable,
    jac,
    make_rows,
    plain_sum,
    temper,
    tilt,
)
from bsi.runtime.composition.rows import REACH
from bsi.runtime.composition.tempered import AbstractPrior
from bsi.runtime.process import signal_noise
from bsi.runtime.samplers import DpmSolverPP
from tests.runtime.models import gaussian_denoiser

M = 3
LEVELS = (-10.0, -4.0, 0.0, 3.0, 9.0)


def affine_rows(seed, n):
    """x_i = θ + noise of covariance R: posterior precisions I + R⁻¹, means linear in x."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((M, M))
    information = root @ root.T + 0.3 * np.eye(M)
    precision = np.eye(M) + information
    x = rng.standard_normal((n, M)) + 0.5

    def denoise(u, log_snr, x):
        a, s = signal_noise(log_snr)
        r = a**2 / s**2
        target = x @ jnp.asarray(information) + a / s**2 * u
        return target @ jnp.linalg.inv(jnp.asarray(precision) + r * jnp.eye(M))

    return denoise, jnp.asarray(x), jnp.asarray(precision), information


class NormalPower(AbstractPrior):
    """p = N(0, I) to the α: N(0, I/α), by the denoiser of any Gaussian."""

    size: int
    power: float

    def precision(self):
        return self.power * jnp.eye(self.size)

    def plain(self, u, log_snr):
        a, _ = signal_noise(log_snr)
        return gaussian_denoiser(jnp.zeros(self.size), jnp.eye(self.size) / self.power)(u, log_snr) - a * u

    def weighted(self, u, log_snr, r):
        return (self.power + r) * self.plain(u, log_snr)

    def log_density(self, z):
        return -0.5 * self.power * jnp.sum(z**2, -1)


@pytest.mark.parametrize("alpha", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("beta", [0.25, 1.0, 4.0, "vector"])
@pytest.mark.parametrize(("n", "compose"), [(1, gauss), (7, gauss), (300, gauss), (7, jac)])
def test_gaussian_factors_are_exact(alpha, beta, n, compose):
    """Two likelihoods, one of them always at power ½ with three rows; at n = 1 that one's denoiser is asked up to about
    the noise of its own posterior alone."""
    with jax.enable_x64(True):
        powers = jnp.linspace(0.0, 2.0, n) if beta == "vector" else jnp.full(n, beta)
        reach = 0.5 if n == 1 else np.inf
        denoise, x, precision, information = affine_rows(1, n)
        other, y, other_precision, other_information = affine_rows(2, 3)
        rows = [
            make_rows(denoise, x, powers, jnp.broadcast_to(precision, (n, M, M))),
            make_rows(other, y, jnp.asarray(0.5), jnp.broadcast_to(other_precision, (3, M, M)), None, reach),
        ]
        prior = (NormalPower if beta == "vector" else NormalPrior)(M, alpha)
        composed = compose(prior, rows)
        b = alpha * np.eye(M) + float(jnp.sum(powers)) * information + 1.5 * other_information
        linear = information @ np.asarray(powers @ x) + 0.5 * other_information @ np.asarray(y.sum(0))
        exact = gaussian_denoiser(np.linalg.solve(b, linear), np.linalg.inv(b))
        u = jr.normal(jr.PRNGKey(0), (300, M), jnp.float64)
        for level in LEVELS:
            t = jnp.asarray(level)
            np.testing.assert_allclose(composed(u, t), exact(u, t), atol=1e-5, rtol=1e-5)
        assert int(composed.repaired) == 0 and int(composed.projected) == 0


def test_one_row_at_powers_one_is_the_bare_denoiser():
    denoise, x, precision, _ = affine_rows(3, 1)
    denoise32 = lambda u, t, x: jnp.tanh(denoise(u, t, x)).astype(jnp.float32)  # noqa: E731
    rows = [make_rows(denoise32, x.astype(jnp.float32), jnp.ones(()), precision[None].astype(jnp.float32))]
    u = jr.normal(jr.PRNGKey(0), (50, M))
    for compose in (gauss, plain_sum):
        for level in LEVELS:
            t = jnp.asarray(level)
            np.testing.assert_allclose(compose(NormalPrior(M), rows)(u, t), denoise32(u, t, rows[0].x[0]), atol=2e-5)


def test_errors_of_a_network_add_up_less_where_it_is_not_asked_of_clean_states():
    """90 rows whose predicted noise is off by 0.01 in one direction: the mean is 1.1 posterior sds off, and 0.66 with
    `REACH`; 500 draws know it to 0.08."""
    n, off = 90, 0.01 * jnp.array([1.0, 0.0, 0.0])
    denoise, x, precision, information = affine_rows(4, n)

    def wrong(u, log_snr, x):
        a, s = signal_noise(log_snr)
        return (denoise(u, log_snr, x) - s / a * off).astype(jnp.float32)

    def shift(reach):
        precisions = jnp.broadcast_to(precision, (n, M, M)).astype(jnp.float32)
        rows = make_rows(wrong, x.astype(jnp.float32), jnp.ones(()), precisions, None, reach)
        composed = gauss(NormalPrior(M), [rows])
        z, _ = jax.jit(lambda k: DpmSolverPP(50).sample(composed, k, (500, M)))(jr.PRNGKey(0))
        b = np.eye(M) + n * information
        gap = np.asarray(z, np.float64).mean(0) - np.linalg.solve(b, information @ np.asarray(x.sum(0)))
        return np.sqrt(gap @ b @ gap)

    assert shift(REACH) < 0.8 < 0.95 < shift(np.inf)


@pytest.mark.parametrize("compose", [gauss, jac, plain_sum])
def test_every_composition_starts_at_the_standard_normal(compose, alpha=0.25):
    """Weights are relative to N(0, I), to which all factors go, and sum to one: not N(0, I/α), as where they sum to α.
    The score is -u there whatever the powers; α alone, without rows, has the variance 1/α at the other end."""
    with jax.enable_x64(True):
        denoise, x, precision, _ = affine_rows(1, 7)
        rows = make_rows(denoise, x, jnp.asarray(2.0), jnp.broadcast_to(precision, (7, M, M)))
        u, level = jr.normal(jr.PRNGKey(0), (50, M), jnp.float64), jnp.asarray(-14.0)
        a, s = signal_noise(level)
        score = (a * compose(NormalPrior(M, alpha), [rows])(u, level) - u) / s**2
        np.testing.assert_allclose(score, -u, atol=0.05)
        alone = compose(NormalPrior(M, alpha), [])
        clean = jnp.asarray(9.0)
        a, s = signal_noise(clean)
        np.testing.assert_allclose((a * alone(u, clean) - u) / s**2, -u / (a**2 / alpha + s**2), rtol=1e-9)


@pytest.mark.parametrize("reach", [np.inf, REACH])
def test_float32_keeps_the_posterior_of_a_thousand_rows(reach):
    n = 1000
    denoise, x, precision, information = affine_rows(4, n)
    denoise32 = lambda u, t, x: denoise(u, t, x).astype(jnp.float32)  # noqa: E731
    precisions = jnp.broadcast_to(precision, (n, M, M)).astype(jnp.float32)
    rows = make_rows(denoise32, x.astype(jnp.float32), jnp.ones(()), precisions, None, reach)
    composed = gauss(NormalPrior(M), [rows])
    z, _ = jax.jit(lambda k: DpmSolverPP(30).sample(composed, k, (2000, M)))(jr.PRNGKey(0))
    b = np.eye(M) + n * information
    mean, sd = np.linalg.solve(b, information @ np.asarray(x.sum(0))), np.sqrt(np.diag(np.linalg.inv(b)))
    z = np.asarray(z, np.float64)
    assert np.all(np.abs(z.mean(0) - mean) / sd < 4.5 / np.sqrt(2000) + 0.02)
    assert np.all(np.abs(z.std(0) / sd - 1) < 4.5 / np.sqrt(4000) + 0.02)


def test_information_below_zero_is_projected_and_counted():
    denoise, x, _, _ = affine_rows(5, 2)
    precisions = jnp.stack([jnp.diag(jnp.array([0.5, 2.0, 3.0])), 4.0 * jnp.eye(M)]).astype(jnp.float32)
    rows = make_rows(denoise, x, jnp.ones(()), precisions)
    assert int(rows.projected) == 1 and float(rows.shortfall) == pytest.approx(0.5 / 3.0)
    np.testing.assert_allclose(rows.information[0], np.diag([0.0, 1.0, 2.0]), atol=1e-6)
    composed = gauss(NormalPrior(M), [rows])
    assert float(composed.shortfall) == pytest.approx(0.5 / 3.0) and int(composed.repaired) == 0
    assert float(composed.deficit) == 0.0


def test_a_sum_below_zero_is_repaired_and_measured():
    """Two rows to the power -1, as no model may have them: B = I - 2 diag(0, 1, 3)."""
    denoise, x, _, _ = affine_rows(5, 2)
    precisions = jnp.broadcast_to(jnp.diag(jnp.array([1.0, 2.0, 4.0])), (2, M, M))
    composed = gauss(NormalPrior(M), [make_rows(denoise, x, -jnp.ones(()), precisions)])
    assert int(composed.repaired) == 2 and float(composed.deficit) == pytest.approx(1.0)
    assert float(jnp.min(composed.values)) == pytest.approx(1e-4)


def test_rows_that_do_not_fit_in_one_pass_are_told():
    """1 000 rows of 200 draws: 327 at a time, in four chunks at every evaluation."""
    denoise, x, precision, _ = affine_rows(6, 1_000)
    denoise32 = lambda u, t, x: denoise(u, t, x).astype(jnp.float32)  # noqa: E731
    precisions = jnp.broadcast_to(precision, (1_000, M, M)).astype(jnp.float32)
    passed = []
    rows = make_rows(denoise32, x.astype(jnp.float32), jnp.ones(()), precisions)
    composed = gauss(NormalPrior(M), [replace(rows, tell=passed.append)])
    z, stats = jax.jit(lambda key: DpmSolverPP(5).sample(composed, key, (200, M)))(jr.PRNGKey(0))
    jax.effects_barrier()
    assert passed == [327] * 4 * int(stats["evaluations"]) and z.shape == (200, M)


def test_jac_is_exact_where_covariances_depend_on_the_state():
    """One row at power 1 is its own denoiser, whatever its curvature; in chunks too."""
    denoise, x, precision, _ = affine_rows(3, 1)
    curved = lambda u, t, x: (jnp.tanh(denoise(u, t, x)) + 0.2 * u).astype(jnp.float32)  # noqa: E731
    rows = [make_rows(curved, x.astype(jnp.float32), jnp.ones(()), precision[None].astype(jnp.float32))]
    u = jr.normal(jr.PRNGKey(0), (50, M))
    for level in (-4.0, 0.0):
        t = jnp.asarray(level)
        np.testing.assert_allclose(jac(NormalPrior(M), rows)(u, t), curved(u, t, rows[0].x[0]), atol=1e-4)


def test_jac_survives_denoisers_that_fold():
    """A learned denoiser may have derivatives of any sign: precisions are floored and the draw stays finite."""
    denoise, x, precision, _ = affine_rows(3, 5)
    folding = lambda u, t, x: (denoise(u, t, x) - 0.5 * jnp.sin(8.0 * u)).astype(jnp.float32)  # noqa: E731
    precisions = jnp.broadcast_to(precision, (5, M, M)).astype(jnp.float32)
    composed = jac(NormalPrior(M), [make_rows(folding, x.astype(jnp.float32), jnp.ones(()), precisions)])
    z, stats = jax.jit(lambda k: DpmSolverPP(30).sample(composed, k, (200, M)))(jr.PRNGKey(0))
    assert int(stats["non_finite"]) == 0 and float(jnp.max(jnp.abs(z))) <= 16.0


def test_chunks_of_rows_change_nothing(monkeypatch):
    """Three rows at a time of seven, against all of them."""
    denoise, x, precision, _ = affine_rows(6, 7)
    rows = make_rows(denoise, x, jnp.linspace(0.5, 2.0, 7), jnp.broadcast_to(precision, (7, M, M)))
    u, t = jr.normal(jr.PRNGKey(0), (10, M)), jnp.asarray(0.5)
    for compose, states in ((gauss, 30), (plain_sum, 30), (jac, 90)):
        whole = compose(NormalPrior(M), [rows])(u, t)
        monkeypatch.setattr("bsi.runtime.composition.rows.STATES", states)
        np.testing.assert_allclose(compose(NormalPrior(M), [rows])(u, t), whole, rtol=2e-5, atol=2e-5)
        monkeypatch.undo()


def test_fnpse_is_the_bridge_it_says():
    """Its score against the derivative of `q^{a²} N^{-a² n} ∏ p_t(· | x_i)` in closed form, and the clean end."""
    with jax.enable_x64(True):
        n = 4
        denoise, x, precision, information = affine_rows(1, n)
        covariance = np.linalg.inv(precision)
        composed = fnpse(NormalPrior(M), [make_rows(denoise, x, jnp.ones(n), jnp.broadcast_to(precision, (n, M, M)))])
        u = jr.normal(jr.PRNGKey(0), (5, M), jnp.float64)
        for level in (-1.0, 0.0, 3.0):
            a, s = (float(v) for v in signal_noise(jnp.asarray(level)))
            inverse = np.linalg.inv(a**2 * covariance + s**2 * np.eye(M))
            means = a * np.asarray(x) @ information @ covariance
            score = sum((mean - np.asarray(u)) @ inverse for mean in means) - a**2 * (1 - n) * np.asarray(u)
            np.testing.assert_allclose((a * composed(u, jnp.asarray(level)) - u) / s**2, score, atol=1e-8)


@pytest.mark.parametrize("n_max", [4, 20])
def test_partial_sets_are_exact_for_gaussians(n_max):
    """Eleven rows in sets, two of them with a power of their own: the same posterior as of single rows, from fewer
    factors."""
    with jax.enable_x64(True):
        n, width = 11, 21
        denoise, x, _, information = affine_rows(2, n)

        def denoise_sets(u, log_snr, sets):
            rows, seen = (part.reshape(*part.shape[:-1], width, M) for part in jnp.split(sets, 2, -1))
            r, a = jnp.exp(log_snr), signal_noise(log_snr)[0]
            count = jnp.sum(seen[..., 0], -1)[..., None, None]
            inner = (1 + r) * jnp.eye(M) + count * jnp.asarray(information)
            target = jnp.einsum("...np,pm->...m", rows, jnp.asarray(information)) + (r / a) * u
            return jnp.einsum("...ij,...j->...i", jnp.linalg.inv(inner), target)

        powers = np.where(np.isin(np.arange(n), [2, 7]), 0.5, 2.0)
        sets, first = grouped(jnp.concatenate([x, jnp.ones_like(x)], -1), powers[None], n_max, width)
        counts = np.asarray(sets[:, width * M :].reshape(-1, width, M)[..., 0].sum(-1))
        assert len(sets) == 1 + -(-9 // n_max) and counts.sum() == n and np.ptp(counts[1:]) <= 1
        precisions = jnp.eye(M) + counts[:, None, None] * jnp.asarray(information)
        few = gauss(NormalPower(M, 0.5), [make_rows(denoise_sets, sets, jnp.asarray(powers)[first], precisions)])
        single = jnp.broadcast_to(jnp.eye(M) + jnp.asarray(information), (n, M, M))
        many = gauss(NormalPower(M, 0.5), [make_rows(denoise, x, jnp.asarray(powers), single)])
        u = jr.normal(jr.PRNGKey(0), (20, M), jnp.float64)
        for level in LEVELS:
            np.testing.assert_allclose(few(u, jnp.asarray(level)), many(u, jnp.asarray(level)), atol=1e-8)


def test_powers_are_traced():
    denoise, x, precision, _ = affine_rows(6, 5)
    traces = []

    @jax.jit
    def run(alpha, beta, u):
        traces.append(1)
        rows = [make_rows(denoise, x, beta, jnp.broadcast_to(precision, (5, M, M)))]
        prior = temper(lambda z: -0.5 * jnp.sum(z**2, -1), M, alpha)
        return gauss(prior, rows)(u, jnp.asarray(0.0))

    for alpha, beta in [(1.0, 1.0), (0.5, 2.0), (4.0, 0.0)]:
        run(jnp.asarray(alpha), jnp.asarray(beta), jnp.ones((4, M)))
    assert len(traces) == 1


@pytest.mark.parametrize("reach", [np.inf, REACH])
def test_a_belief_that_knows_nothing_guesses_the_mean_given_all_rows(reach):
    with jax.enable_x64(True):
        denoise, x, precision, information = affine_rows(1, 7)
        rows = make_rows(denoise, x, jnp.ones(()), jnp.broadcast_to(precision, (7, M, M)), None, reach)
        u = jr.normal(jr.PRNGKey(0), (20, M), jnp.float64)
        guess = gauss(NormalPrior(M), [rows])(u, jnp.asarray(-jnp.inf))
        mean = np.linalg.solve(np.eye(M) + 7 * information, information @ np.asarray(x.sum(0)))
        np.testing.assert_allclose(guess, np.broadcast_to(mean, u.shape), atol=1e-9)


@pytest.mark.parametrize("make", [temper, tilt])
def test_a_belief_that_knows_nothing_guesses_the_mean_of_a_powered_prior(make):
    prior = make(lambda z: jnp.sum(-0.5 * z**2 - z, -1), 2, 0.5)  # ln p of a lognormal
    u = jnp.asarray([[0.0, 3.0], [-2.0, 0.5]], jnp.float32)
    guess = prior.plain(u, jnp.asarray(-jnp.inf, jnp.float32))
    np.testing.assert_allclose(guess, np.broadcast_to(prior.mean, (2, 2)), atol=2e-3)


# name: (ln p(θ(z)) in one coordinate, stable in both tails)
def _half_normal(z):
    theta = -ndtri(0.5 * jnp.exp(log_ndtr(-jnp.clip(z, -12, 12))))
    return -0.5 * theta**2


LOG_PRIORS = {
    "normal": lambda z: -0.5 * z**2,
    "lognormal": lambda z: -0.5 * z**2 - z,
    "half_normal": _half_normal,
    "exponential": lambda z: log_ndtr(-z),
    "beta": lambda z: log_ndtr(z) * (2 / 3) + log_ndtr(-z) * 0.0,  # beta(3, 1): θ = Φ(z)^(1/3), p ∝ θ²
    "uniform": lambda z: jnp.zeros_like(z),
}


@pytest.mark.parametrize("alpha", [0.25, 0.5, 2.0, 4.0])
@pytest.mark.parametrize("name", LOG_PRIORS)
def test_tempered_prior_against_quadrature(name, alpha):
    """Moments and denoiser against a fine grid in double precision."""
    log_prior = LOG_PRIORS[name]
    prior = jax.jit(lambda power: temper(lambda z: jnp.sum(log_prior(z), -1), 2, power))(jnp.asarray(alpha))
    assert bool(jnp.all(prior.proper))
    with jax.enable_x64(True):
        grid = jnp.linspace(-12.0, 12.0, 200_001)
        log_q = np.asarray((alpha - 1) * log_prior(grid) - 0.5 * grid**2)
    grid = np.asarray(grid)
    weight = np.exp(log_q - log_q.max())
    mean = np.average(grid, weights=weight)
    sd = np.sqrt(np.average((grid - mean) ** 2, weights=weight))
    np.testing.assert_allclose(prior.mean, mean, atol=2e-3 * sd)
    np.testing.assert_allclose(np.sqrt(prior.variance), sd, rtol=2e-3)
    for level in LEVELS:
        a, s = (float(v) for v in signal_noise(jnp.asarray(level)))
        rng = np.random.default_rng(0)
        z = rng.choice(grid, size=40, p=weight / weight.sum())
        u = a * z + s * rng.standard_normal(40)
        log_w = log_q - 0.5 * ((u[:, None] - a * grid) / s) ** 2
        w = np.exp(log_w - log_w.max(1, keepdims=True))
        exact = (w @ grid) / w.sum(1)
        state = jnp.stack([jnp.asarray(u), jnp.asarray(u[::-1].copy())], -1).astype(jnp.float32)
        t = jnp.asarray(level)
        got = prior.plain(state, t) + a * state
        spread = sd * s / np.sqrt(a**2 * sd**2 + s**2)  # of z given u, roughly
        np.testing.assert_allclose(got, np.stack([exact, exact[::-1]], -1), atol=5e-3 * spread + 2e-6)


def test_improper_tempered_priors_are_seen():
    cauchy = lambda z: -2.0 * (-log_ndtr(-jnp.abs(z)))  # noqa: E731  p ~ θ⁻² ~ (tail probability)²
    assert not bool(jnp.all(temper(lambda z: jnp.sum(cauchy(z), -1), 1, 0.25).proper))
    assert bool(jnp.all(temper(lambda z: jnp.sum(cauchy(z), -1), 1, 2.0).proper))
    assert not bool(jnp.all(temper(lambda z: -0.5 * jnp.sum(z**2, -1), 1, 0.0).proper))


def test_separability():
    assert is_separable(lambda z: -jnp.sum(z**2, -1) - z[..., 0], 3)
    assert not is_separable(lambda z: -jnp.exp(0.3 * z[..., 0]) * z[..., 1] ** 2, 3)


@pytest.mark.parametrize("alpha", [0.5, 2.0, 4.0])
def test_tilted_prior_against_a_grid(alpha):
    """`ln p` that does not separate: a scale that is e^(z₀/4) for z₁, in the declared coordinates."""

    def log_prior(z):
        return -0.5 * jnp.sum(z**2, -1) - 0.25 * z[..., 0] - 0.1 * z[..., 0] * z[..., 1] ** 2 / (1 + z[..., 1] ** 2)

    assert not is_separable(log_prior, 2)
    prior = jax.jit(lambda power: tilt(log_prior, 2, power))(jnp.asarray(alpha))
    axis = np.linspace(-10, 10, 801)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    log_q = np.asarray((alpha - 1) * log_prior(jnp.asarray(grid)), np.float64) - 0.5 * (grid**2).sum(-1)
    weight = np.exp(log_q - log_q.max())
    weight /= weight.sum()
    mean = weight @ grid
    covariance = (weight[:, None] * (grid - mean)).T @ (grid - mean)
    sd = np.sqrt(np.diag(covariance))
    assert bool(prior.proper) and float(prior.effective) > 0.2
    np.testing.assert_allclose(prior.mean / sd, mean / sd, atol=0.01)
    np.testing.assert_allclose(np.linalg.inv(prior.precision()), covariance, atol=0.02 * sd.max() ** 2)
    for level in (-4.0, 0.0, 3.0):
        a, s = (float(v) for v in signal_noise(jnp.asarray(level)))
        u = jr.normal(jr.PRNGKey(0), (20, 2)) * jnp.sqrt(a**2 * sd**2 + s**2) + a * mean
        log_w = log_q - 0.5 * ((np.asarray(u)[:, None] - a * grid) ** 2).sum(-1) / s**2
        w = np.exp(log_w - log_w.max(1, keepdims=True))
        exact = (w @ grid) / w.sum(1, keepdims=True)
        spread = sd * s / np.sqrt(a**2 * sd**2 + s**2)
        got = prior.plain(u, jnp.asarray(level)) + a * u
        assert np.max(np.abs(np.asarray(got) - exact) / spread) < 0.03

"""Densities of rows with holes against SciPy's marginals and quadrature."""

import jax
import numpy as np
import pytest
from scipy import stats

from bsi.compiler.lower.forward import log_likelihood
from tests.compiler.helpers import compiled

S = np.array([[1.0, 0.4, 0.2], [0.4, 0.8, 0.3], [0.2, 0.3, 0.5]])
X = np.array([0.3, -1.2, 0.8])
MASKS = [(1, 1, 1), (1, 0, 1), (0, 0, 1), (0, 1, 0), (0, 0, 0)]


def likelihood(type: str, law: str):
    text = f"bsi 1\nlet S = {S.tolist()}\nparam m : real\nprior p(m) = normal(0, 1)\n"
    text += f"likelihood f(x : {type} | m) = {law}\n"
    text += "observe obs : f[1] = simulate(m = 0)\nposterior post(m) = p(m) * f(obs | m)\nsample ref = nuts(post)\n"
    return compiled(text).likelihoods["f"]


def marginal(law, x, seen, m=0.4):
    return float(log_likelihood(law, {"m": m}, np.asarray(x)[None], {}, np.asarray(seen, float)[None])[0])


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("law", ["mv_normal([m, 2 * m, -m], S)", "mv_normal_cholesky([m, 2 * m, -m], cholesky(S))"])
def test_a_gaussian_loses_its_block(law, mask):
    mean, seen = np.array([0.4, 0.8, -0.4]), np.array(mask, bool)
    want = stats.multivariate_normal(mean[seen], S[np.ix_(seen, seen)]).logpdf(X[seen]) if seen.any() else 0.0
    assert marginal(likelihood("real[3]", law), X, mask) == pytest.approx(want, abs=1e-4)


@pytest.mark.parametrize("mask", MASKS)
def test_a_mixture_of_vectors_mixes_marginals(mask):
    law = likelihood("real[3]", "mixture([0.3, 0.7], mv_normal([m, m, m], S), mv_normal(zeros(3), eye(3)))")
    seen = np.array(mask, bool)
    parts = [stats.multivariate_normal(np.full(3, 0.4)[seen], S[np.ix_(seen, seen)]).pdf(X[seen])] if seen.any() else []
    parts += [stats.multivariate_normal(np.zeros(seen.sum()), np.eye(seen.sum())).pdf(X[seen])] if seen.any() else []
    want = np.log(0.3 * parts[0] + 0.7 * parts[1]) if seen.any() else 0.0
    assert marginal(law, X, mask) == pytest.approx(want, abs=1e-4)


@pytest.mark.parametrize("mask", MASKS)
def test_numbers_are_left_out(mask):
    law = likelihood("real[3]", "student_t(4, m, [1, 2, 3])")
    want = sum(stats.t(4, 0.4, scale).logpdf(x) for x, scale, seen in zip(X, (1, 2, 3), mask, strict=True) if seen)
    assert marginal(law, X, mask) == pytest.approx(want, abs=1e-4)


def test_batches_of_vectors_and_gradients():
    law = likelihood("real[2, 3]", "mv_normal([m, 2 * m, -m], S)")
    x, seen = np.stack([X, 2 * X]), np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    keep = [0, 2]
    want = stats.multivariate_normal(np.array([0.4, -0.4]), S[np.ix_(keep, keep)]).logpdf(X[keep])
    assert marginal(law, x, seen) == pytest.approx(want, abs=1e-4)
    slope = jax.grad(lambda m: log_likelihood(law, {"m": m}, x[None], {}, seen[None])[0])(0.4)
    near = (marginal(law, x, seen, 0.41) - marginal(law, x, seen, 0.39)) / 0.02
    assert float(slope) == pytest.approx(near, rel=1e-2)

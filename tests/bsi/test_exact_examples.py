"""What the examples of exact scores are judged by: the solver of an equation, and a closed form."""

import importlib.util

import jax.numpy as jnp
import numpy as np

from tests.bsi.helpers import ROOT


def module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_the_elliptic_equation_is_solved():
    """The same finite volumes as one dense system, on a rough field."""
    poisson = module(ROOT / "examples/elliptic/poisson.py")
    xi = jnp.array([0.8, -0.6, 0.5, -0.9, 0.3, 0.7])
    size, step = poisson.CELLS - 1, 1 / poisson.CELLS
    rows, columns = np.divmod(np.arange(size**2), size)
    system = np.zeros((size**2, size**2))
    for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        x, y = (rows + 1 + down / 2) * step, (columns + 1 + right / 2) * step
        flow = np.exp(poisson.log_permeability(xi, x, y))
        system[np.arange(size**2), np.arange(size**2)] += flow
        inside = (rows + down >= 0) & (rows + down < size) & (columns + right >= 0) & (columns + right < size)
        here = np.flatnonzero(inside)
        system[here, here + size * down + right] -= flow[here]
    truth = np.linalg.solve(system, np.full(size**2, poisson.SOURCE * step**2)).reshape(size, size)
    np.testing.assert_allclose(poisson.solve(xi), truth, atol=1e-5 * truth.max())


def test_the_posterior_of_the_mixture():
    """Means, second moments and a tail by weighting 10⁶ draws of the prior, on a ring of two numbers: 4.5 sigma."""
    reference = module(ROOT / "examples/gaussian_mixture/make_reference.py")
    reference.DIMENSIONS, reference.DIFFERENCE = 2, np.array([[-1.0, 1.0], [1.0, -1.0]])
    row, rng = np.array([1.0, 0.2]), np.random.default_rng(1)
    which = rng.choice(3, 1_000_000, p=reference.WEIGHTS)
    z = reference.LEVELS[which, None] + reference.SDS[which, None] * rng.normal(size=(len(which), 2))
    weight = np.exp(-0.5 * np.sum((row - z @ reference.DIFFERENCE.T) ** 2, -1) / reference.NOISE**2)
    weight /= weight.sum()
    draws = reference.draws(row, 200_000, rng)
    for moment in (lambda v: v, np.square, lambda v: v[:, :1] > 1.0):
        own, other = np.asarray(moment(draws), float), np.asarray(moment(z), float)
        truth = weight @ other
        error = np.sqrt(own.var(0) / len(draws) + np.sum((weight[:, None] * (other - truth)) ** 2, 0))
        assert np.all(np.abs(own.mean(0) - truth) < 4.5 * error)

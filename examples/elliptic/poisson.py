"""Groundwater in a square: `-∇·(e^k ∇u) = 10` on [0, 1]², u = 0 at its edge, seen at ten sensors.

The log permeability k is a Gaussian field by the first terms of its Karhunen-Loeve series: cosines are the
eigenfunctions of the covariance `σ² (I - ℓ² Δ)^-2` with reflecting edges. Finite volumes on 16 x 16 cells, solved line
by line of the grid (block elimination of a tridiagonal system), so that a solve is a few small matrices.
"""

import jax
import jax.numpy as jnp
import numpy as np

CELLS, SOURCE = 16, 10.0
SCALE, LENGTH = 1.0, 0.3
MODES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2))  # half waves along each axis, longest first
_SENSORS = ((3, 3), (3, 8), (3, 13), (8, 3), (8, 8), (8, 13), (13, 3), (13, 8), (13, 13), (6, 11))  # nodes

WAVES = np.pi * np.array(MODES)
WEIGHTS = 1.0 / (1.0 + LENGTH**2 * np.sum(WAVES**2, -1))
WEIGHTS = SCALE * WEIGHTS / np.sqrt(np.sum(WEIGHTS**2))  # the field's variance, averaged over the square, is SCALE²
NORMS = np.prod(np.where(WAVES > 0, np.sqrt(2.0), 1.0), -1)


def log_permeability(xi, x, y):
    """The field of coefficients `xi` at points of any one shape."""
    basis = jnp.cos(jnp.multiply.outer(x, WAVES[:, 0])) * jnp.cos(jnp.multiply.outer(y, WAVES[:, 1]))
    return basis @ (NORMS * WEIGHTS * xi)


def solve(xi):
    """u at the inner nodes of the grid, (CELLS - 1, CELLS - 1)."""
    size = CELLS - 1
    nodes, faces = np.arange(1, CELLS) / CELLS, (np.arange(CELLS) + 0.5) / CELLS
    along = jnp.exp(log_permeability(xi, *np.meshgrid(faces, nodes, indexing="ij")))  # between lines: (CELLS, size)
    across = jnp.exp(log_permeability(xi, *np.meshgrid(nodes, faces, indexing="ij")))  # within a line: (size, CELLS)
    load = jnp.full(size, SOURCE / CELLS**2)

    def eliminate(carry, line):
        schur, right = carry
        before, after, inner = line
        block = jnp.diag(before + after + inner[:-1] + inner[1:]) - jnp.diag(inner[1:-1], 1) - jnp.diag(inner[1:-1], -1)
        block = block - before[:, None] * schur * before
        right = load + before * right
        inverse = jnp.linalg.inv(block)
        return (inverse, inverse @ right), (inverse, inverse @ right, after)

    none = (jnp.zeros((size, size)), jnp.zeros(size))
    _, lines = jax.lax.scan(eliminate, none, (along[:-1], along[1:], across))

    def substitute(later, line):
        inverse, right, after = line
        here = right + inverse @ (after * later)
        return here, here

    return jax.lax.scan(substitute, jnp.zeros(size), lines, reverse=True)[1]


def sensors(xi):
    """u at the sensors."""
    rows, columns = np.array(_SENSORS).T - 1
    return solve(xi)[rows, columns]

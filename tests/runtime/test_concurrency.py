"""Batched factorisations that do not depend on each other end: in jaxlib 0.10 they can wait for each other for ever."""

import subprocess
import sys

PROGRAM = """
import bsi.runtime
import jax, jax.numpy as jnp, jax.random as jr

@jax.jit
def f(matrices):
    total = 0.0
    for x in matrices:
        half = jnp.linalg.cholesky(x)
        half = jax.scipy.linalg.solve_triangular(half, x, lower=True)
        values, vectors = jnp.linalg.eigh(x + jnp.swapaxes(half, -1, -2) @ half)
        total += values.sum() + vectors.sum()
    return total

a = jr.normal(jr.key(0), (65_536, 2, 2))
a = a @ jnp.swapaxes(a, -1, -2) + jnp.eye(2)
for _ in range(5):
    f([a * k for k in range(1, 9)]).block_until_ready()
"""


def test_concurrent_factorisations_end():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=90)

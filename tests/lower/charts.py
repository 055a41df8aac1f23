"""Free coordinates of constrained vectors and matrices, chosen for the test: a density on them is one that can be
compared with a Jacobian."""

import jax.numpy as jnp
import numpy as np


def _nothing(coordinates):
    return 0.0


def _simplex(shape):
    return lambda c: jnp.append(c, 1 - jnp.sum(c)), lambda x: x[:-1], _nothing


def _sum_to_zero(shape):
    """The plane is tilted: its area is sqrt(k) times that of its shadow."""
    return lambda c: jnp.append(c, -jnp.sum(c)), lambda x: x[:-1], lambda c: 0.5 * np.log(shape[-1])


def _unit_vector(shape):
    """The half of the sphere with a positive first entry; its area is 1 / x_0 times that of its shadow."""

    def first(c):
        return jnp.sqrt(1 - jnp.sum(c**2))

    return lambda c: jnp.concatenate([first(c)[None], c]), lambda x: x[1:], lambda c: -jnp.log(first(c))


def _cholesky_corr(shape):
    k, places = shape[-1], np.tril_indices(shape[-1], -1)

    def embed(c):
        below = jnp.zeros((k, k)).at[places].set(c)
        return below + jnp.diag(jnp.sqrt(1 - jnp.sum(below**2, axis=-1)))

    return embed, lambda x: x[places], _nothing


def _corr_matrix(shape):
    k, places = shape[-1], np.tril_indices(shape[-1], -1)

    def embed(c):
        below = jnp.zeros((k, k)).at[places].set(c)
        return below + below.T + jnp.eye(k)

    return embed, lambda x: x[places], _nothing


def _covariance(shape):
    k, places = shape[-1], np.tril_indices(shape[-1])

    def embed(c):
        lower = jnp.zeros((k, k)).at[places].set(c)
        return lower + lower.T - jnp.diag(jnp.diag(lower))

    return embed, lambda x: x[places], _nothing


def _cholesky_cov(shape):
    k, places = shape[-1], np.tril_indices(shape[-1])
    return lambda c: jnp.zeros((k, k)).at[places].set(c), lambda x: x[places], _nothing


def _plain(shape):
    return lambda c: c.reshape(shape), jnp.ravel, _nothing


_BY_KIND = {
    "simplex": _simplex,
    "sum_to_zero": _sum_to_zero,
    "unit_vector": _unit_vector,
    "cholesky_corr": _cholesky_corr,
    "corr_matrix": _corr_matrix,
    "covariance": _covariance,
    "cholesky_cov": _cholesky_cov,
}


def chart(support, shape):
    """(free coordinates -> value, its inverse, log of the area of the value's surface over that of the chart)."""
    return _BY_KIND.get(support.kind, _plain)(shape)


def inside(support, on, values):
    """Whether values lie on closed supports, to rounding errors."""
    if support.kind == "simplex":
        return (values >= 0).all(-1) & (np.abs(values.sum(-1) - 1) < 1e-5)
    if support.kind == "sum_to_zero":
        return np.abs(values.sum(-1)) < 1e-5 * (1 + np.abs(values).max())
    if support.kind == "covariance":
        return np.abs(values - np.swapaxes(values, -1, -2)).max((-1, -2)) <= 1e-5 * np.abs(values).max((-1, -2))
    if support.kind == "corr_matrix":
        return (np.abs(values) <= 1 + 1e-6).all((-1, -2))
    if support.kind in ("cholesky_corr", "cholesky_cov"):
        return (np.diagonal(values, axis1=-2, axis2=-1) >= 0).all(-1) & (np.triu(values, 1) == 0).all((-1, -2))
    if support.kind in ("real", "interval"):
        low, high = (None if b is None else float(b.value) for b in (support.lower, support.upper))
        return (low is None or values >= low) & (high is None or values <= high)
    return np.asarray(on(jnp.asarray(values)))

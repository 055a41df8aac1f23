"""Laws of vectors and matrices as maps of N(0, I): whitening, stick breaking, the C-vine, Bartlett's decomposition.

Every law is a `VectorTransport`: `from_normal(z, *args) -> x` and its inverse `to_normal`, with `z` of shape
(*batch, m), where m is the number of free coordinates, and `x` of shape (*batch, *event). Arguments are those of
`compiler.laws`, in that order; their leading axes broadcast against the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array

from bsi.runtime.transport.base import VectorTransport
from bsi.runtime.transport.scalar import CHI_SQUARE, GAMMA, LOG_ODDS_OF_BETA, STUDENT_T


def _t(matrix: Array) -> Array:
    return jnp.swapaxes(matrix, -1, -2)


def _times(matrix: Array, vector: Array) -> Array:
    return jnp.einsum("...ij,...j->...i", matrix, vector)


def _solve(factor: Array, right: Array, transposed: bool = False) -> Array:
    """`factor⁻¹ right` of a lower triangular factor, or of its transpose, with broadcast leading axes."""
    batch = jnp.broadcast_shapes(factor.shape[:-2], right.shape[:-2])
    factor, right = (jnp.broadcast_to(a, (*batch, *a.shape[-2:])) for a in (factor, right))
    return solve_triangular(factor, right, lower=True, trans=1 if transposed else 0)


def _cumulative(steps: Array) -> Array:
    """Sums of all entries before each, along the last axis."""
    return jnp.cumsum(steps, axis=-1) - steps


# ---------------------------------------------------------------- Gaussians


def _whitened(moments: Callable[..., tuple[Array, Array]]) -> VectorTransport:
    """A Gaussian by its mean and the Cholesky factor of its covariance."""

    def from_normal(z: Array, *args: Array) -> Array:
        mean, factor = moments(*args)
        return mean + _times(factor, z)

    def to_normal(x: Array, *args: Array) -> Array:
        mean, factor = moments(*args)
        return _solve(factor, (x - mean)[..., None])[..., 0]

    return VectorTransport(from_normal, to_normal)


def _by_precision(moments: Callable[..., tuple[Array, Array]]) -> VectorTransport:
    """A Gaussian by its mean and its precision matrix."""

    def from_normal(z: Array, *args: Array) -> Array:
        mean, precision = moments(*args)
        return mean + _solve(jnp.linalg.cholesky(precision), z[..., None], transposed=True)[..., 0]

    def to_normal(x: Array, *args: Array) -> Array:
        mean, precision = moments(*args)
        return _times(_t(jnp.linalg.cholesky(precision)), x - mean)

    return VectorTransport(from_normal, to_normal)


def _low_rank(mean: Array, factor: Array, diagonal: Array) -> tuple[Array, Array]:
    covariance = factor @ _t(factor) + diagonal[..., None] * jnp.eye(diagonal.shape[-1])
    return mean, jnp.linalg.cholesky(covariance)


def _car(mean: Array, correlation: Array, precision: Array, adjacency: Array) -> tuple[Array, Array]:
    degrees = jnp.sum(adjacency, axis=-1)[..., None] * jnp.eye(adjacency.shape[-1])
    scale, share = (jnp.asarray(a)[..., None, None] for a in (precision, correlation))
    return mean, scale * (degrees - share * adjacency)


def _helmert(k: int) -> np.ndarray:
    """k x (k - 1): an orthonormal basis of the vectors that sum to 0."""
    basis = np.zeros((k, k - 1))
    for j in range(k - 1):
        basis[: j + 1, j], basis[j + 1, j] = 1.0, -(j + 1.0)
        basis[:, j] /= math.sqrt((j + 1) * (j + 2))
    return basis


def _zero_sum_from_normal(z: Array, scale: Array) -> Array:
    x = _times(jnp.asarray(_helmert(z.shape[-1] + 1), z.dtype), z)
    return jnp.asarray(scale)[..., None] * (x - jnp.mean(x, axis=-1, keepdims=True))  # to the last digit


def _zero_sum_to_normal(x: Array, scale: Array) -> Array:
    return _times(jnp.asarray(_helmert(x.shape[-1]).T, x.dtype), x / jnp.asarray(scale)[..., None])


def _student_from_normal(z: Array, df: Array, mean: Array, scale: Array) -> Array:
    """Entry by entry: `y_i | y_<i` is a t with df + i degrees of freedom and scale² `(df + Σ y_<i²) / (df + i)`."""
    df = jnp.broadcast_to(df, z.shape[:-1])
    y: list[Array] = []
    square = jnp.zeros_like(df)
    for i in range(z.shape[-1]):
        spread = jnp.sqrt((df + square) / (df + i))
        y.append(STUDENT_T.from_normal(z[..., i], df + i, 0.0, spread))
        square += y[-1] ** 2
    return mean + _times(jnp.linalg.cholesky(scale), jnp.stack(y, axis=-1))


def _student_to_normal(x: Array, df: Array, mean: Array, scale: Array) -> Array:
    y = _solve(jnp.linalg.cholesky(scale), (x - mean)[..., None])[..., 0]
    df, place = jnp.asarray(df)[..., None], jnp.arange(y.shape[-1])
    spread = jnp.sqrt((df + _cumulative(y**2)) / (df + place))
    return STUDENT_T.to_normal(y, df + place, 0.0, spread)


# ---------------------------------------------------------------- simplex and sphere


def _rest(concentration: Array) -> Array:
    """For every entry but the last, the sum of those behind it."""
    return jnp.cumsum(concentration[..., ::-1], axis=-1)[..., -2::-1]


def _dirichlet_from_normal(z: Array, concentration: Array) -> Array:
    """Stick breaking (Connor and Mosimann 1969): the share of what is left is beta(a_i, Σ_{j > i} a_j)."""
    odds = LOG_ODDS_OF_BETA.from_normal(z, concentration[..., :-1], _rest(concentration))
    left = jnp.cumsum(jax.nn.log_sigmoid(-odds), axis=-1)
    start = jnp.zeros_like(left[..., :1])
    logs = jnp.concatenate([jax.nn.log_sigmoid(odds), start], axis=-1) + jnp.concatenate([start, left], axis=-1)
    return jax.nn.softmax(logs, axis=-1)  # sums to one but for rounding: to the last digit


def _dirichlet_to_normal(x: Array, concentration: Array) -> Array:
    tiny = jnp.finfo(x.dtype).tiny
    odds = jnp.log(jnp.maximum(x[..., :-1], tiny)) - jnp.log(jnp.maximum(_rest(x), tiny))
    return LOG_ODDS_OF_BETA.to_normal(odds, concentration[..., :-1], _rest(concentration))


def _sphere_from_normal(z: Array) -> Array:
    """Keeps the direction of `z` and sends its length to the angle from the first axis, quantile by quantile: smooth
    but at the opposite pole, which no `z` reaches. `(1 - cos angle) / 2` is beta((k - 1) / 2, (k - 1) / 2)."""
    half = 0.5 * z.shape[-1]
    square = jnp.maximum(jnp.sum(z**2, axis=-1, keepdims=True), jnp.finfo(z.dtype).tiny)
    odds = LOG_ODDS_OF_BETA.from_normal(GAMMA.to_normal(square, half, 0.5), half, half)
    return jnp.concatenate([-jnp.tanh(0.5 * odds), z / jnp.sqrt(square) / jnp.cosh(0.5 * odds)], axis=-1)


def _sphere_to_normal(x: Array) -> Array:
    first, rest = x[..., :1], x[..., 1:]
    half = 0.5 * rest.shape[-1]
    sine = jnp.maximum(jnp.sqrt(jnp.sum(rest**2, axis=-1, keepdims=True)), jnp.finfo(x.dtype).tiny)
    odds = 2 * jnp.sign(-first) * -jnp.log(sine / (1 + jnp.abs(first)))
    square = GAMMA.from_normal(LOG_ODDS_OF_BETA.to_normal(odds, half, half), half, 0.5)
    return jnp.sqrt(square) * rest / sine


# ---------------------------------------------------------------- correlation and covariance matrices


def _pairs(k: int) -> tuple[np.ndarray, np.ndarray]:
    return np.tril_indices(k, -1)


def _side(m: int, diagonal: int) -> int:
    """k with `m = k (k - 1) / 2`, or `k (k + 1) / 2` with the diagonal."""
    return (math.isqrt(8 * m + 1) + 1) // 2 - diagonal


def _vine(k: int, concentration: Array) -> Array:
    """Parameters of the symmetric betas of the partial correlations, (*batch, pairs) (Lewandowski, Kurowicka and Joe
    2009, section 2.4)."""
    return jnp.asarray(concentration)[..., None] + 0.5 * (k - 2 - _pairs(k)[1])


def _lkj_from_normal(z: Array, concentration: Array) -> Array:
    k = _side(z.shape[-1], 0)
    shape = _vine(k, concentration)
    odds = jnp.zeros((*z.shape[:-1], k, k)).at[..., *_pairs(k)].set(LOG_ODDS_OF_BETA.from_normal(z, shape, shape))
    partial = jnp.tanh(0.5 * odds) + jnp.eye(k)
    left = _cumulative(-jnp.log(jnp.cosh(0.5 * odds)))  # log of what earlier columns leave of the row's length
    return jnp.tril(partial * jnp.exp(left))


def _lkj_to_normal(x: Array, concentration: Array) -> Array:
    k = x.shape[-1]
    squares = x**2
    behind = jnp.cumsum(squares[..., ::-1], axis=-1)[..., ::-1] - squares
    odds = 2 * jnp.arcsinh(x / jnp.sqrt(jnp.maximum(behind, jnp.finfo(x.dtype).tiny)))
    shape = _vine(k, concentration)
    return LOG_ODDS_OF_BETA.to_normal(odds[..., *_pairs(k)], shape, shape)


def _correlation_from_normal(z: Array, concentration: Array) -> Array:
    factor = _lkj_from_normal(z, concentration)
    k = factor.shape[-1]
    return jnp.where(jnp.eye(k, dtype=bool), 1.0, factor @ _t(factor))


def _degrees(df: Array, k: int) -> Array:
    return jnp.asarray(df)[..., None] - jnp.arange(k)


def _bartlett(z: Array, df: Array) -> Array:
    """The Cholesky factor of a Wishart matrix of scale I: chi on the diagonal, normals below it."""
    k = _side(z.shape[-1], 1)
    factor = jnp.zeros((*z.shape[:-1], k, k)).at[..., *np.tril_indices(k)].set(z)
    square = CHI_SQUARE.from_normal(jnp.diagonal(factor, axis1=-2, axis2=-1), _degrees(df, k))
    diagonal = jnp.eye(k, dtype=bool)
    return jnp.where(diagonal, jnp.sqrt(square)[..., None], factor)


def _unbartlett(factor: Array, df: Array) -> Array:
    k = factor.shape[-1]
    normal = CHI_SQUARE.to_normal(jnp.diagonal(factor, axis1=-2, axis2=-1) ** 2, _degrees(df, k))
    return jnp.where(jnp.eye(k, dtype=bool), normal[..., None], factor)[..., *np.tril_indices(k)]


def _wishart_factor(z: Array, df: Array, scale: Array) -> Array:
    return jnp.linalg.cholesky(scale) @ _bartlett(z, df)


def _wishart_factor_to_normal(factor: Array, df: Array, scale: Array) -> Array:
    return _unbartlett(_solve(jnp.linalg.cholesky(scale), factor), df)


def _lower(root: Array) -> Array:
    """The lower triangular factor of `rootᵀ root`, by QR: squaring first would cost half the digits."""
    factor = _t(jnp.linalg.qr(root, mode="r"))
    sign = jnp.sign(jnp.diagonal(factor, axis1=-2, axis2=-1))
    return factor * jnp.where(sign < 0, -1.0, 1.0)[..., None, :]


def _inverse_wishart_factor(z: Array, df: Array, scale: Array) -> Array:
    """Cholesky factor of `L (A Aᵀ)⁻¹ Lᵀ` with `scale = L Lᵀ` and a Bartlett factor A."""
    return _lower(_solve(_bartlett(z, df), _t(jnp.linalg.cholesky(scale))))


def _inverse_wishart_factor_to_normal(factor: Array, df: Array, scale: Array) -> Array:
    """`A Aᵀ = Lᵀ (factor factorᵀ)⁻¹ L`."""
    return _unbartlett(_lower(_solve(factor, jnp.linalg.cholesky(scale))), df)


def _squared(factor: Array) -> Array:
    return factor @ _t(factor)


MV_NORMAL = _whitened(lambda mean, covariance: (mean, jnp.linalg.cholesky(covariance)))
MV_NORMAL_CHOLESKY = _whitened(lambda mean, cholesky: (mean, cholesky))
MV_NORMAL_PRECISION = _by_precision(lambda mean, precision: (mean, precision))
LOW_RANK_MV_NORMAL = _whitened(_low_rank)
CAR = _by_precision(_car)
MATRIX_NORMAL = VectorTransport(
    lambda z, mean, rows, columns: mean + rows @ z @ _t(columns),
    lambda x, mean, rows, columns: _t(_solve(columns, _t(_solve(rows, x - mean)))),
)
GAUSSIAN_RANDOM_WALK = VectorTransport(
    lambda z, scale: jnp.asarray(scale)[..., None] * jnp.cumsum(z, axis=-1),
    lambda x, scale: jnp.diff(x, axis=-1, prepend=jnp.zeros_like(x[..., :1])) / jnp.asarray(scale)[..., None],
)
ZERO_SUM_NORMAL = VectorTransport(_zero_sum_from_normal, _zero_sum_to_normal)
MV_STUDENT_T = VectorTransport(_student_from_normal, _student_to_normal, closed=False)
DIRICHLET = VectorTransport(_dirichlet_from_normal, _dirichlet_to_normal, closed=False)
UNIFORM_SPHERE = VectorTransport(_sphere_from_normal, _sphere_to_normal, closed=False)
LKJ_CHOLESKY = VectorTransport(_lkj_from_normal, _lkj_to_normal, closed=False)
LKJ = VectorTransport(
    _correlation_from_normal,
    lambda x, concentration: _lkj_to_normal(jnp.linalg.cholesky(x), concentration),
    closed=False,
)
WISHART_CHOLESKY = VectorTransport(_wishart_factor, _wishart_factor_to_normal, closed=False)
WISHART = VectorTransport(
    lambda z, df, scale: _squared(_wishart_factor(z, df, scale)),
    lambda x, df, scale: _wishart_factor_to_normal(jnp.linalg.cholesky(x), df, scale),
    closed=False,
)
INVERSE_WISHART_CHOLESKY = VectorTransport(_inverse_wishart_factor, _inverse_wishart_factor_to_normal, closed=False)
INVERSE_WISHART = VectorTransport(
    lambda z, df, scale: _squared(_inverse_wishart_factor(z, df, scale)),
    lambda x, df, scale: _inverse_wishart_factor_to_normal(jnp.linalg.cholesky(x), df, scale),
    closed=False,
)

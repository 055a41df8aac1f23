"""A table of simulations -> an `ExactFit`: no training, only a regression and a choice of bandwidths."""

from __future__ import annotations

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bsi.runtime.exact.bandwidth import choose, shrinkage
from bsi.runtime.exact.fit import ExactFit
from bsi.runtime.gaussian import Gaussian, gaussian_of_moments, regress
from bsi.runtime.standardise import Standardiser, fit_standardiser

_MOST = 2_048  # neighbours, unless told; and components of a prior
_LEAST = 64


@dataclass(frozen=True)
class ExactOptions:
    """None stands for what the simulations say: the bandwidth of params (in sds of the regression's residuals, that of
    rows is always chosen) by leave-one-out likelihood on `rows` simulations, and as many neighbours as hold 99.9 % of
    the mass of 19 rows in 20. `adjust` moves components along the regression of z on the row."""

    bandwidth: float | None = None
    neighbours: int | None = None
    adjust: bool = True
    rows: int = 512


@dataclass(frozen=True)
class ExactInfo:
    """`effective` are quantiles (5 %, 50 %) of the effective number of simulations of a row; `gain` is in nats a row
    over the regression alone, by leave-one-out likelihood; `drawn` are components and neighbours of the prior where it
    is learned, `flat` the columns of rows that are constant."""

    simulations: int
    non_finite: int
    duplicates: int
    row_bandwidth: float
    bandwidth: float
    neighbours: int
    gain: float
    effective: tuple[float, float]
    drawn: tuple[int, int] | None
    flat: tuple[int, ...]


def build(
    z: Float[np.ndarray, "n m"],
    x: Float[np.ndarray, "n p"],
    key: PRNGKeyArray,
    options: ExactOptions,
    *,
    gaussian_prior: bool = True,
) -> tuple[ExactFit, ExactInfo]:
    """The fit of a table with at least two finite rows, in an order of its own; and what became of the table."""
    finite = np.asarray(np.isfinite(np.concatenate([z, x], 1)).all(-1))
    order = np.flatnonzero(finite)[np.asarray(jr.permutation(key, int(finite.sum())))]
    z, x = np.asarray(z[order], np.float32), np.asarray(x[order], np.float32)
    prior = None
    if not gaussian_prior and x.shape[1] > 0:
        few = z[: 8 * _MOST]
        prior, _ = build(few, few[:, :0], key, ExactOptions())
    standardise = fit_standardiser(x) if x.shape[1] else _nothing()
    features = standardise(jnp.asarray(x))
    gaussian = _gaussian(z, features, options.adjust)
    residuals = gaussian.whiten(jnp.asarray(z) - gaussian.given(features).mean)
    most = min(options.neighbours or _MOST, len(z) - 1)
    rows = jnp.arange(min(options.rows, len(z)))  # the order is random
    own = {"bandwidth": options.bandwidth, "shrink": options.adjust}
    found = choose(features, residuals, gaussian.variance, rows, most, **own)
    needed = 1 if options.adjust and found.param == 1.0 else int(np.quantile(found.needed, 0.95))
    kept = most if options.neighbours else min(most, max(_LEAST, 2 ** int(np.ceil(np.log2(needed)))))
    row_width, width = (jnp.asarray(value, jnp.float32) for value in (found.row, found.param))
    if options.adjust:
        residuals = shrinkage(width) * residuals
    fit = ExactFit(standardise, gaussian, features, residuals, row_width, width, prior, kept)
    low, middle = np.quantile(found.effective, [0.05, 0.5])
    info = ExactInfo(
        simulations=len(finite),
        non_finite=int((~finite).sum()),
        duplicates=len(x) - len(np.unique(np.concatenate([z, x], 1), axis=0)),
        row_bandwidth=found.row,
        bandwidth=found.param,
        neighbours=kept,
        gain=found.gain,
        effective=(float(low), float(middle)),
        drawn=None if prior is None else (len(prior.residuals), prior.neighbours),
        flat=tuple(np.flatnonzero(np.ptp(x, axis=0) == 0).tolist()),
    )
    return fit, info


def abstract_exact(n: int, m: int, p: int, neighbours: int, prior: tuple[int, int] | None) -> ExactFit:
    """The structure of a fit of n finite simulations, for reading its numbers back; `prior` is (components, neighbours)
    where it is learned."""

    def make() -> ExactFit:
        below = None if prior is None else abstract_exact(prior[0], m, 0, prior[1], None)
        standardise = Standardiser(jnp.zeros(p), jnp.ones(p), jnp.zeros(p, bool))
        gaussian = Gaussian(jnp.zeros(m), jnp.zeros((m, p)), jnp.eye(m), jnp.ones(m))
        one = jnp.ones(())
        return ExactFit(standardise, gaussian, jnp.zeros((n, p)), jnp.zeros((n, m)), one, one, below, neighbours)

    return eqx.filter_eval_shape(make)


def _gaussian(z: np.ndarray, features: Array, adjust: bool) -> Gaussian:
    """Regression of z on features; without `adjust` its slope is 0."""
    m = z.shape[1]
    if not adjust or features.shape[1] == 0:
        covariance = np.cov(z.astype(np.float64).T).reshape(m, m)
        return gaussian_of_moments(z.mean(0), covariance, np.zeros((m, features.shape[1])))
    columns = np.concatenate([np.ones((len(z), 1)), np.asarray(features), z], 1, dtype=np.float64)
    return regress(columns.T @ columns, float(len(z)), m)


def _nothing() -> Standardiser:
    return Standardiser(jnp.zeros(0), jnp.ones(0), jnp.zeros(0, bool))

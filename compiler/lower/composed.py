"""A posterior as one denoiser in working coordinates, at any powers, from fits that know nothing of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsi.compiler.ir import Factor, Posterior
from bsi.compiler.lower.model import LoweredModel
from bsi.runtime.composition import (
    AbstractPrior,
    NormalPrior,
    Rows,
    TiltedPrior,
    gauss,
    is_separable,
    make_rows,
    plain_sum,
    temper,
    tilt,
)
from bsi.runtime.score import Denoiser, ScoreNetwork
from bsi.runtime.training import Fit

COMPOSITIONS = {"gauss": gauss, "sum": plain_sum}


class ImproperPower(ValueError):
    """Some factor's power leaves no density that can be normalised."""


class ComposedPosterior:
    """Denoisers of `posterior` at every point of its sweeps. `fits` has one entry a likelihood, `kind` is the kind of
    coordinates they were trained in."""

    def __init__(self, model: LoweredModel, posterior: Posterior, kind: str, fits: Mapping[Any, Fit], compose: str):
        self.model, self.posterior, self.fits = model, posterior, fits
        (prior,) = [factor.law for factor in posterior.factors if factor.kind == "prior"]
        self.coordinates = model.coordinates(prior, kind)
        self.sets = [(factor, self._rows(factor)) for factor in posterior.factors if factor.kind == "likelihood"]
        (self.prior_power,) = [f.power for f in posterior.factors if f.kind == "prior"]
        self._log_prior = jnp.vectorize(
            lambda z: self.coordinates.log_prior(self.coordinates.to_params(z)), signature="(m)->()"
        )
        self._build = eqx.filter_jit(lambda prior, rows: COMPOSITIONS[compose](prior, rows))

    def at(self, point: dict[str, float]) -> tuple[Denoiser, dict[str, Any]]:
        """The denoiser at one point of the sweeps, and statistics of how it was made.

        Raises:
            ImproperPower: a power of the prior leaves a law without a normaliser.
        """
        powers = dict(zip(map(id, self.posterior.factors), self.model.powers(self.posterior, point), strict=True))
        if self._is_bare():
            ((factor, x),) = self.sets
            return self.fits[factor.law].score.condition(x[0]), {}
        betas = [powers[id(factor)] for factor, _ in self.sets]
        (alpha,) = [powers[id(factor)] for factor in self.posterior.factors if factor.kind == "prior"]
        rows = [_make_rows(self.fits[factor.law], x, beta) for (factor, x), beta in zip(self.sets, betas, strict=True)]
        composed = self._build(self._prior(alpha), [*rows, *self._learned_prior(betas)])
        notes = {"repaired": composed.repaired, "projected": composed.projected}
        if isinstance(composed.prior, TiltedPrior):
            notes["prior_effective"] = composed.prior.effective
        return composed, notes

    def _rows(self, factor: Factor) -> Float[Array, "n p"]:
        assert factor.observation is not None
        rows = self.model.rows(factor.observation)
        return jnp.asarray(rows.reshape(len(rows), -1), jnp.float32)

    def _is_bare(self) -> bool:
        """One row, all powers one: nothing is composed."""
        ones = all(f.power.op == "const" and f.power.value == 1 for f in self.posterior.factors)
        return ones and [len(x) for _, x in self.sets] == [1]

    @cached_property
    def _separable(self) -> bool:
        """Whether `ln p(θ(z))` is a sum over coordinates; else its powers need quasi-Monte-Carlo."""
        return is_separable(self._log_prior, self.coordinates.m)

    def _prior(self, alpha: Array) -> AbstractPrior:
        m = self.coordinates.m
        if self.prior_power.op == "const" and self.prior_power.value == 1:
            return NormalPrior(m)
        if not self.coordinates.gaussian:
            raise ImproperPower("a power of the prior needs `coordinates = rosenblatt`")
        temperature = temper if self._separable else tilt
        tempered = eqx.filter_jit(temperature)(self._log_prior, m, alpha)
        proper = np.broadcast_to(np.asarray(tempered.proper), (m,))
        if not proper.all():
            bad = dict.fromkeys(name for name, ok in zip(self._names(), proper, strict=True) if not ok)
            raise ImproperPower(f"the prior to the power {float(alpha):g} is improper in {', '.join(bad)}")
        return tempered

    def _learned_prior(self, betas: list[Array]) -> list[Rows]:
        """In coordinates in which the prior is not N(0, I) it is a factor of its own, `(q/N)^(1 - Σβ)`."""
        if self.coordinates.gaussian or not self.fits:
            return []
        total = sum(jnp.sum(jnp.broadcast_to(b, (len(x),))) for b, (_, x) in zip(betas, self.sets, strict=True))
        score = next(iter(self.fits.values())).score
        variance, basis = score.prior.variance, score.prior.basis
        precision = (basis / variance) @ basis.T
        p = self.sets[0][1].shape[-1]
        return [
            Rows(
                _PriorDenoiser(score),
                jnp.zeros((1, p)),
                jnp.reshape(1.0 - jnp.asarray(total), (1,)),
                (precision - jnp.eye(len(variance)))[None],
                jnp.asarray(0, jnp.int32),
            )
        ]

    def _names(self) -> list[str]:
        return [name for name, place in self.coordinates.places.items() for _ in range(place.stop - place.start)]


class _PriorDenoiser(eqx.Module):
    """The learned prior, in the form of a row's denoiser."""

    score: ScoreNetwork

    def __call__(self, u: Array, log_snr: Array, x: Array) -> Array:
        return self.score.denoise_prior(u, log_snr)


@eqx.filter_jit
def _make_rows(fit: Fit, x: Array, beta: Array) -> Rows:
    _, precisions = jax.lax.map(lambda row: fit.moments(row), x, batch_size=1024)
    return make_rows(fit.score.denoise, x, beta, precisions)

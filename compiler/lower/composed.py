"""A posterior as one denoiser in working coordinates, at any powers, from fits that know nothing of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from bsi.compiler.ir import Choice, Factor, Posterior
from bsi.compiler.lower.coordinates import Coordinates
from bsi.compiler.lower.missing import features
from bsi.compiler.lower.model import LoweredModel
from bsi.runtime.composition import (
    AbstractPrior,
    Clean,
    Composed,
    NormalPrior,
    Rows,
    TiltedPrior,
    fnpse,
    gauss,
    grouped,
    is_separable,
    jac,
    make_rows,
    plain_sum,
    temper,
    tempered_sum,
    tilt,
)
from bsi.runtime.composition.clean import EXACT
from bsi.runtime.composition.rows import REACH
from bsi.runtime.correctors import LogDensity
from bsi.runtime.exact import Conditioned, ExactFit, Given
from bsi.runtime.process import signal_noise
from bsi.runtime.schedule import SETTLED
from bsi.runtime.score import Bounded, Denoiser, ScoreNetwork
from bsi.runtime.training import Fit

Precisions = Callable[[str, Fit, Array], Float[Array, "n m m"]]
COMPOSITIONS = {"gauss": gauss, "jac": jac, "fnpse": fnpse, "sum": plain_sum, "partial": gauss}


class ImproperPower(ValueError):
    """Some factor's power leaves no density that can be normalised."""


class NoScore(ValueError):
    """A prior alone whose score nobody knows."""


class ComposedPosterior:
    """Denoisers of `posterior` at every point of its sweeps. `fits` has one entry a likelihood, `kind` is the kind of
    coordinates they were trained in, `compose` an option's value. `precisions` of `(likelihood, fit, factors)` takes
    the place of the moment heads; `tell` hears how many factors were passed, see `Rows`."""

    def __init__(
        self,
        model: LoweredModel,
        posterior: Posterior,
        kind: str,
        fits: Mapping[Any, Fit | ExactFit],
        compose: str | Choice,
        precisions: Precisions | None = None,
        tell: Callable[[int], None] | None = None,
    ):
        self.tell = tell
        self.model, self.posterior, self.fits, self._precisions = model, posterior, fits, precisions
        name = compose.name if isinstance(compose, Choice) else compose
        self.n_max = dict(compose.options)["n_max"] if isinstance(compose, Choice) else 1
        (prior,) = [factor.law for factor in posterior.factors if factor.kind == "prior"]
        self.coordinates = model.coordinates(prior, kind)
        likelihoods = [factor for factor in posterior.factors if factor.kind == "likelihood"]
        rows = [self._rows(factor) for factor in likelihoods]
        self.sets = [(factor, x) for factor, (x, _) in zip(likelihoods, rows, strict=True)]
        self.left = [left for _, left in rows]
        (self.prior_power,) = [f.power for f in posterior.factors if f.kind == "prior"]
        self._log_prior = jnp.vectorize(log_base(self.coordinates), signature="(m)->()")
        learned = self.coordinates.affine and not self.coordinates.gaussian  # the prior is one of the rows
        kind_of = tempered_sum if name == "sum" and learned else COMPOSITIONS[name]
        self._build = eqx.filter_jit(lambda prior, rows: kind_of(prior, rows))

    def at(self, point: dict[str, float]) -> tuple[Denoiser, dict[str, Any]]:
        """The denoiser at one point of the sweeps, and statistics of how it was made.

        Raises:
            ImproperPower: a power of the prior leaves a law without a normaliser.
            NoScore: a prior alone without a fit, in coordinates in which it is not N(0, I).
        """
        if not self.fits and not self.coordinates.gaussian:
            raise NoScore("nothing has learned its prior, which has no exact normal coordinates")
        if self._is_bare() and not self.fits:
            return _standard_normal, {}
        if self._is_bare():
            one = jnp.ones(())
            sets = [(factor.law, self._factors(factor, x, one, one)[0][0]) for factor, x in self.sets]
            law, x = next(iter(sets), (None, jnp.zeros(0)))
            denoiser, limit = self.fits[law].score.condition(x), self.coordinates.limit
            notes = _support([denoiser.given] if isinstance(denoiser, Conditioned) else [])
            return denoiser if limit is None else Bounded(denoiser, limit), notes
        composed = self._product(point)
        notes = {name: getattr(composed, name) for name in ("repaired", "projected", "deficit", "shortfall")}
        observed = composed.rows[: len(self.sets)]
        notes |= _support([own.x for own in observed])
        notes["directions"] = jnp.asarray(self.coordinates.m * sum(len(own.powers) for own in observed))
        if isinstance(composed.prior, TiltedPrior):
            notes["prior_effective"] = composed.prior.effective
        return composed, notes

    def clean(self, point: dict[str, float], denoiser: Denoiser, evidence: LogDensity | None = None) -> Clean:
        """What draws of `denoiser`, made at this point of the sweeps, are corrected by; `evidence` has further factors.
        A composition, also where one row alone needs none to be sampled."""
        composed = denoiser if isinstance(denoiser, Composed) else self._product(point)
        exact = all(isinstance(fit, ExactFit) for fit in self.fits.values())
        return Clean(composed, evidence, EXACT if exact else SETTLED)

    def _product(self, point: dict[str, float]) -> Composed:
        with jax.ensure_compile_time_eval():  # powers are numbers also where rows are traced, see `given`
            powers = self.model.powers(self.posterior, point)
            betas, all_kinds = self._betas(powers), self._kinds
            (alpha,) = [p for p, factor in zip(powers, self.posterior.factors, strict=True) if factor.kind == "prior"]
            prior = self._prior(alpha)
        sets = [self._factors(*one, beta, kinds) for one, beta, kinds in zip(self.sets, betas, all_kinds, strict=True)]
        rows = [self._make_rows(factor.law, *own) for (factor, _), own in zip(self.sets, sets, strict=True)]
        return self._build(prior, [*rows, *self._learned_prior(alpha, rows)])

    def given(self, rows: Sequence[Array]) -> ComposedPosterior:
        """The same posterior of other data: flat rows of every set, whole, which may be traced."""
        other = copy.copy(self)
        whole = [jnp.concatenate([x, jnp.ones_like(x)], -1) for x in rows]
        other.sets = [
            (factor, both if self.fits[factor.law].partial else x)
            for (factor, _), x, both in zip(self.sets, rows, whole, strict=True)
        ]
        return other

    def _rows(self, factor: Factor) -> tuple[Float[Array, "n p"], np.ndarray]:
        """Rows as the fit takes them, and which rows of the set they are."""
        assert factor.observation is not None
        rows, seen = self.model.rows(factor.observation), self.model.seen(factor.observation)
        return features(rows, seen, self.fits[factor.law].partial)

    def _betas(self, powers: tuple[Array, ...]) -> list[Array]:
        """The powers of what is left of every set: one number, or one a row."""
        betas = [p for p, factor in zip(powers, self.posterior.factors, strict=True) if factor.kind == "likelihood"]
        return [beta[left] if beta.ndim else beta for beta, left in zip(betas, self.left, strict=True)]

    @cached_property
    def _kinds(self) -> list[Array]:
        """Powers where no two agree by chance: rows that share one there are of one set at every point of the sweeps,
        so that all points have as many sets."""
        anywhere = {name: 0.7310585 + 0.1 * place for place, name in enumerate(self.model.program.sweeps)}
        return self._betas(self.model.powers(self.posterior, anywhere))

    def _factors(self, factor: Factor, x: Array, beta: Array, kinds: Array) -> tuple[Array, Array]:
        """What the fit is conditioned on, factor by factor, and the power of each: rows, or sets of them."""
        width = self.fits[factor.law].set_rows
        if width == 1:
            return x, beta
        apart = [np.asarray(v) for v in (beta, kinds)] if beta.ndim else [np.zeros(len(x))]
        sets, first = grouped(x, np.stack(apart), self.n_max, width)
        return sets, jnp.broadcast_to(beta, len(x))[first]

    def _make_rows(self, law: str, x: Array, beta: Array) -> Rows:
        fit = self.fits[law]
        if self._precisions is None or isinstance(fit, ExactFit):
            rows = _make_rows(fit, x, beta)
        else:
            rows = _rows_of(fit, x, beta, self._precisions(law, fit, x))
        return replace(rows, tell=self.tell)

    def _is_bare(self) -> bool:
        """One row, one set that a fit takes whole, or the prior alone, and all powers one: nothing is composed."""
        ones = all(f.power.op == "const" and f.power.value == 1 for f in self.posterior.factors)
        alone = None in self.fits or not self.fits
        return ones and [-(-len(x) // self.n_max) for _, x in self.sets] == ([] if alone else [1])

    @cached_property
    def _separable(self) -> bool:
        """Whether `ln p(θ(z))` is a sum over coordinates; else its powers need quasi-Monte-Carlo."""
        return is_separable(self._log_prior, self.coordinates.m)

    def _prior(self, alpha: Array) -> AbstractPrior:
        m = self.coordinates.m
        if self.prior_power.op == "const" and self.prior_power.value == 1:
            return NormalPrior(m)
        if self.coordinates.affine:
            tempered = NormalPrior(m, alpha)
        else:
            tempered = eqx.filter_jit(temper if self._separable else tilt)(self._log_prior, m, alpha)
        proper = np.broadcast_to(np.asarray(tempered.proper), (m,))
        if not proper.all():
            bad = dict.fromkeys(name for name, ok in zip(self._names(), proper, strict=True) if not ok)
            raise ImproperPower(f"the prior to the power {float(alpha):g} is improper in {', '.join(bad)}")
        return tempered

    def _learned_prior(self, alpha: Array, rows: list[Rows]) -> list[Rows]:
        """In coordinates in which the prior is not N(0, I) it is a factor of its own, `(q/N)^(α - Σβ)`."""
        if self.coordinates.gaussian:
            return []
        total = sum(jnp.sum(own.powers) for own in rows)
        score = next(iter(self.fits.values())).score
        return [
            Rows(
                _PriorDenoiser(score),
                jnp.zeros((1, 0)),
                jnp.reshape(alpha - jnp.asarray(total), (1,)),
                (score.prior.precision() - jnp.eye(self.coordinates.m))[None],
                jnp.asarray(0, jnp.int32),
            )
        ]

    def _names(self) -> list[str]:
        return [name for name, place in self.coordinates.places.items() for _ in range(place.stop - place.start)]


def _support(given: Sequence[Any]) -> dict[str, Array]:
    """How many simulations the posterior of a row rests on in effect, of the row with the fewest: of exact fits."""
    found = [jnp.min(one.effective) for one in given if isinstance(one, Given)]
    return {"effective_simulations": jnp.min(jnp.stack(found))} if found else {}


def _standard_normal(u: Float[Array, "*b m"], log_snr: Float[Array, ""]) -> Float[Array, "*b m"]:
    """The denoiser of N(0, I)."""
    return signal_noise(log_snr)[0] * u


def log_base(coordinates: Coordinates) -> Callable[[Array], Array]:
    """`z -> ln p(θ(z))` for the prior that these coordinates would make N(0, I): of a Gaussian one its own density.

    A power of a learned prior q in z needs no density: `q^α |∂θ/∂z|^(1-α)` is `(q/N)^α` times `N^α |∂θ/∂z|^(1-α)`,
    which is what this gives when it is tempered.
    """
    if coordinates.gaussian:
        return lambda z: coordinates.log_prior(coordinates.to_params(z))
    return lambda z: jnp.sum(norm.logpdf(z)) - coordinates.log_jacobian(z)


class _PriorDenoiser(eqx.Module):
    """The learned prior, in the form of a row's denoiser."""

    score: ScoreNetwork | ExactFit

    def __call__(self, u: Array, log_snr: Array, x: Array) -> Array:
        return self.score.denoise_prior(u, log_snr)


@eqx.filter_jit
def _make_rows(fit: Fit | ExactFit, x: Array, beta: Array) -> Rows:
    if isinstance(fit, ExactFit):
        return fit.rows(x, beta)
    head = fit.moments
    if head is None:  # of an image: scores are added as they are, the checker's promise (E0443)
        m = fit.score.prior.size
        return _rows_of(fit, x, beta, jnp.broadcast_to(jnp.eye(m), (len(x), m, m)))
    _, precisions = jax.lax.map(lambda row: head(row), x, batch_size=1024)
    return _rows_of(fit, x, beta, precisions)


def _rows_of(fit: Fit, x: Array, beta: Array, precisions: Array) -> Rows:
    prior = None if fit.score.gaussian_prior else fit.score.prior.precision()
    return make_rows(fit.score.denoise, x, beta, precisions, prior, REACH)

"""A posterior as a denoiser of its prior, guided by the densities of its likelihoods: no network sees a row."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from bsi.compiler.fold import references
from bsi.compiler.ir import Expr, Factor, Law, Likelihood, Posterior
from bsi.compiler.laws import LAWS
from bsi.compiler.lower.composed import ComposedPosterior
from bsi.compiler.lower.coordinates import Coordinates
from bsi.compiler.lower.expr import Env, evaluate
from bsi.compiler.lower.laws import log_density
from bsi.compiler.lower.missing import marginal_log_density
from bsi.compiler.lower.model import LoweredModel
from bsi.compiler.lower.simulators import Shared
from bsi.compiler.simulator_calls import calls_in
from bsi.runtime.composition import Clean
from bsi.runtime.evidence import Arguments, Evidence, Term, is_quadratic
from bsi.runtime.exact import ExactFit
from bsi.runtime.guidance import Guided
from bsi.runtime.score import Denoiser
from bsi.runtime.training import Fit


class GuidedPosterior:
    """Denoisers of `posterior` at every point of its sweeps. `fit` is that of the prior, in coordinates of `kind`; None
    where they make the prior N(0, I)."""

    def __init__(
        self, model: LoweredModel, posterior: Posterior, kind: str, fit: Fit | ExactFit | None, isotropic: bool
    ):
        self.model, self.posterior, self.fit, self.isotropic = model, posterior, fit, isotropic
        (prior,) = [factor for factor in posterior.factors if factor.kind == "prior"]
        self.factors = [factor for factor in posterior.factors if factor.kind == "likelihood"]
        alone = replace(posterior, factors=(prior,))
        self.prior = ComposedPosterior(model, alone, kind, {} if fit is None else {None: fit}, "gauss")
        self.coordinates = self.prior.coordinates
        self._parts = [self._part(factor) for factor in self.factors]

    def at(self, point: dict[str, float]) -> tuple[Guided, dict[str, Any]]:
        """The denoiser at one point of the sweeps, and statistics of how it was made.

        Raises:
            ImproperPower, NoScore: as of `ComposedPosterior.at`, for the prior.
        """
        prior, notes = self.prior.at(point)
        powers = dict(zip(map(id, self.posterior.factors), self.model.powers(self.posterior, point), strict=True))
        evidence = Evidence(self._terms([powers[id(factor)] for factor in self.factors]), self._quadratic)
        variance = 1.0 if self.fit is None else jnp.mean(self.fit.score.prior.variance)
        return Guided(prior, evidence, jnp.asarray(variance, jnp.float32), self.isotropic), notes

    def clean(self, point: dict[str, float], denoiser: Denoiser) -> Clean:
        """What draws of `denoiser`, made at this point of the sweeps, are corrected by: the score of the prior and the
        density of the rest."""
        assert isinstance(denoiser, Guided)
        return self.prior.clean(point, denoiser.prior, denoiser.evidence)

    @cached_property
    def _quadratic(self) -> bool:
        if any(list(calls_in(self.model.program.likelihoods[factor.law])) for factor in self.factors):
            return False  # a solver is not differentiated twice to see that it is no linear map
        return is_quadratic(self.evidence(), self.coordinates.m)

    def evidence(self) -> Evidence:
        """What was observed, all powers one."""
        return Evidence(self._terms([jnp.ones(())] * len(self.factors)))

    def _terms(self, powers: list[Array]) -> tuple[Term, ...]:
        found = []
        for (arguments, density, metric, rows), power in zip(self._parts, powers, strict=True):
            each = jnp.broadcast_to(power, (len(rows[0]),)).astype(jnp.float32)
            found.append(Term(arguments, density, metric, rows, each))
        return tuple(found)

    def _part(self, factor: Factor) -> tuple[Callable[..., Arguments], Callable[..., Array], str, tuple[Array, ...]]:
        """Arguments of the law of a set of rows, its density as a function of them, its metric, and the rows."""
        assert factor.observation is not None
        law = Opened(self.model.program.likelihoods[factor.law], self.coordinates, self.model.data)
        rows, seen = self.model.rows(factor.observation), self.model.seen(factor.observation)
        kept = (rows,) if seen is None else (rows, seen)
        single = tuple(jnp.asarray(part.astype(jax.dtypes.canonicalize_dtype(part.dtype))) for part in kept)
        return law.arguments, law.log_density, law.metric, single


class Opened:
    """An explicit likelihood as two functions: params to the arguments of its law that depend on them, and these to
    densities. The arguments of a law of independent numbers are as large as a row, entry by entry."""

    def __init__(self, likelihood: Likelihood, coordinates: Coordinates, data: Env):
        assert likelihood.explicit
        self.likelihood, self.coordinates, self.data = likelihood, coordinates, data
        self.open: dict[str, tuple[Expr, tuple[int, ...]]] = {}  # name in the law -> expression, shape of its value
        law = likelihood.draws[-1].law
        self.entrywise = not _over_vectors(law)
        self.law = self._opened(law)

    @property
    def metric(self) -> str:
        """A key of `runtime.evidence.METRICS`."""
        return "entrywise" if self.entrywise else "whole"

    def arguments(self, z: Array) -> Arguments:
        env = {**self.data, **self.coordinates.to_params(z)}
        Shared(self.likelihood).start(env)
        values = [jnp.broadcast_to(evaluate(expr, env), shape) for expr, shape in self.open.values()]
        if not self.entrywise:
            return tuple(values)
        # the components of a probability vector are arguments of their own
        entries = len(self.law.shape)
        flat = [v.reshape(*v.shape[:entries], -1) for v in values]
        return tuple(v[..., k] for v in flat for k in range(v.shape[-1]))

    def log_density(self, phi: Arguments, row: tuple[Array, ...]) -> Array:
        env = {**self.data, **self._env(phi)}
        if len(row) == 1:
            return log_density(self.law, env, row[0])
        return marginal_log_density(self.law, env, *row)

    def _env(self, phi: Arguments) -> dict[str, Array]:
        if not self.entrywise:
            return dict(zip(self.open, phi, strict=True))
        left, env = list(phi), {}
        for name, (_, shape) in self.open.items():
            count = math.prod(shape[len(self.law.shape) :])
            env[name] = jnp.stack(left[:count], axis=-1).reshape(shape)
            del left[:count]
        return env

    def _opened(self, law: Law, prefix: str = "%") -> Law:
        """`law` with a name in place of every argument that depends on params."""
        own = set(self.likelihood.given)
        arguments = []
        for name, expr in law.arguments:
            if references(expr) & own:
                shape = expr.shape
                if self.entrywise:
                    axes = len(LAWS[law.name].argument(name).axes)
                    shape = (*self.likelihood.shape, *expr.shape[len(expr.shape) - axes :])
                self.open[prefix + name] = (expr, shape)
                expr = Expr("ref", value=prefix + name, shape=shape)
            arguments.append((name, expr))
        components = tuple(self._opened(c, f"{prefix}{k}.") for k, c in enumerate(law.components))
        return replace(law, arguments=tuple(arguments), components=components)


def _over_vectors(law: Law) -> bool:
    return bool(LAWS[law.name].axes) or law.name == "hidden_markov" or any(map(_over_vectors, law.components))

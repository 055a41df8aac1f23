"""What was observed, as a log density of the unknown with its slope and its curvature.

A likelihood is a law whose arguments φ (its mean, its rate, ...) are computed from the unknown z. The curvature is
that of Gauss and Newton, `Jᵀ M J` with `J = ∂φ/∂z` and `M` about `-∂²ℓ/∂φ²`, so the second derivatives of φ never
enter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Arguments = tuple[Array, ...]
Linear = Callable[[Float[Array, "n m"]], Float[Array, "n m"]]
_PROBES = 16  # states at which a likelihood is seen to be quadratic
_SAME = 1e-3  # relative difference of second derivatives that counts as none


class Term(eqx.Module):
    """`Σ βᵢ ln p(xᵢ | φ(z))` of one set of rows.

    `arguments` maps one z to φ, `log_density` one φ and one row to a number; the leaves of `rows` have a leading axis.
    `metric` is a key of `METRICS`.
    """

    arguments: Callable[[Float[Array, " m"]], Arguments] = eqx.field(static=True)
    log_density: Callable[[Arguments, Any], Float[Array, ""]] = eqx.field(static=True)
    metric: str = eqx.field(static=True)
    rows: Any
    powers: Float[Array, " rows"]

    def total(self, phi: Arguments) -> Float[Array, " n"]:
        """The log density for arguments of many draws, draws first."""
        return jax.vmap(self._total)(phi)

    def _total(self, phi: Arguments) -> Array:
        density = jax.vmap(lambda row: self.log_density(phi, row))(self.rows)
        return jnp.sum(jnp.where(self.powers == 0, 0.0, self.powers * density))  # 0 drops a row, also where it is -inf

    def slope(self, phi: Arguments) -> Arguments:
        """`∂ℓ/∂φ` of every draw."""
        return jax.grad(lambda phi: jnp.sum(self.total(phi)))(phi)


Metric = Callable[[Term, Arguments], Callable[[Arguments], Arguments]]


def entrywise(term: Term, phi: Arguments) -> Callable[[Arguments], Arguments]:
    """Of a law of independent entries, with leaves of φ as large as a row: each argument of each entry bends on its
    own, and where it bends upwards it counts as straight."""

    def bend(k: int) -> Array:
        along = tuple(jnp.ones_like(leaf) if i == k else jnp.zeros_like(leaf) for i, leaf in enumerate(phi))
        return jnp.maximum(-jax.jvp(term.slope, (phi,), (along,))[1][k], 0.0)

    bends = [bend(k) for k in range(len(phi))]
    return lambda v: tuple(b * part for b, part in zip(bends, v, strict=True))


def whole(term: Term, phi: Arguments) -> Callable[[Arguments], Arguments]:
    """Of any law: `-∂²ℓ/∂φ²` itself. Where ℓ is not concave in φ it may be negative: a solver has to see to it."""
    _, derivative = jax.linearize(term.slope, phi)
    return lambda v: jax.tree.map(jnp.negative, derivative(v))


METRICS: dict[str, Metric] = {"entrywise": entrywise, "whole": whole}


class Evidence(eqx.Module):
    """The product of all terms. `quadratic`: `ℓ` is a quadratic function of z, so one Newton step finds its top."""

    terms: tuple[Term, ...]
    quadratic: bool = eqx.field(static=True, default=False)

    def __call__(self, z: Float[Array, "n m"]) -> Float[Array, " n"]:
        """`ℓ(z)` of every draw."""
        total = jnp.zeros(len(z), z.dtype)
        for term in self.terms:
            total = total + term.total(jax.vmap(term.arguments)(z))
        return total

    @property
    def definite(self) -> bool:
        """Whether `H` is positive semi-definite by its making."""
        return all(term.metric == "entrywise" for term in self.terms)

    def gradient(self, z: Float[Array, "n m"]) -> Float[Array, "n m"]:
        """`∇ℓ` of every draw."""
        return jax.grad(lambda z: jnp.sum(self(z)))(z)

    def curvature(self, z: Float[Array, "n m"]) -> Linear:
        """`v -> H v` of every draw."""
        products = []
        for term in self.terms:
            phi, forward = jax.linearize(jax.vmap(term.arguments), z)
            products.append((METRICS[term.metric](term, phi), forward, jax.linear_transpose(forward, z)))

        def apply(v: Array) -> Array:
            total = jnp.zeros_like(v)
            for metric, forward, backward in products:
                total = total + backward(metric(forward(v)))[0]
            return total

        return apply


def is_quadratic(evidence: Evidence, m: int) -> bool:
    """Whether second derivatives of `ℓ` are the same at states of N(0, I) as at 0, and those that `curvature` gives."""
    random = np.random.default_rng(0).standard_normal((2, _PROBES, m))
    z, v = (jnp.asarray(part, jnp.float32) for part in random)

    @jax.jit
    def gap(z: Array, v: Array) -> Array:
        here = evidence.curvature(jnp.zeros_like(z))(v)
        there = -jax.jvp(evidence.gradient, (z,), (v,))[1]
        return jnp.max(jnp.abs(there - here)) / (jnp.max(jnp.abs(here)) + 1e-30)

    return bool(gap(z, v) < _SAME)  # False also for a gap that is not a number

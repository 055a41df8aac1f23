"""A set of observed rows as factors: posteriors given one row each, relative to the prior, with a power a row."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from bsi.runtime.process import signal_noise

RowDenoiser = Callable[[Float[Array, "*b m"], Float[Array, ""], Any], Float[Array, "*o m"]]
"""`(u, ln η, x) -> E[θ | u, x]`, batch axes broadcasting: `ScoreNetwork.denoise`. `x` is what rows say: an array or a
tree of arrays, rows first."""

Sums = TypeVar("Sums", bound=Array | tuple[Array, ...])

STATES = 65_536  # draws times rows that one pass may hold
REACH = 16.0  # what is left out widens a row's posterior by a thirty-second at most; see benchmarks/tall.py


class Rows(eqx.Module):
    """`∏ (p(z | x_i)/N(z))^{β_i}`; `information` is `C_i⁻¹ - I`. See `make_rows` for `projected` and `shortfall`.

    Above the signal-to-noise `reach` denoisers are not asked (see `weighted`).
    `tell` is called with the number of rows that have been passed, where they do not fit in one pass.
    """

    denoiser: RowDenoiser
    x: PyTree[Array]
    powers: Float[Array, " n"]
    information: Float[Array, "n m m"]
    projected: Int[Array, ""]
    shortfall: Float[Array, ""] | float = 0.0
    reach: Float[Array, ""] | float = math.inf
    tell: Callable[[int], None] | None = eqx.field(static=True, default=None)

    def weighted(self, u: Float[Array, "b m"], log_snr: Float[Array, ""], r: Float[Array, ""]) -> Float[Array, "b m"]:
        """`Σ β_i (C_i⁻¹ + rI) (θ̂_i - a u)`.

        A network predicts the noise with some error at every level, which counts `n √r` times in a sum of scores, and
        most where rows have nothing left to say: a row's posterior is not much wider for a little noise. So at most
        the noise of `reach` is used: `(C⁻¹ + rI)(θ̂ - u/a)` of a Gaussian is the same at all levels, at one `u/a`.
        """
        a, s = signal_noise(log_snr)
        level = jnp.minimum(log_snr, jnp.log(self.reach))
        held_a, held_s = signal_noise(level)
        known = jnp.where(level < log_snr, a, 1.0)  # a belief starts at a = 0
        held_u = jnp.where(level < log_snr, held_a / known, 1.0) * u
        held_r = jnp.minimum(r, self.reach)

        def chunk(x: PyTree[Array], powers: Array, information: Array) -> Array:
            shift = self._shift(held_u, level, x)
            total = jnp.einsum("n,nij,nbj->bi", powers, information, shift)
            return total + (1.0 + held_r) * jnp.einsum("n,nbi->bi", powers, shift)

        return self._over_chunks(chunk, len(u)) + (s**2 - held_s**2) / known * u @ self.together()

    def slope(self, z: Float[Array, "b m"], reach: Float[Array, ""]) -> Float[Array, "b m"]:
        """`Σ β_i ∇ ln(p(z | x_i)/N(z))` without noise, by denoisers that see z at the signal-to-noise `reach`: exact
        where rows are Gaussian, else up to what that noise widens them by."""
        none = jnp.asarray(jnp.inf, z.dtype)
        return replace(self, reach=reach).weighted(z, none, none)

    def together(self) -> Float[Array, "m m"]:
        """`Σ β_i (C_i⁻¹ - I)`."""
        return jnp.einsum("n,nij->ij", self.powers, self.information)

    def plain(self, u: Float[Array, "b m"], log_snr: Float[Array, ""]) -> Float[Array, "b m"]:
        """`Σ β_i (θ̂_i - a u)`."""
        return self.total(u, log_snr)[0]

    def total(
        self, u: Float[Array, "b m"], log_snr: Float[Array, ""]
    ) -> tuple[Float[Array, "b m"], Float[Array, " b"]]:
        """`Σ β_i δ_i` and `Σ β_i |δ_i|²`, of `δ_i = θ̂_i - a u`."""

        def chunk(x: PyTree[Array], powers: Array, _: Array) -> tuple[Array, Array]:
            shift = self._shift(u, log_snr, x)
            return jnp.einsum("n,nbi->bi", powers, shift), jnp.einsum("n,nbi,nbi->b", powers, shift, shift)

        return self._over_chunks(chunk, len(u))

    def curved(
        self, u: Float[Array, "b m"], log_snr: Float[Array, ""], floor: Float[Array, ""]
    ) -> tuple[Float[Array, "b m"], Float[Array, "b m m"]]:
        """`Σ β_i Σ_i⁻¹ δ_i` and `Σ β_i (Σ_i⁻¹ - (1 + r)I)`, of the covariances `Σ_i` that the denoisers' derivatives
        imply at every state. See `precision_of_state`."""
        m = u.shape[-1]

        def chunk(x: PyTree[Array], powers: Array, _: Array) -> tuple[Array, Array]:
            shift, inner = precision_of_state(lambda v: self._shift(v, log_snr, x), u, log_snr, floor)
            excess = inner - (1.0 + jnp.exp(log_snr)) * jnp.eye(m)
            return jnp.einsum("n,nbij,nbj->bi", powers, inner, shift), jnp.einsum("n,nbij->bij", powers, excess)

        return self._over_chunks(chunk, len(u) * m)

    def _shift(self, u: Array, log_snr: Array, x: PyTree[Array]) -> Array:
        a, _ = signal_noise(log_snr)
        return self.denoiser(u[None], log_snr, jax.tree.map(lambda v: v[:, None], x)) - a * u

    def _over_chunks(self, chunk: Callable[[Any, Array, Array], Sums], states: int) -> Sums:
        """Sums over rows, as many at a time as memory allows; the last chunk is filled with rows of power 0."""
        n = len(self.powers)
        size = max(1, min(n, STATES // states))
        if size == n:
            return chunk(self.x, self.powers, self.information)
        count = math.ceil(n / size)
        at = jnp.minimum(jnp.arange(count * size), n - 1).reshape(count, size)
        powers = jnp.where(jnp.arange(count * size) < n, self.powers[at.ravel()], 0.0).reshape(count, size)

        def part(index: Array, powers: Array) -> Sums:
            if self.tell is not None:
                jax.debug.callback(partial(self.tell, size))
            return chunk(jax.tree.map(lambda v: v[index], self.x), powers, self.information[index])

        def add(total: Sums, one: tuple[Array, Array]) -> tuple[Sums, None]:
            return jax.tree.map(jnp.add, total, part(*one)), None

        zero = jax.tree.map(lambda v: jnp.zeros(v.shape, v.dtype), jax.eval_shape(part, at[0], powers[0]))
        return jax.lax.scan(add, zero, (at, powers))[0]


def precision_of_state(
    shift: Callable[[Float[Array, "b m"]], Float[Array, "*o m"]],
    u: Float[Array, "b m"],
    log_snr: Float[Array, ""],
    floor: Float[Array, ""],
) -> tuple[Float[Array, "*o m"], Float[Array, "*o m m"]]:
    """A factor's `δ(u) = θ̂ - a u` and `Cov[θ | u]⁻¹`, by Tweedie's `Cov[θ | u] = (s²/a) ∂θ̂/∂u`.

    The derivative is made symmetric. Eigenvalues of the precision lie between `floor + r`, with the least precision
    that a factor may have, and 1e4 times what N(0, I) would leave: a learned denoiser's derivative may have any sign.
    """
    a, _ = signal_noise(log_snr)
    r = jnp.exp(log_snr)
    tangents = jnp.broadcast_to(jnp.eye(u.shape[-1], dtype=u.dtype)[:, None], (u.shape[-1], *u.shape))
    value, columns = jax.vmap(lambda along: jax.jvp(shift, (u,), (along,)), out_axes=(None, -1))(tangents)
    # θ̂ = δ + a u, and s²/a = a/r
    covariance = (a * columns + a**2 * jnp.eye(u.shape[-1])) / r
    values, basis = jnp.linalg.eigh(0.5 * (covariance + jnp.swapaxes(covariance, -1, -2)))
    values = 1.0 / jnp.clip(values, 1e-4 / (1.0 + r), 1.0 / (floor + r))
    return value, jnp.einsum("...ij,...j,...kj->...ik", basis, values, basis)


def make_rows(
    denoiser: RowDenoiser,
    x: PyTree[Array],
    powers: Float[Array, "*n"],
    precisions: Float[Array, "n m m"],
    prior: Float[Array, "m m"] | None = None,
    reach: float = math.inf,
) -> Rows:
    """Rows with their powers (one, or one a row) and precisions `C_i⁻¹`, for instance of the moment head.

    `reach` is the signal-to-noise up to which the denoiser is asked, in units of the largest precision of a row, on
    average: `REACH` for a network, for it is never exact.

    A row's information relative to the prior (of precision `prior`, else I) is projected to be positive semi-definite;
    `projected` counts the eigenvalues raised by more than 1 % of a unit prior's precision; `shortfall` is the most that
    one was raised by, over the largest of all.
    """
    unit = jnp.eye(precisions.shape[-1], dtype=precisions.dtype)
    prior = unit if prior is None else prior
    values, basis = jnp.linalg.eigh(precisions - prior)
    projected = jnp.sum(values < -0.01).astype(jnp.int32)
    shortfall = below_zero(values)
    information = jnp.einsum("nij,nj,nkj->nik", basis, jnp.maximum(values, 0.0), basis) + (prior - unit)
    largest = jnp.maximum(jnp.max(values, -1), 0.0) + jnp.max(jnp.linalg.eigvalsh(prior))
    most = reach * jnp.mean(largest)
    return Rows(denoiser, x, jnp.broadcast_to(powers, precisions.shape[:1]), information, projected, shortfall, most)


def below_zero(values: Float[Array, "*n"]) -> Float[Array, ""]:
    """How far the least of these eigenvalues lies below zero, over the largest in size."""
    return jnp.maximum(-jnp.min(values), 0.0) / jnp.maximum(jnp.max(jnp.abs(values)), 1e-30)

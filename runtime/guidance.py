"""Guidance: a denoiser of the prior and the density of what was observed, as one denoiser of the posterior.

Given the noisy state u the prior says `θ ~ N(θ̂, C)` with Tweedie's covariance `C = (s²/a) ∂θ̂/∂u`, exactly when it is
Gaussian. Multiplied with the likelihood `exp ℓ(θ)` of curvature `H = -∇²ℓ`, the mean is

    θ̂* = θ̂ + δ,    (C⁻¹ + H) δ = ∇ℓ(θ̂),

exact for a Gaussian prior and a linear-Gaussian likelihood, at every noise level (ΠGDM, Song et al. 2023, with an
isotropic C; Rozet et al. 2024, arXiv 2405.13712, with Tweedie's and conjugate gradients). For any other likelihood δ
is found by Gauss-Newton steps, the mode instead of the mean. With any other prior this is an approximation, whose
size at the clean end vanishes: `samplers/smc.py` removes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsi.runtime.evidence import Evidence
from bsi.runtime.process import signal_noise
from bsi.runtime.schedule import NOISE
from bsi.runtime.score import Denoiser

Linear = Callable[[Float[Array, "n m"]], Float[Array, "n m"]]
State = tuple[Array, ...]

DENSE = 16  # working coordinates up to which C is a matrix for every draw: no more evaluations than products with it
COORDINATES = 2**18  # draws times coordinates at once: what a network keeps for a product with C is many times as much
_PRODUCTS = 8  # with C in one solve, where it is no matrix
_NEWTON = 6  # Gauss-Newton steps at most, for a likelihood that is not quadratic
_HALVINGS = 8  # of such a step at most
_GAIN = 1e-3  # of log density: after a step that gains less the next would move by far less than the posterior's sd
_ROUNDING = 1e-5  # of it, relative
_TOLERANCE = 1e-5  # of a solve


class Guess(NamedTuple):
    """What is known of θ given u, and given u and all that was observed: `N(θ̂, C)` and about `N(θ̂ + δ, C*)`.

    `log_twist` is about `ln p(x | u)`: without the determinant of `I + C H` where C is no matrix. The matrices
    are None there.
    """

    prior: Float[Array, "n m"]
    shift: Float[Array, "n m"]
    log_twist: Float[Array, " n"]
    covariance: Float[Array, "n m m"] | None
    posterior_covariance: Float[Array, "n m m"] | None


class Guided(eqx.Module):
    """The denoiser `(u, ln η) -> θ̂ + δ`.

    `variance` is the prior's, averaged over coordinates. With `isotropic` it stands for all there is to know of C,
    `s² variance / (a² variance + s²)`: nothing is differentiated through the prior's denoiser.
    """

    prior: Denoiser
    evidence: Evidence
    variance: Float[Array, ""]
    isotropic: bool = eqx.field(static=True, default=False)
    products: int = eqx.field(static=True, default=_PRODUCTS)
    tolerance: float = _TOLERANCE

    def __call__(self, u: Float[Array, "n m"], log_snr: Float[Array, ""]) -> Float[Array, "n m"]:
        guess = self.guess(u, log_snr, False)
        return guess.prior + guess.shift

    def guess(self, u: Float[Array, "n m"], log_snr: Float[Array, ""], matrices: bool = True) -> Guess:
        """All there is to know at `u`, as many draws at a time as memory allows."""
        size = max(1, COORDINATES // u.shape[-1])
        if len(u) <= size:
            return self._guess(u, log_snr, matrices)

        def one(state: Array) -> Guess:
            return jax.tree.map(lambda leaf: leaf[0], self._guess(state[None], log_snr, matrices))

        return jax.lax.map(one, u, batch_size=size)

    def _guess(self, u: Array, log_snr: Array, matrices: bool) -> Guess:
        if u.shape[-1] <= DENSE:
            return self._by_matrices(u, log_snr, matrices)
        theta, covariance = self._tweedie(u, log_snr)

        def solve(curvature: Linear, slope: Array, shift: Array) -> State:
            right = _finite(slope + curvature(shift))
            return conjugate_gradients(covariance, curvature, right, self.products, self.tolerance)

        dual, shift = self._mode(theta, solve)
        log_twist = self.evidence(theta + shift) - 0.5 * jnp.sum(dual * shift, -1)
        return Guess(theta, shift, log_twist, None, None)

    def _by_matrices(self, u: Array, log_snr: Array, matrices: bool) -> Guess:
        theta, covariance = self._tweedie(u, log_snr)
        tweedie = _positive(_matrix(covariance, u))
        unit = jnp.eye(u.shape[-1], dtype=u.dtype)

        def bent(curvature: Linear) -> Array:
            matrix = _matrix(curvature, u)
            return matrix if self.evidence.definite else _positive(matrix)

        def solve(curvature: Linear, slope: Array, shift: Array) -> State:
            matrix = bent(curvature)
            right = _finite(slope + _times(matrix, shift))
            matrix = jnp.where(jnp.isfinite(matrix), matrix, 0.0)
            shift = jnp.linalg.solve(unit + tweedie @ matrix, _times(tweedie, right)[..., None])[..., 0]
            return right - _times(matrix, shift), shift

        dual, shift = self._mode(theta, solve)
        inflation = unit + tweedie @ bent(self.evidence.curvature(theta + shift))
        log_twist = self.evidence(theta + shift) - 0.5 * jnp.sum(dual * shift, -1)
        log_twist = log_twist - 0.5 * jnp.linalg.slogdet(inflation)[1]
        posterior = jnp.linalg.solve(inflation, tweedie) if matrices else None
        return Guess(theta, shift, log_twist, tweedie if matrices else None, posterior)

    def _tweedie(self, u: Array, log_snr: Array) -> tuple[Array, Linear]:
        """θ̂ and `v -> C v`. Processes that start without any signal leave nothing to differentiate: there it is that of
        the noisiest level."""
        log_snr = jnp.maximum(log_snr, NOISE)
        a, s = signal_noise(log_snr)
        if self.isotropic:
            spread = s**2 * self.variance / (a**2 * self.variance + s**2)
            return self.prior(u, log_snr), lambda v: spread * v
        theta, derivative = jax.linearize(lambda u: self.prior(u, log_snr), u)
        return theta, lambda v: (s**2 / a) * derivative(v)

    def _mode(self, theta: Array, solve: Callable[[Linear, Array, Array], State]) -> State:
        """`w = C⁻¹ δ` and the δ that has the most of `ℓ(θ̂ + δ) - ½ δᵀ C⁻¹ δ`.

        Where the likelihood has no finite gradient there is no δ: what comes of such states is for the caller to
        judge, by the likelihood of the draws.
        """
        evidence = self.evidence

        def towards(shift: Array) -> State:
            return solve(evidence.curvature(theta + shift), evidence.gradient(theta + shift), shift)

        def objective(dual: Array, shift: Array) -> Array:
            return evidence(theta + shift) - 0.5 * jnp.sum(dual * shift, -1)

        def newton(now: State) -> State:
            dual, shift, here, _ = now
            aim = towards(shift)

            def halve(best: State, share: Array) -> tuple[State, None]:
                ahead = tuple(old + share * (new - old) for old, new in zip((dual, shift), aim, strict=True))
                value = objective(*ahead)
                better = best[3] & (value >= here)
                take = better[:, None]
                kept = (jnp.where(take, new, old) for new, old in zip(ahead, best[:2], strict=True))
                return (*kept, jnp.where(better, value, best[2]), best[3] & ~better), None

            shares = 0.5 ** jnp.arange(_HALVINGS, dtype=theta.dtype)
            dual, shift, value, _ = _while_any(halve, (dual, shift, here, jnp.ones(len(theta), bool)), shares)
            return dual, shift, value, value - here > _GAIN + _ROUNDING * jnp.abs(here)

        nothing = jnp.zeros_like(theta)
        if evidence.quadratic:
            return towards(nothing)
        begin = (nothing, nothing, objective(nothing, nothing), jnp.ones(len(theta), bool))
        dual, shift, *_ = _while_any(lambda state, _: (newton(state), None), begin, jnp.arange(_NEWTON))
        return dual, shift


def conjugate_gradients(
    covariance: Linear, curvature: Linear, right: Float[Array, "n m"], products: int, tolerance: float
) -> tuple[Float[Array, "n m"], Float[Array, "n m"]]:
    """`w` and `C w` with `(I + H C) w = right`, by at most `products` products with C after the first, to
    `tolerance` in the norm of C.

    `I + H C` is self-adjoint and positive in the inner product of C, so these are conjugate gradients there. A
    direction along which a learned C, or H, is not positive ends the iteration of its draw.
    """

    def inner(x: Array, y: Array) -> Array:
        return jnp.sum(x * y, axis=-1, keepdims=True)

    residual, mapped = right, covariance(right)
    first = inner(residual, mapped)
    state = (jnp.zeros_like(right), jnp.zeros_like(right), residual, residual, mapped, first, first > 0)

    def step(state: State) -> State:
        w, cw, residual, p, cp, norm, going = state
        image = p + curvature(cp)
        bend = inner(cp, image)
        going = going & (bend > 0)
        length = jnp.where(going, norm / jnp.where(going, bend, 1.0), 0.0)
        w, cw, residual = w + length * p, cw + length * cp, residual - length * image
        mapped = covariance(residual)
        after = inner(residual, mapped)
        share = jnp.where(going, after / jnp.where(going, norm, 1.0), 0.0)
        going = going & (after > tolerance**2 * first)
        return w, cw, residual, residual + share * p, mapped + share * cp, after, going

    w, cw, *_ = _while_any(lambda state, _: (step(state), None), state, jnp.arange(products))
    return w, cw


def _while_any(step: Callable[[State, Array], tuple[State, None]], state: State, over: Array) -> State:
    """A scan over `over` that does nothing once the last entry of the state, who is going on, has none left. Unlike a
    while loop it can be differentiated both ways."""

    def advance(state: State, x: Array) -> tuple[State, None]:
        return jax.lax.cond(jnp.any(state[-1]), step, lambda state, _: (state, None), state, x)

    return jax.lax.scan(advance, state, over)[0]


def _matrix(linear: Linear, like: Float[Array, "n m"]) -> Float[Array, "n m m"]:
    """A linear map of every draw as a matrix."""
    basis = jnp.eye(like.shape[-1], dtype=like.dtype)
    return jax.vmap(lambda e: linear(jnp.broadcast_to(e, like.shape)), out_axes=-1)(basis)


def _positive(matrix: Float[Array, "n m m"]) -> Float[Array, "n m m"]:
    """The nearest covariance: a network's Jacobian is neither quite symmetric nor quite positive."""
    if matrix.shape[-1] == 1:
        return jnp.maximum(matrix, 0.0)
    values, basis = jnp.linalg.eigh(0.5 * (matrix + jnp.swapaxes(matrix, -1, -2)))
    return (basis * jnp.maximum(values, 0.0)[..., None, :]) @ jnp.swapaxes(basis, -1, -2)


def _finite(right: Float[Array, "n m"]) -> Float[Array, "n m"]:
    """Nothing where some entry of a draw is not a number."""
    return jnp.where(jnp.isfinite(right).all(-1, keepdims=True), right, 0.0)


def _times(matrix: Array, vector: Array) -> Array:
    return jnp.einsum("...ij,...j->...i", matrix, vector)

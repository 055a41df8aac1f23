"""Log density of draws, or of any values of the params, by the flow ODE of the denoiser that they are sampled with."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from bsi.compiler.ir import Program, Sample
from bsi.compiler.lower.coordinates import Coordinates
from bsi.compiler.lower.supports import free_shape
from bsi.runtime.log_density import FlowDensity
from bsi.runtime.score import Denoiser

_PROBES = 8
DENSITIES = {"exact": FlowDensity(), "hutchinson": FlowDensity(probes=_PROBES)}

PerDraw = Callable[[Denoiser, Array, Array], dict[str, Array]]


def log_density_of(node: Sample, coordinates: Coordinates) -> PerDraw:
    """`(denoiser, z, key) -> stats` of draws `z` (n, m), as the option `log_density` asks; none, no stats.

    `lp` (n,) is `ln p` of the params in declared coordinates, `ln p(z) - ln |∂θ/∂z|`; `lp_se` (n,) the standard error
    of an estimate. The rest are scalars.
    """
    flow = DENSITIES.get(dict(node.options)["log_density"])
    return (lambda denoiser, z, key: {}) if flow is None else (lambda *given: declared(flow, coordinates, *given))


def derivatives(program: Program, node: Sample) -> int:
    """How many directional derivatives of the denoiser a step of the flow takes, for every draw."""
    params = [program.params[name] for name in program.posteriors[node.posterior].params]
    probes = DENSITIES[dict(node.options)["log_density"]].probes
    return probes or sum(math.prod(free_shape(param.support, param.shape)) for param in params)


def declared(flow: FlowDensity, coordinates: Coordinates, denoiser: Denoiser, z: Array, key: Array) -> dict[str, Array]:
    """Stats of the density in declared coordinates at working coordinates `z` (n, m)."""
    value, stats = flow(denoiser, z, key)
    lp = value - jax.vmap(coordinates.log_jacobian)(z)
    error = {} if flow.probes is None else {"lp_se": stats["standard_error"]}
    return {
        "lp": lp,
        **error,
        "lp_evaluations": stats["evaluations"],
        "lp_failed": stats["failed"],
        "lp_non_finite": jnp.sum(~jnp.isfinite(lp)),
    }

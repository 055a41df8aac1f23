"""A posterior as a NumPyro model: the reference that score-based samplers are judged by.

It shares densities with the rest and nothing else: no coordinates, no transports, no networks. Powers arrive as arrays,
so that a sweep compiles once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpyro
from jaxtyping import Array
from numpyro.handlers import reparam
from numpyro.infer.reparam import LocScaleReparam, ProjectedNormalReparam, Reparam

from bsi.compiler.ir import Draw, Expr, Posterior, Program
from bsi.compiler.lower.expr import Env
from bsi.compiler.lower.forward import log_likelihood
from bsi.compiler.lower.laws import LAWS, distribution

DIRECTIONS = ("uniform_sphere", "projected_normal")


def numpyro_model(
    program: Program,
    posterior: Posterior,
    data: Env,
    rows: Mapping[str, Any],
    seen: Mapping[str, Any] | None = None,
    *,
    centred: bool = False,
) -> Callable[..., Any]:
    """`model(powers)` with one site a param; `powers` has an array for every factor of the posterior, in order.

    A power scales a log factor in the declared coordinates (METHODS §0): a prior adds `(α - 1) log p`, whatever
    coordinates NumPyro samples in. `seen` is 1 where an entry of `rows` is observed, for sets with holes.
    Location-scale draws with a param as an argument are non-centred, unless `centred`.
    """
    draws = [d for factor in posterior.factors if factor.kind == "prior" for d in program.priors[factor.law].draws]
    standard: dict[str, Reparam] = {
        draw.target: LocScaleReparam(0.0) for draw in draws if not centred and _is_hierarchical(draw, program)
    }
    # NumPyro has no bijector of the sphere: directions are those of Gaussian vectors.
    directions: dict[str, Reparam] = {
        draw.target: ProjectedNormalReparam() for draw in draws if draw.law.name in DIRECTIONS
    }

    def model(powers: tuple[Array, ...]) -> None:
        env: dict[str, Any] = dict(data)
        for factor, power in zip(posterior.factors, powers, strict=True):
            if factor.kind == "prior":
                for draw in program.priors[factor.law].draws:
                    law = distribution(draw.law, env)
                    env[draw.target] = numpyro.sample(draw.target, law)
                    numpyro.factor(f"{draw.target}:power", (power - 1) * law.log_prob(env[draw.target]))
        for place, (factor, power) in enumerate(zip(posterior.factors, powers, strict=True)):
            if factor.kind == "likelihood":
                assert factor.observation is not None
                here = factor.observation
                density = log_likelihood(program.likelihoods[factor.law], env, rows[here], data, (seen or {}).get(here))
                scaled = jnp.where(power == 0, 0.0, power * density)  # 0 drops the factor, also where it is -inf
                numpyro.factor(f"{here}:log_likelihood:{place}", jnp.sum(scaled))  # a set may stand in two factors

    return reparam(model, config=standard | directions)


def _is_hierarchical(draw: Draw, program: Program) -> bool:
    law = draw.law
    if law.components or not LAWS[law.name].location_scale:
        return False
    return any(_refers_to_param(value, program) for _, value in law.arguments)


def _refers_to_param(expr: Expr, program: Program) -> bool:
    if expr.op == "ref" and expr.value in program.params:
        return True
    return any(_refers_to_param(arg, program) for arg in expr.args)

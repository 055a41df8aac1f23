"""Whether a model is linear-Gaussian: then its posterior is a Gaussian at any powers, and known in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from bsi.compiler import likelihood_laws, prior_laws
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr, Law, Likelihood, Posterior, Prior
from bsi.dsl import ast


class Degree(IntEnum):
    """How an expression depends on unknowns."""

    CONSTANT = 0
    AFFINE = 1
    OTHER = 2


METHOD = "exact_gaussian"

# Functions that are affine in all their arguments together, and those that are linear in each one alone.
_LINEAR = frozenset(
    {"add", "sub", "neg", "sum", "mean", "cumsum", "diff", "reverse", "concat", "stack", "repeat", "tile", "reshape"}
    | {"flatten", "transpose", "diag", "trace"}
)
_BILINEAR = frozenset({"mul", "matmul", "dot", "outer", "kron"})
_LINEAR_IN: Mapping[str, int] = {
    "div": 0,
    "solve": 1,
    "triangular_solve": 1,
    "cholesky_solve": 1,
}  # place of the argument

# Laws whose density is the exponential of a quadratic in the value and these arguments, the others held fixed.
_LOCATIONS: Mapping[str, frozenset[str]] = {
    "normal": frozenset({"loc"}),
    "mv_normal": frozenset({"mean"}),
    "mv_normal_cholesky": frozenset({"mean"}),
    "mv_normal_precision": frozenset({"mean"}),
    "low_rank_mv_normal": frozenset({"mean"}),
    "matrix_normal": frozenset({"mean"}),
    "gaussian_random_walk": frozenset(),
    "car": frozenset({"mean"}),
}


def degree(expr: Expr, unknown: Mapping[str, Degree]) -> Degree:
    """How `expr` depends on the names in `unknown`; names that are not there are constant."""
    if expr.op == "ref":
        return unknown.get(expr.value, Degree.CONSTANT)
    if expr.op in ("scan", "fold"):
        return _recurrence(expr, unknown)
    each = [degree(arg, unknown) for arg in expr.args]
    most = max(each, default=Degree.CONSTANT)
    if most == Degree.CONSTANT or expr.op in _LINEAR or expr.op in ("stack", "map"):
        return most
    if expr.op == "index":
        return each[0] if max(each[1:], default=Degree.CONSTANT) == Degree.CONSTANT else Degree.OTHER
    if expr.op == "where":
        return most if each[0] == Degree.CONSTANT else Degree.OTHER
    if expr.op in _BILINEAR:
        return Degree(min(sum(each), Degree.OTHER))
    place = _LINEAR_IN.get(expr.op)
    if place is not None and all(d == Degree.CONSTANT for i, d in enumerate(each) if i != place):
        return each[place]
    return Degree.OTHER


def _recurrence(expr: Expr, unknown: Mapping[str, Degree]) -> Degree:
    """Of the state: what it starts as, and what a step makes of it."""
    step, first, *arrays = expr.args
    name, *entries = expr.value
    known = dict(unknown) | {e: degree(a, unknown) for e, a in zip(entries, arrays, strict=True)}
    state = degree(first, unknown)
    for _ in Degree:  # degrees only rise
        state = max(state, degree(step, known | {name: state}))
    return state


def suits(env: Environment, method: ast.Call, posterior: Posterior | None) -> bool:
    """Whether a method can draw from this posterior: only `exact_gaussian` asks for a linear-Gaussian one."""
    if method.function.id != METHOD or posterior is None:
        return True
    unknown = dict.fromkeys(posterior.params, Degree.AFFINE)
    for factor in posterior.factors:
        declaration = env.declarations[factor.law]
        law = _law(env, declaration)
        wrong = next(filter(None, (_wrong(draw.law, unknown) for draw in law.draws)), None) if law else None
        if wrong:
            assert isinstance(declaration, ast.Prior | ast.Likelihood)
            env.report.add(
                "E0417",
                f"`{METHOD}` needs a linear-Gaussian model, but `{factor.law}` {wrong}",
                method,
                also=[(declaration.law, "declared here")],
                help="use `nuts(...)`, or normal laws whose means are affine in the params and whose scales are known",
            )
            return False
    return True


def is_gaussian(env: Environment, *names: str) -> bool:
    """Whether laws are Gaussian in the params: the product of a prior and a likelihood that are is a Gaussian."""
    for name in names:
        law = _law(env, env.declarations[name])
        if (
            law is None
            or law.learned is not None
            or not law.draws
            or (isinstance(law, Likelihood) and not law.explicit)
        ):
            return False
        params = law.params if isinstance(law, Prior) else law.given
        unknown = dict.fromkeys(params, Degree.AFFINE)
        if any(_wrong(draw.law, unknown) for draw in law.draws):
            return False
    return True


def _law(env: Environment, declaration: ast.Declaration) -> Prior | Likelihood | None:
    match declaration:
        case ast.Prior():
            return prior_laws.prior(env, declaration)
        case ast.Likelihood():
            return likelihood_laws.likelihood(env, declaration)
    return None


def _wrong(law: Law, unknown: Mapping[str, Degree]) -> str | None:
    locations = _LOCATIONS.get(law.name)
    if locations is None or law.components:
        return f"draws from `{law.name}`"
    for name, value in law.arguments:
        found = degree(value, unknown)
        if found > (Degree.AFFINE if name in locations else Degree.CONSTANT):
            how = "is not affine in the params" if name in locations else "depends on the params"
            return f"has a `{name}` of `{law.name}` that {how}"
    return None

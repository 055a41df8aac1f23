"""Declared types and laws' supports must agree: no law is truncated, sorted or normalised silently."""

from __future__ import annotations

from bsi.compiler import supports
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Law, Support
from bsi.compiler.supports import KINDS, shown
from bsi.compiler.value_types import ValueType
from bsi.dsl import ast


def agrees(env: Environment, target: str, declared: ast.Node, call: ast.Call, type: ValueType, law: Law) -> bool:
    """Whether a law draws what the type of `target` says. Declared bounds, where there are any, must be those of the
    law's support; a declared kind of vector or matrix must be the law's."""
    if _agree(type, law.support):
        return True
    if target in env.twice:  # the other declaration may be the one that is meant
        return False
    remedy = _bounds_remedy(type.support, law) if type.kind == "real" else None
    written = law
    if law.name == "ordered" and call.function.id != "ordered":
        (written,) = law.components  # the user wrote the law of an entry
    env.report.add(
        "E0402",
        f"`{target}` is declared on {shown(type.support)}, but `{written.name}` draws from {shown(written.support)}",
        call,
        also=[(declared, "declared here")],
        help=remedy or _kind_remedy(type, law),
    )
    return False


def _agree(type: ValueType, own: Support) -> bool:
    if type.kind != "real":
        return supports.contains(type.kind, own.kind)
    if type.lower is None and type.upper is None:
        return True
    return own.kind not in KINDS and (type.lower, type.upper) == (own.lower, own.upper)


def _kind_remedy(type: ValueType, law: Law) -> str:
    size = type.shape[-1] if type.shape else 1
    drawn = KINDS.get(law.support.kind)
    suffix = f"{law.support.kind}[{size}]" if drawn else f"real[{', '.join(map(str, type.shape))}]"
    if type.kind == "real":
        return f"declare `{suffix}`, or remove the bounds: the law decides"
    return f"use a law such as `{KINDS[type.kind].law}`, or declare `{suffix}`"


def _bounds_remedy(declared: Support, law: Law) -> str | None:
    """What would make law and bounds agree."""
    if law.support.kind in KINDS:
        return None
    bounds = []
    for name, bound, own in (
        ("lower", declared.lower, law.support.lower),
        ("upper", declared.upper, law.support.upper),
    ):
        if bound and bound != own:
            bounds.append(f"{name} = {bound.value:g}")
    half = {"normal": "half_normal", "cauchy": "half_cauchy", "student_t": "half_student_t"}.get(law.name)
    if half and bounds == ["lower = 0"]:
        return f"use `{half}`, or `truncated({law.name}(...), lower = 0)`"
    inside = all(
        own is None or (bound is not None and own.op == "const" and not own.shape and pick(own.value, bound.value))
        for own, bound, pick in (
            (law.support.lower, declared.lower, lambda a, b: a <= b),
            (law.support.upper, declared.upper, lambda a, b: a >= b),
        )
    )
    if inside and bounds and not law.components:
        return f"use `truncated({law.name}(...), {', '.join(bounds)})`, or remove the bounds"
    own = [
        f"{name} = {bound.value:g}"
        for name, bound in (("lower", law.support.lower), ("upper", law.support.upper))
        if bound and bound.op == "const" and not bound.shape
    ]
    return f"declare `real<{', '.join(own)}>`, or remove the bounds" if own else "remove the bounds: the law decides"

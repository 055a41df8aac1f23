"""`stored(post, file(...))`: reference draws that somebody made before, for posteriors without a density or with
modes that one chain misses (METHODS §5)."""

from __future__ import annotations

import math

from bsi.compiler import posteriors, sources, value_types
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Options
from bsi.compiler.shapes import show
from bsi.dsl import ast


def options(env: Environment, method: ast.Call, posterior: ast.Posterior) -> Options | None:
    """The draws as options of a sample: how many, and the digest of the table that holds them."""
    call = sources.call_of(method.arguments[1].value, "file") if len(method.arguments) == 2 else None
    if call is None:
        env.report.add(
            "E0511",
            "`stored` takes a posterior and a file of draws",
            method,
            help='write `stored(post, file("draws.npz", key = "draws"))`',
        )
        return None
    table = sources.file(env, call)
    if table is None or posteriors.posterior(env, posterior) is None:
        return None
    shapes = []
    for name in posterior.params:
        declaration = env.declarations[name.id]
        assert isinstance(declaration, ast.Param)
        type = value_types.value_type(env, declaration.type)
        if type is None:
            return None
        shapes.append(type.shape)
    width = sum(map(math.prod, shapes))
    # the draws of a single param may keep its shape
    rows = [(width,), *(shapes if len(shapes) == 1 else ())]
    if not table.shape or table.shape[1:] not in rows:
        names = ", ".join(name.id for name in posterior.params)
        env.report.add(
            "E0606",
            f"draws of `{posterior.name.id}` have {width} columns ({names}), but these values have shape "
            f"{show(table.shape)}",
            call,
            also=[(posterior.name, "declared here")],
        )
        return None
    env.tables[table.digest] = table
    return (("draws", table.shape[0]), ("table", table.digest))

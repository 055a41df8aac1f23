"""Observation sets: rows of a likelihood from a file, a list, or simulated at stated params."""

from __future__ import annotations

import zlib

from bsi.compiler import (
    calls,
    configure,
    expressions,
    fold,
    likelihood_laws,
    missing,
    prior_laws,
    shapes,
    sizes,
    sources,
    unknowns,
    value_types,
)
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Likelihood, Observation, Simulated, Support, Table
from bsi.compiler.members import belong
from bsi.compiler.supports import interval
from bsi.compiler.value_types import ValueType
from bsi.dsl import ast


def observation(env: Environment, declaration: ast.Observe) -> Observation | None:
    """A set of iid rows; its values, if known now, are kept in `env.tables`."""
    return env.once("observe", declaration.name.id, lambda: _observation(env, declaration))


def _observation(env: Environment, declaration: ast.Observe) -> Observation | None:
    law = env.find(declaration.likelihood, ast.Likelihood)
    likelihood = likelihood_laws.likelihood(env, law) if law else None
    call = sources.call_of(declaration.source, "simulate")
    if call:
        return _simulated(env, declaration, call, law, likelihood)
    # The values are read even when the likelihood failed: what is wrong with them is a mistake of its own.
    table = sources.raw(env, declaration)
    marker = missing.marker(env, declaration)
    type = value_types.value_type(env, law.type) if law else None
    if table is None or law is None or type is None:
        return None
    rows = _rows(env, declaration, table, type)
    if rows is None:
        return None
    wanted = type.shape if declaration.rows is None else (rows, *type.shape)
    if table.shape != wanted:
        sources.report_shape(env, declaration, table.shape, wanted, _needs(declaration, type, rows), law.type)
        return None
    table, holes = missing.split(table)
    if not _observed(env, declaration, marker, holes):
        return None
    checked = sources.typed(env, declaration, table, type, law.type)
    if checked is None or likelihood is None or not _possible(env, declaration, likelihood, checked, law):
        return None
    env.tables.update({table.digest: table for table in (checked, holes) if table})
    return Observation(declaration.name.id, likelihood.name, rows, checked.digest, holes.digest if holes else None)


def _observed(env: Environment, declaration: ast.Observe, marker: missing.Marker, holes: Table | None) -> bool:
    """Whether anything is left; reports a set without entries, and a marker that marks nothing."""
    name = declaration.name.id
    if holes and all(holes.values):
        env.report.add("E0627", f"every entry of `{name}` is missing", declaration.source)
        return False
    if marker is not None and holes is None:
        option = next(item for item in declaration.options.items if item.name.id == "missing")
        env.report.add(
            "W0607",
            f"`{name}` has no missing entries",
            option,
            help="remove the option: fits are then trained on whole rows alone",
        )
    return True


def _rows(env: Environment, declaration: ast.Observe, table: Table, type: ValueType) -> int | None:
    if declaration.rows is None:
        return 1
    if declaration.rows:
        return sizes.size(env, declaration.rows[0])
    if len(table.shape) != len(type.shape) + 1:
        sources.report_rank(env, declaration, len(type.shape) + 1, table.shape)
        return None
    return table.shape[0]


def _needs(declaration: ast.Observe, type: ValueType, rows: int) -> str:
    name = declaration.name.id
    if declaration.rows is None:
        return f"`{name}` is one row of {type.text}"
    return f"`{name}` needs {rows} rows of {type.text}"


def _possible(
    env: Environment, declaration: ast.Observe, likelihood: Likelihood, table: Table, law: ast.Likelihood
) -> bool:
    """Whether an explicit likelihood gives the rows any density, as far as constant bounds tell."""
    if not likelihood.explicit:
        return True
    support: Support = likelihood.draws[0].law.support
    low, high = (
        bound.value if bound and bound.op == "const" and not bound.shape else None
        for bound in (support.lower, support.upper)
    )
    if not sources.within(env, declaration, table, low, high, law.law, f"the law of `{law.observed.id}`"):
        return False
    also = [(law.law, f"the law of `{law.observed.id}`")]
    return belong(env, declaration.source, declaration.name.id, fold.table_value(table), support, also)


def _simulated(
    env: Environment,
    declaration: ast.Observe,
    call: ast.Call,
    law: ast.Likelihood | None,
    likelihood: Likelihood | None,
) -> Observation | None:
    options = configure.options(env, "observe", "simulate", declaration.options)
    if configure.misplaced(env, call, "observe"):
        return None
    if declaration.rows == ():
        env.report.add(
            "E0605",
            f"how many rows `{declaration.name.id}` has cannot be read from a simulation",
            call,
            help=f"write the number: `{declaration.likelihood.id}[20]`",
        )
        return None
    if law and isinstance(law.law, ast.Learned):
        env.report.add(
            "E0426",
            f"`{law.name.id}` is learned from pairs, and cannot simulate rows at other params",
            call,
            also=[(law.law, "all there is")],
            help='read the rows from a file: `file("observed.npz", key = "x")`',
        )
        return None
    rows = 1 if declaration.rows is None else sizes.size(env, declaration.rows[0])
    # The values are checked even when the likelihood failed: what is wrong with them is a mistake of its own.
    values = _values(env, call, law) if law else None
    if values is None or likelihood is None or options is None or rows is None:
        return None
    # Simulated data belong to the model, not to a run: without a seed they follow from the set's own name.
    seed = dict(options)["seed"]
    seed = zlib.crc32(declaration.name.id.encode()) if seed is None else seed
    return Observation(declaration.name.id, likelihood.name, rows, Simulated(tuple(sorted(values.items())), seed))


def _values(env: Environment, call: ast.Call, law: ast.Likelihood) -> dict[str, object] | None:
    if unknowns.arguments(env, law.given, law.name) is None:
        return None
    names = [name.id for name in law.given]
    bound = calls.bind_arguments(env, call, names, law.name)
    if bound is None:
        return None
    values: dict[str, object] = {}
    for name, argument in bound.items():
        declaration = env.declarations[name]
        assert isinstance(declaration, ast.Param)
        type = value_types.value_type(env, declaration.type)
        value = expressions.constant_value(env, argument.value, f"`{name}`")
        known = expressions.known_value(env, argument.value, value, f"`{name}`") if value else None
        if type is None or value is None or known is None:
            continue
        if not shapes.fits(value.shape, type.shape):
            _wrong_shape(env, argument, name, declaration, type, value.shape)
            continue
        entries = [float(x) for x in fold.spread(known, type.shape)]
        value = fold.nested(entries, type.shape)
        also = [(env.name_of(name), "declared here")]
        if _inside(env, argument, name, entries) and belong(
            env, argument.value, name, value, type.support if type.kind != "real" else _support_of(env, name), also
        ):
            values[name] = value
    return values if len(values) == len(bound) else None


def _wrong_shape(
    env: Environment, argument: ast.Argument, name: str, declaration: ast.Param, type: ValueType, got: shapes.Shape
) -> None:
    label = f"{got[0]} values" if len(got) == 1 else shapes.described(got)
    line = ""
    dim = env.declarations.get(type.dims[0]) if type.dims else None
    if isinstance(dim, ast.Dim):
        line = f", with {type.dims[0]} = {type.shape[0]} (line {env.line_of(dim)})"
    help = None
    if len(got) == len(type.shape) == 1 and isinstance(dim, ast.Dim):
        difference = got[0] - type.shape[0]
        change = f"drop {_values_of(difference)}" if difference > 0 else f"add {_values_of(-difference)}"
        help = f"{change}, or change line {env.line_of(dim)} to `dim {dim.name.id.rpartition('.')[2]} = {got[0]}`"
    env.report.add(
        "E0302",
        f"`{name}` needs {type.text}, but this value has {shapes.described(got)}",
        argument.value,
        label,
        also=[(declaration.type, f"declared here{line}")],
        help=help,
    )


def _values_of(n: int) -> str:
    return "one value" if n == 1 else f"{n} values"


def _inside(env: Environment, argument: ast.Argument, name: str, entries: list[float]) -> bool:
    """Whether simulated param values lie in the param's declared bounds or its prior's constant support."""
    support = _support_of(env, name)
    for bound, outside in ((support.lower, lambda x, b: x < b), (support.upper, lambda x, b: x > b)):
        if bound is None or bound.op != "const" or bound.shape:
            continue
        bad = next((x for x in entries if outside(x, bound.value)), None)
        if bad is not None:
            env.report.add(
                "E0607",
                f"`{name}` is {bad:g}, outside its support, which ends at {bound.value:g}",
                argument.value,
                also=[(env.name_of(name), "declared here")],
            )
            return False
    return True


def _support_of(env: Environment, name: str) -> Support:
    for declaration in env.all(ast.Prior):
        if any(param.id == name for param in declaration.params):
            prior = prior_laws.prior(env, declaration)
            for draw in prior.draws if prior else ():
                if draw.target == name:
                    return draw.law.support
    return interval(None, None)

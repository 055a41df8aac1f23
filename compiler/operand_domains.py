"""Operands that can leave the domain of their function, and arguments that of their law.

`log` of what may be negative, division by what may be 0, a scale that may be negative.

They are noted while expressions are read, and looked at when the supports of all params are known. Only what is certain
is reported: a range that is reached (`ranges.exact`), outside of conditions that speak of the same names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from bsi.compiler import fold, ranges
from bsi.compiler.environment import Environment, Operand
from bsi.compiler.functions import FUNCTIONS
from bsi.compiler.ir import Expr, Param
from bsi.compiler.scope import Scope
from bsi.dsl import ast
from bsi.dsl.diagnostic import has_errors

HELP = "bound what it is made of, take `exp(...)` of it, or ask first: `if x > 0 then ... else ...`"


def note(env: Environment, op: str, operands: tuple[ast.Expr, ...], args: tuple[Expr, ...], scope: Scope) -> None:
    """Remember an operand that its function does not take everywhere."""
    if not args:
        return  # a constructor of sizes alone
    at, value, domain = operands[0], args[0], FUNCTIONS[op].domain
    if op == "div" and args[1].integer:
        at, value, domain = operands[1], args[1], ranges.LINE
    elif op == "pow" and not _whole(args[1]):
        domain = ranges.HALF
    if domain and value.op != "const":  # constants are computed, with an error of their own
        env.operands.append(Operand(at, op, value, domain, "", scope.holds, scope.ranges))


def note_argument(env: Environment, at: ast.Node, name: str, value: Expr, domain: ranges.Range, phrase: str) -> None:
    """Remember an argument of a law, `name`, that has to lie in a domain."""
    if value.op != "const":
        env.operands.append(Operand(at, name, value, domain, phrase))


def _whole(exponent: Expr) -> bool:
    known = exponent.op == "const" and all(float(x).is_integer() for x in fold.flat(exponent.value))
    return known or exponent.integer


def check(env: Environment, params: Mapping[str, Param]) -> None:
    """Report the operands that can leave their domain, once all supports are known and nothing else is wrong."""
    if has_errors(env.report.diagnostics):
        return
    used: set[str] = set().union(*(fold.references(operand.value) for operand in env.operands))
    data = {name: value for name, value in env.data_values.items() if name in used}
    known = ranges.of_params(params, data)
    for operand in env.operands:
        names = fold.references(operand.value)
        if any(names & fold.references(condition) for condition in operand.holds):
            continue
        turns = {name: (0.0, n - 1.0) for name, n in operand.loops.items()}
        found = _range(env, operand.value, params, {**known, **turns})
        wrong = _wrong(operand, found) if found else None
        if wrong:
            code, help = (
                ("W0405", "give it a law on that range, or transform it") if operand.phrase else ("W0409", HELP)
            )
            also = [(env.name_of(name), "declared here") for name in sorted(names & params.keys())]
            env.report.add(code, wrong, operand.at, also=also, help=help)


def _range(
    env: Environment, value: Expr, params: Mapping[str, Param], known: Mapping[str, ranges.Range]
) -> ranges.Range | None:
    """What `value` certainly reaches: of data alone its own entries, else a range that is exact."""
    if fold.references(value) <= env.data_values.keys():
        try:
            computed = fold.evaluate(value, env.data_values)
        except fold.ConstantError:
            return None
        if computed is not None:
            return ranges.around(computed)
    return ranges.of(value, known) if ranges.exact(value, params) else None


def _wrong(operand: Operand, found: ranges.Range) -> str | None:
    """What is wrong with an operand that ranges over `found`, or None."""
    name, (low, high), (low_end, high_end) = operand.name, operand.domain, (found[0] + 0.0, found[1] + 0.0)
    shown = f"{'(' if math.isinf(low_end) else '['}{low_end:g}, {high_end:g}{')' if math.isinf(high_end) else ']'}"
    if name == "div":
        zero = low_end <= 0 <= high_end
        return f"this divides by whole numbers in {shown}, and 0 may be one of them" if zero else None
    if operand.value.integer and name in ("log", "log2", "log10") and low_end <= 0 <= high_end:
        return f"`{name}` of 0 is infinite, and these are whole numbers in {shown}"
    if low_end >= low and high_end <= high:
        return None
    if operand.phrase:
        return f"{name} must be {operand.phrase}, but this ranges over {shown}"
    wanted = f"{low:g} to {high:g}"
    wanted = f"{low:g} or more" if math.isinf(high) else f"{high:g} or less" if math.isinf(low) else wanted
    return f"`{'^' if name == 'pow' else name}` needs {wanted} here, but this ranges over {shown}"

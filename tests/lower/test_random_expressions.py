"""Random expressions: none makes the compiler raise, and those it accepts have, lowered, the shape and kind it said."""

from __future__ import annotations

import random

import jax

from bsi.compiler.analyse import compile_source
from bsi.compiler.fold import references
from bsi.compiler.functions import CALLABLE, FUNCTIONS
from bsi.compiler.ir import Program
from bsi.compiler.lower.expr import evaluate
from bsi.dsl.span import Source
from tests.lower.test_shapes import expressions, nested, same

HEAD = """bsi 1
dim n = 3, m = 2
data k : int[n] = [2, 0, 1]
data r : real[n, m] = [[1, 2], [3, 4], [5, 6.5]]
param a : real[n]
param b : real
param q : real[n, n]
prior p(a, b, q) = { a ~ normal(0, 1); b ~ normal(0, 1); q ~ normal(0, 1) }
let step(s, x) = 0.5 * s + x
let push(v, x) = concat([x], v[0:2])
let twice(x) = 2 * x
"""
SHAPES = ("", "[n]", "[m]", "[n, n]", "[n, m]", "[2, 2]", "[6]")
LEAVES = ("a", "b", "q", "k", "r", "n", "m", "0", "1", "2", "0.5", "-1", "i", "true", "pi")
INDICES = ("i", "0", "1", "k", "0:2", ":", "i + 1", "argmax(a)")
OPERATORS = ("+", "-", "*", "/", "@", "^", "<", "==", "and")


def expression(rng: random.Random, depth: int) -> str:
    def part() -> str:
        return expression(rng, depth - 1)

    if depth == 0:
        return rng.choice(LEAVES)
    match rng.choice(("leaf", "call", "call", "call", "binary", "index", "map", "reduce", "if", "list")):
        case "leaf":
            return rng.choice(LEAVES)
        case "call":
            return call(rng, depth)
        case "binary":
            return f"({part()} {rng.choice(OPERATORS)} {part()})"
        case "index":
            items = rng.choices(INDICES, k=rng.choice((1, 1, 2)))
            return f"{rng.choice('aqrk')}[{', '.join(items)}]"
        case "map":
            return f"[{part()} for i in {rng.choice(('n', 'm', 'range(1, 3)', '[0, 2]'))}]"
        case "reduce":
            return f"({rng.choice(('sum', 'prod', 'max'))} over i in {rng.choice('nm')} : {part()})"
        case "if":
            return f"(if {part()} > {part()} then {part()} else {part()})"
    return f"[{part()}, {part()}]"


def call(rng: random.Random, depth: int) -> str:
    row = FUNCTIONS[rng.choice(sorted(CALLABLE))]
    if row.rule == "scan":
        args = [rng.choice(("step", "push", "twice")), expression(rng, depth - 1), expression(rng, depth - 1)]
    else:
        sizes = len(LEAVES) if row.sizes is None else row.sizes
        args = [rng.choice("nm23") if i >= sizes else expression(rng, depth - 1) for i in range(row.arity[0])]
    axis = f", axis = {rng.choice((0, 0, 1, 1, 2))}" if row.axis and rng.random() < 0.4 else ""
    return f"{row.name}({', '.join(args)}{axis})"


def accepted(text: str) -> Program | None:
    """The program in which an expression has the shape and kind that it happens to have; None when it is wrong."""
    for kind in ("real", "int"):
        for shape in SHAPES:
            law = f"likelihood f(x : {kind}{shape} | a, b, q) = {{ x = {text} }}\n"
            program, found = compile_source(Source("random.bsi", HEAD + law))
            if program or not {d.code for d in found} & {"E0302", "E0410"}:
                return program
    return None


def test_random_expressions() -> None:
    """300 of them; more than a quarter should be right, or the test looks at nothing."""
    rng = random.Random(0)
    right = 0
    for _ in range(300):
        program = accepted(expression(rng, rng.choice((1, 1, 2, 3))))
        if program is None:
            continue
        right += 1
        for outer, names in expressions(program):
            for expr, env in nested(outer, names):
                needed = {name: env[name] for name in references(expr)}
                found = jax.eval_shape(lambda env, expr=expr: evaluate(expr, env), needed)
                assert same(expr, found), (expr.op, expr.shape, expr.integer, found)
    assert right > 75

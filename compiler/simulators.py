"""Simulators: what a declaration says, read once; and, as for a `let` function, one `ir.Simulator` for every call.

The shapes of the arguments are those of a call, so a simulator's expressions are checked where it is called.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

from bsi.compiler import calls, configure, expressions, fold, python_code, shapes, value_types
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Expr, Options, PythonCode, Simulator
from bsi.compiler.options import BLOCKS, REQUIRED
from bsi.compiler.report import listed
from bsi.compiler.scope import Scope
from bsi.compiler.value_types import ValueType
from bsi.dsl import ast

STATE, TIME = "%u", "%t"
TIME_NAME = "t"
CODES = {"target": "E0618", "module": "E0616", "function": "E0618"}


@dataclass(frozen=True)
class Declared:
    """What a declaration says by itself. An `ode` or `sde` has a `state`'s name, and in `saveat` the times of its rows;
    a `python` has `code`."""

    kind: str
    type: ValueType
    expressions: dict[str, ast.Expr]
    options: Options
    state: str = ""
    saveat: Expr | None = None
    code: PythonCode | None = None

    @property
    def stochastic(self) -> bool:
        return self.kind == "sde" or bool(dict(self.options).get("stochastic"))


def declared(env: Environment, declaration: ast.Simulator) -> Declared | None:
    """A declaration, its expressions still as syntax; reports what is wrong with it, called or not."""
    return env.once("simulator", declaration.name.id, lambda: _declared(env, declaration))


def _declared(env: Environment, declaration: ast.Simulator) -> Declared | None:
    call, kind = declaration.call, declaration.call.function.id
    type = value_types.value_type(env, declaration.result)
    if configure.block(env, "simulator", call.function) is None:
        return None
    options = configure.options(env, "simulator", kind, declaration.options)
    state = "" if kind == "python" else _state(env, declaration)
    code = _code(env, declaration) if kind == "python" else None
    named = _names(env, declaration, state)
    if options is None or state is None or type is None or not named or (kind == "python" and code is None):
        return None
    expression_keys = {option.name for option in BLOCKS["simulator", kind].options if option.kind == "expr"}
    written = {name: value for name, value in options if name in expression_keys and value is not None}
    rest = {name: value for name, value in options if name not in expression_keys}
    missing = [name for name, value in written.items() if value == REQUIRED]
    if missing:
        env.report.add("E0214", f"`{kind}` needs {listed(missing)}", call, help=f"write `{missing[0]} = ...` in braces")
        return None
    if code:
        rest["batch"] = not rest["jax"] if rest["batch"] == "auto" else rest["batch"]
        return Declared(kind, type, {}, tuple(rest.items()), code=code)
    if type.integer:
        env.report.add(
            "E0322",
            f"`{declaration.name.id}` is declared whole, but an `{kind}` gives real numbers",
            declaration.result.base,
            help="declare it `real`",
        )
        return None
    saveat = _times(env, written.pop("saveat"), rest["t0"])
    return Declared(kind, type, written, tuple(rest.items()), state, saveat) if saveat is not None else None


def _state(env: Environment, declaration: ast.Simulator) -> str | None:
    call = declaration.call
    match call.arguments:
        case [ast.Argument(name=None, value=ast.Name(id=state))]:
            return state
    env.report.add(
        "E0215", f"`{call.function.id}` takes the name of its state", call, help=f"write `{call.function.id}(u)`"
    )
    return None


def _code(env: Environment, declaration: ast.Simulator) -> PythonCode | None:
    call = declaration.call
    match call.arguments:
        case [ast.Argument(name=None, value=ast.String(value=target) as place)]:
            try:
                return python_code.find(target, Path(place.span.file).parent)
            except python_code.CodeError as error:
                env.report.add(CODES[error.kind], error.message, place, help=error.help or None)
                return None
    help = 'write `python("module:function")`'
    env.report.add("E0215", "`python` takes a module and a function, in quotes", call, help=help)
    return None


def _names(env: Environment, declaration: ast.Simulator, state: str | None) -> bool:
    """Whether state, time and parameters have names of their own."""
    if declaration.call.function.id == "python":
        return True
    inner = [*declaration.parameters, *(a.value for a in declaration.call.arguments if isinstance(a.value, ast.Name))]
    timed = next((name for name in inner if name.id == TIME_NAME), None)
    if timed:
        env.report.add("E0213", "`t` is the time inside a simulator", timed, help="choose another name")
        return False
    clash = next((name for name in declaration.parameters if name.id == state), None)
    if clash:
        env.report.add("E0202", f"`{clash.id}` is the state, too", clash, help="rename this parameter")
    return clash is None


def _times(env: Environment, node: ast.Expr, t0: float) -> Expr | None:
    """The times of `saveat`, a constant: a number or a vector of increasing numbers."""
    value = expressions.constant_value(env, node, "`saveat`")
    known = expressions.known_value(env, node, value, "`saveat`") if value else None
    if value is None or known is None:
        return None
    if len(value.shape) > 1 or fold.is_boolean(value):
        env.report.add("E0323", "`saveat` is a list of times or one time", node, shapes.described(value.shape))
        return None
    times = [float(time) for time in fold.flat(known)]
    late = next(((a, b) for a, b in itertools.pairwise(times) if not a < b), None)
    if late:
        env.report.add("E0323", f"the times of `saveat` must increase, but {late[1]:g} follows {late[0]:g}", node)
        return None
    if times[0] < t0 or times[-1] <= t0:
        bad = times[0] if times[0] < t0 else times[-1]
        env.report.add(
            "E0323",
            f"the time {bad:g} of `saveat` is {'before' if bad < t0 else 'not after'} the start, `t0` = {t0:g}",
            node,
            help="set `t0` to the time of `init`",
        )
        return None
    return replace(fold.constant(tuple(times) if value.shape else times[0]), shape=value.shape)


# ---------------------------------------------------------------- calls


def call(env: Environment, node: ast.Call, declaration: ast.Simulator, scope: Scope) -> Expr | None:
    """The result of a simulator for these arguments."""
    name = declaration.name
    given = calls.bind_arguments(env, node, [parameter.id for parameter in declaration.parameters], name)
    found = declared(env, declaration)
    if given is None:
        return None
    values = {
        key: expressions.elaborate(env, given[key].value, scope) for key in (p.id for p in declaration.parameters)
    }
    arguments = {key: value for key, value in values.items() if value}
    if found is None or len(arguments) < len(values):
        return None
    for key, value in arguments.items():
        if fold.is_boolean(value):
            env.report.add("E0304", "a number is needed here, but this is true or false", given[key].value)
            return None
    if found.stochastic and scope.draws is None:
        env.report.add(
            "E0216",
            f"`{name.id}` is random, and can only be called in the law of a likelihood",
            node,
            also=[(name, "declared here")],
            help="draw it where it is observed: `likelihood f(x : ... | theta) = { x = "
            f"{name.id}(...) }}`, or `implicit {name.id}(...)`",
        )
        return None
    if name.id in env.calls:
        env.cycle(env.calls[env.calls.index(name.id) :])
        return None
    env.calls.append(name.id)
    try:
        return _instance(env, declaration, found, arguments, scope)
    finally:
        env.calls.pop()


def _instance(
    env: Environment, declaration: ast.Simulator, found: Declared, arguments: dict[str, Expr], scope: Scope
) -> Expr | None:
    inner, passed = _parameters(env, declaration, found, arguments)
    equation = () if found.code else _equation(env, declaration, found, inner)
    if equation is None:
        return None
    lower, upper = (float(bound.value) if bound else None for bound in (found.type.lower, found.type.upper))
    simulator = Simulator(
        found.kind,
        equation,
        found.options,
        found.type.integer,
        (lower, upper),
        found.code,
        draw=next(scope.draws) if found.stochastic and scope.draws else None,
        indices=tuple(scope.ranges) if found.stochastic else (),
        name=declaration.name.id,
    )
    return Expr("simulate", passed, simulator, found.type.shape, found.type.integer)


def _parameters(
    env: Environment, declaration: ast.Simulator, found: Declared, arguments: dict[str, Expr]
) -> tuple[Scope, tuple[Expr, ...]]:
    """The scope of the simulator's expressions, and the arguments that are passed at run time: those that are known
    stand in the expressions themselves, where they cost no derivative."""
    passed: list[Expr] = []
    scope = Scope(owner=f"`{declaration.name.id}`")
    for name, value in arguments.items():
        known = value.op == "const" or (value.op == "ref" and value.value in env.data_values)
        if known and not found.code:
            scope = scope.bind(name, value)
            continue
        scope = scope.bind(name, Expr("ref", value=f"%p{len(passed)}", shape=value.shape, integer=value.integer))
        passed.append(value)
    return scope, tuple(passed)


def _equation(
    env: Environment, declaration: ast.Simulator, found: Declared, scope: Scope
) -> tuple[tuple[str, Expr], ...] | None:
    """Initial state, vector fields and output, with their shapes checked."""
    init = expressions.elaborate(env, found.expressions["init"], scope)
    if init is None:
        return None
    moving = scope.bind(found.state, Expr("ref", value=STATE, shape=init.shape)).bind(
        TIME_NAME, Expr("ref", value=TIME)
    )
    assert found.saveat
    values = {"init": init, "saveat": found.saveat}
    good = True
    for key, node in found.expressions.items():
        if key == "init":
            continue
        value = expressions.elaborate(env, node, moving)
        if value is None:
            good = False
            continue
        if key != "output" and not _fits(env, found, key, node, value, init):
            good = False
        values[key] = value
    if not good:
        return None
    row = values["output"].shape if "output" in values else init.shape
    shape = (*found.saveat.shape, *row)
    if not shapes.alike(shape, found.type.shape):
        what = "state" if "output" not in values else "output"
        times = "a row for each time, then " if found.saveat.shape else ""
        env.report.add(
            "E0321",
            f"`{declaration.name.id}` is declared with {found.type.text}, but gives {shapes.described(shape)}",
            declaration.result,
            also=[(found.expressions.get("output", found.expressions["init"]), f"{times}the {what}")],
        )
        return None
    return tuple(sorted(values.items()))


def _fits(env: Environment, found: Declared, key: str, node: ast.Expr, value: Expr, init: Expr) -> bool:
    """Whether a vector field has the state's shape; a diffusion may have one more axis, of independent noises."""
    if shapes.fits(value.shape, init.shape):
        return True
    if key == "diffusion" and value.shape[:-1] == init.shape:
        return True
    more = " or one more axis" if key == "diffusion" else ""
    env.report.add(
        "E0320",
        f"`{key}` needs the shape of the state{more}, but this has {shapes.described(value.shape)}",
        node,
        shapes.described(value.shape),
        also=[(found.expressions["init"], f"the state `{found.state}`: {shapes.described(init.shape)}")],
    )
    return False

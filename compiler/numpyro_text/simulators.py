"""Differential equations as Python functions that Diffrax solves, with the solver and tolerances of the model."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bsi.compiler import fold
from bsi.compiler.ir import Expr, Program, Simulator
from bsi.compiler.numpyro_text.expressions import Writer, literal, literal_as_real
from bsi.compiler.numpyro_text.names import fresh
from bsi.compiler.numpyro_text.quotes import docstring, source_of

SOLVERS = {
    "tsit5": "Tsit5",
    "dopri5": "Dopri5",
    "dopri8": "Dopri8",
    "bosh3": "Bosh3",
    "heun": "Heun",
    "kvaerno3": "Kvaerno3",
    "kvaerno5": "Kvaerno5",
}


@dataclass
class Simulators:
    """Functions of the program: one for every simulator and shapes of its arguments, made when it is first called.

    `names` are what the functions can refer to, and `taken` what they cannot be called.
    """

    program: Program
    names: dict[str, str]
    taken: set[str]
    blocks: list[list[str]] = field(default_factory=list)
    _known: dict[Simulator, str] = field(default_factory=dict)

    def call(self, writer: Writer, expr: Expr) -> str:
        """The text of a call."""
        simulator: Simulator = expr.value
        if simulator not in self._known:
            self._known[simulator] = fresh(simulator.name, self.taken)
            self.blocks.append(self._ode(simulator, expr))
        return f"{self._known[simulator]}({', '.join(map(writer.text, expr.args))})"

    def _ode(self, simulator: Simulator, call: Expr) -> list[str]:
        options, expressions = dict(simulator.options), dict(simulator.expressions)
        source = source_of(self.program, simulator.name)
        state = re.search(r"ode\s*\(\s*(\w+)", source)
        taken = set(self.taken)
        local = {f"%p{i}": fresh(arg.value if arg.op == "ref" else f"p{i}", taken) for i, arg in enumerate(call.args)}
        moving = {"%t": fresh("t", taken), "%u": fresh(state[1] if state else "u", taken)}
        writer = Writer({**self.names, **local}, taken, simulator=self.call, bound=frozenset(local))
        init = expressions["init"]
        ends = fold.flat(expressions["saveat"].value)
        times = fold.constant(tuple(ends))
        start = literal_as_real(init) if init.op == "const" else writer.text(init)
        saved = self._data(times) or writer.variable(times, "times")
        rhs = self._field("rhs", writer, moving, expressions["rhs"], init.shape)
        inside = [
            *docstring(source),
            "",
            *rhs,
            "",
            *writer.lines,
            f"solution = diffrax.diffeqsolve(diffrax.ODETerm(rhs), diffrax.{SOLVERS[options['solver']]}(), "
            f"t0={literal(float(options['t0']))}, t1={literal(float(ends[-1]))}, dt0=None, y0={start}, "
            f"saveat=diffrax.SaveAt(ts={saved}), "
            f"stepsize_controller=diffrax.PIDController(rtol={options['rtol']!r}, atol={options['atol']!r}), "
            f"max_steps={options['max_steps']}, throw=False)",
        ]
        result = "solution.ys"
        if "output" in expressions:
            output = expressions["output"]
            inside += ["", *self._field("output", writer, moving, output, output.shape), ""]
            result = f"jax.vmap(lambda t, y: output(t, y, None))({saved}, solution.ys)"
        result = result if expressions["saveat"].shape else f"{result}[0]"
        tests = [
            f"result {sign} {literal(bound)}"
            for sign, bound in zip((">=", "<="), simulator.bounds, strict=True)
            if bound is not None
        ]
        for test in tests:
            inside.append(f"result = {result}")
            result = f"jnp.where({test}, result, jnp.nan)"
        inside.append(f"return {result}")
        return [f"def {self._known[simulator]}({', '.join(local.values())}):", *(f"    {line}" for line in inside)]

    def _data(self, times: Expr) -> str | None:
        """The name of the data that holds these times."""
        for name, data in self.program.data.items():
            if fold.table_value(self.program.tables[data.digest]) == times.value:
                return self.names[name]
        return None

    def _field(self, name: str, outer: Writer, moving: dict[str, str], body: Expr, shape: tuple[int, ...]) -> list[str]:
        """A function of time and state."""
        bound = outer.bound | moving.keys()
        writer = Writer({**outer.names, **moving}, set(outer.taken), simulator=self.call, bound=bound, outer=outer)
        text = writer.text(body)
        if body.shape != shape:
            text = f"jnp.broadcast_to({text}, {moving['%u']}.shape)"
        lines = [f"def {name}({', '.join(moving.values())}, args):", *writer.lines, f"return {text}"]
        return [lines[0], *(f"    {line}" for line in lines[1:])]

"""The syntax tree of a `.bsi` file: one frozen class a construct, each with the span of its text.

`Name` carries the span of a declared or used name, so that a diagnostic can point at the name alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bsi.dsl.span import Span


@dataclass(frozen=True)
class Node:
    span: Span


# ---------------------------------------------------------------- expressions


@dataclass(frozen=True)
class Number(Node):
    value: int | float
    text: str  # as written: 20_000, 1e-3


@dataclass(frozen=True)
class String(Node):
    value: str


@dataclass(frozen=True)
class Name(Node):
    id: str  # dotted for imported names: nets.small


@dataclass(frozen=True)
class Unary(Node):
    operator: Literal["-", "+", "not"]
    operand: Expr


@dataclass(frozen=True)
class Binary(Node):
    """Arithmetic, comparison (`< <= > >= == !=`) and `and`/`or`."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Argument(Node):
    name: Name | None
    value: Expr


@dataclass(frozen=True)
class Call(Node):
    function: Name
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Slice(Node):
    """`a:b`, `:` and so on, only inside an index."""

    lower: Expr | None
    upper: Expr | None


@dataclass(frozen=True)
class Index(Node):
    base: Expr
    items: tuple[Expr | Slice, ...]


@dataclass(frozen=True)
class ListExpr(Node):
    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Conditional(Node):
    """`if condition then yes else no`."""

    condition: Expr
    yes: Expr
    no: Expr


@dataclass(frozen=True)
class Comprehension(Node):
    """`[element for variable in range]`, or with a reducer: `sum over variable in range : element`."""

    element: Expr
    variable: Name
    range: Expr
    reducer: Literal["sum", "prod", "min", "max"] | None


@dataclass(frozen=True)
class Configured(Node):
    """An option's value that has options of its own: `partial { n_max = 4 }`, `adam { lr = 1e-3 }`."""

    name: Name
    options: Options


Expr = Number | String | Name | Unary | Binary | Call | Index | ListExpr | Conditional | Comprehension | Configured


@dataclass(frozen=True)
class Option(Node):
    name: Name
    value: Expr


@dataclass(frozen=True)
class Options(Node):
    """A `{ key = value, ... }` block; an absent block is an empty tuple with an empty span."""

    items: tuple[Option, ...]


# ---------------------------------------------------------------- types and laws


@dataclass(frozen=True)
class Type(Node):
    """`real<lower = 0>[d, 2]`. `simplex[k]` has base `simplex` and dims (k,)."""

    base: Name
    bounds: tuple[Argument, ...]
    dims: tuple[Expr, ...]  # a Name of a dim, a Number, or arithmetic over them


@dataclass(frozen=True)
class Draw(Node):
    """`name ~ LAW` inside a body."""

    name: Name
    law: Call


@dataclass(frozen=True)
class Bind(Node):
    """`let name = EXPR` inside a body, or (last) `x = EXPR`, which makes a likelihood implicit."""

    name: Name
    value: Expr
    let: bool


@dataclass(frozen=True)
class Body(Node):
    statements: tuple[Draw | Bind, ...]


@dataclass(frozen=True)
class Implicit(Node):
    """`implicit simulator(theta)`."""

    call: Call


@dataclass(frozen=True)
class Learned(Node):
    """`learned SOURCE { ... }`; the source is a `file(...)`/`pairs(...)` call or a law."""

    source: Call
    options: Options


LawSource = Call | Body | Implicit | Learned


# ---------------------------------------------------------------- declarations


@dataclass(frozen=True)
class Edition(Node):
    version: Number


@dataclass(frozen=True)
class Import(Node):
    path: String
    name: Name  # the alias


@dataclass(frozen=True)
class Dim(Node):
    """One of `dim d = 2, n`: each entry is a declaration of its own."""

    name: Name
    value: Expr | None


@dataclass(frozen=True)
class Param(Node):
    name: Name
    type: Type


@dataclass(frozen=True)
class Data(Node):
    name: Name
    type: Type
    source: Expr  # file(...) call, list or number


@dataclass(frozen=True)
class Let(Node):
    """`let a = EXPR` (parameters None) or a pure function `let f(t) = EXPR`."""

    name: Name
    parameters: tuple[Name, ...] | None
    value: Expr


@dataclass(frozen=True)
class Simulator(Node):
    """`simulator lv(k) -> real[time, 2] = ode(u) { ... }`."""

    name: Name
    parameters: tuple[Name, ...]
    result: Type
    call: Call
    options: Options


@dataclass(frozen=True)
class Prior(Node):
    name: Name
    params: tuple[Name, ...]
    law: LawSource


@dataclass(frozen=True)
class Likelihood(Node):
    """`likelihood f(x : real[2] | theta) = LAW`."""

    name: Name
    observed: Name
    type: Type
    given: tuple[Name, ...]
    law: LawSource


@dataclass(frozen=True)
class Observe(Node):
    """`observe obs : f[n] = SOURCE { options }`. `rows` is None for `f` (one row), () for `f[]`, (n,) for `f[n]`."""

    name: Name
    likelihood: Name
    rows: tuple[Expr, ...] | None
    source: Expr  # file(...) or simulate(...) call, or an inline list
    options: Options


@dataclass(frozen=True)
class Factor(Node):
    """`p(theta)^a` has conditions (); `f(obs | theta)^b` has observation `obs`. No power: None."""

    law: Name
    observation: Name | None
    params: tuple[Name, ...]
    power: Expr | None


@dataclass(frozen=True)
class Posterior(Node):
    name: Name
    params: tuple[Name, ...]
    factors: tuple[Factor, ...]


@dataclass(frozen=True)
class Sweep(Node):
    name: Name
    values: Expr  # a list, or linspace(...)/logspace(...)


@dataclass(frozen=True)
class Net(Node):
    name: Name
    kind: Name
    options: Options


@dataclass(frozen=True)
class Train(Node):
    """`train fit = score(p, f) { ... }`."""

    name: Name
    objective: Call
    options: Options


@dataclass(frozen=True)
class Sample(Node):
    """`sample ode = flow_ode(post, fit) { ... }`."""

    name: Name
    method: Call
    options: Options


@dataclass(frozen=True)
class Check(Node):
    """`check c2st(ode, ref) < 0.58`; without a bound, `check sensitivity(ode)`, what is found is only told."""

    metric: Call
    operator: Literal["<", "<=", ">", ">="] | None
    bound: Expr | None


Declaration = (
    Import | Dim | Param | Data | Let | Simulator | Prior | Likelihood | Observe | Posterior | Sweep | Net | Train
    | Sample | Check
)  # fmt: skip


@dataclass(frozen=True)
class Module:
    """A parsed file. Declarations that did not parse are left out, each with a diagnostic, their names in `broken`."""

    file: str
    edition: Edition | None
    declarations: tuple[Declaration, ...]
    broken: frozenset[str] = frozenset()  # names whose declarations failed to parse: uses of them are not reported

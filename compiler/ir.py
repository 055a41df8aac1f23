"""The intermediate representation: flat, hashed nodes with every default filled in.

Nothing here carries a span, a comment, a local name or an order of declaration, so that none of them can change a key.
`Program.spans` keeps, beside the nodes, where each declaration stands in the user's text.

Expressions are trees of `Expr`. User functions and `let`s are inlined, dims are numbers, local names are canonical
(`%0`, `%1`, ... in order of their draw; `%x` is the observed row of a likelihood).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any

from bsi.dsl.span import Source, Span

IR_VERSION = 3  # part of every key: raise it when the same program would compute other results
UNKEYED: Mapping[str, bool] = {"key": False}  # field metadata: shown to people, never part of a key


@dataclass(frozen=True)
class Expr:
    """One operation with static shape.

    `op` is `const` (value: nested tuple of numbers), `ref` (value: a param, data, sweep or canonical local name),
    `stack` (args are the rows), `index` (args: base, then one expression for every dynamic item; value: one
    `("at", k)`, `("dynamic", position in args)` or `("slice", start, stop)` an axis), `map` (value: `(index name, n)`,
    args: (element,), new leading axis), `scan` and `fold` (args: the next state, the first state, then the arrays run
    over; value: the names of the state and of one entry of each), `where` (condition, yes, no), `simulate` (args:
    the simulator's arguments, value: a `Simulator`), or the name of a row of `compiler.functions`, whose value is its
    axis where it has one.
    """

    op: str
    args: tuple[Expr, ...] = ()
    value: Any = None
    shape: tuple[int, ...] = ()
    integer: bool = False
    label: str = field(default="", compare=False, metadata=UNKEYED)  # the user's `let` that this is the value of


def labelled(expr: Expr, label: str) -> Expr:
    """`expr` as the value of the user's `label`; numbers and names stay as they are."""
    return expr if expr.op == "ref" or (expr.op == "const" and not expr.shape) else replace(expr, label=label)


@dataclass(frozen=True)
class PythonCode:
    """A function of a user's module: what the file says is part of the key, where it stands is not."""

    function: str
    digest: str  # of the module's text
    module: str = field(metadata=UNKEYED)
    file: str = field(metadata=UNKEYED)


@dataclass(frozen=True)
class Simulator:
    """A forward model as it is called: `ode`, `sde` or `python`, with everything that its result depends on.

    `expressions` are those of its block by key, over `%p0`, `%p1`, ... (the arguments), `%u` (the state), `%t` (the
    time) and data. A stochastic one has in `draw` which of its likelihood's stochastic calls it is, and in `indices`
    the comprehension indices around it: each call, at each index, has randomness of its own.
    """

    kind: str
    expressions: tuple[tuple[str, Expr], ...]
    options: Options
    integer: bool
    bounds: tuple[float | None, float | None]  # promised of the result; what breaks it is `nan`
    code: PythonCode | None = None
    draw: int | None = None
    indices: tuple[str, ...] = ()
    name: str = field(default="", compare=False, metadata=UNKEYED)


@dataclass(frozen=True)
class Support:
    """`real`, `interval` (either bound may be None), a row of `compiler.supports.KINDS`, or `counts` with the sum
    `upper`. Ordered vectors may have bounds too; discrete laws have `integer = True`."""

    kind: str = "real"
    lower: Expr | None = None
    upper: Expr | None = None
    integer: bool = False


@dataclass(frozen=True)
class Law:
    """A row of `compiler.laws` applied to arguments. `shape` is that of one value, event axes last.

    A mixture has its components in `components` and its weights as the argument `weights`.
    """

    name: str
    arguments: tuple[tuple[str, Expr], ...]
    shape: tuple[int, ...]
    support: Support
    components: tuple[Law, ...] = ()


@dataclass(frozen=True)
class Draw:
    """`target ~ law`; in a prior the target is a param, in a likelihood a nuisance local or `%x`."""

    target: str
    law: Law


@dataclass(frozen=True)
class Param:
    name: str
    shape: tuple[int, ...]
    support: Support
    dims: tuple[str, ...] = field(default=(), metadata=UNKEYED)  # a dim's name, or its size as text


@dataclass(frozen=True)
class Data:
    name: str
    shape: tuple[int, ...]
    integer: bool
    digest: str  # of the values; the values are in Program.tables
    dims: tuple[str, ...] = field(default=(), metadata=UNKEYED)


@dataclass(frozen=True)
class Learned:
    """A law that a network knows by draws alone. `columns` are (param, or `%x` for a likelihood's row; digest of its
    table); row i of all tables together is one draw. Without columns the law itself is simulated. With `levels` all
    values are among that many equal steps from the lower to the upper bound of their type. `network` is the net of fits
    that name none: they hold it by value."""

    columns: tuple[tuple[str, str], ...] = ()
    rows: int = 0
    levels: int | None = None
    network: Net | None = field(default=None, metadata=UNKEYED)


@dataclass(frozen=True)
class Prior:
    """Draws in an order in which every law only refers to earlier targets. Of a learned prior they are the oracle: its
    density for references, empty when nobody knows it."""

    name: str
    params: tuple[str, ...]
    draws: tuple[Draw, ...]
    learned: Learned | None = None


@dataclass(frozen=True)
class Likelihood:
    """Law of one row. Explicit: one draw, of `%x`. Implicit: nuisance draws, then `result` (an expression for the row)
    or a draw of `%x` that depends on nuisances. Learned: neither draws nor result."""

    name: str
    shape: tuple[int, ...]
    given: tuple[str, ...]
    draws: tuple[Draw, ...]
    result: Expr | None
    explicit: bool
    observed: str = field(default="x", metadata=UNKEYED)
    dims: tuple[str, ...] = field(default=(), metadata=UNKEYED)
    learned: Learned | None = None


@dataclass(frozen=True)
class Simulated:
    """Rows drawn from the likelihood at stated parameter values (name, nested tuple of numbers)."""

    values: tuple[tuple[str, Any], ...]
    seed: int


@dataclass(frozen=True)
class Observation:
    """`rows` iid rows of a likelihood: `source` is the digest of a table, or Simulated. `missing` is the digest of a
    table with 1 where an entry is missing; the values there only fill the place."""

    name: str
    likelihood: str
    rows: int
    source: str | Simulated
    missing: str | None = None


@dataclass(frozen=True)
class Factor:
    """A factor of a posterior. `power` is an expression over sweeps and constants, a scalar or one value a row."""

    kind: str  # "prior" or "likelihood"
    law: str
    observation: str | None
    power: Expr


@dataclass(frozen=True)
class Posterior:
    name: str
    params: tuple[str, ...]
    factors: tuple[Factor, ...]


@dataclass(frozen=True)
class Sweep:
    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Choice:
    """An option's value with options of its own: `partial { n_max = 4 }`."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class SweepRef:
    """An option's value that a sweep supplies."""

    name: str


Options = tuple[tuple[str, Any], ...]  # sorted by name; values: None, bool, int, float, str, tuple, Choice, SweepRef


@dataclass(frozen=True)
class Net:
    name: str
    kind: str
    options: Options


NO_NET = Net("", "none", ())  # of a fit that needs none


@dataclass(frozen=True)
class Asked:
    """What a distilled fit is told of posteriors besides a row: the range of the prior's power, and of every set its
    rows, the range of their power, and whether each row has a power of its own."""

    prior: tuple[float, float]
    sets: tuple[tuple[int, float, float, bool], ...]


@dataclass(frozen=True)
class Train:
    """`laws` names a prior, and a likelihood unless only the prior is learned. `network` is held by value: its name is
    not part of the key."""

    name: str = field(metadata=UNKEYED)
    objective: str  # a kind of `train` in `compiler.options`
    prior: str
    likelihood: str | None
    network: Net
    options: Options  # includes `simulations`: None for fresh, or the size of the table; and `seed`
    implied: bool = field(default=False, metadata=UNKEYED)  # not written by the user
    teacher: str | None = None  # the fit that a distilled one learns from, by name
    asked: Asked | None = None  # of a distilled fit that learns powers and numbers of rows


@dataclass(frozen=True)
class Sample:
    """`fits` are names of trains, one for every likelihood of the posterior; empty for a reference."""

    name: str
    method: str
    posterior: str
    fits: tuple[str, ...]
    route: str | None  # amortised, guided; None for a reference
    options: Options
    reference: bool


@dataclass(frozen=True)
class Check:
    text: str  # canonical text of the declaration, e.g. `c2st(ode, ref) < 0.58`
    metric: str
    samples: tuple[str, ...]
    options: Options
    operator: str | None  # None with `bound`: the value is told, and held against nothing
    bound: float | None
    fits: tuple[str, ...] = ()  # of a metric of fits, which has no samples


@dataclass(frozen=True)
class Origin:
    """The file that a table was read from, and which part of it: see `compiler.tables.read_table`."""

    path: str
    key: str | None = None
    columns: tuple[str, ...] | None = None
    index: int | None = None


@dataclass(frozen=True)
class Table:
    """Values of data or rows: flat, row-major, as Python numbers or an `array.array`."""

    shape: tuple[int, ...]
    values: Any
    integer: bool
    origin: Origin | None = field(default=None, compare=False, metadata=UNKEYED)

    @cached_property
    def digest(self) -> str:
        """sha256 of shape and values (as IEEE doubles or 64-bit integers, little-endian)."""
        import array
        import sys

        flat = array.array("q" if self.integer else "d", self.values)
        if sys.byteorder == "big":
            flat.byteswap()
        return hashlib.sha256(repr((self.shape, self.integer)).encode() + flat.tobytes()).hexdigest()


@dataclass(frozen=True)
class Program:
    """A checked model: one mapping a kind, keyed by name, in the order of declaration."""

    name: str  # the model's: the file's name without `.bsi`
    dims: Mapping[str, int]
    params: Mapping[str, Param]
    data: Mapping[str, Data]
    priors: Mapping[str, Prior]
    likelihoods: Mapping[str, Likelihood]
    observations: Mapping[str, Observation]
    posteriors: Mapping[str, Posterior]
    sweeps: Mapping[str, Sweep]
    trains: Mapping[str, Train]  # the user's and the implied ones
    samples: Mapping[str, Sample]
    checks: tuple[Check, ...]
    tables: Mapping[str, Table]  # by digest
    spans: Mapping[str, Span]  # name of a declaration (a check: its text) -> its place
    sources: Mapping[str, Source]  # file -> text
    overrides: Mapping[str, str] = field(default_factory=dict)  # what `--set` said, name -> text

    @property
    def source(self) -> Source:
        """The file itself; the other `sources` are those that it imports."""
        return next(iter(self.sources.values()))

    def rows_of(self, posterior: Posterior) -> int:
        """How many rows all observation sets of a posterior have."""
        return sum(self.observations[f.observation].rows for f in posterior.factors if f.observation)

    def node(self, name: str) -> Any:
        """The declaration `name`, of whatever kind."""
        for table in (self.params, self.data, self.priors, self.likelihoods, self.observations, self.posteriors):
            if name in table:
                return table[name]
        for table in (self.sweeps, self.trains, self.samples):
            if name in table:
                return table[name]
        raise KeyError(name)


def canonical(node: Any) -> Any:
    """`node` as JSON values: keyed fields only, floats by `repr`, every class by name."""
    if is_dataclass(node) and not isinstance(node, type):
        content = {f.name: canonical(getattr(node, f.name)) for f in fields(node) if f.metadata.get("key", True)}
        return {"": type(node).__name__, **content}
    if isinstance(node, float):
        return repr(node)
    if isinstance(node, tuple | list):
        return [canonical(item) for item in node]
    if isinstance(node, Mapping):
        return {str(name): canonical(value) for name, value in sorted(node.items())}
    assert node is None or isinstance(node, bool | int | str), f"not an IR value: {node!r}"
    return node


def digest(*parts: Any) -> str:
    """sha256, in hexadecimal, of IR nodes and JSON-like values."""
    text = json.dumps([IR_VERSION, [canonical(part) for part in parts]], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()

"""The declarations of a file by name, evaluated on demand: order is free, so a dim may need a let that needs a dim.

Each declaration is elaborated once; a failed one is None, and every use of None stays silent, so that one mistake gives
one diagnostic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, TypeVar

from bsi.compiler import functions, laws, options
from bsi.compiler.ir import Expr, Table
from bsi.compiler.report import Report, listed, suggest
from bsi.dsl import ast
from bsi.dsl.span import Source, Span

T = TypeVar("T")
D = TypeVar("D", bound=ast.Node)

# Nouns with their classes, in the order in which messages list them.
NOUNS: dict[type, str] = {
    ast.Import: "import",
    ast.Dim: "dim",
    ast.Param: "param",
    ast.Data: "data",
    ast.Let: "let",
    ast.Simulator: "simulator",
    ast.Prior: "prior",
    ast.Likelihood: "likelihood",
    ast.Observe: "observation set",
    ast.Posterior: "posterior",
    ast.Sweep: "sweep",
    ast.Net: "net",
    ast.Train: "fit",
    ast.Sample: "sample",
}
TABLE_READER = Callable[..., Table]  # read_table(path, key=, columns=, index=); raises TableError


def article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else noun if noun == "data" else f"a {noun}"


@dataclass(frozen=True)
class Operand:
    """`value`, written at `at`, as the operand of a function, or as the argument of a law that is said to be `phrase`.
    `domain` is where it has to lie. All of `holds` are true of it; `loops` has the lengths of the loops around it."""

    at: ast.Node
    name: str
    value: Expr
    domain: tuple[float, float]
    phrase: str = ""
    holds: tuple[Expr, ...] = ()
    loops: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Environment:
    """What the phases share. `declarations` holds the first declaration of every name."""

    source: Source  # of the file that is compiled
    report: Report
    declarations: dict[str, ast.Declaration]
    broken: frozenset[str]  # names whose declarations did not parse
    twice: frozenset[str]  # names declared twice: a use may have meant the other one
    read_table: TABLE_READER
    sources: Mapping[str, Source] = field(default_factory=dict)  # all files, by name
    modules: Mapping[str, str] = field(default_factory=dict)  # module (`nets`) -> its file
    checks: tuple[ast.Check, ...] = ()
    absent: list[tuple[str, Callable[[], None]]] = field(default_factory=list)  # (file, report of a name not in it)
    tables: dict[str, Table] = field(default_factory=dict)  # by digest
    data_values: dict[str, Any] = field(default_factory=dict)  # nested tuples, by name of data
    used: set[str] = field(default_factory=set)
    doubts: list[tuple[ast.Node, str, laws.Argument, str]] = field(default_factory=list)  # settled by `unknowns.doubts`
    operands: list[Operand] = field(default_factory=list)  # settled by `operand_domains.check`
    calls: list[str] = field(default_factory=list)  # functions being inlined, outermost first
    _done: dict[tuple[str, str], Any] = field(default_factory=dict)
    _busy: list[tuple[str, str]] = field(default_factory=list)

    def once(self, phase: str, name: str, compute: Callable[[], T | None]) -> T | None:
        """`compute()`, at most once for (phase, name). A cycle is reported and gives None."""
        entry = (phase, name)
        if entry in self._done:
            return self._done[entry]
        if entry in self._busy:
            self.cycle([who for _, who in self._busy[self._busy.index(entry) :]])
            return None
        self._busy.append(entry)
        try:
            result = compute()
        finally:
            self._busy.pop()
        return self._done.setdefault(entry, result)

    def cycle(self, names: list[str]) -> None:
        """Report that these declarations need each other."""
        members = sorted({name for name in names if name in self.declarations})
        if any(("cycle", name) in self._done for name in members):
            return
        first, *rest = sorted(members, key=lambda name: self.declarations[name].span.start)
        for name in members:
            self._done["cycle", name] = True
        message = f"`{first}` is defined through itself"
        if rest:
            message += f", by way of {listed(rest)}"
        self.report.add(
            "E0203",
            message,
            self.name_of(first),
            also=[(self.name_of(name), "which needs the one before") for name in rest],
            help="give one of them a value that needs none of the others" if rest else "a function cannot call itself",
        )

    def name_of(self, name: str) -> ast.Name:
        declaration = self.declarations[name]
        assert not isinstance(declaration, ast.Check)
        return declaration.name

    def line_of(self, at: ast.Node | Span) -> str:
        """Where `at` stands, to follow the word "line": `3`, or ``3 of `nets.bsi` `` in an imported file."""
        span = at.span if isinstance(at, ast.Node) else at
        line, _ = self.sources[span.file].line_and_column(span.start)
        return str(line) if self.is_own(span) else f"{line} of `{PurePath(span.file).name}`"

    def is_own(self, at: ast.Node | Span) -> bool:
        """Whether `at` stands in the file that is compiled, not in an imported one."""
        return (at.span if isinstance(at, ast.Node) else at).file == self.source.file

    def all(self, kind: type[D]) -> list[D]:
        return [d for d in self.declarations.values() if isinstance(d, kind)]

    def find(self, name: ast.Name, kind: type[D], also: Mapping[str, str] | None = None) -> D | None:
        """The declaration of `kind` that `name` names; else reports an unknown or a wrong name and gives None."""
        declaration = self.declarations.get(name.id)
        if declaration is None:
            self.unknown(name, NOUNS[kind], (d.name.id for d in self.all(kind)))  # type: ignore[attr-defined]
            return None
        self.used.add(name.id)
        if isinstance(declaration, kind):
            return declaration
        self.wrong_kind(name, article(NOUNS[kind]))
        return None

    def unknown(self, name: ast.Name, noun: str, known: Iterable[str], aliases: dict[str, str] | None = None) -> None:
        """Report that no `noun` of the `known` names is called `name`, unless what it names failed itself."""
        parts = name.id.split(".")
        if any(".".join(parts[:n]) in self.broken for n in range(1, len(parts) + 1)):
            return
        if len(parts) > 1:
            self._unknown_in_module(name, noun, known)
            return
        known = self._in_reach(name, known)
        nearest = suggest(name.id, known, aliases)
        is_name = nearest is not None and nearest.replace(".", "").isidentifier()
        help = f"did you mean `{nearest}`?" if nearest else None
        if not nearest:
            help = _elsewhere(name.id)
        self.report.add("E0201", f"no {noun} is called `{name.id}`", name, help=help, fix=nearest if is_name else None)

    def _in_reach(self, name: ast.Name, known: Iterable[str]) -> list[str]:
        """`known` as the file of `name` writes it; an imported file sees nothing of the one that imports it."""
        own = self.is_own(name)
        seen = (self.report.seen(k, name.span.file) for k in known if own or "." in k or k not in self.declarations)
        return list(seen)

    def _unknown_in_module(self, name: ast.Name, noun: str, known: Iterable[str]) -> None:
        module, _, last = name.id.rpartition(".")
        if module not in self.modules:
            self.once("module", f"{name.span.file}:{module}", lambda: self._unknown_module(name, module, last))
            return
        inside = {k[len(module) + 1 :] for k in known if k.startswith(f"{module}.")}
        near = suggest(last, inside)
        few = f"there is {listed(f'{module}.{k}' for k in sorted(inside))}" if 0 < len(inside) <= 8 else None
        help = f"did you mean `{module}.{near}`?" if near else few
        message = f"`{PurePath(self.modules[module]).name}` declares no {noun} called `{last}`"
        fix = f"{module}.{near}" if near else None
        self.absent.append((self.modules[module], lambda: self.report.add("E0013", message, name, help=help, fix=fix)))

    def settle(self) -> None:
        """Report the names that imported files do not have, but for files that misspell names themselves."""
        told = [d.primary.span.file for d in self.report.diagnostics if d.code == "E0201" and d.primary]
        for file, report in self.absent:
            if file not in told:
                report()

    def _unknown_module(self, name: ast.Name, module: str, last: str) -> bool:
        """Report the first use of a module that nothing is imported as; the others say nothing new."""
        near = suggest(module, self.modules)
        help = f"did you mean `{near}`?" if near else f'write `import "{module}.bsi" as {module}`'
        built_in = next((known for known in (*laws.LAWS, *functions.CALLABLE) if known == last.lower()), None)
        if not near and built_in:
            help = f"laws and functions stand alone: `{built_in}`"
        elif not near and module in self.declarations:
            help = f"`{module}` is {article(NOUNS[type(self.declarations[module])])}, and a dot reaches into an import"
            help += f": write `transpose({module})`" if last == "T" else ""
        fix = f"{near}.{last}" if near else None
        self.report.add("E0013", f"nothing is imported as `{module}`", name, help=help, fix=fix)
        return True

    def wrong_kind(self, name: ast.Name, wanted: str) -> None:
        if name.id in self.twice:
            return
        declaration = self.declarations[name.id]
        self.report.add(
            "E0204",
            f"`{name.id}` is {article(NOUNS[type(declaration)])}, not {wanted}",
            name,
            also=[(self.name_of(name.id), "declared here")],
        )


def _elsewhere(name: str) -> str | None:
    """Where a name that is unknown here does exist."""
    if name.lower() in ("nan", "na"):
        return "a missing entry of a set is a number that says so: `-99` with `{ missing = -99 }`"
    if name in laws.LAWS:
        return f"`{name}` is a law: it stands after `~` in a body or after `=` in a prior or likelihood"
    if name in functions.CALLABLE:
        return f"`{name}` is a function of expressions"
    for (noun, kind), block in options.BLOCKS.items():
        if kind == name and noun in ("sample", "train", "net"):
            return f"`{name}` is built in ({block.doc}): it stands after `=` in `{noun}`"
    return None

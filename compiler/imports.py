"""`import "nets.bsi" as nets`: the declarations of several files as one list, every name under its file's alias.

A file keeps its own names: what another file declares as `small` is `nets.small` in all phases after this one, and a
name that the other file imports itself is reached through it, `nets.layers.deep`. Spans keep pointing into the file
where they were written, and `views` says how a file itself calls what a message in it speaks of.

A file is one module however many paths lead to it: its names start with the shortest chain of aliases.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath

from bsi.compiler.rename import Renamer
from bsi.compiler.report import Report, View, listed
from bsi.dsl import ast
from bsi.dsl.diagnostic import Diagnostic
from bsi.dsl.parser import parse
from bsi.dsl.span import Source

READ_SOURCE = Callable[[str], tuple[Source | None, list[Diagnostic]]]  # as `bsi.dsl.read.read_source`
Chain = list[tuple["File", ast.Import]]  # files, each with the import that leads on from it


@dataclass
class File:
    """A parsed file. `imports` maps its aliases to files, or to None where there is nothing to read."""

    source: Source
    module: ast.Module
    prefix: str  # "" for the file that is compiled, else "nets."
    imports: dict[str, File | None] = field(default_factory=dict)

    @property
    def statements(self) -> list[ast.Import]:
        return [d for d in self.module.declarations if isinstance(d, ast.Import)]

    def path(self, name: str) -> str:
        """What `name`, dotted or not, of this file is called everywhere."""
        alias, _, rest = name.partition(".")
        target = self.imports.get(alias) if rest else None
        return target.path(rest) if target else self.prefix + name

    @property
    def view(self) -> View:
        shown = {self.prefix: ""} if self.prefix else {}
        for alias, file in self.imports.items():
            if file and file.prefix:
                shown.setdefault(file.prefix, f"{alias}.")
        return tuple(sorted(((a, b) for a, b in shown.items() if a != b), reverse=True))


@dataclass(frozen=True)
class Linked:
    """All files of a model. `diagnostics` are the syntax errors of imported files, `used` the root's aliases in use."""

    declarations: tuple[ast.Declaration, ...]
    broken: frozenset[str]
    files: tuple[File, ...]  # the root first
    diagnostics: list[Diagnostic]
    used: frozenset[str]

    @property
    def sources(self) -> dict[str, Source]:
        return {file.source.file: file.source for file in self.files}

    @property
    def modules(self) -> dict[str, str]:
        """Name of a module (`nets`) -> its file."""
        return {file.prefix[:-1]: file.source.file for file in self.files if file.prefix}


def link(source: Source, module: ast.Module, read: READ_SOURCE, report: Report) -> Linked:
    """The declarations of `module` and of all files it imports, directly or not.

    Checks of an imported file stay behind: they judge that file, not this one. Reports files that cannot be read
    (E0011) or are no models (E0015), and circles of imports (E0012).
    """
    root = File(source, module, "")
    files, diagnostics = _load(root, read, report)
    _find_circles(root, report)
    report.views = {file.source.file: file.view for file in files if file.view}
    if len(files) == 1 and not root.imports:
        return Linked(module.declarations, module.broken, (root,), [], frozenset())
    declarations: list[ast.Declaration] = []
    broken: set[str] = set()
    used: frozenset[str] = frozenset()
    names = _names(root)
    for file in files:
        renamer = Renamer(file.path, _names(file), frozenset() if file is root else names, file.module.declarations)
        kept = (d for d in file.module.declarations if file is root or not isinstance(d, ast.Check))
        declarations += [renamer.declaration(d) for d in kept]
        broken |= {file.prefix + name for name in file.module.broken}
        broken |= {file.prefix + alias for alias, target in file.imports.items() if target is None}
        if file is root:
            used = frozenset(renamer.aliases)
    return Linked(tuple(declarations), frozenset(broken), tuple(files), diagnostics, used)


def _names(file: File) -> frozenset[str]:
    declared = {d.name.id for d in file.module.declarations if not isinstance(d, ast.Check)}
    return frozenset(declared) | file.module.broken


# ---------------------------------------------------------------- reading


def _load(root: File, read: READ_SOURCE, report: Report) -> tuple[list[File], list[Diagnostic]]:
    """All files in reach, breadth first, so that a file's prefix is the shortest there is."""
    found = {os.path.realpath(root.source.file): root}
    diagnostics: list[Diagnostic] = []
    waiting = deque([root])
    while waiting:
        file = waiting.popleft()
        for statement in file.statements:
            alias = statement.name.id
            if alias in file.imports:
                continue  # declared twice: reported with the names
            path = str(Path(file.source.file).parent / statement.path.value)
            place = os.path.realpath(path)
            if place not in found:
                source = _read(statement.path, path, read, report)
                if source is not None:
                    module, mistakes = parse(source)
                    diagnostics += mistakes
                    found[place] = File(source, module, f"{file.prefix}{alias}.")
                    waiting.append(found[place])
            file.imports[alias] = found.get(place)
    return list(found.values()), diagnostics


def _read(at: ast.String, path: str, read: READ_SOURCE, report: Report) -> Source | None:
    if not path.endswith(".bsi"):
        report.add(
            "E0015",
            f"`{at.value}` is not a model: an import names a `.bsi` file",
            at,
            help='read values with `data s : real[n] = file("NAME", key = "KEY")`',
        )
        return None
    source, refused = read(path)
    for diagnostic in refused:
        near = re.fullmatch("did you mean `(.+)`[?]", diagnostic.help or "")
        meant = PurePosixPath(at.value).with_name(PurePath(near[1]).name) if near else None
        help = (
            f"did you mean `{meant}`?" if meant else "the path of an import starts at the folder of the importing file"
        )
        fix = f'"{meant}"' if meant else None
        report.add("E0011", diagnostic.message, at, notes=diagnostic.notes, help=help, fix=fix)
    return source


# ---------------------------------------------------------------- circles


def _find_circles(root: File, report: Report) -> None:
    """Report each import that leads back to a file whose imports are being followed."""
    done: set[int] = set()
    for chain, statement in _circles(root, [], done):
        names = [Path(file.source.file).name for file, _ in chain]
        message = f"`{names[0]}` imports itself" + (f", by way of {listed(names[1:])}" if names[1:] else "")
        also = [(step, "which is imported here") for _, step in chain if step is not statement]
        report.add(
            "E0012", message, statement, also=also, help="move what both need into a third file, and import that"
        )


def _circles(file: File, chain: Chain, done: set[int]) -> Iterator[tuple[Chain, ast.Import]]:
    """(a circle, the import that closes it)."""
    for statement in file.statements:
        target = file.imports.get(statement.name.id)
        if target is None:
            continue
        here = [*chain, (file, statement)]
        start = next((i for i, (member, _) in enumerate(here) if member is target), None)
        if start is not None:
            yield here[start:], statement
        elif id(target) not in done:
            yield from _circles(target, here, done)
    done.add(id(file))

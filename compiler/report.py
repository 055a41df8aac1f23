"""Collects diagnostics while a phase goes on, and finds the name that a user meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from bsi.dsl.ast import Node
from bsi.dsl.diagnostic import Diagnostic, Fix, Label
from bsi.dsl.span import Span

View = tuple[tuple[str, str], ...]  # (prefix of names everywhere, how one file writes it), longest first


class Report:
    """The diagnostics of one compilation, in the order they were found.

    `views` says how files call what has another name everywhere else: a message about an imported file uses the names
    that stand in it.
    """

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.views: Mapping[str, View] = {}

    def add(
        self,
        code: str,
        message: str,
        at: Node | Span | None,
        label: str = "",
        *,
        also: Iterable[tuple[Node | Span, str]] = (),
        notes: Iterable[str] = (),
        help: str | None = None,
        fix: str | None = None,
        remove: Span | None = None,
    ) -> None:
        """Record one mistake at `at`. `fix` is text that may safely replace what stands there, `remove` a place that
        may safely be left empty.

        A mistake already recorded under the same code at the same place (a function inlined twice) is left out.
        """
        primary = Label(_span(at), label) if at is not None else None
        if primary and any(d.code == code and d.primary and d.primary.span == primary.span for d in self.diagnostics):
            return
        file = primary.span.file if primary else ""
        secondary = tuple(Label(_span(place), self.seen(text, file)) for place, text in also)
        help = self.seen(help, file) if help else help
        fixes: tuple[Fix, ...] = ()
        if fix is not None and primary:
            fix = self.seen(fix, file)
            fixes = (Fix(primary.span, fix, help or f"replace with `{fix}`"),)
        elif remove is not None:
            fixes = (Fix(remove, "", help or "remove it"),)
        texts = tuple(self.seen(note, file) for note in notes)
        self.diagnostics.append(Diagnostic(code, self.seen(message, file), primary, secondary, texts, help, fixes))

    def seen(self, text: str, file: str) -> str:
        """`text` with names as `file` writes them. `nets.bsi` is a file, never a name, and stays."""
        for prefix, shown in self.views.get(file, ()):
            text = re.sub(rf"(?<![\w.]){re.escape(prefix)}(?!bsi\b)(?=\w)", shown, text)
        return text


def _span(at: Node | Span) -> Span:
    return at.span if isinstance(at, Node) else at


def suggest(name: str, known: Iterable[str], aliases: dict[str, str] | None = None) -> str | None:
    """The known name nearest to `name`, or None when nothing is near."""
    if aliases and name.lower() in aliases:
        return aliases[name.lower()]
    known = sorted(known)
    lowered = {candidate.lower(): candidate for candidate in known}
    if name.lower() in lowered:
        return lowered[name.lower()]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return near[0] if near else None


def listed(names: Iterable[str], last: str = "and") -> str:
    """`a`, `b` and `c`."""
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {last} {quoted[-1]}" if quoted else "nothing"


def counted(n: int, noun: str) -> str:
    """1 value, 2 values."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"

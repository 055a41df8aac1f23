"""`# bsi: allow W0401`: warnings that the user has seen and means, on their line, or in the whole file.

A comment allows on its own line, on all lines of a block that ends there, and on the line below when it stands alone;
above the first declaration, in the whole file. Codes come first; what follows them is free text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bsi.compiler.report import suggest
from bsi.dsl.chunks import CLOSERS
from bsi.dsl.diagnostic import Diagnostic, Fix, Label
from bsi.dsl.explain import codes
from bsi.dsl.span import Source, Span
from bsi.dsl.tokens import lex

if TYPE_CHECKING:
    from lark import Token

COMMENT = re.compile(r"#\s*bsi\s*:\s*allow\b\s*(?P<codes>[^\s,]*([\s,]+[A-Za-z]{0,2}\d+\b)*)")
LINT = re.compile(r"W04\d\d")


@dataclass(frozen=True)
class Allowed:
    """One code in one comment. `lines` are those it holds for, None for all of its file. `whole` is the comment, with
    the space before it, if there is no other code in it."""

    code: str
    span: Span
    lines: frozenset[int] | None
    whole: Span | None


def suppress(diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source], complete: bool) -> list[Diagnostic]:
    """`diagnostics` without the warnings that comments allow, and with what is wrong with these comments.

    What an `allow` is good for is known only when all lints have been looked for (`complete`).
    """
    kept = list(diagnostics)
    for source in sources.values():
        allowed, wrong = _comments(source)
        used: set[Allowed] = set()
        for diagnostic in diagnostics:
            found = next((it for it in allowed if _covers(it, diagnostic, source)), None)
            if found:
                used.add(found)
                kept.remove(diagnostic)
        kept += [*wrong, *(_unused(it) for it in allowed if complete and it not in used)]
    return kept


def _covers(allowed: Allowed, diagnostic: Diagnostic, source: Source) -> bool:
    if diagnostic.code != allowed.code or diagnostic.primary is None or diagnostic.primary.span.file != source.file:
        return False
    line, _ = source.line_and_column(diagnostic.primary.span.start)
    return allowed.lines is None or line in allowed.lines


def _comments(source: Source) -> tuple[list[Allowed], list[Diagnostic]]:
    """Every code that the comments of a file allow, and the mistakes in them."""
    if "allow" not in source.text:
        return [], []
    lexed, known = lex(source), [code for code in codes() if LINT.fullmatch(code)]
    first = next((token.start_pos or 0 for token in lexed.tokens if token.type != "_NEWLINE"), len(source.text))
    opened = _blocks(lexed.tokens)
    allowed: list[Allowed] = []
    wrong: list[Diagnostic] = []
    for comment in lexed.comments:
        match = COMMENT.match(comment)
        if match is None:
            continue
        start = comment.start_pos or 0
        line, column = source.line_and_column(start)
        alone = not source.line(line)[: column - 1].strip()
        here = {line, line + 1} if alone else {*range(opened.get(line, line), line + 1)}
        lines = None if start < first else frozenset(here)
        words = list(re.finditer(r"[^\s,]+", match["codes"]))
        if not words:
            span = Span(start, start + len(comment.rstrip()), source.file)
            wrong.append(Diagnostic("W0410", "this comment allows nothing", Label(span), help="name a code: `W0401`"))
        before = len(source.text[:start].rstrip(" \t"))
        whole = Span(before, start + len(comment.rstrip()), source.file) if len(words) == 1 else None
        for word in words:
            offset = start + match.start("codes")
            span = Span(offset + word.start(), offset + word.end(), source.file)
            if LINT.fullmatch(word[0]) and word[0] in known:
                allowed.append(Allowed(word[0], span, lines, whole))
            else:
                wrong.append(_unknown(word[0], span, known))
    return allowed, wrong


def _blocks(tokens: Sequence[Token]) -> dict[int, int]:
    """For each line that a bracket of an earlier one is closed on, the first such line."""
    open_lines: list[int] = []
    out: dict[int, int] = {}
    for token in tokens:
        line = token.line or 0
        if token.type in CLOSERS:
            open_lines.append(line)
        elif token.type in CLOSERS.values() and open_lines:
            out[line] = min(open_lines.pop(), out.get(line, line))
    return out


def _unknown(code: str, span: Span, known: Sequence[str]) -> Diagnostic:
    if re.fullmatch(r"[ER]\d{3,4}", code):
        return Diagnostic("W0410", f"`{code}` cannot be allowed: it is an error", Label(span), help="mend its cause")
    near = suggest(code, known)
    help = f"did you mean `{near}`?" if near else "warnings of `bsi check` are `W0401` and so on"
    fixes = (Fix(span, near, f"write `{near}`"),) if near and near.lower() == code.lower() else ()
    return Diagnostic("W0410", f"no lint is called `{code}`", Label(span), help=help, fixes=fixes)


def _unused(allowed: Allowed) -> Diagnostic:
    where = "in this file" if allowed.lines is None else "here"
    message = f"`{allowed.code}` is allowed, but there is nothing to allow {where}"
    fixes = (Fix(allowed.whole, "", "remove the comment"),) if allowed.whole else ()
    return Diagnostic("W0411", message, Label(allowed.span), help="remove it", fixes=fixes)

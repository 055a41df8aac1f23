"""A file's tokens, cut into declarations at every noun that starts a line: one broken declaration hides no other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bsi.dsl.diagnostic import Diagnostic, Fix, Label
from bsi.dsl.grammar import nouns
from bsi.dsl.span import Source, Span
from bsi.dsl.tokens import span_of

if TYPE_CHECKING:
    from lark import Token

CLOSERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
BRACKETS = {"LPAR": "(", "LSQB": "[", "LBRACE": "{", "RPAR": ")", "RSQB": "]", "RBRACE": "}"}
ENDS = frozenset({"NAME", "NUMBER", "STRING", "RPAR", "RSQB", "RBRACE"})  # a value can end with these


@dataclass
class Chunk:
    """The tokens of one declaration, with newlines only where they separate, and what is wrong with its brackets."""

    tokens: list[Token] = field(default_factory=list)
    open: list[Token] = field(default_factory=list)  # brackets not yet closed
    diagnostics: list[Diagnostic] = field(default_factory=list)
    broken: bool = False  # the brackets do not match: not worth parsing

    @property
    def noun(self) -> str | None:
        """The terminal of the noun it starts with; None if that word is no noun."""
        kind = self.tokens[0].type
        return kind if kind in nouns() else None

    @property
    def complete(self) -> bool:
        """Whether the text so far could be a whole declaration."""
        return not self.open and self.tokens[-1].type in ENDS


def cut(tokens: list[Token], source: Source) -> list[Chunk]:
    """Split at nouns in the first column, and at what seems meant as one: an indented noun, an unknown word."""
    chunks: list[Chunk] = []
    newline: Token | None = None
    first = True  # of its line
    for token, following in zip(tokens, [*tokens[1:], None], strict=False):
        if token.type == "_NEWLINE":
            newline, first = newline or token, True  # the first: comments may stand between it and what follows
            continue
        if not chunks or (first and _starts(token, following, chunks[-1])):
            _close(chunks, source)
            chunks.append(Chunk())
            if token.type in nouns() and token.column != 1 and first:
                chunks[-1].diagnostics.append(_indented(token, source))
        elif newline and _separates(chunks[-1], token):
            chunks[-1].tokens.append(newline)
        _track_brackets(chunks[-1], token, source.file)
        chunks[-1].tokens.append(token)
        newline, first = None, False
    _close(chunks, source)
    return chunks


def _starts(token: Token, following: Token | None, chunk: Chunk) -> bool:
    """Whether a token that is the first of its line starts a declaration.

    An unknown word does after a complete declaration; inside an open bracket only if another name follows it, as in
    `priro p(theta)`, for that is never a part of an expression.
    """
    in_braces = bool(chunk.open) and chunk.open[-1].type == "LBRACE"
    if token.type in nouns():
        if token.column == 1:
            return not (token.type == "LET" and in_braces)
        return chunk.complete
    named = following is not None and following.type == "NAME"
    return token.type == "NAME" and token.column == 1 and (chunk.complete or named)


def _separates(chunk: Chunk, following: Token) -> bool:
    """Whether a newline here ends an entry of a `{ ... }` block: a value before it, a name or `let` after it."""
    return (
        bool(chunk.open)
        and chunk.open[-1].type == "LBRACE"
        and chunk.tokens[-1].type in ENDS
        and following.type in ("NAME", "LET")
    )


def _track_brackets(chunk: Chunk, token: Token, file: str) -> None:
    if token.type in CLOSERS:
        chunk.open.append(token)
    elif token.type in CLOSERS.values():
        wanted = [CLOSERS[opener.type] for opener in chunk.open]
        if wanted and wanted[-1] == token.type:
            chunk.open.pop()
        elif token.type in wanted:
            _report(chunk, _unclosed(chunk.open[-1], span_of(token, file), file))
            del chunk.open[len(wanted) - 1 - wanted[::-1].index(token.type) :]
        else:
            _report(chunk, _unmatched(chunk, token, file))


def _close(chunks: list[Chunk], source: Source) -> None:
    """Report what the last chunk leaves open."""
    if chunks and chunks[-1].open:
        end = chunks[-1].tokens[-1].end_pos or 0
        _report(chunks[-1], _unclosed(chunks[-1].open[-1], Span(end, end, source.file), source.file))


def _report(chunk: Chunk, diagnostic: Diagnostic) -> None:
    if not chunk.broken:
        chunk.diagnostics.append(diagnostic)
    chunk.broken = True


def _unclosed(opener: Token, place: Span, file: str) -> Diagnostic:
    closer = BRACKETS[CLOSERS[opener.type]]
    return Diagnostic(
        "E0102",
        f"`{opener}` is not closed",
        Label(place, f"expected `{closer}` before this"),
        (Label(span_of(opener, file), "opened here"),),
        help=f"add `{closer}`",
    )


def _unmatched(chunk: Chunk, token: Token, file: str) -> Diagnostic:
    span = span_of(token, file)
    if not chunk.open:
        return Diagnostic(
            "E0103", f"`{token}` closes nothing", Label(span), help="remove it, or open a bracket before it"
        )
    opener = chunk.open[-1]
    closer = BRACKETS[CLOSERS[opener.type]]
    return Diagnostic(
        "E0103",
        f"`{token}` cannot close `{opener}`",
        Label(span, f"expected `{closer}`"),
        (Label(span_of(opener, file), "opened here"),),
        help=f"write `{closer}`",
    )


def _indented(token: Token, source: Source) -> Diagnostic:
    start = source.line_starts[(token.line or 1) - 1]
    fix = Fix(Span(start, token.start_pos or 0, source.file), "", "remove the indentation")
    return Diagnostic(
        "E0106",
        f"this `{token}` is indented",
        Label(span_of(token, source.file)),
        help="a declaration starts in the first column",
        fixes=(fix,),
    )

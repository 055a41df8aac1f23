"""What the grammar accepts, but is nearly always a slip: a value missing before a bracket, or a comma in a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bsi.dsl.chunks import CLOSERS, ENDS, Chunk
from bsi.dsl.diagnostic import Diagnostic, Label
from bsi.dsl.tokens import span_of

if TYPE_CHECKING:
    from lark import Token


def doubtful(chunk: Chunk, file: str) -> list[Diagnostic]:
    """The doubtful places of a declaration whose brackets match."""
    found: list[Diagnostic] = []
    lists: list[bool] = []  # of every open bracket, whether it is a list's
    tokens = chunk.tokens
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if token.type in CLOSERS:
            lists.append(token.type == "LSQB" and before.type not in ENDS)
        elif token.type in CLOSERS.values():
            lists.pop()
        elif token.type == "COMMA" and after.type in CLOSERS.values() and after.line == token.line:
            found.append(_nothing_follows(token, after, file))
        elif token.type in ("PLUS", "MINUS") and lists and lists[-1] and _leans_right(before, token, after):
            found.append(_one_value(before, token, after, file))
    return found


def _nothing_follows(comma: Token, closer: Token, file: str) -> Diagnostic:
    span = span_of(comma, file)
    return Diagnostic(
        "E0130",
        f"a value is missing between `,` and `{closer}`",
        Label(span),
        help="remove the comma, or write the value; a last comma stands at the end of a line",
    )


def _leans_right(before: Token, sign: Token, after: Token) -> bool:
    """`a -b`: a space before the sign and none behind it."""
    return (
        before.type in ENDS
        and before.line == sign.line
        and before.end_pos != sign.start_pos
        and sign.end_pos == after.start_pos
    )


def _one_value(before: Token, sign: Token, after: Token, file: str) -> Diagnostic:
    span = span_of(before, file).to(span_of(after, file))
    return Diagnostic(
        "E0131",
        f"`{before} {sign}{after}` reads as one value of this list",
        Label(span),
        help=f"write `{before}, {sign}{after}` for two values, `{before} {sign} {after}` for one",
    )

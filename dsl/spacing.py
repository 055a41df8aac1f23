"""Where spaces stand between tokens: the one place that knows, for the formatter and for printed expressions alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OPENERS, CLOSERS = frozenset("([{"), frozenset(")]}")
TIGHT = frozenset({"^"})
SIGNS = frozenset("+-")
OPERATORS = frozenset((",", ";", "=", "==", "!=", "<", "<=", ">", ">=", *"+-*/@^:|~", "->"))
WORDS_BEFORE_VALUE = frozenset(
    ("if", "then", "else", "and", "or", "not", "in", "over", "for", "as", "implicit", "learned")
)
VALUE_STARTS_AFTER = OPENERS | WORDS_BEFORE_VALUE | OPERATORS


@dataclass(frozen=True)
class Piece:
    """A token's text, and whether a space stands before it."""

    text: str
    space: bool


def space(tokens: Sequence[str]) -> list[Piece]:
    """The tokens of one declaration or expression, each with the space that belongs before it."""
    pieces: list[Piece] = []
    brackets: list[tuple[str, int]] = []  # an open bracket: its kind, and how many `over` in it wait for a colon
    angles = 0  # of a type's bounds
    closed_bounds = False  # by the token before
    glued = True  # the token before takes no space after it
    for i, text in enumerate(tokens):
        before = tokens[i - 1] if i else ""
        after_value = bool(before) and before not in VALUE_STARTS_AFTER
        wide, next_glued, angles_before = not glued, False, angles
        if text in ",;":
            wide = False
        elif text in OPENERS:
            kind = text
            if text != "{":
                wide = wide and not after_value and not (text == "[" and closed_bounds)
                next_glued = True
                if text == "[" and after_value:
                    kind = "index"
            else:
                wide = bool(before)
            brackets.append((kind, 0))
        elif text in CLOSERS:
            kind = brackets.pop()[0] if brackets else ""
            wide = text == "}" and before != "{" and kind == "{"
        elif text in TIGHT:
            wide, next_glued = False, True
        elif text in SIGNS and not after_value:
            next_glued = True
        elif text == "over" and brackets:
            brackets[-1] = (brackets[-1][0], brackets[-1][1] + 1)
        elif text == ":" and brackets and brackets[-1][0] == "index":
            kind, waiting = brackets[-1]
            if waiting:
                brackets[-1] = (kind, waiting - 1)
            else:
                wide, next_glued = before == ",", True
        elif text == "<" and i > 1 and tokens[i - 2] in (":", "->") and _opens_bounds(tokens, i):
            wide, next_glued, angles = False, True, angles + 1
        elif text == ">" and angles:
            wide, angles = False, angles - 1
        closed_bounds = text == ">" and angles < angles_before
        pieces.append(Piece(text, wide))
        glued = next_glued
    return pieces


def _opens_bounds(tokens: Sequence[str], i: int) -> bool:
    """Whether `<` opens a type's bounds: they are always named, as in `<lower = 0>`."""
    return len(tokens) > i + 2 and tokens[i + 2] == "=" and tokens[i + 1].isidentifier()


def join(pieces: Sequence[Piece]) -> str:
    """One line of text."""
    return "".join((" " if piece.space and i else "") + piece.text for i, piece in enumerate(pieces))


def one_line(tokens: Sequence[str]) -> str:
    """The tokens with canonical spaces."""
    return join(space(tokens))

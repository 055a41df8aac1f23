"""Text to tokens. No text is refused: what no rule can use is reported, and repaired where the repair is certain."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bsi.dsl.diagnostic import Diagnostic, Fix, Label
from bsi.dsl.grammar import grammar, keywords
from bsi.dsl.span import Source, Span

if TYPE_CHECKING:
    from lark import Token

# Operators of other languages: the terminal they stand for here and its text, or None if the habit has no counterpart.
FOREIGN_OPERATORS: dict[str, tuple[str, str] | None] = {
    "**": ("CARET", "^"),
    "&&": ("AND", "and"),
    "||": ("OR", "or"),
    "!": ("NOT", "not "),
    ":=": ("EQUAL", "="),
    "<-": ("EQUAL", "="),
    "%*%": ("AT", "@"),
    ".*": ("STAR", "*"),
    "./": ("SLASH", "/"),
    ".^": ("CARET", "^"),
    "%%": None,
    "+=": None,
    "-=": None,
    "*=": None,
    "/=": None,
}
# Characters that look like one of the language's own, as a word processor or a paper writes them.
LOOKALIKES = {
    **dict.fromkeys("−–—", "-"),
    **dict.fromkeys("×·∗⋅", "*"),
    **dict.fromkeys("“”„«»", '"'),
    **dict.fromkeys("∼", "~"),
    **dict.fromkeys("\u00a0\u2007\u202f\u3000", " "),
    **{"÷": "/", "≤": "<=", "≥": ">=", "≠": "!=", "²": "^2", "³": "^3", "→": "->", "∣": "|", "√": "sqrt"},
}


@dataclass(frozen=True)
class Lexed:
    """A file's tokens without its comments, the comments, and the mistakes found on the way.

    `broken` holds the offsets of mistakes that could not be repaired: the declaration around one is not parsed.
    """

    tokens: list[Token]
    comments: list[Token]
    diagnostics: list[Diagnostic]
    broken: list[int]


def span_of(token: Token, file: str) -> Span:
    """The place of a token (Lark counts code points from 0)."""
    assert token.start_pos is not None and token.end_pos is not None
    return Span(token.start_pos, token.end_pos, file)


def lex(source: Source) -> Lexed:
    """All tokens of a text; newlines are still among them."""
    out = Lexed([], [], [], [])
    for token in grammar().lex(source.text):
        match token.type:
            case "COMMENT":
                out.comments.append(token)
            case "FOREIGN_COMMENT":
                out.diagnostics.append(_foreign_comment(token, source.file))
            case "FOREIGN_OPERATOR":
                _foreign_operator(token, source.file, out)
            case "NAME" if not _is_name(token):
                _refuse(out, _bad_name(token, source.file), token)
            case "BAD_NUMBER":
                _refuse(out, _bad_number(token, source.file), token)
            case "OPEN_STRING":
                _refuse(out, _quote(token, source), token)
            case "STRAY":
                _refuse(out, _stray(token, source.file), token)
            case _:
                out.tokens.append(token)
    return out


def _refuse(out: Lexed, diagnostic: Diagnostic, token: Token) -> None:
    out.diagnostics.append(diagnostic)
    out.broken.append(token.start_pos or 0)
    out.tokens.append(token)


def _is_name(token: Token) -> bool:
    """Whether it is made of letters, digits and `_` in Unicode's sense of an identifier, and no keyword in disguise."""
    if token.isascii():
        return True
    return (
        all(part.isidentifier() for part in token.split(".")) and unicodedata.normalize("NFKC", token) not in keywords()
    )


def _foreign_comment(token: Token, file: str) -> Diagnostic:
    opening = token[:2]
    span = Span(token.start_pos or 0, (token.start_pos or 0) + 2, file)
    fixes = (Fix(span, "#", f"write `#` instead of `{opening}`"),) if opening == "//" else ()
    return Diagnostic(
        "E0110", f"`{opening}` does not start a comment", Label(span), help="a comment starts with `#`", fixes=fixes
    )


def _foreign_operator(token: Token, file: str, out: Lexed) -> None:
    from lark import Token

    span = span_of(token, file)
    known = FOREIGN_OPERATORS[str(token)]
    if known is None:
        help_ = "nothing is changed once declared: give the value in one expression with `=`"
        if token == "%%":
            help_ = "write `mod(a, b)`"
        if token == "+=":
            help_ = "log densities do not accumulate: a posterior is a product, `p(theta) * f(obs | theta)`"
        _refuse(out, Diagnostic("E0109", f"there is no operator `{token}`", Label(span), help=help_), token)
        return
    kind, text = known
    fix = Fix(span, text, f"write `{text.strip()}`")
    message = f"there is no operator `{token}`"
    out.diagnostics.append(Diagnostic("E0109", message, Label(span), help=f"write `{text.strip()}`", fixes=(fix,)))
    out.tokens.append(Token.new_borrow_pos(kind, text.strip(), token))


def _bad_name(token: Token, file: str) -> Diagnostic:
    position = next((i for i, c in enumerate(token) if not (c in "._" or ("a" + c).isidentifier())), None)
    if position is None:
        return Diagnostic("E0111", f"`{token}` reads as the keyword `{unicodedata.normalize('NFKC', token)}`",
                          Label(span_of(token, file)), help="choose another name")  # fmt: skip
    start = (token.start_pos or 0) + position
    return _odd_character(token[position], Span(start, start + 1, file))


def _bad_number(token: Token, file: str) -> Diagnostic:
    letter = next((i for i, c in enumerate(token) if c.isalpha()), None)
    digits = token[:letter].rstrip(".") if letter else ""
    help_ = "numbers look like `2`, `20_000`, `0.5` or `1e-3`"
    if (
        letter
        and digits
        and token[:2].lower() not in ("0x", "0b", "0o")
        and token[letter:].isidentifier()
        and token[letter] not in "eE"
    ):
        help_ = f"multiply with `*`: `{digits} * {token[letter:]}`; a name starts with a letter"
    return Diagnostic("E0114", f"`{token}` is not a number", Label(span_of(token, file)), help=help_)


def _quote(token: Token, source: Source) -> Diagnostic:
    """A quote that opens no text: `x'` is the transpose of other languages."""
    start = token.start_pos or 0
    before = source.text[max(start - 1, 0) : start]
    if token[0] == "'" and (before.isalnum() or before in ("_", ")", "]")):
        return Diagnostic("E0109", "there is no operator `'`", Label(Span(start, start + 1, source.file)),
                          help="write `transpose(a)`")  # fmt: skip
    return _open_string(token, source.file)


def _open_string(token: Token, file: str) -> Diagnostic:
    span = span_of(token, file)
    if token[0] == "'":
        closed = len(token) > 1 and token[-1] == "'"
        fixes = (Fix(span, f'"{token[1:-1]}"', "use double quotes"),) if closed and '"' not in token else ()
        return Diagnostic("E0113", "text stands in double quotes", Label(span), help='write `"..."`', fixes=fixes)
    return Diagnostic(
        "E0113", "this text has no closing quote", Label(span, "the line ends inside it"), help='end the text with `"`'
    )


def _stray(token: Token, file: str) -> Diagnostic:
    return _odd_character(str(token), span_of(token, file))


def _odd_character(character: str, span: Span) -> Diagnostic:
    meant = LOOKALIKES.get(character)
    shown = f"`{character}`" if character.isprintable() and not character.isspace() else "this character"
    name = unicodedata.name(character, f"U+{ord(character):04X}").lower()
    notes = () if character.isascii() and character.isprintable() else (f"it is U+{ord(character):04X}, {name}",)
    message = f"{shown} has no meaning in a model"
    if meant is None:
        return Diagnostic("E0112", message, Label(span), notes=notes, help="remove it")
    description = "write a plain space" if meant == " " else f"write `{meant}`"
    fix = Fix(span, meant, description)
    return Diagnostic("E0112", message, Label(span), notes=notes, help=description, fixes=(fix,))

"""The LALR parser of `grammar/bsi.lark`, built when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lark import Lark, Token

GRAMMAR = Path(__file__).parent.parent / "grammar" / "bsi.lark"


class KeepEveryToken:
    """Lark drops a terminal that no rule uses, unless its `postlex` asks for it: comments and mistakes are such."""

    always_accept = (
        *("COMMENT", "_NEWLINE", "FOREIGN_COMMENT", "FOREIGN_OPERATOR"),
        *("BAD_NUMBER", "OPEN_STRING", "STRAY"),
    )

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


@cache
def grammar() -> Lark:
    """The parser of one declaration.

    The lexer is the basic one, which reads the longest word and then asks whether it is a keyword; the contextual one has
    no word boundaries (`priorp = 1` would be `prior p = 1`) and takes keywords for names.
    """
    from lark import Lark

    return Lark(
        GRAMMAR.read_text(encoding="utf-8"),
        parser="lalr",
        lexer="basic",
        postlex=KeepEveryToken(),
        propagate_positions=True,
        maybe_placeholders=True,
    )


@cache
def keywords() -> frozenset[str]:
    """The words that cannot be names, as the grammar quotes them."""
    return frozenset(t.pattern.value for t in grammar().terminals if t.pattern.value.isidentifier())


@cache
def nouns() -> dict[str, str]:
    """The words that start a declaration, by terminal: `{"PRIOR": "prior", ...}`."""
    declarations = {rule.expansion[0].name for rule in grammar().rules if rule.origin.name == "start"}
    words = {t.name: t.pattern.value for t in grammar().terminals}
    firsts = (rule.expansion[0] for rule in grammar().rules if rule.origin.name in declarations)
    return {symbol.name: words[symbol.name] for symbol in firsts if symbol.is_term}

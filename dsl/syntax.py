"""Where the parser stopped, as a diagnostic: looks the place up in the table of mistakes."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from bsi.dsl.chunks import Chunk
from bsi.dsl.diagnostic import Diagnostic, Fix, Label
from bsi.dsl.grammar import grammar, keywords, nouns
from bsi.dsl.mistakes import COMPARISONS, FORMS, MISTAKES, OPERATORS, WORDS
from bsi.dsl.span import Span
from bsi.dsl.tokens import span_of

if TYPE_CHECKING:
    from lark import Token

# What other languages, or habit, call a declaration.
SYNONYMS = {
    **dict.fromkeys(("parameter", "parameters", "unknown", "latent"), "param"),
    **dict.fromkeys(("def", "fn", "fun", "function", "functions", "var", "const", "transformed"), "let"),
    **dict.fromkeys(("size", "dimension", "dims", "plate"), "dim"),
    **dict.fromkeys(("observation", "observations", "observed", "obs"), "observe"),
    "target": "posterior",
    **dict.fromkeys(("network", "nets"), "net"),
    **dict.fromkeys(("fit", "training"), "train"),
    **dict.fromkeys(("sampler", "draws", "infer"), "sample"),
    **dict.fromkeys(("assert", "test", "expect"), "check"),
    **dict.fromkeys(("include", "from", "use"), "import"),
}
# An expected set is put in few words: a group stands for its members where all of them are possible.
GROUPS = (
    ("an expression", frozenset(["NAME", "NUMBER", "STRING", "LPAR", "LSQB", "MINUS", "PLUS", "IF", "NOT"])),
    ("a value", frozenset(["NAME", "NUMBER", "STRING", "LPAR", "LSQB", "MINUS", "PLUS"])),
    ("a law", frozenset(["NAME", "LBRACE", "IMPLICIT", "LEARNED"])),
    ("", frozenset(f"{OPERATORS} {COMPARISONS}".split())),  # an operator can follow every value: not worth saying
)


def stopped(chunk: Chunk, token: Token, previous: Token, expected: set[str], file: str) -> Diagnostic:
    """The diagnostic for a parser that met `token` after `previous` and would have taken one of `expected`."""
    noun = chunk.noun or ""
    found = (
        {token.type} | ({"KEYWORD"} if token in keywords() else set()) | ({"NOUN"} if token.type in nouns() else set())
    )
    row = next(row for row in MISTAKES if row.fits(found, previous.type, expected, noun))
    end = span_of(previous, file).end
    span = Span(end, end, file) if token.type in ("$END", "_NEWLINE") else span_of(token, file)
    words = {
        "found": str(token),
        "found_word": WORDS[token.type] if token.type in ("$END", "_NEWLINE") else f"`{token}`",
        "previous": str(previous),
        "expected": in_words(expected),
        "form": FORMS[noun],
    }
    return Diagnostic(
        row.code,
        row.message.format(**words),
        Label(span),
        help=row.help.format(**words),
        fixes=_fixes(row.replace, row.insert, span),
    )


def _fixes(replace: str | None, insert: str | None, span: Span) -> tuple[Fix, ...]:
    if replace is not None:
        return (Fix(span, replace, f"write `{replace.strip()}`"),)
    if insert is not None:
        return (Fix(Span(span.start, span.start, span.file), insert, f"insert `{insert.strip()}`"),)
    return ()


def in_words(expected: set[str]) -> str:
    """`` `(`, `=` or a name ``: terminals for people, most telling first."""
    left = set(expected)
    words = []
    for word, group in GROUPS:
        if group <= left or (not word and left - group):
            left -= group
            words += [word] if word else []
    literal = {t.name: f"`{t.pattern.value}`" for t in grammar().terminals}
    words += sorted(WORDS.get(name) or literal[name] for name in left)
    words.sort(key=lambda word: word == WORDS["$END"])
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" or {words[-1]}"


def unknown_declaration(chunk: Chunk, file: str) -> Diagnostic:
    """The diagnostic for a chunk that starts with no noun."""
    first = chunk.tokens[0]
    following = chunk.tokens[1].type if len(chunk.tokens) > 1 else ""
    span = span_of(first, file)
    if first.type == "NAME" and following == "TILDE":
        return Diagnostic("E0107", "`~` stands only inside the `{ ... }` of a prior or a likelihood",
                          Label(span_of(chunk.tokens[1], file)),
                          help=f"give `{first}` its law in a prior: `prior p({first}) = normal(0, 1)`")  # fmt: skip
    if first.type == "NAME" and following == "EQUAL":
        return Diagnostic("E0105", f"`{first}` is declared without saying what it is", Label(span),
                          help=f"name a value with `let {first} = ...`",
                          fixes=(Fix(Span(span.start, span.start, file), "let ", "insert `let`"),))  # fmt: skip
    if first in ("real", "int", "float", "vector", "matrix", "simplex", "array"):
        return Diagnostic("E0105", f"a declaration cannot start with the type `{first}`", Label(span),
                          help="first what it is and its name: `param sigma : real<lower = 0>`")  # fmt: skip
    if first in ("print", "return", "for", "while", "class", "with", "model", "generated"):
        return Diagnostic("E0105", f"a declaration cannot start with `{first}`", Label(span),
                          help="a file declares laws, and what to do with them: `sample` and `check`")  # fmt: skip
    words = list(nouns().values())
    near = SYNONYMS.get(first.lower()) or next(iter(difflib.get_close_matches(first.lower(), words, 1, 0.6)), None)
    if near:
        return Diagnostic("E0105", f"there is no declaration `{first}`", Label(span), help=f"did you mean `{near}`?",
                          fixes=(Fix(span, near, f"write `{near}`"),))  # fmt: skip
    return Diagnostic("E0105", f"a declaration cannot start with `{first}`", Label(span),
                      help=f"declarations start with {', '.join(words[:-1])} or {words[-1]}")  # fmt: skip

"""Text to syntax tree: every declaration on its own, so that one mistake never hides another."""

from __future__ import annotations

import itertools
from dataclasses import replace

from bsi.dsl import ast
from bsi.dsl.build import Builder, Refused, Tree
from bsi.dsl.chunks import Chunk, cut
from bsi.dsl.diagnostic import Diagnostic, Fix, Label
from bsi.dsl.doubtful import doubtful
from bsi.dsl.grammar import grammar
from bsi.dsl.span import Source, Span
from bsi.dsl.syntax import stopped, unknown_declaration
from bsi.dsl.tokens import lex

EDITIONS = (1,)

Built = tuple[ast.Edition | ast.Declaration, ...]


def parse(source: Source) -> tuple[ast.Module, list[Diagnostic]]:
    """The module that a text declares, and its syntax errors.

    Declarations with an error are left out and their names kept in `Module.broken`. No text makes this raise.
    """
    lexed = lex(source)
    diagnostics = list(lexed.diagnostics)
    nodes: list[ast.Edition | ast.Declaration] = []
    broken: set[str] = set()
    for chunk in cut(lexed.tokens, source):
        start, end = chunk.tokens[0].start_pos or 0, chunk.tokens[-1].end_pos or 0
        unreadable = any(start <= offset < end for offset in lexed.broken)
        built, found = ((), []) if unreadable else _declaration(chunk, source.file)
        diagnostics += found
        nodes += built
        if not built:
            broken |= _names(chunk)
    edition = _edition(nodes, source, diagnostics, unreadable=any(token.type == "BSI" for token in lexed.tokens[:1]))
    declarations = tuple(node for node in nodes if not isinstance(node, ast.Edition))
    diagnostics.sort(key=Diagnostic.sort_key)
    return ast.Module(source.file, edition, declarations, frozenset(broken)), diagnostics


def _declaration(chunk: Chunk, file: str) -> tuple[Built, list[Diagnostic]]:
    """What a chunk declares (nothing if it is broken), and at most one mistake that breaks it."""
    if chunk.noun is None:
        return (), [unknown_declaration(chunk, file)]
    if chunk.broken:
        return (), [_sooner(chunk, diagnostic, file) for diagnostic in chunk.diagnostics]
    tree, diagnostic = _tree(chunk, file)
    if diagnostic:
        return (), [*chunk.diagnostics, diagnostic]
    builder = Builder(file)
    try:
        built = builder.declaration(tree)
    except Refused as refused:
        return (), [*chunk.diagnostics, *builder.diagnostics, refused.diagnostic]
    doubts = doubtful(chunk, file)
    return (() if doubts else built), [*chunk.diagnostics, *builder.diagnostics, *doubts]


def _tree(chunk: Chunk, file: str) -> tuple[Tree | None, Diagnostic | None]:
    """Feed the tokens to the LALR parser: its tree, or where it stopped."""
    from lark import Token, UnexpectedToken

    parser = grammar().parse_interactive("")
    previous = chunk.tokens[0]
    end = Token.new_borrow_pos("$END", "", chunk.tokens[-1])
    tree = None
    for token in [*chunk.tokens, end]:
        try:
            tree = parser.feed_token(token)
        except UnexpectedToken:
            return None, stopped(chunk, token, previous, parser.accepts(), file)
        previous = token
    return tree, None


def _sooner(chunk: Chunk, diagnostic: Diagnostic, file: str) -> Diagnostic:
    """A mistake of brackets, put where the parser already sees it: `)` is missing before the `=` of `p(theta = 1`, long
    before a closing bracket or the end of the declaration proves it."""
    if diagnostic.code not in ("E0102", "E0103") or diagnostic.primary is None:
        return diagnostic
    _, sooner = _tree(chunk, file)
    if sooner is None or sooner.primary is None or sooner.primary.span.start >= diagnostic.primary.span.start:
        return diagnostic
    if diagnostic.code == "E0103":  # the bracket that would have opened is missing here
        return sooner
    opener = diagnostic.secondary[0].span
    place = _gap(chunk, sooner.primary.span)
    if place.start < opener.end:
        return diagnostic
    return replace(diagnostic, primary=Label(place, diagnostic.primary.text))


def _gap(chunk: Chunk, span: Span) -> Span:
    """`span`, or the end of the line before it when it is the first of its line: something is missing there."""
    for before, token in itertools.pairwise(token for token in chunk.tokens if token.type != "_NEWLINE"):
        if token.start_pos == span.start and before.end_line != token.line:
            return Span(before.end_pos or 0, before.end_pos or 0, span.file)
    return span


def _names(chunk: Chunk) -> set[str]:
    """The names that a broken declaration may have meant to declare: a use of them is no second mistake.

    A broken declaration may hold the next one too, whose noun is missing: the first two words of every line count.
    """
    tokens = [token for token in chunk.tokens if token.type != "_NEWLINE"]
    if tokens[0].type == "CHECK":
        return set()
    if tokens[0].type == "DIM":
        pairs = itertools.pairwise(tokens)
        names = {str(name) for before, name in pairs if before.type in ("DIM", "COMMA") and name.type == "NAME"}
    else:
        names = {str(token) for token in tokens[-1:] if tokens[0].type == "IMPORT" and token.type == "NAME"}
    if chunk.noun is None:  # it may follow another order, as `real<lower = 0> sigma;` does
        names |= {str(token) for token in tokens if token.type == "NAME" and token.line == tokens[0].line}
    lines = itertools.groupby(tokens, key=lambda token: token.line)
    return names | {str(token) for _, line in lines for token in list(line)[:2] if token.type == "NAME"}


def _edition(
    nodes: list[ast.Edition | ast.Declaration], source: Source, diagnostics: list[Diagnostic], unreadable: bool
) -> ast.Edition | None:
    """The edition, which the first declaration must give."""
    editions = [node for node in nodes if isinstance(node, ast.Edition)]
    if not editions:
        if not unreadable:  # an edition line with a syntax error has been reported
            start = Span(0, 0, source.file)
            fix = Fix(start, f"bsi {EDITIONS[-1]}\n\n", "insert the edition")
            message = "the file does not say which edition of the language it is written in"
            help_ = f"write `bsi {EDITIONS[-1]}` in the first line"
            diagnostics.append(Diagnostic("E0117", message, Label(start), help=help_, fixes=(fix,)))
        return None
    first, *others = editions
    if first.version.value not in EDITIONS:
        message = f"edition {first.version.text} of the language is not known here"
        known = " or ".join(f"`bsi {number}`" for number in EDITIONS)
        help_ = f"write {known}, or install a newer bsi"
        diagnostics.append(Diagnostic("E0118", message, Label(first.version.span), help=help_))
    if nodes[0] is not first:
        others = [first, *others]
    for edition in others:
        message = "the edition is given before everything else, and once"
        diagnostics.append(Diagnostic("E0119", message, Label(edition.span), help="move it to the first line"))
    return first

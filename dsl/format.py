"""The canonical layout of a file: spaces, line breaks and separators change and nothing else, which is checked here."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from bsi.dsl import ast
from bsi.dsl.chunks import CLOSERS, Chunk, cut
from bsi.dsl.diagnostic import Diagnostic, has_errors
from bsi.dsl.layout import Entry, Group, lay_out
from bsi.dsl.parser import parse
from bsi.dsl.spacing import space
from bsi.dsl.span import Source, Span
from bsi.dsl.tokens import lex

if TYPE_CHECKING:
    from lark import Token


def format_source(source: Source) -> tuple[str | None, list[Diagnostic]]:
    """The formatted text, or None and why not: syntax errors, or a failed check of the formatter's own work (E0901)."""
    module, diagnostics = parse(source)
    if has_errors(diagnostics):
        return None, diagnostics
    text = _format(source)
    failure = _failure(source, module, text)
    if failure:
        return None, [Diagnostic("E0901", f"the formatter {failure}; the file is left as it is",
                                 help="please report this file to the authors of bsi")]  # fmt: skip
    return text, []


def _failure(source: Source, module: ast.Module, text: str) -> str | None:
    """What a formatted text lost, if anything."""
    again = Source(source.file, text)
    parsed, diagnostics = parse(again)
    if has_errors(diagnostics) or same(parsed) != same(module):
        return "would change what this file means"
    if _comments(again) != _comments(source):
        return "would lose a comment"
    if _format(again) != text:
        return "does not agree with itself"
    return None


def same(node: Any) -> Any:
    """A tree without its places: equal for two texts that declare the same."""
    if is_dataclass(node):
        return type(node).__name__, [same(getattr(node, f.name)) for f in fields(node) if f.name != "span"]
    if isinstance(node, tuple):
        return [same(item) for item in node]
    return None if isinstance(node, Span) else node


def _comments(source: Source) -> list[str]:
    return sorted(str(comment).rstrip() for comment in lex(source).comments)


# ---------------------------------------------------------------- the file


@dataclass
class Block:
    """Lines that stay together: a comment on its own, or a declaration with a comment behind it."""

    lines: list[str]
    comment: str
    first: int  # lines of the source
    last: int


def _format(source: Source) -> str:
    lexed = lex(source)
    chunks = cut(lexed.tokens, source)
    starts = [chunk.tokens[0].start_pos or 0 for chunk in chunks]
    inside: list[list[Token]] = [[] for _ in chunks]
    behind = [""] * len(chunks)
    blocks: list[Block] = []
    for comment in lexed.comments:
        at, line = comment.start_pos or 0, comment.line or 1
        text = str(comment).rstrip()
        i = bisect.bisect_right(starts, at) - 1
        if i >= 0 and at < (chunks[i].tokens[-1].end_pos or 0):
            inside[i].append(comment)
        elif i >= 0 and line == chunks[i].tokens[-1].end_line:
            behind[i] = text
        else:
            blocks.append(Block([text], "", line, line))
    for chunk, comments, comment in zip(chunks, inside, behind, strict=True):
        lines = _declaration(chunk, comments, source)
        blocks.append(Block(lines, comment, chunk.tokens[0].line or 1, chunk.tokens[-1].end_line or 1))
    text = _join(sorted(blocks, key=lambda block: block.first))
    return text.replace("\n", "\r\n") if "\r\n" in source.text else text


def _join(blocks: Sequence[Block]) -> str:
    """Blocks with at most one blank line between them, the comments behind neighbours in one column."""
    lines: list[str] = []
    run: list[tuple[int, str]] = []  # lines with a comment behind them, one below the other
    for i, block in enumerate(blocks):
        if i and block.first > blocks[i - 1].last + 1:
            lines.append("")
        lines += block.lines
        if not block.comment or (run and run[-1][0] != len(lines) - 2):
            _align(lines, run)
            run = []
        if block.comment:
            run.append((len(lines) - 1, block.comment))
    _align(lines, run)
    return "".join(line + "\n" for line in lines)


def _align(lines: list[str], run: Sequence[tuple[int, str]]) -> None:
    column = max((len(lines[i]) for i, _ in run), default=0) + 2
    for i, comment in run:
        lines[i] = f"{lines[i]:<{column}}{comment}"


# ---------------------------------------------------------------- one declaration


def _declaration(chunk: Chunk, comments: Sequence[Token], source: Source) -> list[str]:
    """The lines of a declaration; a comment inside it but outside its brackets moves above it."""
    root = _tree(chunk, comments, source)
    return [*root.before, *root.after, *lay_out(root.parts)]


def _tree(chunk: Chunk, comments: Sequence[Token], source: Source) -> Entry:
    """The tokens of a declaration as nested brackets, each comment with the entry it belongs to."""
    tokens = chunk.tokens
    pieces = iter(space([_text(token) for token in tokens]))
    root = Entry()
    open_: list[Group] = []
    current = root  # the entry being filled
    waiting = list(comments)
    for i, token in enumerate(tokens):
        while waiting and (waiting[0].start_pos or 0) < (token.start_pos or 0):
            _place(waiting.pop(0), token, current, open_[-1] if open_ else None, source)
        piece = next(pieces)
        if token.type in CLOSERS:
            body = token.type == "LBRACE" and tokens[i - 1].type == "EQUAL" and chunk.noun in ("PRIOR", "LIKELIHOOD")
            group = Group(piece, body)
            current.parts.append(group)
            open_.append(group)
            current = Entry()
            group.entries.append(current)
        elif token.type in CLOSERS.values():
            group = open_.pop()
            group.closer = piece
            last = group.entries[-1]
            if not last.parts:  # nothing, or a separator, before the closing bracket
                group.tail = [*last.before, *last.after, *group.tail]
                group.entries.pop()
            current = open_[-1].entries[-1] if open_ else root
        elif open_ and token.type in ("COMMA", "SEMICOLON", "_NEWLINE"):
            current = Entry()
            open_[-1].entries.append(current)
        else:
            current.parts.append(piece)
    return root


def _text(token: Token) -> str:
    return "," if token.type == "_NEWLINE" else str(token)


def _place(comment: Token, following: Token, current: Entry, group: Group | None, source: Source) -> None:
    text = str(comment).rstrip()
    line_start = source.line_starts[(comment.line or 1) - 1]
    alone = not source.text[line_start : comment.start_pos].strip()
    if group is None:
        current.before.append(text)
    elif alone and following.type in CLOSERS.values():
        group.tail.append(text)
    elif alone:
        current.before.append(text)
    elif current.parts:
        current.after.append(text)
    elif len(group.entries) > 1:  # behind a separator: it speaks of the entry before
        group.entries[-2].after.append(text)
    else:
        current.before.append(text)

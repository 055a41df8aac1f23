"""One mistake about a name is one diagnostic: all its uses are told together, a misspelling where it most likely is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bsi.compiler.report import counted
from bsi.dsl import ast
from bsi.dsl.diagnostic import Diagnostic, Fix, Label
from bsi.dsl.span import Source, Span

UNKNOWN, INDEXED = "E0201", "E0311"  # a name that is not known; a value with too few axes for its indices


def gather(
    diagnostics: Sequence[Diagnostic], declared: Iterable[ast.Name], sources: Mapping[str, Source]
) -> list[Diagnostic]:
    """`diagnostics` with all uses of one unknown name, or of one value without axes, in one of them.

    Where the unknown name is one slip away from a declared name that stands nowhere else, one of the two spellings is
    wrong: the one that the file has less often, counting texts and comments; of two equals the use.
    """
    groups: dict[tuple[str, str, str], list[Diagnostic]] = {}
    for diagnostic in diagnostics:
        name = _subject(diagnostic, sources)
        if name:
            groups.setdefault((diagnostic.code, *name), []).append(diagnostic)
    words = {file: Counter(re.findall(r"\w+", sources[file].text)) for file in {file for _, file, _ in groups}}
    lonely = [it for it in declared if words.get(it.span.file, {}).get(it.id) == 1]
    told: dict[int, Diagnostic] = {}
    for (code, file, name), uses in groups.items():
        near = (it for it in lonely if code == UNKNOWN and it.span.file == file and slip(it.id, name))
        told[id(uses[0])] = _together(name, uses, next(near, None), words[file][name] > 1)
    left_out = {id(use) for uses in groups.values() for use in uses[1:]}
    return [told.get(id(diagnostic), diagnostic) for diagnostic in diagnostics if id(diagnostic) not in left_out]


def _subject(diagnostic: Diagnostic, sources: Mapping[str, Source]) -> tuple[str, str] | None:
    """The file and the name that a diagnostic is about, if all about that name is one mistake."""
    if diagnostic.code not in (UNKNOWN, INDEXED) or diagnostic.primary is None:
        return None
    span = diagnostic.primary.span
    if span.file not in sources:
        return None
    text = sources[span.file].text[span.start : span.end]
    return span.file, text.partition("[")[0] if diagnostic.code == INDEXED else text


def _together(name: str, uses: Sequence[Diagnostic], alone: ast.Name | None, often: bool) -> Diagnostic:
    first, *rest = uses
    places = tuple(Label(use.primary.span, "used again") for use in rest if use.primary)
    if alone is None or first.primary is None:
        return replace(first, secondary=(*first.secondary, *places))
    if not often:
        here = Label(alone.span, "declared here, and used nowhere")
        return replace(first, secondary=(here, *places), help=f"did you mean `{alone.id}`?",
                       fixes=(_fix(first.primary.span, alone.id),))  # fmt: skip
    return Diagnostic(
        UNKNOWN,
        f"`{alone.id}` is declared, but used as `{name}`",
        Label(alone.span, "used nowhere"),
        (Label(first.primary.span, counted(len(uses), "use")), *places),
        help=f"did you mean `{name}`?",
        fixes=(_fix(alone.span, name),),
    )


def _fix(span: Span, name: str) -> Fix:
    return Fix(span, name, f"write `{name}`")


def slip(a: str, b: str) -> bool:
    """Whether one letter left out, put in, changed, or exchanged with its neighbour makes `b` of `a`.

    Names of one or two letters are all near each other, so they never count.
    """
    if a == b or abs(len(a) - len(b)) > 1 or len(a) + len(b) < 5:
        return False
    first = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    rest, other = a[first:], b[first:]
    return (
        rest[1:] == other
        or rest == other[1:]
        or rest[1:] == other[1:]
        or (rest[:2] == other[:2][::-1] and rest[2:] == other[2:])
    )

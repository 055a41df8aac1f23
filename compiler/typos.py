"""One misspelled name is one mistake: every use of it is told together, at the place that is most likely wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bsi.compiler.report import counted
from bsi.dsl import ast
from bsi.dsl.diagnostic import Diagnostic, Fix, Label
from bsi.dsl.span import Source, Span

UNKNOWN = "E0201"


def gather(
    diagnostics: Sequence[Diagnostic], declared: Iterable[ast.Name], sources: Mapping[str, Source]
) -> list[Diagnostic]:
    """`diagnostics` with all uses of one unknown name in one of them.

    Where the unknown name is one slip away from a declared name that stands nowhere else, one of the two spellings is
    wrong: the one that the file has less often, counting texts and comments; of two equals the use.
    """
    groups: dict[tuple[str, str], list[Diagnostic]] = {}
    for diagnostic in diagnostics:
        name = _unknown(diagnostic, sources)
        if name:
            groups.setdefault(name, []).append(diagnostic)
    words = {file: Counter(re.findall(r"\w+", sources[file].text)) for file in {file for file, _ in groups}}
    lonely = [it for it in declared if words.get(it.span.file, {}).get(it.id) == 1]
    told: dict[int, Diagnostic] = {}
    for (file, name), uses in groups.items():
        near = next((it for it in lonely if it.span.file == file and slip(it.id, name)), None)
        told[id(uses[0])] = _together(name, uses, near, words[file][name] > 1)
    left_out = {id(use) for uses in groups.values() for use in uses[1:]}
    return [told.get(id(diagnostic), diagnostic) for diagnostic in diagnostics if id(diagnostic) not in left_out]


def _unknown(diagnostic: Diagnostic, sources: Mapping[str, Source]) -> tuple[str, str] | None:
    """The file and the name that a diagnostic does not know."""
    if diagnostic.code != UNKNOWN or diagnostic.primary is None or diagnostic.primary.span.file not in sources:
        return None
    span = diagnostic.primary.span
    return span.file, sources[span.file].text[span.start : span.end]


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

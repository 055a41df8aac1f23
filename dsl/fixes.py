"""Safe edits that diagnostics offer, applied to the text they are about."""

from __future__ import annotations

from collections.abc import Iterable

from bsi.dsl.diagnostic import Diagnostic
from bsi.dsl.span import Source


def apply(source: Source, diagnostics: Iterable[Diagnostic]) -> str:
    """The text of `source` with the fixes for it; of two that overlap the later one in the text."""
    fixes = {fix.span: fix for d in diagnostics for fix in d.fixes if fix.span.file == source.file}
    text, end = source.text, len(source.text) + 1
    for span in sorted(fixes, reverse=True):  # the last first, so that spans stay true
        if span.end <= end:
            text, end = text[: span.start] + fixes[span].replacement + text[span.end :], span.start
    return text

"""Where a diagnostic stands, in the terms of machine-readable formats: lines and columns from 1, offsets from 0."""

from __future__ import annotations

from collections.abc import Mapping

from bsi.dsl.span import Source, Span


def region(span: Span, sources: Mapping[str, Source]) -> dict[str, int]:
    """Offsets, lines and columns of a span, all in code points; offsets alone where the source is not known."""
    out = {"start": span.start, "end": span.end}
    if span.file in sources:
        line, column = sources[span.file].line_and_column(span.start)
        end_line, end_column = sources[span.file].line_and_column(span.end)
        out |= {"line": line, "column": column, "end_line": end_line, "end_column": end_column}
    return out

"""Diagnostics for programs, in the form of `diagnostics.schema.json` beside this file.

It is versioned by its key `schema`: within a version keys are only added.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bsi.dsl.diagnostic import Diagnostic, Label
from bsi.dsl.render.data import region
from bsi.dsl.span import Source

SCHEMA = 1


def render_json(diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source]) -> str:
    """`{"schema": 1, "diagnostics": [...]}`; lines and columns count from 1, offsets are half-open and count from 0."""
    content = {"schema": SCHEMA, "diagnostics": [_diagnostic(diagnostic, sources) for diagnostic in diagnostics]}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _diagnostic(diagnostic: Diagnostic, sources: Mapping[str, Source]) -> dict[str, Any]:
    def label(it: Label) -> dict[str, Any]:
        return {"file": it.span.file, **region(it.span, sources), "text": it.text}

    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "primary": label(diagnostic.primary) if diagnostic.primary else None,
        "secondary": [label(it) for it in diagnostic.secondary],
        "notes": list(diagnostic.notes),
        "help": diagnostic.help,
        "fixes": [
            {
                "file": fix.span.file,
                **region(fix.span, sources),
                "replacement": fix.replacement,
                "description": fix.description,
            }
            for fix in diagnostic.fixes
        ],
    }

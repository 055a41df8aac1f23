"""Diagnostics in SARIF 2.1.0, the exchange format of code scanners."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bsi.dsl.diagnostic import Diagnostic, Label
from bsi.dsl.render.data import region
from bsi.dsl.span import Source, Span

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render_sarif(diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source]) -> str:
    """One run of the tool `bsi`; columns count code points, fixes are replacements."""
    rules = sorted({diagnostic.code for diagnostic in diagnostics})
    run = {
        "tool": {"driver": {"name": "bsi", "rules": [{"id": code} for code in rules]}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(diagnostic, sources) for diagnostic in diagnostics],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _result(diagnostic: Diagnostic, sources: Mapping[str, Source]) -> dict[str, Any]:
    advice = [f"help: {diagnostic.help}"] if diagnostic.help else []
    text = ". ".join([diagnostic.message, *diagnostic.notes, *advice])
    result: dict[str, Any] = {"ruleId": diagnostic.code, "level": diagnostic.severity, "message": {"text": text}}
    if diagnostic.primary:
        result["locations"] = [_location(diagnostic.primary, sources)]
    if diagnostic.secondary:
        related = [_location(label, sources) for label in diagnostic.secondary]
        result["relatedLocations"] = [{"id": i, **location} for i, location in enumerate(related)]
    if diagnostic.fixes:
        result["fixes"] = [
            {
                "description": {"text": fix.description},
                "artifactChanges": [
                    {
                        "artifactLocation": _artifact(fix.span),
                        "replacements": [
                            {
                                "deletedRegion": _region(fix.span, sources),
                                "insertedContent": {"text": fix.replacement},
                            }
                        ],
                    }
                ],
            }
            for fix in diagnostic.fixes
        ]
    return result


def _location(label: Label, sources: Mapping[str, Source]) -> dict[str, Any]:
    place = {"artifactLocation": _artifact(label.span), "region": _region(label.span, sources)}
    return {"physicalLocation": place, **({"message": {"text": label.text}} if label.text else {})}


def _artifact(span: Span) -> dict[str, str]:
    return {"uri": quote(span.file.replace("\\", "/"))}


def _region(span: Span, sources: Mapping[str, Source]) -> dict[str, int]:
    place = region(span, sources)
    names = {"startLine": "line", "startColumn": "column", "endLine": "end_line", "endColumn": "end_column"}
    known = {name: place[key] for name, key in names.items() if key in place}
    return {**known, "charOffset": place["start"], "charLength": place["end"] - place["start"]}

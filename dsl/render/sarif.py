"""Diagnostics in SARIF 2.1.0, the exchange format of code scanners (OASIS Standard, 27 March 2020)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from bsi.dsl.diagnostic import Diagnostic, Fix, Label
from bsi.dsl.explain import explain, title
from bsi.dsl.render.data import region
from bsi.dsl.span import Source, Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render_sarif(diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source]) -> str:
    """One run of the tool `bsi`: every code is a rule with its page as help; columns count code points (§3.14.17)."""
    codes = sorted({diagnostic.code for diagnostic in diagnostics})
    rules = [_rule(code, next(d.severity for d in diagnostics if d.code == code)) for code in codes]
    run = {
        "tool": {"driver": {"name": "bsi", "version": version("bsi-lang"), "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(diagnostic, codes.index(diagnostic.code), sources) for diagnostic in diagnostics],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(code: str, level: str) -> dict[str, Any]:
    """A reporting descriptor (§3.49). `help.text` is for viewers that know no Markdown."""
    rule: dict[str, Any] = {"id": code, "defaultConfiguration": {"level": level}}
    page = explain(code)
    if page:
        text = re.sub(r"^(#.*|```.*)\n", "", page, flags=re.MULTILINE).strip()
        rule |= {"shortDescription": {"text": title(code)}, "help": {"text": text, "markdown": page}}
    return rule


def _result(diagnostic: Diagnostic, rule: int, sources: Mapping[str, Source]) -> dict[str, Any]:
    advice = [f"help: {diagnostic.help}"] if diagnostic.help else []
    text = ". ".join([diagnostic.message, *diagnostic.notes, *advice])
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity,
        "message": {"text": text},
    }
    if diagnostic.primary:
        result["locations"] = [_location(diagnostic.primary, sources)]
    if diagnostic.secondary:
        related = [_location(label, sources) for label in diagnostic.secondary]
        result["relatedLocations"] = [{"id": i, **location} for i, location in enumerate(related)]
    if diagnostic.fixes:
        result["fixes"] = [_fix(fix, sources) for fix in diagnostic.fixes]
    return result


def _fix(fix: Fix, sources: Mapping[str, Source]) -> dict[str, Any]:
    replacement = {"deletedRegion": _region(fix.span, sources), "insertedContent": {"text": fix.replacement}}
    change = {"artifactLocation": _artifact(fix.span), "replacements": [replacement]}
    return {"description": {"text": fix.description}, "artifactChanges": [change]}


def _location(label: Label, sources: Mapping[str, Source]) -> dict[str, Any]:
    place = {"artifactLocation": _artifact(label.span), "region": _region(label.span, sources)}
    return {"physicalLocation": place, **({"message": {"text": label.text}} if label.text else {})}


def _artifact(span: Span) -> dict[str, str]:
    """A relative path as a relative reference, an absolute one as a `file:` URI (§3.4.3)."""
    path = PurePath(span.file)
    return {"uri": path.as_uri() if path.is_absolute() else quote(path.as_posix())}


def _region(span: Span, sources: Mapping[str, Source]) -> dict[str, int]:
    place = region(span, sources)
    names = {"startLine": "line", "startColumn": "column", "endLine": "end_line", "endColumn": "end_column"}
    known = {name: place[key] for name, key in names.items() if key in place}
    return {**known, "charOffset": place["start"], "charLength": place["end"] - place["start"]}

"""The formats for programs: every diagnostic of every bad model, against the formats' own schemas."""

from __future__ import annotations

import json

import jsonschema
import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

import bsi.dsl.render
from bsi.dsl.diagnostic import Diagnostic, Fix, Label
from bsi.dsl.explain import codes
from bsi.dsl.render import render_github, render_json, render_sarif
from bsi.dsl.span import Source, Span
from tests.bless import BAD, diagnostics_of, source_of
from tests.dsl.renderings import CASES, SOURCES

SCHEMA = json.loads((bsi.dsl.render.FOLDER / "diagnostics.schema.json").read_text(encoding="utf-8"))
FIXED = Diagnostic("E0104", "fix me", Label(Span(0, 3, "model.bsi")), fixes=(Fix(Span(4, 5, "nets.bsi"), "2", "so"),))
ABROAD = Diagnostic("E0201", "elsewhere", Label(Span(3, 4, "/a b/ü%.bsi"), "here"), help="go there")
EVERYTHING = (*CASES, FIXED, ABROAD)


@pytest.fixture(scope="module")
def found() -> tuple[list[Diagnostic], dict[str, Source]]:
    """All diagnostics of the bad models and of the rendering tests."""
    sources = {str(path): source_of(path) for path in BAD}
    return [*EVERYTHING, *(d for path in BAD for d in diagnostics_of(path))], {**SOURCES, **sources}


def test_json_keeps_its_schema(found):
    content = json.loads(render_json(*found))
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(content)
    definitions = SCHEMA["$defs"]
    place = set(definitions["place"]["properties"])
    for diagnostic in content["diagnostics"]:
        assert set(diagnostic) == set(definitions["diagnostic"]["properties"]), "a new key needs a line in the schema"
        for label in filter(None, [diagnostic["primary"], *diagnostic["secondary"]]):
            assert set(label) <= place | set(definitions["label"]["properties"])
        for fix in diagnostic["fixes"]:
            assert set(fix) <= place | set(definitions["fix"]["properties"])


@pytest.mark.parametrize("change", [{"code": "X1"}, {"severity": "fatal"}, {"primary": {"file": "a"}}, {"help": 3}])
def test_the_schema_refuses(change):
    content = json.loads(render_json([FIXED], SOURCES))
    content["diagnostics"][0] |= change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(content)


def test_sarif_is_valid(found):
    """Against the models that datamodel-codegen made of the standard's own JSON schema: unknown keys are refused."""
    log = Sarif.model_validate_json(render_sarif(*found))
    (run,) = log.runs
    assert run.tool.driver.rules and run.results and len(run.results) == len(found[0])
    for result in run.results:
        rule = run.tool.driver.rules[result.ruleIndex]
        assert rule.id == result.ruleId and bool(rule.help) == (rule.id in codes())
        for location in result.locations or []:
            region = location.physicalLocation.region if location.physicalLocation else None
            assert region is None or region.charOffset >= 0
    with pytest.raises(ValueError):
        Sarif.model_validate_json(render_sarif(*found).replace('"ruleId"', '"rule"'))


def test_sarif_says_where_files_are():
    (result,) = json.loads(render_sarif([ABROAD], {}))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "file:///a%20b/%C3%BC%25.bsi"


def test_sarif_columns_are_code_points():
    source = Source("m.bsi", 'let a = "👍" + b')
    (run,) = json.loads(render_sarif([Diagnostic("E0201", "no b", Label(Span(14, 15, "m.bsi")))], {"m.bsi": source}))[
        "runs"
    ]
    region = run["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert run["columnKind"] == "unicodeCodePoints"
    assert region == {
        "startLine": 1,
        "startColumn": 15,
        "endLine": 1,
        "endColumn": 16,
        "charOffset": 14,
        "charLength": 1,
    }


def test_github_escapes_and_leaves_columns_out_over_lines(found):
    lines = render_github(*found).splitlines()
    assert len(lines) == len(found[0]) and all(line.startswith(("::error ", "::warning ")) for line in lines)
    source = Source("a,b:c.bsi", "let a = [\n1]")
    (line,) = render_github(
        [Diagnostic("E0102", "100%\nno", Label(Span(8, 12, source.file)))], {source.file: source}
    ).splitlines()
    assert line == "::error file=a%2Cb%3Ac.bsi,line=1,endLine=2,title=error[E0102]::100%25%0Ano"

"""Every code has a page, every page's examples say the truth, and every page belongs to a code in use."""

import re
from pathlib import Path

import pytest

import bsi
from bsi.dsl.explain import codes, explain
from bsi.dsl.parser import parse
from bsi.dsl.span import Source

PACKAGE = Path(bsi.__file__).parent
EXAMPLE = re.compile(r"```bsi (bad|good)\n(.*?)\n```", re.DOTALL)
MODULES = [path for folder in ("dsl", "compiler", "runtime", "jobs") for path in (PACKAGE / folder).rglob("*.py")]
MODULES += PACKAGE.glob("*.py")
USED = {code for path in MODULES for code in re.findall(r'"([EWR]\d{3,4})"', path.read_text(encoding="utf-8"))}


def page(code: str) -> str:
    text = explain(code)
    assert text is not None, f"{code} has no page"
    return text


@pytest.mark.parametrize("code", codes())
def test_page_has_a_title_and_a_reason(code):
    title, blank, reason = page(code).split("\n")[:3]
    assert re.fullmatch(rf"# {code}: [^A-Z].*[^.]", title)
    assert blank == "" and len(reason) > 20


@pytest.mark.parametrize("code", [code for code in codes() if code.startswith("E01")])
def test_examples_of_syntax_errors(code):
    examples = dict(EXAMPLE.findall(page(code)))
    found = {kind: [d.code for d in parse(Source("page.bsi", text + "\n"))[1]] for kind, text in examples.items()}
    assert found == {"bad": [code], "good": []}


@pytest.mark.parametrize("code", codes())
def test_page_belongs_to_a_code_in_use(code):
    assert code in USED


@pytest.mark.parametrize("code", sorted(USED))
def test_code_in_use_has_a_page(code):
    assert page(code)


def test_codes_are_found_in_any_case():
    assert explain(" e0101 ") == explain("E0101")
    assert explain("E9999") is None and explain("../README") is None

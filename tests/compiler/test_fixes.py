"""Every fix that a diagnostic offers mends it: what is left parses no worse, and does not say the same again."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bsi.compiler.analyse import analyse
from bsi.dsl.diagnostic import Diagnostic
from bsi.dsl.explain import FOLDER
from bsi.dsl.fixes import apply
from bsi.dsl.span import Source
from tests.bless import BAD, source_of

PAGES = {
    path.stem: Source(path.name, match[1] + "\n")
    for path in sorted(FOLDER.glob("[EW]*.md"))
    if (match := re.search(r"```bsi bad\n(.*?)\n```", path.read_text(encoding="utf-8"), re.S))
}
ROOT = Path(__file__).parents[2]
SOURCES = {**PAGES, **{path.stem: source_of(path) for path in BAD}}


def said(source: Source) -> list[Diagnostic]:
    return analyse(source).diagnostics


def syntax(diagnostics: list[Diagnostic]) -> int:
    return sum(d.code.startswith("E01") for d in diagnostics)


@pytest.mark.parametrize("name", SOURCES)
def test_a_fix_mends_what_it_is_for(name: str) -> None:
    source = SOURCES[name]
    before = said(source)
    for diagnostic in before:
        for fix in diagnostic.fixes:
            mended = Source(source.file, apply(source, [replace(diagnostic, fixes=(fix,))]))
            after = said(mended)
            assert mended.text != source.text
            assert syntax(after) <= syntax(before) - diagnostic.code.startswith("E01"), mended.text
            same = [d for d in after if (d.code, d.message) == (diagnostic.code, diagnostic.message)]
            known = [d for d in before if (d.code, d.message) == (diagnostic.code, diagnostic.message)]
            assert len(same) < len(known), mended.text


@pytest.mark.parametrize("name", SOURCES)
def test_all_fixes_together_leave_fewer_mistakes(name: str) -> None:
    source = SOURCES[name]
    before = said(source)
    mended = Source(source.file, apply(source, before))
    after = said(mended)
    assert syntax(after) <= syntax(before) and (mended.text == source.text) == (not any(d.fixes for d in before))
    left = [(d.code, d.message) for d in after]
    for diagnostic in before:
        told = (diagnostic.code, diagnostic.message)
        assert not diagnostic.fixes or left.count(told) < [(d.code, d.message) for d in before].count(told)


MISSPELLED = {
    "E0201": "posterior post(theta) = p(thet) * f(obs | theta)",
    "E0307": "param alpha : rael",
    "E0501": "net n = mlp { widht = 8 }",
    "E0502": "net n = mlp { activation = slu }",
    "E0504": "net n = mpl",
    "E0601": 'data s : real[2] = file("tests/golden/bad/rws.csv", key = "y")',
    "E0602": 'data s : real[2] = file("tests/golden/bad/rows.csv", key = "yy")',
    "E0608": 'data s : real[2] = file("tests/golden/bad/rows.csv", kye = "a")',
}


@pytest.mark.parametrize("code", MISSPELLED)
def test_a_misspelled_word_has_a_fix(code: str) -> None:
    text = "bsi 1\nparam theta : real\nprior p(theta) = normal(0, 1)\n"
    text += "likelihood f(x : real | theta) = normal(theta, 1)\nobserve obs : f = 0\n"
    source = Source(str(ROOT / "m.bsi"), f"{text}{MISSPELLED[code]}\n")
    (diagnostic,) = [d for d in said(source) if d.code == code]
    assert len(diagnostic.fixes) == 1
    assert code not in [d.code for d in said(Source(source.file, apply(source, [diagnostic])))]


def test_an_unused_import_can_be_removed(tmp_path: Path) -> None:
    (tmp_path / "nets.bsi").write_text("bsi 1\nlet a = 1\n")
    source = Source(str(tmp_path / "m.bsi"), 'bsi 1\nimport "nets.bsi" as nets\n\nlet b = 1  # bsi: allow W0401\n')
    assert apply(source, said(source)) == "bsi 1\n\nlet b = 1  # bsi: allow W0401\n"
    kept = Source(source.file, source.text.replace("as nets", "as nets  # for later"))
    assert apply(kept, said(kept)) == kept.text


def test_of_two_fixes_that_overlap_one_is_made(tmp_path: Path) -> None:
    source = Source("m.bsi", "bsi 1\nnet n = mlp { widht = 8 }\n")
    (diagnostic,) = [d for d in said(source) if d.code == "E0501"]
    (fix,) = diagnostic.fixes
    wider = replace(fix, span=replace(fix.span, start=fix.span.start - 1), replacement="")
    both = replace(diagnostic, fixes=(fix, wider))
    assert apply(source, [both]) == source.text.replace("widht", "width")
    elsewhere = replace(diagnostic, fixes=(replace(fix, span=replace(fix.span, file="other.bsi")),))
    assert apply(source, [elsewhere]) == source.text

"""A misspelled name is one diagnostic, at the spelling that is most likely wrong."""

from __future__ import annotations

import pytest

from bsi.compiler.analyse import compile_source
from bsi.compiler.typos import slip
from bsi.dsl.diagnostic import Diagnostic
from bsi.dsl.span import Source
from tests.compiler.helpers import MODEL, changed


def the_one(text: str) -> tuple[Diagnostic, str]:
    """The only diagnostic, and the text under it."""
    (found,) = compile_source(Source("model.bsi", text))[1]
    assert found.primary
    return found, text[found.primary.span.start : found.primary.span.end]


def test_a_misspelled_declaration_is_told_where_it_is() -> None:
    found, at = the_one(changed("param theta", "param thetta"))
    assert (found.code, at) == ("E0201", "thetta") and found.help == "did you mean `theta`?"
    assert len(found.secondary) == 3 and found.fixes[0].replacement == "theta"


def test_a_misspelled_use_is_told_where_it_is() -> None:
    found, at = the_one(changed("network = n,", "network = nn,", MODEL.replace("net n ", "net nn1 ")))
    assert at == "nn" and found.secondary[0].text == "declared here, and used nowhere"


def test_uses_of_a_name_that_nothing_resembles_are_told_together() -> None:
    found, at = the_one(changed("dim d = 2\n", ""))
    assert at == "d" and [label.text for label in found.secondary] == ["used again"]


def test_comments_know_how_a_name_is_spelled() -> None:
    text = changed("sweep lambda", "sweep lamda")
    assert the_one(text)[1] == "lambda"
    assert the_one(text.replace("bsi 1", "bsi 1  # over lambda"))[1] == "lamda"


@pytest.mark.parametrize("other", ["heta", "hteta", "ttheta", "thta", "thetaa", "thexa", "thet", "theat"])
def test_slips(other: str) -> None:
    assert slip("theta", other) and slip(other, "theta")


@pytest.mark.parametrize("pair", [("theta", "theta"), ("z", "p"), ("n", "n3"), ("theta", "thxxa"), ("fit", "fitter")])
def test_no_slips(pair: tuple[str, str]) -> None:
    assert not slip(*pair)


def test_indices_into_one_value_without_axes_are_told_together() -> None:
    text = "bsi 1\nlet u = 2\nlet a = u[0] + u[1] * u[2]\n"
    found, at = the_one(text)
    assert (found.code, at, len(found.secondary)) == ("E0311", "u[0]", 2)


def test_a_misspelled_draw_is_neither_left_out_nor_unknown() -> None:
    text = (
        "bsi 1\nparam mu : real\nparam tau : real\n"
        "prior p(mu, tau) = {\n  mu ~ normal(0, 1)\n  taau ~ normal(mu, 1)\n}\n"
        "prior q(mu, tau) = {\n  m ~ normal(0, 1)\n  tau ~ normal(mu, 1)\n}\n"
    )
    found = compile_source(Source("model.bsi", text))[1]
    assert [(d.code, d.help) for d in found] == [("E0201", "did you mean `tau`?"), ("E0201", "did you mean `mu`?")]

"""One wrong token in a good model is reported, once, where it is; the whole table is `python -m benchmarks mutants`."""

from __future__ import annotations

import pytest

from benchmarks.mutants import MODELS, MOST, Outcome, judge, misspellings, mutants, sample, shares

SIZE, SEED = 400, 20_261_121


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return [judge(mutant) for mutant in sample(SIZE, SEED)]


def test_almost_all_are_reported_on_the_right_line(outcomes: list[Outcome]) -> None:
    """The true shares, of all mutants, are above 0.99 and 0.96: of 400, 4 sd below these are 0.97 and 0.92."""
    found = shares(outcomes)
    assert found.reported >= 0.97 and found.right >= 0.92, found


def test_never_a_traceback_and_never_a_flood(outcomes: list[Outcome]) -> None:
    assert [outcome.traceback for outcome in outcomes if outcome.traceback] == []
    assert max(len(outcome.codes) for outcome in outcomes) <= MOST


def test_what_counts_as_the_same(tmp_path) -> None:
    """Equal results are no miss; other results are, even where nobody could know."""
    model = tmp_path / "m.bsi"
    model.write_text(
        "bsi 1\nparam mu : real\nprior p(mu) = normal(0, -1 + 3)\nlikelihood f(x : real | mu) = normal(mu, 1)\n"
        "observe o : f = 0.5\nposterior q(mu) = p(mu) * f(o | mu)\nsample ref = nuts(q)\n"
    )
    every = {(m.how, m.what): judge(m) for m in mutants(model)}
    assert every["delete", "-"].same is False and not every["delete", "-"].reported
    assert every["swap", "p ("].reported and every["delete", "normal"].reported
    assert every["drop", "ref"].same is False and not every["drop", "ref"].reported


def test_every_token_of_every_model_has_mutants() -> None:
    assert len(MODELS) >= 11
    kinds = {mutant.how for mutant in mutants(MODELS[0])}
    assert kinds == {"delete", "swap", "drop", "transpose", "double"}
    assert dict(misspellings("ab")) and not list(misspellings("a"))
    assert [wrong for _, wrong in misspellings("abb")] == ["bb", "bab", "aabb", "ab", "abbb"]

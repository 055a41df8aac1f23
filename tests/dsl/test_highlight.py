"""Every token of every model has its colour, in Pygments and TextMate, and both follow the grammar and the tables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import (
    Comment,
    Error,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Whitespace,
    string_to_tokentype,
)

from bsi.compiler.highlighting import TEXTMATE, rules, textmate, texts
from bsi.dsl.grammar import keywords, nouns
from bsi.dsl.highlight import BsiLexer
from bsi.dsl.span import Source
from bsi.dsl.tokens import lex
from tests.dsl.helpers import EVERYTHING

ROOT = Path(__file__).parents[2]
MODELS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("examples/*/*.bsi"))}
MODELS["everything"] = EVERYTHING


def expected(token) -> tuple:
    """The token types that a word or symbol of the grammar may have."""
    if token.type in nouns():
        return (Keyword.Declaration,)
    if token in keywords():
        return (Keyword, Operator.Word)
    kinds = {"NAME": (Name, Keyword.Type, Keyword.Constant), "NUMBER": (Number,), "STRING": (String,)}
    return kinds.get(token.type, (Punctuation,) if token in "()[]{},;" else (Operator,))


@pytest.mark.parametrize("text", MODELS.values(), ids=MODELS)
def test_every_token_is_coloured(text):
    lexed = lex(Source("m.bsi", text))
    coloured = {start: (kind, word) for start, kind, word in BsiLexer().get_tokens_unprocessed(text)}
    assert Error not in {kind for kind, _ in coloured.values()}
    for token in lexed.tokens:
        if token.type != "_NEWLINE":
            kind, word = coloured[token.start_pos]
            assert word == token and any(kind in allowed for allowed in expected(token)), (token, kind)
    assert [coloured[comment.start_pos] for comment in lexed.comments] == [
        (Comment.Single, str(c)) for c in lexed.comments
    ]


def test_words_have_their_meaning():
    text = "prior p(beta) = { beta ~ normal(mean(x), scale = pi) }\nnet u = mlp { width = 8 }\nparam t : simplex[3]\n"
    kinds = {word: kind for kind, word in BsiLexer().get_tokens(text)}
    assert kinds["beta"] is Name and kinds["normal"] is Name.Builtin and kinds["mean"] is Name.Function
    assert kinds["scale"] is Name.Attribute and kinds["pi"] is Keyword.Constant and kinds["mlp"] is Name.Class
    assert kinds["simplex"] is Keyword.Type and kinds["prior"] is Keyword.Declaration


def scopes(text: str) -> dict[int, tuple[str, str]]:
    """What a TextMate engine does with rules that have no begin and end: at each place the first that matches next."""
    patterns = [(re.compile(rule["match"]), rule["name"]) for rule in textmate()["patterns"]]
    found, at = {}, 0
    while matches := [(match.start(), i, match) for i, (p, _) in enumerate(patterns) if (match := p.search(text, at))]:
        start, i, match = min(matches, key=lambda found: found[:2])
        found[start] = (match[0], patterns[i][1])
        at = match.end()
    return found


def test_textmate_sees_the_same():
    kinds = {rule["textmate"]: string_to_tokentype(rule["pygments"]) for rule in rules()}
    for text in MODELS.values():
        seen = {start: (word, kinds[scope]) for start, (word, scope) in scopes(text).items()}
        lexed = BsiLexer().get_tokens_unprocessed(text)
        assert seen == {start: (word, kind) for start, kind, word in lexed if kind is not Whitespace}


def test_generated_files_are_up_to_date():
    for path, text in texts().items():
        assert path.read_text(encoding="utf-8") == text, "run `python -m bsi.compiler.highlighting`"
    assert json.loads(TEXTMATE.read_text())["scopeName"] == "source.bsi"


def test_pygments_finds_it():
    assert isinstance(get_lexer_by_name("bsi"), BsiLexer)
    assert isinstance(get_lexer_for_filename("model.bsi"), BsiLexer)

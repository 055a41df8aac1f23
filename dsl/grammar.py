"""The LALR parser of `grammar/bsi.lark`, built when it is first needed and kept in the user's own cache folder.

Building takes 0.13 s, half of what `bsi check` may take; loading takes 0.015 s. The cache is JSON: reading it runs no
code.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lark import Lark, Token

GRAMMAR = Path(__file__).parent.parent / "grammar" / "bsi.lark"


class KeepEveryToken:
    """Lark drops a terminal that no rule uses, unless its `postlex` asks for it: comments and mistakes are such."""

    always_accept = (
        *("COMMENT", "_NEWLINE", "FOREIGN_COMMENT", "FOREIGN_OPERATOR"),
        *("BAD_NUMBER", "OPEN_STRING", "STRAY"),
    )

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


@cache
def grammar() -> Lark:
    """The parser of one declaration.

    The lexer is the basic one, which reads the longest word and then asks whether it is a keyword; the contextual one
    has no word boundaries (`priorp = 1` would be `prior p = 1`) and takes keywords for names.
    """
    import lark

    text = GRAMMAR.read_text(encoding="utf-8")
    file = cache_file(hashlib.sha256(f"{lark.__version__}\n{text}".encode()).hexdigest()[:16])
    return (file and _load(file)) or _build(text, file)


def cache_file(digest: str) -> Path | None:
    """Where the tables of a grammar are kept, or None where there is no home to keep them in."""
    folder = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/.cache")
    return Path(folder) / "bsi" / f"grammar-{digest}.json" if os.path.isabs(folder) else None


def _build(text: str, file: Path | None) -> Lark:
    from lark import Lark
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

    parser = Lark(
        text,
        parser="lalr",
        lexer="basic",
        postlex=KeepEveryToken(),
        propagate_positions=True,
        maybe_placeholders=True,
    )
    if file:
        data, memo = parser.memo_serialize([TerminalDef, Rule])
        data["options"] = {name: value for name, value in data["options"].items() if name != "postlex"}
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time, nothing else
            _write(file, json.dumps([data, memo]))  # the form Lark's own standalone parsers are loaded from
    return parser


def _write(file: Path, text: str) -> None:
    """In one step, so that another process never reads half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(f"{_checksum(text)}\n{text}")
    os.replace(temporary, file)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _load(file: Path) -> Lark | None:
    from lark import Lark

    try:
        checksum, _, text = file.read_text(encoding="utf-8").partition("\n")
    except (OSError, ValueError):
        return None
    if checksum != _checksum(text):
        return None
    data, memo = json.loads(text, object_hook=_integer_keys)
    return Lark._load_from_dict(data, memo, postlex=KeepEveryToken())


def _integer_keys(table: dict[str, Any]) -> dict[str | int, Any]:
    """JSON has no integer keys; Lark's tables have, and no other key is made of digits."""
    return {int(key) if key.isdigit() else key: value for key, value in table.items()}


@cache
def keywords() -> frozenset[str]:
    """The words that cannot be names, as the grammar quotes them."""
    return frozenset(t.pattern.value for t in grammar().terminals if t.pattern.value.isidentifier())


@cache
def nouns() -> dict[str, str]:
    """The words that start a declaration, by terminal: `{"PRIOR": "prior", ...}`."""
    declarations = {rule.expansion[0].name for rule in grammar().rules if rule.origin.name == "start"}
    words = {t.name: t.pattern.value for t in grammar().terminals}
    firsts = (rule.expansion[0] for rule in grammar().rules if rule.origin.name in declarations)
    return {symbol.name: words[symbol.name] for symbol in firsts if symbol.is_term}

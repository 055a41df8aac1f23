"""Models in colour, wherever Pygments is used: `pygmentize -l bsi model.bsi`, Sphinx, MkDocs, Jupyter.

The rules are `highlight.json`, which `python -m bsi.compiler.highlighting` writes from the grammar and the tables.
"""

from __future__ import annotations

import json
from pathlib import Path

from pygments.lexer import RegexLexer
from pygments.token import Whitespace, string_to_tokentype

RULES = json.loads((Path(__file__).parent / "highlight.json").read_text(encoding="utf-8"))


class BsiLexer(RegexLexer):
    """Tokens of `.bsi` models."""

    name = "bsi"
    aliases = ("bsi",)
    filenames = ("*.bsi",)
    mimetypes = ("text/x-bsi",)
    version_added = ""
    url = ""
    tokens = {  # noqa: RUF012 (as Pygments declares it)
        "root": [(r"\s+", Whitespace), *((rule["match"], string_to_tokentype(rule["pygments"])) for rule in RULES)]
    }

"""Renderers: one diagnostic, several forms."""

from pathlib import Path

from bsi.dsl.render.github import render_github as render_github
from bsi.dsl.render.json import render_json as render_json
from bsi.dsl.render.sarif import render_sarif as render_sarif
from bsi.dsl.render.text import render_text as render_text

FOLDER = Path(__file__).parent  # of `diagnostics.schema.json`, the published form of `--format json`

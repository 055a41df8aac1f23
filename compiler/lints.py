"""Warnings about a model that is right but may not be meant, and their suppression by `# bsi: allow W0401`."""

from __future__ import annotations

import re

from bsi.compiler.environment import NOUNS, Environment
from bsi.compiler.resolve import shadowed
from bsi.dsl import ast
from bsi.dsl.diagnostic import Diagnostic
from bsi.dsl.span import Source

# What a model is read for: never unused.
RESULTS = (ast.Sample, ast.Import, ast.Simulator)
ALLOW = re.compile(r"#\s*bsi:\s*allow\s+((?:W\d{4}[\s,]*)+)")


def lint(env: Environment) -> None:
    """Unused and shadowed names."""
    for name, declaration in env.declarations.items():
        noun = NOUNS[type(declaration)]
        if name not in env.used and not isinstance(declaration, RESULTS):
            env.report.add(
                "W0401", f"the {noun} `{name}` is never used", env.name_of(name), help="remove it, or use it"
            )
        for inner, what in shadowed(declaration, env.declarations):
            env.report.add(
                "W0402",
                f"`{inner.id}` hides {what} of the same name",
                inner,
                also=[(env.name_of(inner.id), "declared here")],
                help="rename one of them",
            )


def allowed(source: Source, diagnostic: Diagnostic) -> bool:
    """Whether a comment on the line of a warning, or alone on the line above, allows its code."""
    if diagnostic.severity != "warning" or diagnostic.primary is None:
        return False
    number, _ = source.line_and_column(diagnostic.primary.span.start)
    lines = [source.line(number)]
    if number > 1 and source.line(number - 1).lstrip().startswith("#"):
        lines.append(source.line(number - 1))
    found = (match for line in lines if (match := ALLOW.search(line)))
    return any(diagnostic.code in match.group(1) for match in found)

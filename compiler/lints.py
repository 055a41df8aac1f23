"""Warnings about a model that is right but may not be meant."""

from __future__ import annotations

from posixpath import normpath

from bsi.compiler import lint_laws, lint_runs
from bsi.compiler.environment import NOUNS, Environment
from bsi.compiler.ir import Program
from bsi.compiler.resolve import shadowed
from bsi.dsl import ast
from bsi.dsl.span import Span

# What a model is read for: never unused.
RESULTS = (ast.Sample,)


def lint(env: Environment, program: Program) -> None:
    """All lints of the file that is compiled; imported files are looked at when they are checked themselves."""
    _names(env)
    _imported_twice(env)
    for look in (*lint_laws.LINTS, *lint_runs.LINTS):
        look(env, program)


def _names(env: Environment) -> None:
    for name, declaration in env.declarations.items():
        if not env.is_own(declaration):
            continue
        noun = NOUNS[type(declaration)]
        if name not in env.used and not isinstance(declaration, RESULTS):
            # An import that nothing uses is no misspelled name: it can go, and its line with it.
            line = _line(env, declaration) if isinstance(declaration, ast.Import) else None
            message = f"the {noun} `{name}` is never used"
            env.report.add("W0401", message, env.name_of(name), help="remove it, or use it", remove=line)
        for inner, what in shadowed(declaration, env.declarations):
            env.report.add(
                "W0402",
                f"`{inner.id}` hides {what} of the same name",
                inner,
                also=[(env.name_of(inner.id), "declared here")],
                help="rename one of them",
            )


def _line(env: Environment, declaration: ast.Declaration) -> Span | None:
    """The lines of a declaration, unless a comment stands in them."""
    text, span = env.source.text, declaration.span
    end = text.find("\n", span.end) + 1 or len(text)
    return Span(span.start, end, span.file) if not text[span.end : end].strip() else None


def _imported_twice(env: Environment) -> None:
    first: dict[str, ast.Import] = {}
    for declaration in env.all(ast.Import):
        module = normpath(declaration.path.value)
        if env.is_own(declaration) and module in first:
            env.report.add(
                "W0423",
                f"`{declaration.path.value}` is imported twice",
                declaration,
                also=[(first[module], "the first time")],
                help=f"use `{first[module].name.id}` for both",
            )
        first.setdefault(module, declaration)

"""What every phase made: JSON of `bsi emit --stage ast|program|ir|plan`, and a NumPyro program of `--stage numpyro`."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

from bsi.compiler.ir import Program, canonical
from bsi.compiler.numpyro_text import program_text
from bsi.compiler.passes import with_seeds
from bsi.compiler.plan import plan
from bsi.dsl.parser import parse
from bsi.dsl.span import Source, Span

STAGES = ("ast", "program", "ir", "plan")
TABLES = ("params", "data", "priors", "likelihoods", "observations", "posteriors", "sweeps", "trains", "samples")


class Nothing:
    """A store with nothing in it."""

    def has(self, key: str) -> bool:
        return False

    def resumes(self, key: str) -> bool:
        return False

    def previous(self, model: str, name: str) -> dict[str, Any] | None:
        return None


def emit(stage: str, source: Source | None, program: Program | None) -> str | None:
    """Text of a stage, or None when an earlier phase failed.

    `ast` is the syntax tree with its spans, `program` the checked declarations with their names and dims, `ir` the same
    as it goes into keys, `plan` the jobs against an empty store, all as JSON. `numpyro` is Python, of a program that
    has no `numpyro_text.refusals`.
    """
    if stage == "ast":
        return None if source is None else _json(_tree(parse(source)[0]))
    if program is None:
        return None
    match stage:
        case "program":
            return _json({"name": program.name, "dims": program.dims, **_declarations(program, _tree)})
        case "ir":
            return _json(_declarations(program, canonical))
        case "numpyro":
            return program_text(program)
        case "plan":
            return _json([_tree(job) for job in plan(with_seeds(program, 0), Nothing())])
    raise ValueError(f"no stage {stage!r}: there are {', '.join(STAGES)}")


def _declarations(program: Program, show: Any) -> dict[str, Any]:
    tables = {name: {key: show(node) for key, node in getattr(program, name).items()} for name in TABLES}
    return {**tables, "checks": [show(check) for check in program.checks]}


def _tree(node: Any) -> Any:
    """Any tree of dataclasses as JSON values; spans as [start, end]."""
    if isinstance(node, Span):
        return [node.start, node.end]
    if is_dataclass(node) and not isinstance(node, type):
        return {"": type(node).__name__, **{f.name: _tree(getattr(node, f.name)) for f in fields(node)}}
    if isinstance(node, tuple | list):
        return [_tree(item) for item in node]
    if isinstance(node, frozenset):
        return sorted(node)
    if isinstance(node, dict):
        return {str(key): _tree(value) for key, value in node.items()}
    return node


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)

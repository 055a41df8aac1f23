"""User code in a model, found and read without being imported: a module's file, and the function named in it."""

from __future__ import annotations

import ast as python
import hashlib
import importlib
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Literal

from bsi.compiler.ir import PythonCode
from bsi.compiler.report import suggest


@dataclass(frozen=True)
class CodeError(Exception):
    """Why there is no such function."""

    kind: Literal["target", "module", "function"]
    message: str
    help: str


def find(target: str, folder: Path) -> PythonCode:
    """The function that `"pkg.module:function"` names: next to the model first, then where Python looks.

    Raises: CodeError.
    """
    module, colon, function = target.partition(":")
    names = module.split(".")
    if not colon or not all(name.isidentifier() for name in (*names, function)):
        help = 'write `python("module:function")`, for example `python("model:simulate")`'
        raise CodeError("target", f'`"{target}"` does not name a function of a module', help)
    file = _file(names, folder)
    if file is None:
        help = f"put `{'/'.join(names)}.py` into the model's folder, or install its package"
        raise CodeError("module", f"no module `{module}` is found", help)
    try:
        text = file.read_bytes()
        defined = _defined(python.parse(text, str(file)))
    except OSError as error:
        raise CodeError("module", f"cannot read `{file.name}`: {(error.strerror or '').lower()}", "") from None
    except (SyntaxError, ValueError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise CodeError("function", f"`{file.name}` is not Python{line}", "run it with Python to see why") from None
    if defined is not None and function not in defined:
        near = suggest(function, defined)
        help = f"did you mean `{near}`?" if near else f"define `{function}` at the top level of that file"
        raise CodeError("function", f"`{file.name}` does not define `{function}`", help)
    return PythonCode(function, hashlib.sha256(text).hexdigest(), module, str(file))


def _file(names: list[str], folder: Path) -> Path | None:
    """The source of a module; packages on the way are looked through, never imported."""
    importlib.invalidate_caches()
    head, *inner = names
    spec = PathFinder.find_spec(head, [str(folder.resolve())]) or PathFinder.find_spec(head)
    for name in inner:  # by its own name: by the dotted one, Python would look for the package in memory
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations or ())) if spec else None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _defined(module: python.Module) -> set[str] | None:
    """Names that a module binds at its top level; None when that cannot be told from its text."""
    names: set[str] = set()
    for node in python.walk(module):
        match node:
            case python.FunctionDef(name=name) | python.ClassDef(name=name):
                names.add(name)
            case python.Import(names=aliases) | python.ImportFrom(names=aliases):
                if any(alias.name == "*" for alias in aliases):
                    return None
                names.update(alias.asname or alias.name.partition(".")[0] for alias in aliases)
            case python.Name(id=name, ctx=python.Store()):
                names.add(name)
            case python.Name(id="globals"):
                return None
    return names

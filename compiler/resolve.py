"""First phase: every declaration under its name; duplicates, reserved names, and nouns of a later version."""

from __future__ import annotations

from collections.abc import Iterable

from bsi.compiler import functions, laws
from bsi.compiler.environment import NOUNS, article
from bsi.compiler.report import Report
from bsi.dsl import ast

# A value may carry a built-in's name, since `beta` and `beta(1, 1)` are never confused; a function may not.
CALLED = {**dict.fromkeys(functions.CALLABLE, "function"), **dict.fromkeys(laws.LAWS, "law")}
SAMPLE_DIMS = ("chain", "draw")  # axes of every result, as ArviZ names them
RESERVED = {**dict.fromkeys(("pi", "inf"), "number"), **dict.fromkeys(("true", "false"), "word")}


def resolve(
    declarations: Iterable[ast.Declaration], report: Report
) -> tuple[dict[str, ast.Declaration], frozenset[str]]:
    """Names -> declarations, in the order of the file, of two with one name the first; and the names declared twice."""
    table: dict[str, ast.Declaration] = {}
    twice: set[str] = set()
    for declaration in declarations:
        if isinstance(declaration, ast.Check):
            continue
        name = declaration.name
        noun = NOUNS[type(declaration)]
        if name.id in table:
            twice.add(name.id)
            report.add(
                "E0202",
                f"`{name.id}` is declared twice",
                name,
                also=[(name_of(table[name.id]), "first declared here")],
                help=f"rename this {noun}; every name is declared once",
            )
            continue
        is_function = isinstance(declaration, ast.Simulator) or (
            isinstance(declaration, ast.Let) and declaration.parameters is not None
        )
        word = name.id.rpartition(".")[2]
        built_in = RESERVED.get(word) or (CALLED.get(word) if is_function else None)
        if built_in:
            report.add(
                "E0205",
                f"`{name.id}` is the name of a built-in {built_in}",
                name,
                help=f"choose another name for this {noun}",
            )
        table[name.id] = declaration
        if name.id in SAMPLE_DIMS and isinstance(declaration, ast.Param | ast.Sweep):
            report.add(
                "E0220",
                f"`{name.id}` is the name of an axis of results",
                name,
                help=f"choose another name for this {noun}",
            )
    return table, frozenset(twice)


def name_of(declaration: ast.Declaration) -> ast.Name:
    assert not isinstance(declaration, ast.Check)
    return declaration.name


def own_names(declaration: ast.Declaration) -> tuple[ast.Name, ...]:
    """Names that a declaration introduces inside itself: parameters, an observed row, locals."""
    match declaration:
        case ast.Let(parameters=tuple() as parameters):
            return parameters
        case ast.Simulator(parameters=parameters, call=call):
            return (*parameters, *(a.value for a in call.arguments if isinstance(a.value, ast.Name)))
        case ast.Likelihood(observed=observed, law=ast.Body(statements=statements)):
            return (observed, *(s.name for s in statements if s.name.id != observed.id))
        case ast.Likelihood(observed=observed):
            return (observed,)
        case ast.Prior(law=ast.Body(statements=statements)):
            return tuple(s.name for s in statements if isinstance(s, ast.Bind))
    return ()


def shadowed(declaration: ast.Declaration, table: dict[str, ast.Declaration]) -> list[tuple[ast.Name, str]]:
    """Inner names that hide a declaration, with what they hide. A function sees a param by an argument only, which does
    well to have its name."""
    hidden = [name for name in own_names(declaration) if name.id in table]
    if isinstance(declaration, ast.Let | ast.Simulator):
        arguments = {id(name) for name in declaration.parameters or ()}
        hidden = [name for name in hidden if id(name) not in arguments or not isinstance(table[name.id], ast.Param)]
    return [(name, article(NOUNS[type(table[name.id])])) for name in hidden]

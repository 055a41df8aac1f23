"""Text -> checked program: the phases of the compiler in order.

parse -> override -> resolve -> elaborate (sizes, types, laws, posteriors, fits, samplers, checks) -> lint -> program
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from bsi.compiler import (
    checks,
    configure,
    inference,
    likelihood_laws,
    lints,
    observations,
    posteriors,
    prior_laws,
    sizes,
    sources,
    unknowns,
)
from bsi.compiler import overrides as overriding
from bsi.compiler.environment import TABLE_READER, Environment
from bsi.compiler.expressions import let
from bsi.compiler.ir import Program, Train
from bsi.compiler.report import Report
from bsi.compiler.resolve import resolve
from bsi.compiler.tables import read_table as read_file
from bsi.dsl import ast
from bsi.dsl.diagnostic import Diagnostic, has_errors
from bsi.dsl.parser import parse
from bsi.dsl.span import Source


def compile_source(
    source: Source, *, read_table: TABLE_READER = read_file, overrides: Mapping[str, str] | None = None
) -> tuple[Program | None, list[Diagnostic]]:
    """A program, or None when there are errors; and everything there is to say, in the order of the file.

    `read_table(path, key=, columns=, index=)` reads data files; `overrides` replaces lets, dims, sweeps and paths of
    data by name, as text.
    """
    module, syntax = parse(source)
    program, diagnostics = compile_module(source, module, read_table=read_table, overrides=overrides or {})
    everything = [*syntax, *diagnostics]
    everything.sort(key=Diagnostic.sort_key)
    return (None if has_errors(everything) else program), everything


def compile_module(
    source: Source, module: ast.Module, *, read_table: TABLE_READER = read_file, overrides: Mapping[str, str]
) -> tuple[Program | None, list[Diagnostic]]:
    """`compile_source` after parsing."""
    report = Report()
    declarations = _overridden(module.declarations, overrides, report)
    table, twice = resolve(declarations, report)
    env = Environment(source, report, table, module.broken, twice, read_table)
    program = _elaborate(env, declarations)
    if not module.broken and not has_errors(report.diagnostics):
        lints.lint(env)
    kept = [d for d in report.diagnostics if not lints.allowed(source, d)]
    return (None if has_errors(kept) else program), kept


def _overridden(
    declarations: tuple[ast.Declaration, ...], given: Mapping[str, str], report: Report
) -> tuple[ast.Declaration, ...]:
    return overriding.apply(declarations, given, report) if given else declarations


def _elaborate(env: Environment, declarations: tuple[ast.Declaration, ...]) -> Program | None:
    """Every declaration once; a broken one leaves a hole, and a program is made only when there is none."""
    implied: dict[str, Train] = {}
    dims = {d.name.id: sizes.dim(env, d) for d in env.all(ast.Dim)}
    for declaration in env.all(ast.Let):
        if declaration.parameters is None:
            let(env, declaration)
    for declaration in env.all(ast.Param):
        unknowns.param_type(env, declaration)
    data = {d.name.id: sources.data(env, d) for d in env.all(ast.Data)}
    priors = {d.name.id: prior_laws.prior(env, d) for d in env.all(ast.Prior)}
    likelihoods = {d.name.id: likelihood_laws.likelihood(env, d) for d in env.all(ast.Likelihood)}
    observed = {d.name.id: observations.observation(env, d) for d in env.all(ast.Observe)}
    sweeps = {d.name.id: posteriors.sweep(env, d) for d in env.all(ast.Sweep)}
    products = {d.name.id: posteriors.posterior(env, d) for d in env.all(ast.Posterior)}
    for declaration in env.all(ast.Net):
        configure.net(env, declaration)
    trains = {d.name.id: inference.train(env, d) for d in env.all(ast.Train)}
    samples = {d.name.id: inference.sample(env, d, implied) for d in env.all(ast.Sample)}
    checked = [(d, checks.check(env, d, samples)) for d in declarations if isinstance(d, ast.Check)]
    params = unknowns.params(env, [prior for prior in priors.values() if prior])
    unknowns.doubts(env, params)
    if has_errors(env.report.diagnostics):
        return None
    named = {name: env.declarations[name].span for name in env.declarations}
    places = {**named, **{check.text: d.span for d, check in checked if check}}
    return Program(
        name=PurePath(env.source.file).stem,
        dims=_sound(dims),
        params=params,
        data=_sound(data),
        priors=_sound(priors),
        likelihoods=_sound(likelihoods),
        observations=_sound(observed),
        posteriors=_sound(products),
        sweeps=_sound(sweeps),
        trains={**_sound(trains), **implied},
        samples=_sound(samples),
        checks=tuple(check for _, check in checked if check),
        tables=env.tables,
        spans=places,
        sources={env.source.file: env.source},
    )


def _sound(table: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value is not None}

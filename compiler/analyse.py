"""Text -> checked program: the phases of the compiler in order.

parse -> import -> override -> resolve -> elaborate (sizes, types, laws, posteriors, fits, samplers, checks) -> lint
-> program
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from bsi.compiler import (
    allow,
    checks,
    configure,
    fits,
    inference,
    likelihood_laws,
    lints,
    observations,
    operand_domains,
    posteriors,
    prior_laws,
    simulators,
    sizes,
    sources,
    typos,
    unknowns,
)
from bsi.compiler import overrides as overriding
from bsi.compiler.environment import TABLE_READER, Environment
from bsi.compiler.expressions import let
from bsi.compiler.imports import READ_SOURCE, link
from bsi.compiler.ir import Check, Program, Sample, Train
from bsi.compiler.report import Report
from bsi.compiler.resolve import name_of, resolve
from bsi.compiler.tables import read_table as read_file
from bsi.dsl import ast
from bsi.dsl.diagnostic import Diagnostic, has_errors
from bsi.dsl.parser import parse
from bsi.dsl.read import read_source as read_text
from bsi.dsl.span import Source


@dataclass(frozen=True)
class Analysis:
    """A program, or None when there are errors; all there is to say, in the order of the files; and their texts."""

    program: Program | None
    diagnostics: list[Diagnostic]
    sources: Mapping[str, Source]


def compile_source(
    source: Source,
    *,
    read_table: TABLE_READER = read_file,
    read_source: READ_SOURCE = read_text,
    overrides: Mapping[str, str] | None = None,
) -> tuple[Program | None, list[Diagnostic]]:
    """`analyse`, without the texts."""
    found = analyse(source, read_table=read_table, read_source=read_source, overrides=overrides)
    return found.program, found.diagnostics


def analyse(
    source: Source,
    *,
    read_table: TABLE_READER = read_file,
    read_source: READ_SOURCE = read_text,
    overrides: Mapping[str, str] | None = None,
) -> Analysis:
    """Compile a text and the files that it imports.

    `read_table(path, key=, columns=, index=)` reads data files and `read_source(path)` imported ones; `overrides`
    replaces lets, dims, sweeps and paths of data by name, as text.
    """
    report = Report()
    module, syntax = parse(source)
    linked = link(source, module, read_source, report)
    declarations = linked.declarations
    if overrides:
        declarations = overriding.apply(declarations, overrides, report)
    table, twice = resolve(declarations, report)
    asked = tuple(d for d in declarations if isinstance(d, ast.Check))
    env = Environment(source, report, table, linked.broken, twice, read_table, linked.sources, linked.modules, asked)
    env.used |= linked.used
    program = _elaborate(env)
    everything = [*syntax, *linked.diagnostics, *report.diagnostics]
    complete = not linked.broken and not has_errors(everything)
    if complete and program is not None:
        lints.lint(env, program)
    everything = allow.suppress([*syntax, *linked.diagnostics, *report.diagnostics], linked.sources, complete)
    everything = typos.gather(everything, [name_of(declaration) for declaration in table.values()], linked.sources)
    everything.sort(key=lambda d: (bool(d.primary) and not env.is_own(d.primary.span), d.sort_key()))
    if program is None or has_errors(everything):
        return Analysis(None, everything, linked.sources)
    return Analysis(replace(program, overrides=dict(overrides or {})), everything, linked.sources)


def _elaborate(env: Environment) -> Program | None:
    """Every declaration once; a broken one leaves a hole, and a program is made only when there is none."""
    implied: dict[str, Train] = {}
    dims = {d.name.id: sizes.dim(env, d) for d in env.all(ast.Dim)}
    for declaration in env.all(ast.Let):
        if declaration.parameters is None:
            let(env, declaration)
    for declaration in env.all(ast.Param):
        unknowns.param_type(env, declaration)
    data = {d.name.id: sources.data(env, d) for d in env.all(ast.Data)}
    for declaration in env.all(ast.Simulator):
        simulators.declared(env, declaration)
    priors = {d.name.id: prior_laws.prior(env, d) for d in env.all(ast.Prior)}
    likelihoods = {d.name.id: likelihood_laws.likelihood(env, d) for d in env.all(ast.Likelihood)}
    observed = {d.name.id: observations.observation(env, d) for d in env.all(ast.Observe)}
    sweeps = {d.name.id: posteriors.sweep(env, d) for d in env.all(ast.Sweep)}
    products = {d.name.id: posteriors.posterior(env, d) for d in env.all(ast.Posterior)}
    for declaration in env.all(ast.Net):
        configure.net(env, declaration)
    trains = {d.name.id: fits.train(env, d) for d in env.all(ast.Train)}
    samples = {d.name.id: inference.sample(env, d, implied) for d in env.all(ast.Sample)}
    checked = [(d, checks.check(env, d, samples)) for d in env.checks]
    params = unknowns.params(env, [prior for prior in priors.values() if prior])
    unknowns.doubts(env, params)
    operand_domains.check(env, params)
    env.settle()
    if has_errors(env.report.diagnostics):
        return None
    samples = _run(env, _sound(samples), [check for _, check in checked if check])
    needed = {fit for s in samples.values() for fit in s.fits} | {f for _, c in checked if c for f in c.fits}
    known = {**_sound(trains), **implied}
    needed |= {known[n].teacher for n in known if n in needed or _is_own(env, n)} - {None}
    trains = {n: t for n, t in known.items() if n in needed or _is_own(env, n)}
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
        trains=trains,
        samples=samples,
        checks=tuple(check for _, check in checked if check),
        tables=env.tables,
        spans=places,
        sources=env.sources,
    )


def _run(env: Environment, samples: dict[str, Sample], checks: list[Check]) -> dict[str, Sample]:
    """What a run draws: all samples of the file itself, and those of imported files that its checks ask for."""
    asked = {name for check in checks for name in check.samples}
    return {name: sample for name, sample in samples.items() if name in asked or _is_own(env, name)}


def _is_own(env: Environment, name: str) -> bool:
    """Whether `name` is declared in the file that is compiled; implied fits are declared nowhere."""
    return name in env.declarations and env.is_own(env.declarations[name])


def _sound(table: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value is not None}

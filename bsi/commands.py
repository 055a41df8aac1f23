"""What each command does; returns the exit status. JAX is imported only by the commands that compute."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bsi import check_tables, terminal
from bsi.api import Checked, Model, Profile, check_file
from bsi.dsl.diagnostic import BsiError, Diagnostic, has_errors
from bsi.dsl.span import Source

if TYPE_CHECKING:
    from bsi.execute import Run
    from bsi.runtime.store import Store

FIX_ROUNDS = 5
OK, CHECK_FAILED, WRONG_MODEL, JOB_FAILED, INTERRUPTED = 0, 1, 2, 3, 130


@dataclass
class _Wrong(Exception):
    """A command that cannot go on: its diagnostics have been printed."""

    status: int


def parse_overrides(values: Sequence[str]) -> tuple[dict[str, str], list[Diagnostic]]:
    """`NAME=VALUE` arguments as a mapping."""
    overrides, wrong = {}, []
    for value in values:
        name, equals, text = value.partition("=")
        if equals and all(part.isidentifier() for part in name.strip().split(".")):
            overrides[name.strip()] = text.strip()
        else:
            wrong.append(Diagnostic("E0007", f"`--set {value}` is not NAME=VALUE", help="write `--set n=20`"))
    return overrides, wrong


def _checked(file: Path, values: Sequence[str]) -> Checked:
    overrides, wrong = parse_overrides(values)
    checked = check_file(file, overrides)
    return replace(checked, diagnostics=wrong + checked.diagnostics)


def _model(file: Path, values: Sequence[str]) -> tuple[Model, dict[str, Source]]:
    """The model of a file, its warnings printed; or its errors printed, and `_Wrong`."""
    checked = _checked(file, values)
    terminal.show_diagnostics(checked.diagnostics, checked.sources)
    if checked.program is None or has_errors(checked.diagnostics):
        raise _Wrong(WRONG_MODEL)
    return Model(checked.program, checked.diagnostics), dict(checked.sources)


@contextlib.contextmanager
def _store() -> Iterator[Store]:
    """The store, with its own errors, and a disk that cannot be written, as diagnostics."""
    from bsi.runtime.store import NotAStoreError, Store, StoreVersionError

    try:
        yield Store()
    except StoreVersionError as error:
        diagnostic = Diagnostic(
            "E0610",
            str(error),
            help=f"move `{error.path}` away, or set BSI_STORE to another folder; nothing was changed",
        )
    except NotAStoreError as error:
        diagnostic = Diagnostic("E0611", str(error), help="set BSI_STORE to an empty or new folder")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        diagnostic = Diagnostic(
            "E0612",
            f"cannot write `{error.filename}`: {reason}",
            help="set BSI_STORE to a folder for the store, and `--out` to one for results",
        )
    else:
        return
    terminal.show_diagnostics([diagnostic], {})
    raise _Wrong(WRONG_MODEL)


def run_file(
    file: Path,
    out: Path | None,
    values: Sequence[str],
    seed: int,
    profile: Profile,
    format: str,
    allow_python: bool = False,
    gpu: bool = False,
) -> int:
    try:
        model, sources = _model(file, values)
        if gpu:
            _need_gpu()
        model = replace(model, allow_python=allow_python)
        with _store() as store:
            return _run(model, sources, store, out, seed, profile, format)
    except _Wrong as wrong:
        return wrong.status


def _need_gpu() -> None:
    """JAX starts on the platform that `--device` chose; without it nothing is computed elsewhere."""
    import jax

    try:
        jax.devices()
    except (RuntimeError, AssertionError):  # the second where JAX has no plugin for it
        wrong = Diagnostic("E0639", "JAX sees no gpu here", help="leave out `--device gpu`, or see `bsi info`")
        terminal.show_diagnostics([wrong], {})
        raise _Wrong(WRONG_MODEL) from None


def _run(
    model: Model, sources: dict[str, Source], store: Store, out: Path | None, seed: int, profile: Profile, format: str
) -> int:
    from rich.console import Console

    from bsi.failure import RunFailure
    from bsi.progress import TerminalProgress

    if profile == "smoke":
        terminal.say("smoke profile: simulations, steps and draws are cut; checks are reported, not enforced")
    progress = TerminalProgress(Console(stderr=True))
    try:
        run = model.run(out, seed=seed, profile=profile, store=store, progress=progress)
    except BsiError as refused:
        terminal.show_diagnostics(refused.diagnostics, sources)
        return WRONG_MODEL
    except RunFailure as failure:
        run = failure.run
    except KeyboardInterrupt:
        terminal.say("interrupted: run it again, it resumes")
        return INTERRUPTED
    finally:
        progress.done()
    terminal.show_diagnostics([*run.warnings, *run.failures], sources)
    show_run(run)
    if format == "json":
        terminal.out(json.dumps(run.summary(), indent=2))
    return JOB_FAILED if run.failures else OK if run.passed else CHECK_FAILED


def show_run(run: Run) -> None:
    """Jobs, checks and where the results are."""
    for job in run.jobs:
        if job.kind != "check":
            took = f"{job.seconds:.1f} s" if job.status == "done" else job.status
            told = job.info.get("summary")
            terminal.say(f"  {job.kind:<9} {job.name:<16} {took}{f'; {told}' if told else ''}")
    for check in run.checks:
        terminal.say(f"  {check.line()}")
        for line in check_tables.lines(check.detail, terminal.width()) if check.detail else ():
            terminal.say(line)
    terminal.say(f"  results in {run.out}/, report in {run.out / 'report.html'}")


def check_files(files: Sequence[Path], values: Sequence[str], format: str, fix: bool) -> int:
    if fix:
        for file in files:
            _fix(file, values)
    results = [_checked(file, values) for file in files]
    # a file that another one imports is looked at twice
    diagnostics = sorted(dict.fromkeys(d for r in results for d in r.diagnostics), key=Diagnostic.sort_key)
    sources = {file: source for r in results for file, source in r.sources.items()}
    if format == "text":
        terminal.show_diagnostics(diagnostics, sources)
        if not diagnostics:
            terminal.say(f"{len(files)} file{'s' if len(files) > 1 else ''} checked, no mistakes found")
    else:
        from bsi.dsl import render

        renderers = {"json": render.render_json, "sarif": render.render_sarif, "github": render.render_github}
        terminal.out(renderers[format](diagnostics, sources))
    return WRONG_MODEL if has_errors(diagnostics) else OK


def _fix(file: Path, values: Sequence[str]) -> None:
    """Apply the fixes for a file to it; what is mended may let others be seen, so a few times."""
    from bsi.dsl.fixes import apply

    for _ in range(FIX_ROUNDS):
        checked = _checked(file, values)
        text = apply(checked.source, checked.diagnostics) if checked.source else None
        if checked.source is None or text is None or text == checked.source.text:
            return
        file.write_text(text, encoding="utf-8", newline="")


def format_files(files: Sequence[Path], check: bool, diff: bool) -> int:
    import difflib

    from bsi.dsl.format import format_source
    from bsi.dsl.read import read_source

    status = OK
    for file in files:
        source, diagnostics = read_source(str(file))
        text = None
        if source is not None:
            text, diagnostics = format_source(source)
        terminal.show_diagnostics(diagnostics, {source.file: source} if source else {})
        if source is None or text is None:
            status = WRONG_MODEL
        elif text != source.text:
            if diff:
                lines = difflib.unified_diff(
                    source.text.splitlines(True), text.splitlines(True), f"{file} (now)", f"{file} (formatted)"
                )
                terminal.out("".join(lines))
            if check:
                terminal.say(f"would reformat {file}")
                status = status or CHECK_FAILED
            elif not diff:
                file.write_text(text, encoding="utf-8")
                terminal.say(f"reformatted {file}")
    return status


def plan_file(file: Path, values: Sequence[str], seed: int, profile: Profile, format: str) -> int:
    try:
        model, sources = _model(file, values)
        with _store() as store:
            from bsi.cost import as_json, costs, describe

            program, jobs = model.prepared(seed, profile), model.plan(seed=seed, profile=profile, store=store)
            estimates, refused = costs(program, jobs, store)
            terminal.show_diagnostics(refused, sources)
            if format == "json":
                terminal.out(as_json(program, jobs, estimates))
            else:
                terminal.out(describe(jobs, estimates, terminal.columns()))
    except _Wrong as wrong:
        return wrong.status
    return WRONG_MODEL if refused else OK


def expand_file(file: Path, values: Sequence[str]) -> int:
    from bsi.compiler.expand import expand

    try:
        model, _ = _model(file, values)
    except _Wrong as wrong:
        return wrong.status
    overrides, _ = parse_overrides(values)
    imported = next((name for name in overrides if "." in name), None)
    if imported:
        message = f"`{imported}` is declared in an imported file, which `expand` leaves as it is"
        help = f"expand that file with `--set {imported.partition('.')[2]}=...`"
        terminal.show_diagnostics([Diagnostic("E0516", message, help=help)], {})
        return WRONG_MODEL
    terminal.out(expand(model.program, overrides))
    return OK


def emit_file(file: Path, stage: str, values: Sequence[str]) -> int:
    from bsi.compiler.emit import emit
    from bsi.compiler.numpyro_text import refusals

    checked = _checked(file, values)
    terminal.show_diagnostics(checked.diagnostics, checked.sources)
    if stage == "numpyro" and checked.program:
        refused = refusals(checked.program)
        terminal.show_diagnostics(refused, checked.sources)
        if refused:
            return WRONG_MODEL
    text = emit(stage, checked.source, checked.program)
    if text is None:
        return WRONG_MODEL
    terminal.out(text)
    return OK


def report_again(folder: Path) -> int:
    from bsi.failure import no_results
    from bsi.reporting import write_report

    if not (folder / "checks.json").is_file():
        terminal.show_diagnostics([no_results(folder)], {})
        return WRONG_MODEL
    terminal.say(f"wrote {write_report(folder)}")
    return OK


def export_fit(folder: Path, fit: str, to: str, out: Path, steps: int) -> int:
    from bsi.export import NotExported, export

    try:
        with _store() as store:
            export(folder, fit, to, out, steps, store)
    except NotExported as refused:
        terminal.show_diagnostics(refused.diagnostics, refused.sources)
        return WRONG_MODEL
    except _Wrong as wrong:
        return wrong.status
    terminal.say(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB), whose README.txt says how to call it")
    return OK


def show_info() -> int:
    from bsi.information import devices, system

    rows = [*system(), *devices()]
    status = OK
    try:
        with _store() as store:
            rows.append(("store", f"{store.root} ({len(store.ls())} entries)"))
    except _Wrong as wrong:
        status = wrong.status
    terminal.out("\n".join(f"{name:<10} {value}" for name, value in rows))
    return status


def list_store() -> int:
    from datetime import datetime

    try:
        with _store() as store:
            rows = [
                [row.key[:12], row.kind, row.model, row.name, f"{row.size / 1e6:.1f} MB",
                 datetime.fromtimestamp(row.created).strftime("%Y-%m-%d %H:%M")]
                for row in store.ls()
            ]  # fmt: skip
    except _Wrong as wrong:
        return wrong.status
    terminal.out(terminal.table(["key", "kind", "model", "name", "size", "made"], rows))
    return OK


def collect_store(older_than: float | None) -> int:
    try:
        with _store() as store:
            removed = store.gc(older_than=None if older_than is None else older_than * 86_400)
    except _Wrong as wrong:
        return wrong.status
    terminal.say(f"removed {len(removed.keys)} entries, {removed.size / 1e6:.1f} MB")
    return OK

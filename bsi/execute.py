"""Execution of a plan, job by job: reuse what the store has, compute the rest, keep everything that was computed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from bsi import lock
from bsi.compiler.ir import Program
from bsi.compiler.one_step import METHOD
from bsi.compiler.plan import Job, plan
from bsi.dsl.diagnostic import BsiError, Diagnostic
from bsi.dsl.render import render_json
from bsi.failure import JobFailure, RunFailure, about, unforeseen
from bsi.foresee import foresee
from bsi.jobs import check as check_job
from bsi.jobs import composition, correct, points
from bsi.jobs import distill as distill_job
from bsi.jobs import exact as exact_job
from bsi.jobs import reference as reference_job
from bsi.jobs import sample as sample_job
from bsi.jobs import train as train_job
from bsi.jobs.check import CheckResult
from bsi.jobs.context import Context
from bsi.jobs.results import save_tree_of
from bsi.runtime.files import write_atomically
from bsi.runtime.progress import Progress
from bsi.runtime.store import Checkpoint, Damaged, Entry, Store, StoreError, enable_compilation_cache
from bsi.user_code import failures_named

if TYPE_CHECKING:
    from xarray import DataTree


@dataclass
class JobRecord:
    """What became of a job: `status` is done, reused, failed or skipped. Seconds are 0 unless it was computed.

    A failed job has its `diagnostic`, in the form of the JSON renderer; a skipped one has as reason which job failed.
    """

    name: str
    kind: str
    key: str
    reused: bool
    seconds: float
    compile_seconds: float
    reason: str
    status: str
    info: dict[str, Any] = field(default_factory=dict)
    diagnostic: dict[str, Any] | None = None


@dataclass
class Run:
    """Results of a run. `run["ode"]` is the DataTree of `sample ode`."""

    out: Path
    checks: list[CheckResult]
    jobs: list[JobRecord]
    warnings: list[Diagnostic]
    enforced: bool
    failures: list[Diagnostic] = field(default_factory=list)
    cause: BaseException | None = None  # what the first failure was raised from

    @property
    def passed(self) -> bool:
        return not self.enforced or all(check.passed is not False for check in self.checks)

    def __getitem__(self, sample: str) -> DataTree:
        from bsi.runtime.results import read

        return read(self.out / f"{sample}.nc")

    def summary(self) -> dict[str, Any]:
        """The content of checks.json."""
        return {
            "schema": 1,
            "enforced": self.enforced,
            "checks": [asdict(check) for check in self.checks],
            "jobs": [asdict(job) for job in self.jobs],
        }


def execute(program: Program, out: Path, store: Store, progress: Progress, *, seed: int, profile: str) -> Run:
    """Runs every job of the plan, in order. After one has failed, those that do not need it still run.

    Raises:
        BsiError: a job cannot run, seen on shapes alone; nothing has been run.
        RunFailure: some job failed; its `run` and checks.json tell what became of every job.
    """
    enable_compilation_cache(store)
    out.mkdir(parents=True, exist_ok=True)
    _keep_sources(program, out)
    jobs = plan(program, store)
    context = Context(program, store, progress, {job.name: job.key for job in jobs})
    refused = [problem for job in jobs if (problem := foresee(program, context.lowered, job)[1])]
    if refused:
        raise BsiError(refused)
    run = Run(out, [], [], [], enforced=profile == "full")
    try:
        lost: dict[str, str] = {}  # jobs without a result -> the failed one that each of them needs
        for job in jobs:
            cause = next((lost[name] for name in job.needs if name in lost), None)
            record = _skipped(job, cause) if cause else _attempt(context, job, run, out)
            run.jobs.append(record)
            if record.status in ("failed", "skipped"):
                lost[job.name] = cause or job.name
                if job.kind == "check":
                    run.checks.append(check_job.without_value(context, job, record.reason))
    finally:
        write_atomically(out / "checks.json", json.dumps(run.summary(), indent=2, allow_nan=False).encode())
        write_atomically(out / "bsi.lock", lock.content(program, jobs, out, seed=seed, profile=profile).encode())
    from bsi.reporting import write_report  # matplotlib: only when there is something to draw

    write_report(out)
    if run.failures:
        raise RunFailure(run) from run.cause
    return run


def _attempt(context: Context, job: Job, run: Run, out: Path) -> JobRecord:
    """One job with what follows from it; a failure is noted in `run` and in the record."""
    began = time.perf_counter()
    try:
        record = _run_job(context, job, run.warnings)
        if job.kind == "train":
            run.warnings += train_job.warnings(context.program, context.program.trains[job.node], record.info)
        if job.kind == "sample":
            sample = context.program.samples[job.node]
            run.warnings += correct.warnings(context.program, sample, record.info)
            run.warnings += composition.warnings(context.program, sample, record.info)
            run.warnings += exact_job.observed(context.program, sample, record.info)
        if job.kind in ("sample", "reference"):
            run.failures += points.failures(context.program, context.program.samples[job.node], record.info)
            save_tree_of(context, job, out / f"{job.name}.nc")
        if job.kind == "check":
            run.checks.append(check_job.result(context, job))
            run.warnings += check_job.warnings(context, job, record.info)
    except JobFailure as failure:
        run.failures.append(failure.diagnostic)
        run.cause = run.cause or failure.__cause__
        (found,) = json.loads(render_json([failure.diagnostic], context.program.sources))["diagnostics"]
        reason = f"{found['code']}: {found['message']}"
        seconds = time.perf_counter() - began
        return JobRecord(job.name, job.kind, job.key, False, seconds, 0.0, reason, "failed", diagnostic=found)
    return record


def _skipped(job: Job, cause: str) -> JobRecord:
    return JobRecord(job.name, job.kind, job.key, False, 0.0, 0.0, f"`{cause}` failed", "skipped")


def _keep_sources(program: Program, out: Path) -> None:
    """Copies of the model and, in a folder of their own, of the files it imports."""
    write_atomically(out / f"{program.name}.bsi", program.source.text.encode())
    imported = [source for source in program.sources.values() if source is not program.source]
    if imported:
        (out / "imports").mkdir(exist_ok=True)
    for number, source in enumerate(imported, 1):
        write_atomically(out / "imports" / f"{number}_{Path(source.file).name}", source.text.encode())


def _run_job(context: Context, job: Job, warnings: list[Diagnostic]) -> JobRecord:
    store = context.store
    with store.lock(job.key):  # another process on the same job: wait, then reuse what it made
        entry = store.look(job.key)
        if isinstance(entry, Entry):
            store.remember(context.program.name, job.name, job.key, job.inputs)
            return JobRecord(job.name, job.kind, job.key, True, 0.0, 0.0, job.reason, "reused", entry.meta["info"])
        if isinstance(entry, Damaged):
            message = f"the stored result of `{job.name}` is damaged and was computed again: {entry.reason}"
            warnings.append(about(context.program, job.node, "W0605", message, notes=(str(entry.path),)))
        meta: dict[str, Any] = {"name": job.name, "model": context.program.name, "inputs": job.inputs}
        with _stopwatch() as watch:
            store.write(job.key, job.kind, meta, lambda folder: meta.update(_guarded(context, job, folder)))
        Checkpoint(store, job.key).clear()
    return JobRecord(job.name, job.kind, job.key, False, watch[0], watch[1], job.reason, "done", meta["info"])


def _guarded(context: Context, job: Job, folder: Path) -> dict[str, Any]:
    """`_compute`, whose every failure is a diagnostic at the job's declaration, but for an unwritable disk."""
    began = time.perf_counter()
    try:
        with failures_named(context.program, context.lowered.host):
            found = _compute(context, job, folder)
    except (JobFailure, StoreError, OSError):
        raise
    except Exception as error:
        raise unforeseen(context.program, job, error) from error
    return {**found, "seconds": time.perf_counter() - began}


def _compute(context: Context, job: Job, folder: Path) -> dict[str, Any]:
    program = context.program
    match job.kind:
        case "simulate":
            return {"info": train_job.simulate(context, program.trains[job.node], folder)}
        case "train":
            train = program.trains[job.node]
            simulated = f"{train.teacher or train.name}.simulations"
            table = context.folder(simulated) if simulated in job.needs else None
            checkpoint = Checkpoint(context.store, job.key)
            return {"info": train_job.fit(context, train, table, checkpoint, folder)}
        case "sample":
            node = program.samples[job.node]
            compute = distill_job.sample if node.method == METHOD else sample_job.compute
            return compute(context, node, folder)
        case "reference":
            node = program.samples[job.node]
            return reference_job.METHODS[node.method](context, node, folder)
        case "check":
            return {"info": check_job.compute(context, job)}
    raise AssertionError(job.kind)


@contextmanager
def _stopwatch() -> Iterator[list[float]]:
    """Wall seconds, and how many of them XLA spent compiling."""
    watch = [0.0, 0.0]

    def listen(event: str, duration_secs: float, **kwargs: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            watch[1] += duration_secs

    jax.monitoring.register_event_duration_secs_listener(listen)
    began = time.perf_counter()
    try:
        yield watch
    finally:
        watch[0] = time.perf_counter() - began
        jax.monitoring.unregister_event_duration_listener(listen)

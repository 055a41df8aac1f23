"""The command line: parse arguments, call one function, print, exit with the contract's status.

0 everything passed, 1 a check failed, 2 the model, its options or its data are wrong, 3 a job failed at run time,
130 interrupted. Heavy imports stay inside the commands: `bsi check` starts without JAX.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bsi import completion, terminal

JOB_FAILED, INTERRUPTED = 3, 130

app = typer.Typer(
    name="bsi",
    help="Score-based Bayesian inference from .bsi model files.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
store_app = typer.Typer(help="What is kept between runs.", no_args_is_help=True)
app.add_typer(store_app, name="store")


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    gpu = "gpu"


class Profile(StrEnum):
    full = "full"
    smoke = "smoke"


class CheckFormat(StrEnum):
    text = "text"
    json = "json"
    sarif = "sarif"
    github = "github"


class RunFormat(StrEnum):
    text = "text"
    json = "json"


class Stage(StrEnum):
    ast = "ast"
    program = "program"
    ir = "ir"
    plan = "plan"
    numpyro = "numpyro"


class Template(StrEnum):
    gaussian = "gaussian"
    regression = "regression"
    ode = "ode"


File = Annotated[Path, typer.Argument(help="a .bsi file", show_default=False, autocompletion=completion.models)]
Files = Annotated[list[Path], typer.Argument(help=".bsi files", show_default=False, autocompletion=completion.models)]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="override a let, dim, sweep or a data file's path"),
]
Seed = Annotated[int, typer.Option(help="root seed", min=0)]
ProfileOption = Annotated[Profile, typer.Option(help="smoke: few simulations, steps and draws; checks not enforced")]


@app.command()
def run(
    file: File,
    out: Annotated[Path | None, typer.Option(help="folder of the results, default runs/<model>")] = None,
    values: Set = None,
    seed: Seed = 0,
    device: Annotated[Device, typer.Option(help="where to compute")] = Device.auto,
    profile: ProfileOption = Profile.full,
    format: Annotated[RunFormat, typer.Option(help="json: checks.json on stdout")] = RunFormat.text,
    allow_python: Annotated[bool, typer.Option("--allow-python", help="let the model call Python simulators")] = False,
) -> None:
    """Run a model: simulate, train, sample, compare, report."""
    if device is not Device.auto:
        os.environ["JAX_PLATFORMS"] = "cuda" if device is Device.gpu else "cpu"
    from bsi.commands import run_file

    wanted = device is Device.gpu
    raise typer.Exit(run_file(file, out, values or [], seed, profile.value, format.value, allow_python, gpu=wanted))


@app.command()
def check(
    files: Files,
    values: Set = None,
    format: Annotated[CheckFormat, typer.Option(help="how diagnostics are printed")] = CheckFormat.text,
    fix: Annotated[bool, typer.Option("--fix", help="apply the safe fixes")] = False,
) -> None:
    """Report every mistake that can be known without running."""
    from bsi.commands import check_files

    raise typer.Exit(check_files(files, values or [], format.value, fix))


@app.command()
def fmt(
    files: Files,
    check: Annotated[bool, typer.Option("--check", help="change nothing, exit 1 if a file would change")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="change nothing, print the changes")] = False,
) -> None:
    """Rewrite files in the canonical layout; comments stay."""
    from bsi.commands import format_files

    raise typer.Exit(format_files(files, check, diff))


@app.command()
def plan(
    file: File,
    values: Set = None,
    seed: Seed = 0,
    profile: ProfileOption = Profile.full,
    format: Annotated[RunFormat, typer.Option(help="json prints the plan as data")] = RunFormat.text,
) -> None:
    """Say what a run would compute or reuse, and why."""
    from bsi.commands import plan_file

    raise typer.Exit(plan_file(file, values or [], seed, profile.value, format.value))


@app.command()
def expand(file: File, values: Set = None) -> None:
    """Print the model with every default filled in."""
    from bsi.commands import expand_file

    raise typer.Exit(expand_file(file, values or []))


@app.command()
def emit(file: File, stage: Annotated[Stage, typer.Option(help="which phase")], values: Set = None) -> None:
    """Print a phase of the compiler as JSON, or the model as a NumPyro program."""
    from bsi.commands import emit_file

    raise typer.Exit(emit_file(file, stage.value, values or []))


@app.command()
def explain(
    code: Annotated[
        str | None,
        typer.Argument(help="a code such as E0302", show_default=False, autocompletion=completion.explained),
    ] = None,
) -> None:
    """Explain a diagnostic: its cause, an example, the way out. Without a code: list them all."""
    from bsi.pages import explain_code

    raise typer.Exit(explain_code(code))


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="a run's folder", show_default=False)],
    fit: Annotated[str, typer.Argument(help="a fit of `train FIT = distill(...)`", show_default=False)],
    to: Annotated[str, typer.Option(help="the format: jax-export")] = "jax-export",
    out: Annotated[Path | None, typer.Option(help="the file, default RUN/FIT.zip", show_default=False)] = None,
    steps: Annotated[int, typer.Option(help="passes of the network a draw, where it has learned several", min=1)] = 1,
) -> None:
    """Write a one-step sampler as a file that needs only JAX.

    It holds the network with its scalers and bijectors: noise and a row in, params out, on a CPU or a CUDA device, for
    any number of draws. Its README.txt has the lines of Python that load and call it; about.json has names, shapes,
    versions and the fit's digest.
    """
    from bsi.commands import export_fit

    raise typer.Exit(export_fit(folder, fit, to, out or folder / f"{fit}.zip", steps))


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="a run's folder", show_default=False)]) -> None:
    """Write report.html again from a run's results."""
    from bsi.commands import report_again

    raise typer.Exit(report_again(folder))


@app.command()
def info() -> None:
    """Versions, devices and the store."""
    from bsi.commands import show_info

    raise typer.Exit(show_info())


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="the model's name", show_default=False)],
    template: Annotated[Template, typer.Option(help="what to start from")] = Template.gaussian,
) -> None:
    """Start a model: a folder with a commented file that runs, and its data."""
    from bsi.starting import new_model

    raise typer.Exit(new_model(name, template.value))


@store_app.command("ls")
def store_ls() -> None:
    """List what is stored."""
    from bsi.commands import list_store

    raise typer.Exit(list_store())


@store_app.command("gc")
def store_gc(
    older_than: Annotated[float | None, typer.Option(metavar="DAYS", help="remove entries older than this")] = None,
) -> None:
    """Remove leftovers of killed runs, and old entries when asked."""
    from bsi.commands import collect_store

    raise typer.Exit(collect_store(older_than))


def main() -> None:
    """Entry point. Our own mistakes say that they are ours; a user's never arrive here."""
    try:
        app()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except Exception as error:
        terminal.internal_error(error)
        raise SystemExit(JOB_FAILED) from error

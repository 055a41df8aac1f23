"""The Python interface. Checking and planning need no JAX; running imports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bsi.compiler.analyse import analyse
from bsi.compiler.ir import Program
from bsi.compiler.passes import smoke, with_seeds
from bsi.compiler.plan import Job, plan
from bsi.dsl.diagnostic import BsiError, Diagnostic, has_errors
from bsi.dsl.read import read_source
from bsi.dsl.span import Source
from bsi.user_code import refusals

if TYPE_CHECKING:
    from bsi.density import ArrayLike, NDArray
    from bsi.execute import Run
    from bsi.runtime.progress import Progress
    from bsi.runtime.store import Store

Profile = Literal["full", "smoke"]


@dataclass(frozen=True)
class Checked:
    """What reading a file gave: a program unless there are errors. `sources`: texts of the file and its imports."""

    source: Source | None
    program: Program | None
    diagnostics: list[Diagnostic]
    sources: Mapping[str, Source] = field(default_factory=dict)


def check_file(path: str | Path, overrides: Mapping[str, str] | None = None) -> Checked:
    """Read and check a file. Never raises for what is in it."""
    source, unreadable = read_source(str(path))
    if source is None:
        return Checked(None, None, unreadable)
    found = analyse(source, overrides=overrides or {})
    return Checked(source, found.program, unreadable + found.diagnostics, found.sources)


def check(text: str, file: str = "<text>") -> list[Diagnostic]:
    """Diagnostics of a model given as text; files that it reads or imports are looked for beside `file`, which by
    default is in the current folder."""
    return analyse(Source(file, text)).diagnostics


def load(path: str | Path, *, allow_python: bool = False, **values: object) -> Model:
    """A checked model.

    Arguments:
        allow_python: whether `run` may call Python simulators of the model.
        values: replace `let`s, `dim`s, `sweep`s or paths of data files, as `--set` does.

    Raises:
        BsiError: the file has errors; it carries their diagnostics.
    """
    checked = check_file(path, {name: str(value) for name, value in values.items()})
    if checked.program is None or has_errors(checked.diagnostics):
        raise BsiError([d for d in checked.diagnostics if d.severity == "error"])
    return Model(checked.program, checked.diagnostics, allow_python)


@dataclass(frozen=True)
class Model:
    """A checked program. `diagnostics` holds its warnings."""

    program: Program
    diagnostics: list[Diagnostic]
    allow_python: bool = False

    def prepared(self, seed: int = 0, profile: Profile = "full") -> Program:
        """The program that a run would execute: seeds filled in, the profile applied."""
        program = with_seeds(self.program, seed)
        return smoke(program) if profile == "smoke" else program

    def plan(self, *, seed: int = 0, profile: Profile = "full", store: Store | None = None) -> list[Job]:
        """What a run would do, and why; nothing is computed."""
        from bsi.runtime.store import Store

        return plan(self.prepared(seed, profile), store or Store())

    def run(
        self,
        out: str | Path | None = None,
        *,
        seed: int = 0,
        profile: Profile = "full",
        store: Store | None = None,
        progress: Progress | None = None,
    ) -> Run:
        """Execute the plan and write results into `out` (default `runs/<model>`).

        Raises:
            BsiError: the model has Python simulators, and was loaded without `allow_python`; nothing has been run.
            bsi.failure.RunFailure: a job failed; those that do not need it ran, and their results are kept.
        """
        if not self.allow_python and (refused := refusals(self.program)):
            raise BsiError(refused)
        from bsi.execute import execute
        from bsi.runtime.progress import NullProgress
        from bsi.runtime.store import Store

        program = self.prepared(seed, profile)
        folder = Path(out) if out else Path("runs") / program.name
        return execute(program, folder, store or Store(), progress or NullProgress(), seed=seed, profile=profile)

    def log_density(
        self,
        sample: str,
        params: Mapping[str, ArrayLike],
        *,
        at: Mapping[str, float] | None = None,
        method: Literal["exact", "hutchinson"] = "exact",
        seed: int = 0,
        profile: Profile = "full",
        store: Store | None = None,
    ) -> NDArray:
        """`ln p` of the law that `sample` draws from, in declared coordinates, by the flow ODE of its denoiser.

        Arguments:
            params: every param of its posterior, (*batch, *shape).
            at: values of the sweeps that it depends on, also between the points of their grids.
            method: `hutchinson` estimates the divergence with random signs: faster for many params.
            seed, profile, store: as in `run`, whose fits are used.

        Returns:
            (*batch,); -inf outside the support, nan where it is not known, as at a bound.

        Raises:
            LookupError: no such sample, or its fits are not trained yet.
            ValueError: names or shapes that are not the posterior's.
        """
        from bsi.density import log_density
        from bsi.runtime.store import Store

        return log_density(self.prepared(seed, profile), store or Store(), sample, params, at or {}, method)

"""Mutants: one token of a good model deleted, swapped with its neighbour, or one letter of it wrong. How many are seen?

A mutant is *reported* when it draws at least one diagnostic. One that is not is *the same* when its program computes
the same results under the same names (equal keys of all jobs), else it is another valid program: a *miss*, whether or
not any checker could have known. The table counts both, so nothing is defined away.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure
from bsi.compiler.analyse import compile_source
from bsi.compiler.emit import Nothing
from bsi.compiler.ir import Program, digest
from bsi.compiler.passes import with_seeds
from bsi.compiler.plan import plan
from bsi.compiler.tables import read_table
from bsi.dsl.diagnostic import Diagnostic
from bsi.dsl.span import Source
from bsi.dsl.tokens import lex

ROOT = Path(__file__).parents[1]
MODELS = sorted([*ROOT.glob("examples/*/*.bsi"), *ROOT.glob("tests/golden/good/*.bsi")])
MOST = 3  # diagnostics for one mistake


@dataclass(frozen=True)
class Mutant:
    """A text with one mistake between the offsets `start` and `end` of the changed text.

    Where a token is gone, the mistake is the gap: from the token before it to the token after it.
    """

    file: str
    how: str  # delete, swap, drop, transpose, double
    what: str  # the token, or the two that changed places
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Outcome:
    """What the compiler said about a mutant. `right` is None for an unreported one."""

    mutant: Mutant
    codes: tuple[str, ...]
    right: bool | None  # a label lies on a line of the mistake
    same: bool  # no diagnostic, and the same program
    traceback: str
    seconds: float

    @property
    def reported(self) -> bool:
        return bool(self.codes)


def mutants(path: Path) -> Iterator[Mutant]:
    """Every mutant of a model that differs from it in its text."""
    text = path.read_text(encoding="utf-8")
    tokens = [token for token in lex(Source(str(path), text)).tokens if token.type != "_NEWLINE"]
    places = [(token.start_pos or 0, token.end_pos or 0) for token in tokens]

    def mutant(how: str, what: str, start: int, end: int, replacement: str) -> Mutant:
        changed = text[:start] + replacement + text[end:]
        return Mutant(str(path), how, what, changed, start, start + len(replacement))

    for i, (start, end) in enumerate(places):
        token = text[start:end]
        before = places[i - 1][1] if i else start
        after = places[i + 1][0] if i + 1 < len(places) else end
        yield Mutant(str(path), "delete", token, text[:start] + text[end:], before, after - (end - start))
        if i + 1 < len(places):
            left, right = places[i + 1]
            other = text[left:right]
            if other != token:
                yield mutant("swap", f"{token} {other}", start, right, other + text[end:left] + token)
        if tokens[i].type in ("NAME", "STRING") or token.isidentifier():
            for how, wrong in misspellings(token):
                yield mutant(how, token, start, end, wrong)


def misspellings(word: str) -> Iterator[tuple[str, str]]:
    """One letter dropped, two neighbours transposed, one letter doubled: each at every place, each wrong word once."""
    seen = {word}
    letters = [i for i, c in enumerate(word) if c.isalnum() or c == "_"]
    if len(letters) < 2:
        return
    for i in letters:
        for how, wrong in (
            ("drop", word[:i] + word[i + 1 :]),
            ("transpose", word[:i] + word[i : i + 2][::-1] + word[i + 2 :] if i + 1 in letters else word),
            ("double", word[: i + 1] + word[i:]),
        ):
            if wrong not in seen:
                seen.add(wrong)
                yield how, wrong


# ---------------------------------------------------------------- judging


@cache
def _table(path: Path, arguments: tuple[tuple[str, Any], ...]) -> Any:
    return read_table(path, **dict(arguments))


def cached_table(path: Path, **arguments: Any) -> Any:
    """`read_table`, once for every file and question: a model's data are the same for all of its mutants."""
    return _table(path, tuple(sorted(arguments.items())))


def results(program: Program) -> Any:
    """What a program computes: its jobs by name and key, and how its results are called."""
    jobs = sorted((job.name, job.kind, job.key) for job in plan(with_seeds(program, 0), Nothing()))
    posteriors = {name: digest(posterior) for name, posterior in program.posteriors.items()}
    return jobs, posteriors, sorted(program.params), sorted(program.observations), sorted(program.likelihoods)


@cache
def original(file: str) -> Any:
    """The results of an unchanged model, which must be clean."""
    source = Source(file, Path(file).read_text(encoding="utf-8"))
    program, diagnostics = compile_source(source, read_table=cached_table)
    assert program is not None and not diagnostics, f"{file} is not clean: {[d.message for d in diagnostics]}"
    return results(program)


def judge(mutant: Mutant) -> Outcome:
    """Compile a mutant."""
    source = Source(mutant.file, mutant.text)
    before = original(mutant.file)
    began = time.perf_counter()
    try:
        program, diagnostics = compile_source(source, read_table=cached_table)
        seconds = time.perf_counter() - began
        same = not diagnostics and program is not None and results(program) == before
    except Exception as error:  # the finding itself: no text may end in a traceback
        trace = f"{type(error).__name__}: {error}"
        return Outcome(mutant, (), None, False, trace, time.perf_counter() - began)
    codes = tuple(diagnostic.code for diagnostic in diagnostics)
    return Outcome(mutant, codes, _right(mutant, source, diagnostics) if codes else None, same, "", seconds)


def _right(mutant: Mutant, source: Source, diagnostics: Sequence[Diagnostic]) -> bool:
    """Whether the first diagnostic's main place touches a line of the mistake."""
    first, last = (source.line_and_column(offset)[0] for offset in (mutant.start, mutant.end))
    primary = diagnostics[0].primary
    if primary is None:
        return False
    begin, end = (source.line_and_column(offset)[0] for offset in (primary.span.start, primary.span.end))
    return begin <= last and end >= first


# ---------------------------------------------------------------- figures


def sample(n: int, seed: int, models: Iterable[Path] = MODELS) -> list[Mutant]:
    """`n` mutants picked at random with a fixed seed, from all models alike."""
    every = [mutant for path in models for mutant in mutants(path)]
    return random.Random(seed).sample(every, min(n, len(every)))


@dataclass(frozen=True)
class Shares:
    """The figures of a set of outcomes."""

    raw: float  # reported, of all
    reported: float  # reported, of those that differ from their model
    right: float  # on the right line, of those reported
    most: int  # diagnostics for one mistake
    tracebacks: int


def shares(outcomes: Sequence[Outcome]) -> Shares:
    reported = [outcome for outcome in outcomes if outcome.reported]
    different = [outcome for outcome in outcomes if not outcome.same]
    return Shares(
        len(reported) / len(outcomes),
        len(reported) / len(different),
        sum(bool(outcome.right) for outcome in reported) / len(reported),
        max(len(outcome.codes) for outcome in outcomes),
        sum(bool(outcome.traceback) for outcome in outcomes),
    )


def measure() -> Iterator[Figure]:
    """The rows of the table: one mutant is one value."""
    outcomes = [judge(mutant) for path in MODELS for mutant in mutants(path)]
    groups = {"all": outcomes}
    for how in ("delete", "swap", "drop", "transpose", "double"):
        groups[how] = [outcome for outcome in outcomes if outcome.mutant.how == how]
    for name, group in groups.items():
        different = [float(outcome.reported) for outcome in group if not outcome.same]
        yield Figure(f"mutants reported, {name}, raw", [float(outcome.reported) for outcome in group], "")
        yield Figure(f"mutants reported, {name}, of other programs", different, "≥ 0.95")
        yield Figure(f"on the right line, {name}", [float(bool(o.right)) for o in group if o.reported], "≥ 0.95")
    yield Figure("diagnostics for one mistake", [float(len(o.codes)) for o in outcomes if o.reported], "≤ 3")
    yield Figure("tracebacks", [float(bool(outcome.traceback)) for outcome in outcomes], "0")
    yield Figure("compiling a mutant", [outcome.seconds for outcome in outcomes], "", "s")


def main() -> None:
    """`python -m benchmarks.mutants [MODEL ...]`: what was missed, by class, for those who improve the checks."""
    paths = [Path(name).resolve() for name in sys.argv[1:]] or MODELS
    outcomes = [judge(mutant) for path in paths for mutant in mutants(path)]
    print(shares(outcomes), f"of {len(outcomes)}, {sum(o.seconds for o in outcomes):.1f} s")
    for title, group in (
        ("tracebacks", [o for o in outcomes if o.traceback]),
        ("too many", [o for o in outcomes if len(o.codes) > MOST]),
        ("misses", [o for o in outcomes if not o.reported and not o.same]),
        ("wrong line", [o for o in outcomes if o.reported and not o.right]),
    ):
        print(f"\n{title}: {len(group)}")
        for (how, line, codes), n in Counter(_case(outcome) for outcome in group).most_common():
            print(f"{n:5} {how:9} {line}   {codes}")


def _case(outcome: Outcome) -> tuple[str, str, str]:
    mutant = outcome.mutant
    source = Source(mutant.file, mutant.text)
    number, column = source.line_and_column(mutant.start)
    line = source.line(number)
    marked = line[: column - 1] + "»" + line[column - 1 :]
    said = outcome.traceback or " ".join(outcome.codes)
    return mutant.how, f"{Path(mutant.file).stem}:{number} [{mutant.what}] {marked}", said


if __name__ == "__main__":
    main()

"""Missing entries of an observation set: how they are written, what fills their place, what they ask of a fit.

A set with holes has two tables: its values, each hole filled with an observed entry so that every density stays finite,
and its holes, 1 where an entry is missing. Everything downstream multiplies by the second, nothing reads a NaN.
"""

from __future__ import annotations

import array
import math
from collections.abc import Iterable
from dataclasses import replace

from bsi.compiler import configure, likelihood_laws, observations, sources
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Law, Observation, Options, Posterior, Table, Train
from bsi.compiler.laws import LAWS
from bsi.compiler.report import listed
from bsi.dsl import ast

Marker = str | float | None  # "nan", a number that stands for a hole, or None: no entry may be missing

# Laws over vectors whose marginals are of the same law, by the sub-block of the mean and the covariance.
MARGINAL = frozenset({"mv_normal", "mv_normal_cholesky"})


def marker(env: Environment, declaration: ast.Data | ast.Observe) -> Marker:
    """What stands for a missing entry of a set; None for data, and after a report."""
    if not isinstance(declaration, ast.Observe) or sources.call_of(declaration.source, "simulate"):
        return None
    options = env.once(
        "observe options",
        declaration.name.id,
        lambda: configure.options(env, "observe", "observe", declaration.options),
    )
    return dict(options)["missing"] if options else None


def marked(table: Table, marker: Marker) -> Table:
    """`table` with NaN wherever the number `marker` stands."""
    if not isinstance(marker, float):
        return table
    values = array.array("d", (math.nan if x == marker else float(x) for x in table.values))
    return replace(table, values=values, integer=False)


def split(table: Table) -> tuple[Table, Table | None]:
    """Values with holes filled, and the table of holes (None if there are none). Rows are the leading axis."""
    if table.integer or not any(map(math.isnan, table.values)):
        return table, None
    holes = array.array("q", (int(math.isnan(x)) for x in table.values))
    return replace(table, values=_fill(table), origin=None), Table(table.shape, holes, True)


def _fill(table: Table) -> array.array[float]:
    """Every hole takes the last observed entry of its column, else the first that follows, else the smallest of all."""
    width = math.prod(table.shape[1:])
    values = array.array("d", table.values)
    seen = [x for x in values if not math.isnan(x)]
    for column in range(width):
        own = values[column::width]
        last = next((x for x in own if not math.isnan(x)), min(seen, default=0.0))
        for row, x in enumerate(own):
            last = last if math.isnan(x) else x
            values[row * width + column] = last
    return values


# ---------------------------------------------------------------- what they ask of fits and references


def settled(env: Environment, likelihood: str | None, options: Options) -> Options:
    """Options of a fit with `missing = auto` decided: `random` if a set of its likelihood may lose part of a row.

    It follows from the declarations alone, so that other data never train again. A row of one number is there or not.
    """
    given = dict(options)
    if given.get("missing") != "auto":
        return options
    sound = likelihood_laws.named(env, likelihood)
    sets = [observe for observe in env.all(ast.Observe) if observe.likelihood.id == likelihood]
    declared = any(marker(env, observe) is not None for observe in sets)
    parts = sound is not None and math.prod(sound.shape) > 1
    return tuple(sorted((given | {"missing": "random" if declared and parts else None}).items()))


def partial(env: Environment, observation: Observation) -> bool:
    """Whether some row has lost a part of itself, but not the whole."""
    if observation.missing is None:
        return False
    size = len(env.tables[observation.missing].values) // observation.rows
    return any(0 < lost < size for lost in _lost(env, observation, size))


def _lost(env: Environment, observation: Observation, size: int) -> Iterable[int]:
    """How many entries are missing in each run of `size` entries."""
    assert observation.missing is not None
    holes = env.tables[observation.missing].values
    return (sum(holes[i : i + size]) for i in range(0, len(holes), size))


def seen(env: Environment, place: ast.Node, posterior: Posterior, fits: Iterable[Train]) -> bool:
    """Whether every fit of a sampler knows what to do with holes in its sets; reports the first that does not."""
    for fit in fits:
        if dict(fit.options).get("missing") is not None or fit.likelihood is None:
            continue
        for observation in _sets(env, posterior, fit.likelihood):
            if partial(env, observation) and "missing" not in dict(fit.options):
                env.report.add(
                    "E0551",
                    f"`{observation.name}` has missing entries, but `{fit.name}` compares whole rows",
                    place,
                    also=[(env.name_of(observation.name), "declared here"), (env.name_of(fit.name), "declared here")],
                    help="train `score` instead: a network learns of rows with holes",
                )
                return False
            if partial(env, observation):
                env.report.add(
                    "E0513",
                    f"`{observation.name}` has missing entries, but `{fit.name}` was told to learn of none",
                    place,
                    also=[(env.name_of(observation.name), "declared here"), (env.name_of(fit.name), "told here")],
                    help=f"write `missing = random` in `{fit.name}`, or leave the option out",
                )
                return False
    return True


def _sets(env: Environment, posterior: Posterior, likelihood: str) -> Iterable[Observation]:
    """The observation sets of one likelihood in a posterior."""
    for factor in posterior.factors:
        declaration = env.declarations.get(factor.observation or "")
        if factor.law == likelihood and isinstance(declaration, ast.Observe):
            found = observations.observation(env, declaration)
            if found:
                yield found


def has_marginals(env: Environment, method: ast.Call, posterior: Posterior) -> bool:
    """Whether a reference can leave the holes of all sets out of its density exactly; reports a law where it cannot."""
    found = without_marginals(env, posterior)
    if found is None:
        return True
    observation, law = found
    env.report.add(
        "E0626",
        f"`{method.function.id}` cannot leave entries of `{observation.name}` out: "
        f"no marginals of `{law.name}` are known",
        method,
        also=[(env.name_of(observation.name), "has missing entries")],
        help=f"known are those of {listed(sorted(MARGINAL))} and of laws of numbers; score-based samplers need none",
    )
    return False


def without_marginals(env: Environment, posterior: Posterior) -> tuple[Observation, Law] | None:
    """The first set with holes that its law cannot leave out."""
    for factor in posterior.factors:
        found = likelihood_laws.named(env, factor.law)
        law = found.draws[-1].law if found and found.explicit else None
        for observation in _sets(env, posterior, factor.law) if law else ():
            assert law is not None
            size = event_size(law)
            if observation.missing is None or _closed(law):
                continue
            if not all(lost in (0, size) for lost in _lost(env, observation, size)):
                return observation, law
    return None


def event_size(law: Law) -> int:
    """How many entries one draw of a law spans: 1 for a law of numbers, however many it draws."""
    if law.components:
        return max(event_size(component) for component in law.components)
    axes = len(LAWS[law.name].axes)
    return math.prod(law.shape[len(law.shape) - axes :])


def _closed(law: Law) -> bool:
    return all(map(_closed, law.components)) if law.components else law.name in MARGINAL or event_size(law) == 1

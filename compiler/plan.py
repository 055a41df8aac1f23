"""Program -> jobs: what a run does, in order, what it can reuse, and why the rest is computed again.

A job's key is the digest of its `inputs`: everything its result depends on, and nothing else. Weights depend on laws,
nets and training options; so no power, observation set, sampler, check or comment can change the key of a `train` job.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from bsi.compiler import exact
from bsi.compiler.fold import references
from bsi.compiler.ir import Check, Expr, Law, Likelihood, Prior, Program, Sample, SweepRef, Train, canonical, digest
from bsi.compiler.options import BLOCKS

Kind = Literal["simulate", "train", "sample", "reference", "check"]
Inputs = dict[str, Any]  # what -> JSON value; the keys are the words of reasons


class Known(Protocol):
    """What earlier runs left behind."""

    def has(self, key: str) -> bool:
        """Whether the result of `key` is there."""
        ...

    def resumes(self, key: str) -> bool:
        """Whether a run of `key` was broken off, and can go on."""
        ...

    def previous(self, model: str, name: str) -> dict[str, Any] | None:
        """Inputs of the last job of this name in this model."""
        ...


@dataclass(frozen=True)
class Job:
    """One step of a run. `node` is the declaration it computes; `needs` are names of earlier jobs."""

    name: str
    kind: Kind
    key: str
    needs: tuple[str, ...]
    node: str
    inputs: Inputs  # kept beside the result, so that the next plan can say what changed
    reused: bool
    reason: str
    resumes: bool = False  # a run that was broken off left a checkpoint


def plan(program: Program, known: Known) -> list[Job]:
    """All jobs of a run, each after those it needs. Seeds must be filled in for results to be repeatable."""
    jobs: dict[str, Job] = {}

    def add(name: str, kind: Kind, node: str, inputs: Inputs, needs: tuple[str, ...] = ()) -> None:
        key = digest(kind, inputs)
        reused = known.has(key)
        resumes = not reused and known.resumes(key)
        reason = "up to date" if reused else _reason(inputs, known.previous(program.name, name))
        jobs[name] = Job(name, kind, key, needs, node, inputs, reused, "was broken off" if resumes else reason, resumes)

    for train in sorted(program.trains.values(), key=lambda train: train.teacher is not None):  # teachers first
        needs: tuple[str, ...] = ()
        inputs = train_inputs(program, train)
        if train.teacher is not None:
            teaches_itself = program.trains[train.teacher].objective == exact.OBJECTIVE  # its table is a part of it
            needs = (train.teacher, *(() if teaches_itself else jobs[train.teacher].needs))
            inputs[f"fit {train.teacher}"] = jobs[train.teacher].key
            inputs |= {"powers and rows": canonical(train.asked)} if train.asked else {}
        elif dict(train.options)["simulations"] is not None:
            needs = (f"{train.name}.simulations",)
            add(needs[0], "simulate", train.name, simulate_inputs(program, train))
        add(train.name, "train", train.name, inputs, needs)
    for sample in program.samples.values():
        kind: Kind = "reference" if sample.reference else "sample"
        add(sample.name, kind, sample.name, _sample_inputs(program, sample, jobs), sample.fits)
    for check in program.checks:
        add(check.text, "check", check.text, _check_inputs(check, jobs), check.samples + check.fits)
    return list(jobs.values())


# ---------------------------------------------------------------- inputs


def simulate_inputs(program: Program, train: Train) -> Inputs:
    """A table of simulations depends on the laws, its size, its seed and its coordinates."""
    options = dict(train.options)
    chosen = {name: canonical(options[name]) for name in ("simulations", "seed", "coordinates")}
    return {**_law_inputs(program, train.prior, train.likelihood), **chosen}


def train_inputs(program: Program, train: Train) -> Inputs:
    """Weights depend on the laws, the net and the training options."""
    network = {f"network {name}": canonical(value) for name, value in train.network.options}
    return {
        **_law_inputs(program, train.prior, train.likelihood),
        "objective": train.objective,
        "network": train.network.kind,
        **network,
        **_option_inputs("train", train.objective, train.options),
    }


def _option_inputs(noun: str, kind: str, options: tuple[tuple[str, Any], ...]) -> Inputs:
    unkeyed = {option.name for option in BLOCKS[noun, kind].options if not option.keyed}
    return {name: canonical(value) for name, value in options if name not in unkeyed}


def _law_inputs(program: Program, prior: str, likelihood: str | None, reference: bool = False) -> Inputs:
    inputs = {f"prior {prior}": _prior(program, program.priors[prior], reference)}
    if likelihood is not None:
        inputs[f"likelihood {likelihood}"] = _likelihood(program, program.likelihoods[likelihood])
    return inputs


def _prior(program: Program, prior: Prior, reference: bool) -> str:
    """A reference uses the density of a prior learned from draws, and all else the draws."""
    params = [program.params[name] for name in prior.params]
    if not reference and prior.learned and prior.learned.columns:
        return digest(params, prior.learned)
    return digest(params, prior.draws, *_data(program, _prior_exprs(prior)))


def _likelihood(program: Program, law: Likelihood) -> str:
    return digest(law.shape, law.draws, law.result, law.learned, *_data(program, _likelihood_exprs(law)))


def _prior_exprs(prior: Prior) -> Iterator[Expr]:
    for draw in prior.draws:
        yield from _law_exprs(draw.law)


def _likelihood_exprs(law: Likelihood) -> Iterator[Expr]:
    for draw in law.draws:
        yield from _law_exprs(draw.law)
    if law.result is not None:
        yield law.result


def _law_exprs(law: Law) -> Iterator[Expr]:
    yield from (value for _, value in law.arguments)
    for component in law.components:
        yield from _law_exprs(component)


def _data(program: Program, exprs: Iterator[Expr]) -> list[Any]:
    """The data that expressions refer to, by name and digest."""
    names = set().union(*(references(node) for node in exprs))
    return [program.data[name] for name in sorted(names & program.data.keys())]


def _sample_inputs(program: Program, sample: Sample, jobs: dict[str, Job]) -> Inputs:
    posterior = program.posteriors[sample.posterior]
    inputs: Inputs = {"params": canonical(posterior.params), "method": sample.method}
    sweeps = {value.name for _, value in sample.options if isinstance(value, SweepRef)}
    for position, factor in enumerate(posterior.factors):
        sweeps |= references(factor.power) & program.sweeps.keys()
        own = factor.law if factor.observation is None else f"{factor.law}({factor.observation})"
        inputs[f"factor {position + 1}"] = own
        inputs[f"power of {own}"] = _short(factor.power)
        if factor.kind == "prior":
            inputs |= _law_inputs(program, factor.law, None, sample.reference)
        else:
            inputs[f"likelihood {factor.law}"] = _likelihood(program, program.likelihoods[factor.law])
        if factor.observation is not None:
            observed = program.observations[factor.observation]
            inputs[f"observations {factor.observation}"] = digest(observed.rows, observed.source, observed.missing)
    for name in sorted(sweeps):
        inputs[f"sweep {name}"] = canonical(program.sweeps[name].values)
    for fit in sample.fits:
        inputs[f"fit {fit}"] = jobs[fit].key
    return {**inputs, **_option_inputs("sample", sample.method, sample.options)}


def _short(power: Expr) -> Any:
    """A power as a number where it is one, so that a reason can show it."""
    return canonical(power.value) if power.op == "const" and not power.shape else digest(power)


def _check_inputs(check: Check, jobs: dict[str, Job]) -> Inputs:
    """The value of a metric does not depend on the bound it is held against."""
    samples = {f"sample {name}": jobs[name].key for name in check.samples}
    fits = {f"fit {name}": jobs[name].key for name in check.fits}
    return {"metric": check.metric, **samples, **fits, **_option_inputs("check", check.metric, check.options)}


# ---------------------------------------------------------------- reasons


def _reason(now: Inputs, before: Inputs | None) -> str:
    """Why a job runs: what differs from the last one of its name."""
    if before is None:
        return "new"
    differences = [_difference(name, before.get(name), now.get(name)) for name in _changed(now, before)]
    if not differences:
        return "its result is no longer in the store"
    more = len(differences) - 2
    return ", ".join(differences[:2]) + (f" and {more} more" if more > 0 else "")


def _changed(now: Inputs, before: Inputs) -> list[str]:
    names = [*now, *(name for name in before if name not in now)]
    return [name for name in names if now.get(name) != before.get(name) or (name in now) != (name in before)]


def _difference(name: str, before: Any, now: Any) -> str:
    if (before is None and now is None) or _is_key(before) or _is_key(now) or isinstance(now, list):
        return f"{name} changed"
    return f"{name} changed from {_word(before)} to {_word(now)}"


def _word(value: Any) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64

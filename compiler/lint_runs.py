"""Lints of training, sweeps and checks: what costs time and says nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

from bsi.compiler import bounds
from bsi.compiler.environment import Environment
from bsi.compiler.images import NETS
from bsi.compiler.ir import Check, Program
from bsi.compiler.report import listed
from bsi.dsl import ast

IMAGES = 500  # fewer are learned by heart before a network knows anything of others
SIMULATIONS = 100  # simulations for every unknown number below which a network sees little
LEVELS, OFTEN = 256, 10  # distinct values that may be levels, and draws of each of them
# What a metric can be: the smallest value, which is that of samples as good as can be but for `HIGH`, and the largest.
RANGES = {
    "c2st": (0.5, 1.0),
    "rhat": (1.0, math.inf),
    "mean_error": (0.0, math.inf),
    "sd_error": (0.0, math.inf),
    "sliced_wasserstein": (0.0, math.inf),
    "divergences": (0.0, math.inf),
    "ess": (0.0, math.inf),
    "sensitivity": (0.0, math.inf),
    "lc2st": (0.0, 1.0),
    "sbc": (0.0, 1.0),
    "tarp": (0.0, 1.0),
}
HIGH = frozenset({"ess", "lc2st", "sbc", "tarp"})  # metrics, of which p-values, that are high for good samples


def few_simulations(env: Environment, program: Program) -> None:
    """W0422."""
    for declaration in env.all(ast.Train):
        train = program.trains.get(declaration.name.id)
        simulations = dict(train.options).get("simulations") if train else None
        if train is None or not isinstance(simulations, int) or not env.is_own(declaration):
            continue
        numbers = sum(math.prod(program.params[name].shape) for name in program.priors[train.prior].params)
        if simulations < SIMULATIONS * numbers:
            option = next((o for o in declaration.options.items if o.name.id == "simulations"), declaration)
            env.report.add(
                "W0422",
                f"{simulations:_} simulations are few for {numbers} unknown number{'s' * (numbers > 1)}",
                option,
                help=f"use {SIMULATIONS * numbers:_} or more, or `simulations = fresh`",
            )


def few_images(env: Environment, program: Program) -> None:
    """W0426."""
    for train in program.trains.values():
        learned = program.priors[train.prior].learned
        declaration = env.declarations.get(train.name)
        if train.network.kind not in NETS or learned is None or not 0 < learned.rows < IMAGES:
            continue
        at = declaration.objective.function if isinstance(declaration, ast.Train) else env.name_of(train.prior)
        env.report.add(
            "W0426",
            f"{learned.rows:_} images are few for a `{train.network.kind}`: it learns them by heart",
            at,
            help=f"use {IMAGES} or more, for instance patches and mirror images of those there are",
        )


def quantised(env: Environment, program: Program) -> None:
    """W0424."""
    for declaration in env.all(ast.Train):
        train = program.trains.get(declaration.name.id)
        prior = program.priors[train.prior] if train and train.objective in bounds.OBJECTIVES else None
        if prior is None or prior.learned is None or prior.learned.levels or not env.is_own(declaration):
            continue
        for name, digest in prior.learned.columns:
            levels = _levels(program.tables[digest].values)
            if levels is not None:
                env.report.add(
                    "W0424",
                    f"all draws of `{name}` lie on {levels} levels: the density of such data has no bound, and its "
                    "bits mean nothing",
                    declaration.objective,
                    also=[(env.name_of(prior.name), "of these draws")],
                    help=f"give `{name}` bounds, and `{prior.name}` the option `levels`",
                )


def _levels(values: Any) -> int | None:
    """How many equal steps the values lie on, if they are few and each is taken often."""
    distinct = set(values)
    if not 2 <= len(distinct) <= LEVELS or len(values) < OFTEN * len(distinct):
        return None
    first, *rest = sorted(distinct)
    step = min(b - a for a, b in pairwise((first, *rest)))
    places = [(x - first) / step for x in rest]
    on_steps = all(abs(place - round(place)) < 1e-3 for place in places)
    return round(places[-1]) + 1 if on_steps else None


def repeated_values(env: Environment, program: Program) -> None:
    """W0417."""
    for declaration in env.all(ast.Sweep):
        values = program.sweeps[declaration.name.id].values
        twice = next((x for i, x in enumerate(values) if x in values[:i]), None)
        if twice is not None and env.is_own(declaration):
            message = f"`{declaration.name.id}` has the value {twice:g} twice: the same is computed twice"
            env.report.add("W0417", message, declaration.values, help="remove one of them")


def checks(env: Environment, program: Program) -> None:
    """W0413 to W0416."""
    for check in program.checks:
        at = next(d for d in env.checks if d.span == program.spans[check.text])
        _one_chain(env, program, check, at)
        _same_draws(env, program, check, at)
        _pointless(env, check, at)


def _one_chain(env: Environment, program: Program, check: Check, at: ast.Check) -> None:
    sample = program.samples[check.samples[0]] if check.metric == "rhat" else None
    if sample and dict(sample.options).get("chains") == 1:
        env.report.add(
            "W0413",
            f"`rhat` compares chains, but `{sample.name}` has only one",
            at.metric,
            also=[(env.name_of(sample.name), "1 chain")],
            help="use four chains",
        )


def _same_draws(env: Environment, program: Program, check: Check, at: ast.Check) -> None:
    if len(check.samples) != 2:
        return
    first, second = (program.samples[name] for name in check.samples)
    seed = dict(first.options).get("seed")
    if seed is not None and replace(first, name="") == replace(second, name=""):
        env.report.add(
            "W0414",
            f"{listed(check.samples)} are the same draws: all their options are equal, seeds too",
            at.metric,
            also=[(env.name_of(name), "declared here") for name in check.samples],
            help="give them different seeds",
        )


def _pointless(env: Environment, check: Check, at: ast.Check) -> None:
    if check.metric not in RANGES or check.operator is None or check.bound is None or at.bound is None:
        return
    best, most = RANGES[check.metric]
    if check.operator.startswith("<"):
        lucky = check.bound < best or (check.bound == best and check.operator == "<")
        certain = check.bound >= most
        least = "least" if check.metric in HIGH else "best"
        limit = f"is {best:g} at {least}" if lucky else f"is {most:g} at most"
    else:
        lucky = check.bound >= most
        certain = check.bound < best or (check.bound == best and check.operator == ">=")
        limit = f"is {most:g} at most" if lucky else f"is {best:g} at least"
    backwards = check.operator.startswith("<") == (check.metric in HIGH)
    if backwards and not lucky and not certain:
        good = "high" if check.metric in HIGH else "low"
        message = f"`{check.metric}` is {good} for good samples: they fail this check"
        turned = {"<": ">", ">": "<"}[check.operator[0]] + check.operator[1:]
        env.report.add("W0415", message, at.metric, help=f"write `{turned}`")
    elif lucky:
        message = f"`{check.metric}` {limit}: this check passes by luck, if ever"
        env.report.add("W0415", message, at.bound, help="use a bound that a good sample keeps")
    elif certain:
        message = f"`{check.metric}` {limit}: this check cannot fail"
        env.report.add("W0416", message, at.bound, help="use a bound that a bad sample does not keep")


LINTS = (few_simulations, few_images, quantised, repeated_values, checks)

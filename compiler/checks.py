"""Checks: a metric of samples against a bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bsi.compiler import configure, evidence, expressions, fits, local_checks, one_step, sensitivity
from bsi.compiler.environment import Environment
from bsi.compiler.ir import NO_NET, Check, Options, Sample
from bsi.compiler.options import BLOCKS
from bsi.compiler.report import counted, listed, suggest
from bsi.dsl import ast

# Metrics of two samples; the rest take one sample with chains, or a fit.
PAIRS = frozenset({"c2st", "sliced_wasserstein", "mmd", "mean_error", "sd_error"})
FITS = frozenset({"bits_per_dim"})  # metrics of a fit
# Metrics that tell more than a number, need no bound, and take one sample of any method; what settles their options.
TOLD: dict[str, Callable[[Environment, ast.Call, Sample, Options], Options | None]] = {
    "sensitivity": sensitivity.settled,
    "evidence": evidence.settled,
}
FEW = 1_000  # draws below which a classifier sees too little to tell two samples apart


def check(env: Environment, declaration: ast.Check, samples: dict[str, Sample | None]) -> Check | None:
    """A check with its arguments, options and bound in order. `samples` holds the declared ones that are sound."""
    call = declaration.metric
    metric = call.function.id
    unbound, bound = declaration.bound is None, _bound(env, declaration)
    if configure.block(env, "check", call.function) is None:
        env.used.update(a.value.id for a in call.arguments if isinstance(a.value, ast.Name))
        return None
    if unbound and metric not in TOLD:
        help = "say which values pass: `< BOUND` or `> BOUND`"
        env.report.add("E0570", f"`{metric}` needs a bound", call, help=help)
        env.used.update(a.value.id for a in call.arguments if isinstance(a.value, ast.Name))
        return None
    given = tuple(argument for argument in call.arguments if argument.name)
    options = configure.options(env, "check", metric, given)
    if metric in FITS:
        fit = _fit(env, call)
        if fit is None or options is None or bound is None:
            return None
        text = canonical_text(declaration, bound, options)
        return Check(text, metric, (), options, declaration.operator, bound, (fit,))
    found = _samples(env, call, samples)
    if found is None or options is None or (bound is None and not unbound) or not _fitting(env, call, found):
        return None
    if metric in TOLD:
        options = TOLD[metric](env, call, found[0], options)
        if options is None:
            return None
    local = metric in local_checks.METRICS
    if local and not local_checks.suits(env, call, found[0]):
        return None
    chosen = _chosen(env, dict(options).get("params"), found[0])
    if chosen is not None:
        options = tuple((name, chosen if name == "params" else value) for name, value in options)
    elif dict(options).get("params") is not None:
        return None
    _lint_draws(env, call, found, options)
    names = tuple(sample.name for sample in found)
    used = found[0].fits if local or metric in TOLD else ()  # what draws again
    return Check(canonical_text(declaration, bound, options), metric, names, options, declaration.operator, bound, used)


def canonical_text(declaration: ast.Check, bound: float | None, options: Options) -> str:
    """The declaration without its formatting, and without options that say what holds anyway: `c2st(ode, ref) < 0.58`.

    It names the check, which is therefore the same before and after `bsi expand`.
    """
    call = declaration.metric
    defaults = {option.name: option.default for option in BLOCKS["check", call.function.id].options}
    idle = {name for name, value in options if value == defaults[name]}
    kept = [a for a in call.arguments if not (a.name and a.name.id in idle)]
    values = dict(options)
    arguments = [f"{a.name.id} = {_plain(a.value, values[a.name.id])}" if a.name else _plain(a.value) for a in kept]
    text = f"{call.function.id}({', '.join(arguments)})"
    return text if bound is None else f"{text} {declaration.operator} {bound:.10g}"


def _plain(node: ast.Expr, value: Any = None) -> str:
    """An argument as it is written; a list of numbers, which may be computed, by its `value`."""
    if isinstance(value, tuple) and all(isinstance(x, float) for x in value):
        return f"[{', '.join(f'{x:.10g}' for x in value)}]"
    match node:
        case ast.Name(id=name):
            return name
        case ast.Number(value=value):
            return f"{value:.10g}" if isinstance(value, float) else str(value)
        case ast.ListExpr(items=items):
            return f"[{', '.join(map(_plain, items))}]"
    return "..."


def _chosen(env: Environment, given: ast.Expr | None, sample: Sample) -> tuple[str, ...] | None:
    """The params that a check is told to look at; None when it was told nothing, or after a report."""
    if given is None:
        return None
    own = posterior_params(env, sample)
    names = given.items if isinstance(given, ast.ListExpr) else (given,)
    chosen = tuple(name.id for name in names if isinstance(name, ast.Name))
    wrong = next((name for name in names if not isinstance(name, ast.Name) or name.id not in own), None)
    if wrong is None and chosen and len(set(chosen)) == len(chosen):
        return tuple(name for name in own if name in chosen)
    if isinstance(wrong, ast.Name):
        near = suggest(wrong.id, own)
        message = f"`{wrong.id}` is not a param of `{sample.posterior}`"
        help = f"did you mean `{near}`?" if near else f"its params are {listed(own)}"
        env.report.add("E0515", message, wrong, also=[(env.name_of(sample.posterior), "declared here")], help=help)
    else:
        help = f"write `params = [{own[0]}]`"
        env.report.add("E0515", "`params` is a list of names of params, each once", wrong or given, help=help)
    return None


def posterior_params(env: Environment, sample: Sample) -> tuple[str, ...]:
    """Params of a sample's posterior, in its order."""
    declaration = env.declarations[sample.posterior]
    assert isinstance(declaration, ast.Posterior)
    return tuple(name.id for name in declaration.params)


def _bound(env: Environment, declaration: ast.Check) -> float | None:
    if declaration.bound is None:
        return None
    value = expressions.constant_value(env, declaration.bound, "the bound of a check")
    known = expressions.known_value(env, declaration.bound, value, "the bound of a check") if value else None
    if value is None or known is None:
        return None
    if value.shape or isinstance(known, bool):
        env.report.add("E0304", "the bound of a check is one number", declaration.bound)
        return None
    assert isinstance(known, int | float)
    return float(known)


def _fit(env: Environment, call: ast.Call) -> str | None:
    """The fit that a metric of fits names."""
    places = [argument for argument in call.arguments if not argument.name]
    names = [argument.value for argument in places if isinstance(argument.value, ast.Name)]
    if len(places) != 1 or len(names) != 1:
        env.report.add("E0507", f"`{call.function.id}` takes the name of one fit", call)
        return None
    if one_step.refused(env, call, names[0]):
        return None
    declaration = env.find(names[0], ast.Train)
    found = fits.train(env, declaration) if declaration else None
    if found and found.network == NO_NET:
        message = f"`{call.function.id}` is of a network, but `{found.name}` is `{found.objective}`, which has none"
        also = [(env.name_of(found.name), "declared here")]
        env.report.add("E0552", message, names[0], also=also, help="train `score` or `bsi`")
        return None
    return found.name if found else None


def _samples(env: Environment, call: ast.Call, samples: dict[str, Sample | None]) -> list[Sample] | None:
    places = [argument for argument in call.arguments if not argument.name]
    wanted = 2 if call.function.id in PAIRS else 1
    found: list[Sample] = []
    good = True
    for argument in places:
        if not isinstance(argument.value, ast.Name):
            env.report.add("E0507", f"`{call.function.id}` takes names of samples", argument)
            good = False
            continue
        declaration = env.find(argument.value, ast.Sample)
        sample = samples.get(declaration.name.id) if declaration else None
        good = good and sample is not None
        if sample:
            found.append(sample)
    if len(places) != wanted:
        doc = BLOCKS["check", call.function.id].arguments
        env.report.add("E0507", f"`{call.function.id}` takes {doc}, not {counted(len(places), 'sample')}", call)
        return None
    return found if good else None


def _fitting(env: Environment, call: ast.Call, found: list[Sample]) -> bool:
    metric = call.function.id
    if metric in TOLD or metric in local_checks.METRICS:
        return True
    if metric not in PAIRS:
        if found[0].reference and found[0].method != "exact_gaussian":
            return True
        env.report.add(
            "E0507",
            f"`{metric}` needs chains, but `{found[0].name}` is `{found[0].method}`, whose draws are independent",
            call.arguments[0],
            help="use it on a sample by `nuts`",
        )
        return False
    first, second = found
    if first.name == second.name:
        env.report.add("E0507", f"`{first.name}` is compared with itself", call, help="name two different samples")
        return False
    if first.posterior != second.posterior:
        env.report.add(
            "E0508",
            f"`{first.name}` and `{second.name}` are samples of different posteriors",
            call,
            also=[(env.name_of(s.posterior), f"of `{s.name}`") for s in found],
            help="compare two samples of one posterior",
        )
        return False
    return True


def _lint_draws(env: Environment, call: ast.Call, found: list[Sample], options: Options) -> None:
    if call.function.id != "c2st":
        return
    for sample in found:
        have = dict(sample.options)
        draws = have["draws"] * have.get("chains", 1)
        if draws < FEW:
            env.report.add(
                "W0407",
                f"{draws} draws of `{sample.name}` are too few for `c2st`, which reads low on small samples",
                call,
                also=[(env.name_of(sample.name), f"{draws} draws")],
                help=f"use at least {FEW:_}; published values use 10_000",
            )
            return
    limit = dict(options)["draws"]
    if limit is not None and limit < FEW:
        env.report.add(
            "W0407",
            f"{limit} draws are too few for `c2st`, which reads low on small samples",
            call,
            help=f"use at least {FEW:_}; published values use 10_000",
        )

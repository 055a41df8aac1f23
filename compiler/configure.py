"""`{ key = value }` blocks against their schema: every default filled in, every value checked."""

from __future__ import annotations

from typing import Any

from bsi.compiler import expressions, images, posteriors
from bsi.compiler.environment import Environment
from bsi.compiler.ir import Choice, Net, Options, SweepRef
from bsi.compiler.options import BLOCKS, LATER, Block, Option, kinds
from bsi.compiler.report import listed, suggest
from bsi.dsl import ast

DEFAULT_NET = "resmlp"
WORDS = {
    "simulator": "kind of simulator",
    "net": "kind of net",
    "train": "training objective",
    "sample": "sampler",
    "check": "metric",
}


# What options are called in Stan, NumPyro, PyMC and sbi.
OPTION_ALIASES = {
    "lr": "learning_rate",
    "batch_size": "batch",
    "training_batch_size": "batch",
    "num_simulations": "simulations",
    "epochs": "steps",
    "num_epochs": "steps",
    "max_num_epochs": "steps",
    "hidden": "width",
    "hidden_features": "width",
    "units": "width",
    "layers": "depth",
    "num_layers": "depth",
    **dict.fromkeys(("samples", "num_samples", "n_samples", "iter", "iter_sampling"), "draws"),
    **dict.fromkeys(("num_warmup", "iter_warmup", "tune", "burnin", "burn_in"), "warmup"),
    **dict.fromkeys(("num_chains", "n_chains"), "chains"),
    **dict.fromkeys(("adapt_delta", "target_accept_prob"), "target_accept"),
    **dict.fromkeys(("max_treedepth", "max_depth"), "max_tree_depth"),
    "rng_seed": "seed",
    "random_seed": "seed",
}


def block(env: Environment, noun: str, kind: ast.Name) -> Block | None:
    """The schema of `kind`; reports one that is unknown or not of this version."""
    found = BLOCKS.get((noun, kind.id))
    if found is None and kind.id in LATER[noun]:
        env.report.add(
            "E0211",
            f"the {WORDS[noun]} `{kind.id}` is part of the language, but not supported in this version yet",
            kind,
            help=f"use {listed(kinds(noun), 'or')}",
        )
    elif found is None:
        near = suggest(kind.id, kinds(noun))
        help = f"did you mean `{near}`?" if near else f"there are {listed(kinds(noun))}"
        env.report.add("E0504", f"no {WORDS[noun]} is called `{kind.id}`", kind, help=help, fix=near)
    return found


def misplaced(env: Environment, call: ast.Call, noun: str) -> bool:
    """Whether a call is given an option as an argument, `nuts(post, chains = 2)`; reports the first."""
    schema = BLOCKS.get((noun, call.function.id))
    if schema is None:
        return False  # reported where its options are read
    argument = next((a for a in call.arguments if a.name and a.name.id in schema.names), None)
    if argument is None or argument.name is None:
        return False
    name = argument.name.id
    env.report.add(
        "E0511",
        f"`{name}` is an option, and options of `{call.function.id}` stand in braces",
        argument,
        help=f"write `{call.function.id}(...) {{ {name} = ... }}`",
    )
    return True


def options(env: Environment, noun: str, kind: str, given: ast.Options | tuple[ast.Argument, ...]) -> Options | None:
    """All options of a block, sorted by name; None after a report. A check's options are its named arguments.

    Expressions are handed on as syntax: what they may refer to is their reader's business.
    """
    schema = BLOCKS[noun, kind]
    values = {option.name: option.default for option in schema.options}
    good = True
    for item in given.items if isinstance(given, ast.Options) else given:
        assert item.name is not None
        name = item.name.id
        if name not in values:
            unknown_option(env, item.name, kind, schema)
            good = False
            continue
        read, value = _read(env, schema.option(name), item.value)
        good = good and read
        values[name] = value
    good = good and _ordered(env, schema, values, given)
    return tuple(sorted(values.items())) if good else None


def _ordered(
    env: Environment, schema: Block, values: dict[str, Any], given: ast.Options | tuple[ast.Argument, ...]
) -> bool:
    """Whether options that must increase do; words say nothing."""
    for low, high in schema.ordered:
        first, second = values[low], values[high]
        if not isinstance(first, str) and not isinstance(second, str) and first >= second:
            above(env, given, (low, first), (high, second))
            return False
    return True


def above(
    env: Environment,
    given: ast.Options | tuple[ast.Argument, ...],
    low: tuple[str, float],
    high: tuple[str, float],
) -> None:
    """Report an option that is not above another; at one of them at least that the user wrote."""
    items = {item.name.id: item for item in (given.items if isinstance(given, ast.Options) else given) if item.name}
    at = items.get(high[0]) or items[low[0]]
    env.report.add(
        "E0520",
        f"`{high[0]}` must be above `{low[0]}`, but {high[1]:g} is not above {low[1]:g}",
        at,
        also=[(items[low[0]], "given here")] if at is not items.get(low[0]) and low[0] in items else [],
        help=f"raise `{high[0]}` or lower `{low[0]}`",
    )


def default_net(kind: str = DEFAULT_NET) -> Net:
    defaults = {option.name: option.default for option in BLOCKS["net", kind].options}
    return Net("", kind, tuple(sorted(defaults.items())))


def unknown_option(env: Environment, name: ast.Name, kind: str, schema: Block) -> None:
    """Report an option that `schema` does not have."""
    if name.id in LATER["option"]:
        env.report.add(
            "E0211", f"the option `{name.id}` is part of the language, but not supported in this version yet", name
        )
        return
    near = suggest(name.id, schema.names, OPTION_ALIASES)
    near = near if near in schema.names else None
    known = f"its options are {listed(schema.names)}" if schema.names else "it takes none"
    env.report.add(
        "E0501",
        f"`{kind}` has no option `{name.id}`",
        name,
        help=f"did you mean `{near}`?" if near else known,
        fix=near,
    )


def _read(env: Environment, option: Option, node: ast.Expr) -> tuple[bool, Any]:
    """(whether it was right, value)."""
    if option.kind == "net" and not (isinstance(node, ast.Name) and node.id in option.words):
        found = net_value(env, node)
        return found is not None, found
    if option.kind == "expr" and not (isinstance(node, ast.Name) and node.id in option.words):
        return True, node
    if option.kind == "choice" and isinstance(node, ast.Name | ast.Configured):
        return _choice(env, option, node)
    if isinstance(node, ast.Configured):
        if node.name.id in LATER.get(option.name, ()):
            _later(env, option, node.name)
        else:
            _refuse(env, option, node, f"`{node.name.id} {{ ... }}`")
        return False, None
    if isinstance(node, ast.String) and option.quoted and node.value in option.words:
        return True, option.words[node.value]
    if isinstance(node, ast.String):
        _refuse(env, option, node, "text in quotes")
        return False, None
    if isinstance(node, ast.Name) and (node.id in option.words or not ("." in node.id or node.id in env.declarations)):
        return _word(env, option, node)
    if isinstance(node, ast.Name) and isinstance(env.declarations.get(node.id), ast.Sweep):
        return _swept(env, option, node)
    value = expressions.constant_value(env, node, f"the option `{option.name}`")
    if value is None:
        return False, None
    if value.op != "const" or value.shape:
        _refuse(env, option, node, "a list" if value.shape else "not a constant")
        return False, None
    return _number(env, option, node, value.value)


def _choice(env: Environment, option: Option, node: ast.Name | ast.Configured) -> tuple[bool, Any]:
    """A word, or the name of a block of its own: `mala`, or `mala { steps = 100 }`."""
    name = node if isinstance(node, ast.Name) else node.name
    if isinstance(node, ast.Name) and node.id in option.words:
        return True, option.words[node.id]
    if (option.name, name.id) not in BLOCKS:
        near = suggest(name.id, [*kinds(option.name), *option.words])
        _refuse(env, option, name, f"`{name.id}`", near)
        return False, None
    found = options(env, option.name, name.id, () if isinstance(node, ast.Name) else node.options)
    return found is not None, None if found is None else Choice(name.id, found)


def _word(env: Environment, option: Option, node: ast.Name) -> tuple[bool, Any]:
    if node.id in option.words:
        return True, option.words[node.id]
    if option.kind == "bool" and node.id in expressions.BOOLEANS:
        return True, expressions.BOOLEANS[node.id]
    if node.id in LATER.get(option.name, ()):
        _later(env, option, node)
    elif option.kind != "word" and suggest(node.id, option.words) is None and node.id not in expressions.CONSTANTS:
        value = expressions.constant_value(env, node, f"the option `{option.name}`")
        assert value is None or value.op == "const"
        if value is not None:
            _refuse(env, option, node, f"`{node.id}`")
    else:
        near = suggest(node.id, option.words)
        _refuse(env, option, node, f"`{node.id}`", near)
    return False, None


def _later(env: Environment, option: Option, name: ast.Name) -> None:
    env.report.add(
        "E0211",
        f"`{option.name} = {name.id}` is part of the language, but not supported in this version yet",
        name,
        help=f"use {listed(option.words, 'or')}",
    )


def _swept(env: Environment, option: Option, node: ast.Name) -> tuple[bool, Any]:
    declaration = env.find(node, ast.Sweep)
    assert declaration is not None
    if not option.swept:
        _refuse(env, option, node, f"the sweep `{node.id}`")
        return False, None
    found = posteriors.sweep(env, declaration)
    if found is None:
        return False, None
    good = all(
        _number(env, option, node, int(x) if option.kind == "int" and x == int(x) else x)[0] for x in found.values
    )
    return good, SweepRef(node.id)


def _number(env: Environment, option: Option, node: ast.Expr, value: Any) -> tuple[bool, Any]:
    if option.kind == "int" and isinstance(value, float) and value.is_integer():
        value = int(value)  # `1e4`
    wrong_kind = (
        option.kind in ("word", "choice")
        or isinstance(value, bool) != (option.kind == "bool")
        or (option.kind == "int" and not isinstance(value, int))
    )
    if wrong_kind:
        _refuse(env, option, node, "true or false" if isinstance(value, bool) else f"{value:g}")
        return False, None
    low, high = option.lower, option.upper
    below = low is not None and (value <= low if option.open else value < low)
    above = high is not None and (value >= high if option.open else value > high)
    if below or above or value != value:
        _refuse(env, option, node, f"{value:g}")
        return False, None
    return True, float(value) if option.kind == "real" else value


def _refuse(env: Environment, option: Option, node: ast.Expr, got: str, near: str | None = None) -> None:
    help = f"did you mean `{near}`?" if near else f"`{option.name}`: {option.doc}"
    env.report.add("E0502", f"`{option.name}` is {_wanted(option)}, not {got}", node, help=help, fix=near)


def _wanted(option: Option) -> str:
    if option.kind == "choice":
        return listed([*kinds(option.name), *option.words], "or")
    words = listed(option.spelled, "or") if option.words else ""
    if option.kind == "word":
        return words
    if option.kind == "net":
        return "a net"
    text = {"int": "a whole number", "real": "a number", "bool": "true or false"}[option.kind]
    low, high = option.lower, option.upper
    if low is not None and high is not None:
        text += f" between {low:g} and {high:g}" + (" (exclusive)" if option.open else "")
    elif low is not None:
        text += f" above {low:g}" if option.open else f", at least {low:g}"
    return f"{text}, or {words}" if words else text


# ---------------------------------------------------------------- nets


def net(env: Environment, declaration: ast.Net) -> Net | None:
    """A declared net."""
    return env.once(
        "net", declaration.name.id, lambda: _net(env, declaration.name.id, declaration.kind, declaration.options)
    )


def _net(env: Environment, name: str, kind: ast.Name, given: ast.Options | None) -> Net | None:
    if block(env, "net", kind) is None:
        return None
    empty = ast.Options(kind.span, ())
    values = options(env, "net", kind.id, given or empty)
    problem = None if values is None else images.wrong_width(kind.id, values)
    if problem:
        option, said, help = problem
        items = given.items if given else ()
        env.report.add("E0442", said, next((i for i in items if i.name.id == option), kind), help=help)
        return None
    return Net(name, kind.id, values) if values is not None else None


def net_value(env: Environment, node: ast.Expr) -> Net | None:
    """A net as an option's value: the name of one, or `mlp { ... }` in place."""
    if isinstance(node, ast.Configured):
        return _net(env, "", node.name, node.options)
    if not isinstance(node, ast.Name):
        env.report.add("E0502", "`network` is the name of a net, or `mlp { ... }`", node)
        return None
    if node.id not in env.declarations and ("net", node.id) in BLOCKS:
        return _net(env, "", node, None)
    declaration = env.find(node, ast.Net)
    return net(env, declaration) if declaration else None

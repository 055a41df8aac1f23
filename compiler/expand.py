"""`bsi expand`: the user's text with every default written out, every implied fit declared, and `--set` applied.

Only option blocks, arguments of samplers and named arguments of checks are edited; comments and layout stay. The result
is a model that means the same: its jobs have the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bsi.compiler import overrides as overriding
from bsi.compiler.ir import NO_NET, Choice, Net, Program, Sample, Train
from bsi.compiler.options import BLOCKS, Option
from bsi.dsl import ast
from bsi.dsl.parser import parse
from bsi.dsl.span import Source

Edit = tuple[int, int, str]  # replace [start, end) of the text


def expand(program: Program, overrides: Mapping[str, str] | None = None) -> str:
    """The text of the file of `program` with all defaults filled in; what it imports stays as it is.

    `overrides` are those that the program was compiled with: they take the place of what the file says.
    """
    source = replace(program.source, text=overriding.written(program.source, overrides or {}))
    module, _ = parse(source)
    edits: list[Edit] = []
    declared: set[str] = set()
    for declaration in module.declarations:
        edits.extend(_edits(program, source, declaration))
        if isinstance(declaration, ast.Sample):
            for fit in program.samples[declaration.name.id].fits:
                if program.trains[fit].implied and fit not in declared:
                    declared.add(fit)
                    edits.append((declaration.span.start, declaration.span.start, _implied(program.trains[fit])))
    text = source.text
    for start, end, replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


def _edits(program: Program, source: Source, declaration: ast.Declaration) -> list[Edit]:
    match declaration:
        case ast.Simulator(call=call):
            return [_block(source, declaration, "simulator", call.function.id, declaration.options, {})]
        case ast.Net(kind=kind):
            return [_block(source, declaration, "net", kind.id, declaration.options, {})]
        case ast.Prior(law=ast.Learned() as law) if law.source.function.id == "file":
            return [_block(source, declaration, "prior", "learned", law.options, {})]
        case ast.Train(objective=call, name=name):
            train = program.trains[name.id]
            written = _decided(train) | (
                {} if train.network.name or train.network == NO_NET else {"network": _net(train.network)}
            )
            return [_block(source, declaration, "train", call.function.id, declaration.options, written)]
        case ast.Sample(method=call, name=name):
            sample = program.samples[name.id]
            block = _block(source, declaration, "sample", call.function.id, declaration.options, _chosen(sample))
            return [block, *_fits(sample, call)]
        case ast.Observe(source=origin):
            simulated = isinstance(origin, ast.Call) and origin.function.id == "simulate"
            kind = "simulate" if simulated else "observe"
            return [_block(source, declaration, "observe", kind, declaration.options, {})]
        case ast.Check(metric=call):
            given = {argument.name.id for argument in call.arguments if argument.name}
            missing = [o for o in BLOCKS["check", call.function.id].options if o.name not in given]
            end = call.arguments[-1].span.end
            return [(end, end, "".join(f", {o.name} = {_default(o)}" for o in missing))]
    return []


def _block(
    source: Source, declaration: ast.Node, noun: str, kind: str, given: ast.Options, written: dict[str, str]
) -> Edit:
    """The whole `{ ... }` block: `written` first, then what the user wrote, then defaults."""
    own = {item.name.id: source.text[item.value.span.start : item.value.span.end] for item in given.items}
    lines = [
        f"  {o.name} = {written.get(o.name) or own.get(o.name) or _default(o)}" for o in BLOCKS[noun, kind].options
    ]
    text = "{\n" + "\n".join(lines) + "\n}"
    if given.items:
        return given.span.start, given.span.end, text
    end = len(source.text[: declaration.span.end].rstrip())
    if given.span.end > given.span.start:  # an empty block
        return given.span.start, given.span.end, text
    return end, end, " " + text


def _fits(sample: Sample, call: ast.Call) -> list[Edit]:
    """All fits as arguments, in place of those the user named."""
    if not sample.fits:
        return []
    first, last = call.arguments[0].span.end, call.arguments[-1].span.end
    return [(first, last, "".join(f", {fit}" for fit in sample.fits))]


def _implied(train: Train) -> str:
    arguments = ", ".join(name for name in (train.prior, train.likelihood) if name)
    options = BLOCKS["train", train.objective].options
    written = {**_decided(train), "network": _net(train.network)}
    lines = [f"  {o.name} = {written.get(o.name) or _default(o)}" for o in options]
    body = "\n".join(lines)
    return f"train {train.name} = {train.objective}({arguments}) {{\n{body}\n}}\n\n"


def _decided(train: Train) -> dict[str, str]:
    """What follows from other declarations: the size of a table and the steps on it, whether entries are hidden,
    precisions of a bound, rows of a set."""
    options = dict(train.options)
    names = ("simulations", "steps", "patience", "missing", "initial_precision", "final_precision", "rows")
    return {name: _value(options[name]) for name in names if options.get(name) is not None}


def _chosen(sample: Sample) -> dict[str, str]:
    """What `auto` means for a sampler: its route, the covariance of that route, the rows of its sets."""
    options = dict(sample.options)
    return {name: _value(options[name]) for name in ("route", "covariance", "correct", "compose") if options.get(name)}


def _net(net: Net) -> str:
    own = BLOCKS["net", net.kind].names  # what the compiler adds of the laws is no option
    return f"{net.kind} {{ {', '.join(f'{name} = {_value(value)}' for name, value in net.options if name in own)} }}"


def _default(option: Option) -> str:
    """A default as the user would write it: `none`, `fresh`, a word or a number."""
    word = next((word for word, value in option.words.items() if value == option.default), None)
    return word or _value(option.default)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Choice):
        return f"{value.name} {{ {', '.join(f'{name} = {_value(own)}' for name, own in value.options)} }}"
    return f"{value:_}" if isinstance(value, int) else str(value)

"""Names of one file under its prefix, wherever they stand for a declaration: local names, keys and words stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from bsi.compiler import functions, laws
from bsi.compiler.options import BLOCKS
from bsi.compiler.resolve import own_names
from bsi.dsl import ast

BUILT_IN = {*functions.CALLABLE, *functions.ALIASES, *laws.LAWS, *laws.ALIASES}
SOURCES = ("file", "pairs", "simulate")  # built-in where data come from
WORDS = {(option.name, word) for block in BLOCKS.values() for option in block.options for word in option.words}


@dataclass
class Renamer:
    """`path` gives the full name of a name of this file; `own` are its names. `foreign` are bare names of the file that
    is compiled, which a name that this file does not declare must not be taken for. `aliases` collects those in use.
    """

    path: Callable[[str], str]
    own: frozenset[str]
    foreign: frozenset[str]
    declarations: Iterable[ast.Declaration]
    aliases: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.params = {d.name.id for d in self.declarations if isinstance(d, ast.Param)}
        self.functions = {
            d.name.id
            for d in self.declarations
            if isinstance(d, ast.Simulator) or (isinstance(d, ast.Let) and d.parameters is not None)
        }

    def declaration(self, node: Any) -> Any:
        """A declaration with all names of its file in full."""
        hidden = frozenset(name.id for name in own_names(node))
        outside: frozenset[str] = frozenset()
        match node:
            case ast.Check():
                changes = {"metric": self.method(node.metric), "bound": self.inside(node.bound, outside)}
                return replace(node, **changes)
            case ast.Import():
                changes = {}
            case ast.Let():
                changes = {"value": self.inside(node.value, hidden)}
            case ast.Simulator():
                hidden |= {"t"}
                arguments = self.inside(node.call.arguments, hidden)
                changes = {
                    "result": self.inside(node.result, outside),
                    "call": replace(node.call, arguments=arguments),
                    "options": self.inside(node.options, hidden),
                }
            case ast.Likelihood():
                changes = {
                    "type": self.inside(node.type, outside),
                    "given": self.inside(node.given, outside),
                    "law": self.inside(node.law, hidden),
                }
            case ast.Net():
                changes = {"options": self.inside(node.options, outside)}
            case ast.Train():
                changes = {
                    "objective": self.method(node.objective),
                    "options": self.inside(node.options, outside),
                }
            case ast.Sample():
                changes = {"method": self.method(node.method), "options": self.inside(node.options, outside)}
            case _:
                names = [f.name for f in fields(node) if f.name not in ("span", "name")]
                changes = {name: self.inside(getattr(node, name), hidden) for name in names}
        return replace(node, name=replace(node.name, id=self.path(node.name.id)), **changes)

    def inside(self, node: Any, hidden: frozenset[str]) -> Any:
        """Any part of a declaration; `hidden` are the local names in reach."""
        match node:
            case tuple():
                return tuple(self.inside(item, hidden) for item in node)
            case ast.Name():
                return self.name(node, hidden)
            case ast.Argument():
                return replace(node, value=self.inside(node.value, hidden))
            case ast.Option():
                return node if _is_word(node) else replace(node, value=self.inside(node.value, hidden))
            case ast.Configured():
                return replace(node, options=self.inside(node.options, hidden))
            case ast.Type():
                return replace(node, bounds=self.inside(node.bounds, hidden), dims=self.inside(node.dims, hidden))
            case ast.Call():
                return self.call(node, hidden)
            case ast.Comprehension(variable=variable):
                range_ = self.inside(node.range, hidden)
                return replace(node, element=self.inside(node.element, hidden | {variable.id}), range=range_)
            case ast.Node() if is_dataclass(node):
                changes = {f.name: self.inside(getattr(node, f.name), hidden) for f in fields(node) if f.name != "span"}
                return replace(node, **changes)
        return node

    def name(self, node: ast.Name, hidden: frozenset[str]) -> ast.Name:
        head, dot, _ = node.id.partition(".")
        if head in hidden:
            return node
        if dot:
            self.aliases.add(head)
        return replace(node, id=self.path(node.id)) if dot or head in self.own | self.foreign else node

    def method(self, call: ast.Call) -> ast.Call:
        """A call of a sampler, an objective or a metric, none of which can be declared."""
        return replace(call, arguments=self.inside(call.arguments, frozenset()))

    def call(self, node: ast.Call, hidden: frozenset[str]) -> ast.Call:
        function = node.function
        arguments = self.inside(node.arguments, hidden)
        if function.id == "simulate":  # its arguments are named after params
            arguments = tuple(
                replace(a, name=replace(a.name, id=self.path(a.name.id))) if self._names_param(a) else a
                for a in arguments
            )
        elif function.id in self.functions or function.id not in (*BUILT_IN, *SOURCES):
            function = self.name(function, hidden)
        return replace(node, function=function, arguments=arguments)

    def _names_param(self, argument: ast.Argument) -> bool:
        return argument.name is not None and ("." in argument.name.id or argument.name.id in self.params)


def _is_word(option: ast.Option) -> bool:
    """Whether an option's value is a word, which no declaration hides."""
    return isinstance(option.value, ast.Name) and (option.name.id, option.value.id) in WORDS

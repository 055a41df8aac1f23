"""Lark's tree to the syntax tree, by hand: every node gets its span, and what a grammar cannot say is checked here."""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from bsi.dsl import ast
from bsi.dsl.diagnostic import Diagnostic, Fix, Label
from bsi.dsl.span import Span
from bsi.dsl.tokens import span_of

if TYPE_CHECKING:
    from lark import Token

Tree: TypeAlias = Any  # lark.Tree: what its children are is the grammar's business, and the `match` statements

DEPTH = 128  # of nested or chained operations: far more than anyone writes, well below Python's recursion limit
REDUCERS = ("sum", "prod", "min", "max")
ESCAPES = {"\\": "\\", '"': '"', "n": "\n", "t": "\t"}


class Refused(Exception):
    """A declaration that the grammar accepts and the language does not; raised and caught in this package alone."""

    def __init__(self, diagnostic: Diagnostic):
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


class Builder:
    """Builds the nodes of one declaration; `diagnostics` collects mistakes that do not spoil it."""

    def __init__(self, file: str):
        self.file = file
        self.diagnostics: list[Diagnostic] = []
        self.depth = 0

    # ------------------------------------------------------------ declarations

    def declaration(self, tree: Tree) -> tuple[ast.Edition | ast.Declaration, ...]:
        """The nodes of a declaration's tree: one, or as many as a `dim` line has names."""
        span = self.span(tree)
        match tree.data, tree.children:
            case "edition", [version]:
                return (ast.Edition(span, self.number(version)),)
            case "import", [path, name]:
                return (ast.Import(span, self.string(path), self.declared(name)),)
            case "dims", dims:
                return tuple(self.dim(child) for child in dims)
            case "param", [name, type_]:
                return (ast.Param(span, self.declared(name), self.type(type_)),)
            case "data", [name, type_, source]:
                return (ast.Data(span, self.declared(name), self.type(type_), self.expr(source)),)
            case "let", [name, parameters, value]:
                names = self.parameters(parameters) if parameters else None
                return (ast.Let(span, self.declared(name), names, self.expr(value)),)
            case "simulator", [name, parameters, result, call, options]:
                inputs = self.parameters(parameters)
                return (ast.Simulator(span, self.declared(name), inputs, self.type(result), self.call(call),
                                      self.options(options, span)),)  # fmt: skip
            case "prior", [name, parameters, law]:
                return (ast.Prior(span, self.declared(name), self.names(parameters.children[0]), self.law(law)),)
            case "likelihood", [name, observed, type_, given, law]:
                return (ast.Likelihood(span, self.declared(name), self.declared(observed), self.type(type_),
                                       self.names(given), self.own(self.law(law))),)  # fmt: skip
            case "observe", [name, likelihood, rows, source, options]:
                count = None if rows is None else tuple(self.expr(row) for row in rows.children if row is not None)
                return (ast.Observe(span, self.declared(name), self.name(likelihood), count, self.expr(source),
                                    self.options(options, span)),)  # fmt: skip
            case "posterior", [name, parameters, *factors]:
                return (ast.Posterior(span, self.declared(name), self.names(parameters.children[0]),
                                      tuple(self.factor(factor) for factor in factors)),)  # fmt: skip
            case "sweep", [name, values]:
                return (ast.Sweep(span, self.declared(name), self.expr(values)),)
            case "net", [name, kind, options]:
                return (ast.Net(span, self.declared(name), self.name(kind), self.options(options, span)),)
            case "train", [name, objective, options]:
                return (ast.Train(span, self.declared(name), self.call(objective), self.options(options, span)),)
            case "sample", [name, method, options]:
                return (ast.Sample(span, self.declared(name), self.call(method), self.options(options, span)),)
            case "check", [metric, operator, bound]:
                if operator is None:
                    return (ast.Check(span, self.call(metric), None, None),)
                return (ast.Check(span, self.call(metric), operator.value, self.expr(bound)),)
        raise AssertionError(f"no such declaration: {tree.data}")

    def dim(self, tree: Tree) -> ast.Dim:
        name, value = tree.children
        return ast.Dim(self.span(tree), self.declared(name), value and self.expr(value))

    def factor(self, tree: Tree) -> ast.Factor:
        law, *observation, names, power = tree.children
        seen = self.name(observation[0]) if observation else None
        return ast.Factor(self.span(tree), self.name(law), seen, self.names(names), power and self.expr(power))

    def parameters(self, tree: Tree) -> tuple[ast.Name, ...]:
        """Local names of a function or a simulator; each may stand there once."""
        names = tuple(self.declared(child) for child in tree.children[0].children)
        self.once(names)
        return names

    def names(self, tree: Tree) -> tuple[ast.Name, ...]:
        """Params between brackets, which may be imported; each may stand there once."""
        names = tuple(self.name(child) for child in tree.children)
        self.once(names)
        return names

    def type(self, tree: Tree) -> ast.Type:
        base, bounds, dimensions = tree.children
        arguments = tuple(self.argument(child) for child in bounds.children) if bounds else ()
        self.once(argument.name for argument in arguments if argument.name)
        dims = tuple(self.expr(child) for child in dimensions.children) if dimensions else ()
        return ast.Type(self.span(tree), self.name(base), arguments, dims)

    def law(self, tree: Tree) -> ast.LawSource:
        match tree.data, tree.children:
            case "call", _:
                return self.call(tree)
            case "implicit", [call]:
                return ast.Implicit(self.span(tree), self.call(call))
            case "learned", [source, options]:
                return ast.Learned(self.span(tree), self.call(source), self.options(options, self.span(tree)))
            case "body", statements:
                body = tuple(self.statement(statement) for statement in statements)
                for statement in body[:-1]:
                    if isinstance(statement, ast.Bind) and not statement.let:
                        self.early_result(statement, body[-1])
                return ast.Body(self.span(tree), body)
        raise AssertionError(f"no such law: {tree.data}")

    def own(self, law: ast.LawSource) -> ast.LawSource:
        """The law of a likelihood, whose body draws names of its own; that of a prior draws params."""
        for statement in law.statements if isinstance(law, ast.Body) else ():
            if "." in statement.name.id:
                self.dotted(statement.name.id, statement.name.span)
        return law

    def statement(self, tree: Tree) -> ast.Draw | ast.Bind:
        name, value = tree.children
        if tree.data == "draw":
            return ast.Draw(self.span(tree), self.name(name), self.call(value))
        return ast.Bind(self.span(tree), self.declared(name), self.expr(value), let=tree.data == "bind")

    def options(self, tree: Tree | None, owner: Span) -> ast.Options:
        """An options block; an absent one is an empty tuple at the end of its owner."""
        if tree is None:
            return ast.Options(Span(owner.end, owner.end, self.file), ())
        items = []
        for child in tree.children:
            key, value = child.children
            built = self.nested(value, self.configured) if value.data == "configured" else self.expr(value)
            items.append(ast.Option(self.span(child), self.declared(key), built))
        self.once(item.name for item in items)
        return ast.Options(self.span(tree), tuple({item.name.id: item for item in reversed(items)}.values())[::-1])

    def configured(self, tree: Tree) -> ast.Configured:
        kind, options = tree.children
        return ast.Configured(self.span(tree), self.name(kind), self.options(options, self.span(tree)))

    # ------------------------------------------------------------ expressions

    def expr(self, tree: Tree) -> ast.Expr:
        return self.nested(tree, self.expression)

    def nested(self, tree: Tree, build: Callable[[Tree], ast.Expr]) -> ast.Expr:
        """Build a node one level deeper; refused below `DEPTH`."""
        self.depth += 1
        if self.depth > DEPTH:
            self.refuse("E0125", f"this is nested more than {DEPTH} levels deep", self.span(tree),
                        "name its parts with `let`, or sum a list: `sum([a, b, c])`")  # fmt: skip
        node = build(tree)
        self.depth -= 1
        return node

    def expression(self, tree: Tree) -> ast.Expr:
        span = self.span(tree)
        match tree.data, tree.children:
            case "number", [token]:
                return self.number(token)
            case "string", [token]:
                return self.string(token)
            case "name", [token]:
                return self.name(token)
            case "parenthesised", [inner]:
                return self.expr(inner)
            case "call", _:
                return self.call(tree)
            case "index", [base, *items]:
                return ast.Index(span, self.expr(base), tuple(self.item(item) for item in items))
            case "list", items:
                return ast.ListExpr(span, tuple(self.expr(item) for item in items))
            case "binary", [left, operator, right]:
                return ast.Binary(span, operator.value, self.expr(left), self.expr(right))
            case "unary", [operator, operand]:
                return ast.Unary(span, operator.value, self.expr(operand))
            case "comparison", [left, operator, right]:
                return ast.Binary(span, operator.value, self.expr(left), self.expr(right))
            case "comparison", [_, first, _, second, *_]:
                self.refuse(
                    "E0115",
                    "comparisons cannot be chained",
                    span_of(second, self.file),
                    "join two comparisons with `and`",
                    Label(span_of(first, self.file), "the first comparison"),
                )
            case "conditional", [condition, yes, no]:
                return ast.Conditional(span, self.expr(condition), self.expr(yes), self.expr(no))
            case "comprehension", [element, variable, range_]:
                return ast.Comprehension(span, self.expr(element), self.declared(variable), self.expr(range_), None)
            case "reduction", [reducer, variable, range_, element]:
                if reducer.value not in REDUCERS:
                    self.refuse("E0124", f"`{reducer}` does not reduce over an index", span_of(reducer, self.file),
                                "the reducers are `sum`, `prod`, `min` and `max`")  # fmt: skip
                return ast.Comprehension(span, self.expr(element), self.declared(variable), self.expr(range_),
                                         reducer.value)  # fmt: skip
        raise AssertionError(f"no such expression: {tree.data}")

    def item(self, tree: Tree) -> ast.Expr | ast.Slice:
        if tree.data != "slice":
            return self.expr(tree)
        lower, upper = tree.children
        return ast.Slice(self.span(tree), lower and self.expr(lower), upper and self.expr(upper))

    def call(self, tree: Tree) -> ast.Call:
        function, arguments = tree.children
        values = tuple(self.argument(child) for child in arguments.children) if arguments else ()
        self.once(argument.name for argument in values if argument.name)
        for before, argument in itertools.pairwise(values):
            if before.name and not argument.name:
                self.refuse("E0126", "an argument without a name follows one with a name", argument.span,
                            "put it first, or name it", Label(before.span, "named"))  # fmt: skip
        return ast.Call(self.span(tree), self.name(function), values)

    def argument(self, tree: Tree) -> ast.Argument:
        name, value = tree.children
        return ast.Argument(self.span(tree), name and self.name(name), self.expr(value))

    # ------------------------------------------------------------ words

    def name(self, token: Token) -> ast.Name:
        """A used name, which may be dotted. Unicode's compatible spellings are one name (µ and μ)."""
        text = str(token)
        return ast.Name(span_of(token, self.file), text if text.isascii() else unicodedata.normalize("NFKC", text))

    def declared(self, token: Token) -> ast.Name:
        """A name that is given here, to a declaration, a local or an option: never dotted."""
        if "." in token:
            self.dotted(token, span_of(token, self.file))
        return self.name(token)

    def dotted(self, text: str, span: Span) -> NoReturn:
        self.refuse("E0127", f"`{text}` cannot be given as a name", span, "a dot reaches into an import; use `_`")

    def number(self, token: Token) -> ast.Number:
        digits = token.replace("_", "")
        integral = digits.isdecimal()
        value = float(digits)
        if not math.isfinite(value):
            self.refuse("E0114", "this number is too large", span_of(token, self.file), "use a smaller one, or `inf`")
        return ast.Number(span_of(token, self.file), int(digits) if integral else value, str(token))

    def string(self, token: Token) -> ast.String:
        for match in re.finditer(r"\\(.)", token[1:-1]):
            if match[1] not in ESCAPES:
                start = span_of(token, self.file).start + 1 + match.start()
                self.refuse("E0113", f"`{match[0]}` has no meaning in a text", Span(start, start + 2, self.file),
                            r'the escapes are `\\`, `\"`, `\n` and `\t`; write a path with `/`')  # fmt: skip
        return ast.String(span_of(token, self.file), re.sub(r"\\(.)", lambda m: ESCAPES[m[1]], token[1:-1]))

    # ------------------------------------------------------------ helpers

    def span(self, tree: Tree) -> Span:
        return Span(tree.meta.start_pos, tree.meta.end_pos, self.file)

    def refuse(self, code: str, message: str, span: Span, help_: str, *secondary: Label) -> NoReturn:
        raise Refused(Diagnostic(code, message, Label(span), secondary, help=help_))

    def once(self, names: Iterable[ast.Name]) -> None:
        """Report every name that was given before."""
        seen: dict[str, ast.Name] = {}
        for name in names:
            if name.id in seen:
                self.diagnostics.append(
                    Diagnostic("E0116", f"`{name.id}` is given twice", Label(name.span, "given again"),
                               (Label(seen[name.id].span, "first given here"),), help="remove one of them")
                )  # fmt: skip
            seen.setdefault(name.id, name)

    def early_result(self, statement: ast.Bind, last: ast.Draw | ast.Bind) -> NoReturn:
        name, start = statement.name.id, statement.span.start
        if isinstance(statement.value, ast.Call):  # of what is called, nothing is known here: a law or a function
            help_ = f"draw it with `{name} ~ LAW`, or name a value with `let {name} = ...`"
            raise Refused(
                Diagnostic("E0129", f"`{name} = ...` is not the last line of this body", Label(statement.name.span),
                           (Label(last.span, "the last line"),), help=help_)
            )  # fmt: skip
        raise Refused(
            Diagnostic("E0129", f"`{name} = ...` is not the last line of this body", Label(statement.name.span),
                       (Label(last.span, "the last line"),), help=f"name a value with `let {name} = ...`",
                       fixes=(Fix(Span(start, start, self.file), "let ", "write `let`"),))
        )  # fmt: skip

"""Syntax trees to canonical text on one line: for `bsi expand`, the text of checks, and messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bsi.dsl import ast
from bsi.dsl.spacing import one_line

# How tightly an operator binds; an operand that binds more loosely than its place stands in brackets.
LOOSEST, OR, AND, NOT, COMPARE, SUM, PRODUCT, SIGN, POWER, POSTFIX = range(10)
BINDING = {
    **{"or": OR, "and": AND},
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), COMPARE),
    **dict.fromkeys("+-", SUM),
    **dict.fromkeys("*/@", PRODUCT),
    "^": POWER,
}
ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


def print_expr(expr: ast.Expr | ast.Slice) -> str:
    """The canonical text of an expression; it parses to the same tree."""
    return one_line(_expr(expr, LOOSEST))


def print_type(type_: ast.Type) -> str:
    """`real<lower = 0>[d]`."""
    return one_line([":", *_type(type_)]).removeprefix(": ")


def print_law(law: ast.LawSource) -> str:
    """A law, a body, or an implicit or learned law."""
    return one_line(_law(law))


def print_declaration(declaration: ast.Declaration | ast.Edition) -> str:
    """The canonical text of a declaration on one line; it parses to the same tree."""
    return one_line(_declaration(declaration))


def _listed(parts: Iterable[Sequence[str]], separator: str = ",") -> list[str]:
    out: list[str] = []
    for part in parts:
        out += [separator, *part] if out else part
    return out


def _expr(expr: ast.Expr | ast.Slice, place: int) -> list[str]:
    """Tokens of an expression that stands where `place` binds."""
    tokens, binding = _bare(expr)
    return ["(", *tokens, ")"] if binding < place else tokens


def _bare(expr: ast.Expr | ast.Slice) -> tuple[list[str], int]:
    match expr:
        case ast.Number(text=text):
            return [text], POSTFIX
        case ast.String(value=value):
            return ['"' + "".join(ESCAPES.get(c, c) for c in value) + '"'], POSTFIX
        case ast.Name(id=name):
            return [name], POSTFIX
        case ast.Unary(operator="not", operand=operand):
            return ["not", *_expr(operand, NOT)], NOT
        case ast.Unary(operator=sign, operand=operand):
            return [sign, *_expr(operand, SIGN)], SIGN
        case ast.Binary(operator="^", left=left, right=right):
            signed = isinstance(right, ast.Unary) and right.operator != "not"
            return [*_expr(left, POSTFIX), "^", *_exponent(right, signed)], POWER
        case ast.Binary(operator=operator, left=left, right=right):
            binding = BINDING[operator]
            first = binding + 1 if binding == COMPARE else binding
            return [*_expr(left, first), operator, *_expr(right, binding + 1)], binding
        case ast.Call():
            return _call(expr), POSTFIX
        case ast.Index(base=base, items=items):
            return [*_expr(base, POSTFIX), "[", *_listed(_expr(item, LOOSEST) for item in items), "]"], POSTFIX
        case ast.Slice(lower=lower, upper=upper):
            return [*(_expr(lower, LOOSEST) if lower else []), ":", *(_expr(upper, LOOSEST) if upper else [])], LOOSEST
        case ast.ListExpr(items=items):
            return ["[", *_listed(_expr(item, LOOSEST) for item in items), "]"], POSTFIX
        case ast.Conditional(condition=condition, yes=yes, no=no):
            branches = ["then", *_expr(yes, LOOSEST), "else", *_expr(no, LOOSEST)]
            return ["if", *_expr(condition, LOOSEST), *branches], LOOSEST
        case ast.Comprehension(element=element, variable=variable, range=range_, reducer=None):
            return ["[", *_expr(element, LOOSEST), "for", variable.id, "in", *_expr(range_, LOOSEST), "]"], POSTFIX
        case ast.Comprehension(element=element, variable=variable, range=range_, reducer=str(reducer)):
            return [reducer, "over", variable.id, "in", *_expr(range_, OR), ":", *_expr(element, LOOSEST)], LOOSEST
        case ast.Configured(name=name, options=options):
            return [name.id, *_options(options, absent=False)], POSTFIX
    raise AssertionError(f"not an expression: {expr!r}")


def _exponent(power: ast.Expr, signed: bool) -> list[str]:
    """What stands after `^`: signs, then a power or tighter."""
    if signed and isinstance(power, ast.Unary):
        inner = isinstance(power.operand, ast.Unary) and power.operand.operator != "not"
        return [power.operator, *_exponent(power.operand, inner)]
    return _expr(power, POWER)


def _call(call: ast.Call) -> list[str]:
    return [call.function.id, "(", *_listed(_argument(argument) for argument in call.arguments), ")"]


def _argument(argument: ast.Argument) -> list[str]:
    return [*([argument.name.id, "="] if argument.name else []), *_expr(argument.value, LOOSEST)]


def _options(options: ast.Options, absent: bool = True) -> list[str]:
    if absent and not options.items:
        return []
    return ["{", *_listed([item.name.id, "=", *_expr(item.value, LOOSEST)] for item in options.items), "}"]


def _type(type_: ast.Type) -> list[str]:
    bounds = [[bound.name.id if bound.name else "", "=", *_expr(bound.value, SUM)] for bound in type_.bounds]
    dims = [_expr(dim, LOOSEST) for dim in type_.dims]
    return [
        type_.base.id,
        *(["<", *_listed(bounds), ">"] if bounds else []),
        *(["[", *_listed(dims), "]"] if dims else []),
    ]


def _names(names: Iterable[ast.Name]) -> list[str]:
    return ["(", *_listed([name.id] for name in names), ")"]


def _law(law: ast.LawSource) -> list[str]:
    match law:
        case ast.Call():
            return _call(law)
        case ast.Implicit(call=call):
            return ["implicit", *_call(call)]
        case ast.Learned(source=source, options=options):
            return ["learned", *_call(source), *_options(options)]
        case ast.Body(statements=statements):
            return ["{", *_listed((_statement(statement) for statement in statements), ";"), "}"]


def _statement(statement: ast.Draw | ast.Bind) -> list[str]:
    if isinstance(statement, ast.Draw):
        return [statement.name.id, "~", *_call(statement.law)]
    return [*(["let"] if statement.let else []), statement.name.id, "=", *_expr(statement.value, LOOSEST)]


def _factor(factor: ast.Factor) -> list[str]:
    inside = _names(factor.params)
    if factor.observation:
        inside[1:1] = [factor.observation.id, "|"]
    if factor.power is None:
        return [factor.law.id, *inside]
    signed = isinstance(factor.power, ast.Unary) and factor.power.operator != "not"
    return [factor.law.id, *inside, "^", *(_exponent(factor.power, signed) if signed else _expr(factor.power, POSTFIX))]


def _declaration(node: ast.Declaration | ast.Edition) -> list[str]:
    match node:
        case ast.Edition(version=version):
            return ["bsi", version.text]
        case ast.Import(path=path, name=name):
            return ["import", *_expr(path, LOOSEST), "as", name.id]
        case ast.Dim(name=name, value=value):
            return ["dim", name.id, *(["=", *_expr(value, LOOSEST)] if value else [])]
        case ast.Param(name=name, type=type_):
            return ["param", name.id, ":", *_type(type_)]
        case ast.Data(name=name, type=type_, source=source):
            return ["data", name.id, ":", *_type(type_), "=", *_expr(source, LOOSEST)]
        case ast.Let(name=name, parameters=parameters, value=value):
            return ["let", name.id, *(_names(parameters) if parameters else []), "=", *_expr(value, LOOSEST)]
        case ast.Simulator(name=name, parameters=parameters, result=result, call=call, options=options):
            head = ["simulator", name.id, *_names(parameters), "->", *_type(result)]
            return [*head, "=", *_call(call), *_options(options)]
        case ast.Prior(name=name, params=params, law=law):
            return ["prior", name.id, *_names(params), "=", *_law(law)]
        case ast.Likelihood(name=name, observed=observed, type=type_, given=given, law=law):
            inside = [observed.id, ":", *_type(type_), "|", *_names(given)[1:]]
            return ["likelihood", name.id, "(", *inside, "=", *_law(law)]
        case ast.Observe(name=name, likelihood=likelihood, rows=rows, source=source, options=options):
            count = [] if rows is None else ["[", *_listed(_expr(row, LOOSEST) for row in rows), "]"]
            head = ["observe", name.id, ":", likelihood.id, *count]
            return [*head, "=", *_expr(source, LOOSEST), *_options(options)]
        case ast.Posterior(name=name, params=params, factors=factors):
            product = _listed((_factor(factor) for factor in factors), "*")
            return ["posterior", name.id, *_names(params), "=", *product]
        case ast.Sweep(name=name, values=values):
            return ["sweep", name.id, "in", *_expr(values, LOOSEST)]
        case ast.Net(name=name, kind=kind, options=options):
            return ["net", name.id, "=", kind.id, *_options(options)]
        case ast.Train(name=name, objective=call, options=options):
            return ["train", name.id, "=", *_call(call), *_options(options)]
        case ast.Sample(name=name, method=call, options=options):
            return ["sample", name.id, "=", *_call(call), *_options(options)]
        case ast.Check(metric=metric, operator=operator, bound=bound):
            return ["check", *_call(metric), *([operator, *_expr(bound, SUM)] if operator and bound else [])]

"""The tables of `grammar/README.md`, rendered from the compiler's own: laws, functions, options.

`python -m bsi.compiler.tables_markdown` writes them between `<!-- generated: NAME -->` and `<!-- end -->`, and what
editors colour by (`highlighting.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from bsi.compiler import highlighting
from bsi.compiler.functions import CALLABLE, CONSTANTS, FUNCTIONS, Function
from bsi.compiler.laws import LAWS, Argument, Bound, Domain, Last, LawRow
from bsi.compiler.options import BLOCKS, Block, Option, kinds
from bsi.compiler.supports import KINDS as SUPPORTS

README = Path(__file__).resolve().parents[1] / "grammar" / "README.md"
REGION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

DOMAINS: dict[Domain, str] = {
    "real": "",
    "positive": "> 0",
    "nonnegative": "≥ 0",
    "unit": "in [0, 1]",
    "correlation": "in (-1, 1)",
    "whole": "whole",
    "natural": "whole and ≥ 0",
    "probabilities": "non-negative with sum 1",
    "increasing": "increasing",
    "positive_definite": "positive definite",
    "cholesky": "lower triangular with positive diagonal",
    "adjacency": "symmetric, of 0 and 1",
}
KINDS = {"int": "int", "real": "real", "bool": "`true`, `false`", "net": "a net", "expr": "an expression"}
COMPOUND = {  # where the values of laws of laws lie
    "mixture": "those of the laws",
    "truncated": "between the bounds",
    "ordered": "ordered[k]",
    "zero_inflated": "0, 1, 2, ...",
    "hurdle": "0, 1, 2, ...",
    "hidden_markov": "[time, ...], those of the laws",
}
# By rule; other arguments are x, or a, b, ... where there are several.
PARAMETERS = {
    "fill": "n, ...",
    "eye": "n",
    "linspace": "low, high, n",
    "repeat": "x, n",
    "reshape": "x, n, ...",
    "range": "a, b",
    "scan": "f, init, x, ...",
}
AXES = {None: "", "all": ", axis = all", "first": ", axis = 0", "last": ", axis = last"}


def laws() -> str:
    """One row a law: how it is called, what its arguments must be, where its values lie."""
    rows = [(f"`{row.name}({_signature(row)})`", _domains(row), _support(row), row.doc) for row in LAWS.values()]
    return _table(("law", "arguments", "values", ""), rows)


def types() -> str:
    """One row a constrained vector or matrix."""
    rows = [(f"`{row.name}[k]`", row.doc, f"`{row.law}`") for row in SUPPORTS.values()]
    return _table(("type", "values", "for example drawn by"), rows)


def functions() -> str:
    """One row a function that an expression can call, and the constants."""
    rows = [
        (f"`{row.name}({_parameters(row)}{AXES[row.axis]})`", row.doc)
        for row in FUNCTIONS.values()
        if row.name in CALLABLE
    ]
    constants = ", ".join(f"`{name}`" for name in CONSTANTS)
    return f"{_table(('function', ''), rows)}\nConstants: {constants}.\n"


def options() -> str:
    """One table for each kind of block, under the noun."""
    return "\n".join(_block(noun, kind, block) for (noun, kind), block in BLOCKS.items())


TABLES: dict[str, Callable[[], str]] = {"types": types, "laws": laws, "functions": functions, "options": options}


def updated(text: str) -> str:
    """`text` with every generated region written anew.

    Raises:
        KeyError: a region has a name that is not in `TABLES`.
    """
    return REGION.sub(lambda region: f"{region[1]}{TABLES[region[2]]()}{region[3]}", text)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines)


def _signature(row: LawRow) -> str:
    """What must be given, the laws, what may be left out."""
    _, most = row.components
    inner = ["LAW, ..."] if most is None else ["LAW"] * most
    needed = [_argument(argument) for argument in row.arguments if argument.default is None]
    others = [_argument(argument) for argument in row.arguments if argument.default is not None]
    if row.components == (0, 0):
        return ", ".join(_argument(argument) for argument in row.arguments)
    return ", ".join([*needed, *inner, *others])


def _argument(argument: Argument) -> str:
    return argument.name if argument.default is None else f"{argument.name} = {_number(argument.default)}"


def _domains(row: LawRow) -> str:
    said = [(a.name, f"> {a.above} - 1" if a.above else DOMAINS[a.domain], a.axes) for a in row.arguments]
    return ", ".join(
        " ".join(filter(None, (f"`{name}{_axes(axes)}`", words))) for name, words, axes in said if words or axes
    )


def _axes(axes: tuple[str, ...]) -> str:
    return f"[{', '.join(axes)}]" if axes else ""


def _support(row: LawRow) -> str:
    if row.components != (0, 0):
        return COMPOUND[row.name]
    if row.kind:
        return f"counts[k] with sum {_bound(row.upper)}" if row.kind == "counts" else f"{row.kind}[k]"
    lower, upper = _bound(row.lower), _bound(row.upper)
    if (row.lower, row.upper) == (0.0, 1.0) and row.integer:
        return "0 or 1"
    if row.integer:
        return f"{lower}, 1, 2, ..." if upper is None else f"{lower}, ..., {upper}"
    if row.axes:
        return f"real{_axes(row.axes)}"
    if lower is None:
        return "real"
    return f"above {lower}" if upper is None else f"{lower} to {upper}"


def _bound(bound: Bound) -> str | None:
    match bound:
        case None:
            return None
        case Last(argument, plus):
            size = "k" if argument in ("p", "logits") else "c"
            return size if plus else f"{size} - 1"
        case str():
            return f"`{bound}`"
    return _number(bound)


def _number(value: float) -> str:
    """As a model writes it: `20_000`, `0.001`, `-inf`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"{value:_}" if isinstance(value, int) else f"{value:g}"


def _parameters(row: Function) -> str:
    if row.rule in PARAMETERS:
        return PARAMETERS[row.rule]
    match row.arity:
        case 1, 1:
            return "x"
        case fewest, None:
            return ", ".join([*"abc"[:fewest], "..."])
        case _, most:
            return ", ".join("abc"[:most])


def _block(noun: str, kind: str, block: Block) -> str:
    called = f" Takes {block.arguments}." if block.arguments else ""
    title = f"**{noun} `{kind}`**: {block.doc}.{called}\n"
    if not block.options:
        return f"{title}\nNo options.\n"
    rows = [(f"`{o.name}`", f"`{_default(o)}`", _values(o), o.doc) for o in block.options]
    return f"{title}\n{_table(('option', 'default', 'values', ''), rows)}"


def _default(option: Option) -> str:
    for word, value in option.words.items():
        if value == option.default and type(value) is type(option.default):
            return word
    match option.default:
        case bool():
            return str(option.default).lower()
        case int() | float():
            return _number(option.default)
    return str(option.default)


def _values(option: Option) -> str:
    words = ", ".join(f"`{word}`" for word in option.spelled)
    if option.kind == "word":
        return words
    if option.kind == "choice":
        return ", ".join(f"`{word}`" for word in [*option.words, *kinds(option.name)])
    kind = KINDS[option.kind]
    said = " or ".join(filter(None, (kind + _range(option), words)))
    return f"{said}; may be swept" if option.swept else said


def _range(option: Option) -> str:
    match option.lower, option.upper, option.open:
        case None, None, _:
            return ""
        case low, None, opened:
            return f" {'>' if opened else '≥'} {_number(low)}"
        case low, high, opened:
            inside = f"{_number(low or 0)}, {_number(high)}"
            return f" in ({inside})" if opened else f" in [{inside}]"


def main() -> None:
    README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")
    highlighting.main()  # editors know the same words


if __name__ == "__main__":
    main()

"""Every construct and its tree."""

import pytest

from bsi.dsl import ast
from bsi.dsl.grammar import GRAMMAR, keywords, nouns
from bsi.dsl.parser import parse
from bsi.dsl.print import print_declaration, print_expr, print_law, print_type
from bsi.dsl.span import Source
from tests.dsl.helpers import EVERYTHING, codes, declare, errors, expression


def test_whole_file():
    module, diagnostics = parse(Source("m.bsi", EVERYTHING))
    assert diagnostics == [] and module.broken == frozenset()
    assert module.edition and module.edition.version.value == 1
    kinds = [type(declaration).__name__.lower() for declaration in module.declarations]
    assert set(kinds) | {"bsi"} == set(nouns().values())
    assert len(kinds) == 27


def test_spans_cover_exactly_what_they_name():
    source = Source("m.bsi", EVERYTHING)
    for declaration in parse(source)[0].declarations:
        text = source.text[declaration.span.start : declaration.span.end]
        assert text[0] not in " \n#" and text[-1] not in " \n" and declaration.span.file == "m.bsi"
        if not isinstance(declaration, ast.Check):
            name = declaration.name
            assert source.text[name.span.start : name.span.end] == name.id


@pytest.mark.parametrize(
    ("written", "brackets"),
    [
        ("1 + 2 * 3", "(1 + (2 * 3))"),
        ("1 - 2 - 3", "((1 - 2) - 3)"),
        ("2^3^2", "(2 ^ (3 ^ 2))"),
        ("-x^2", "(-(x ^ 2))"),
        ("2^-1", "(2 ^ (-1))"),
        ("2^-x^2", "(2 ^ (-(x ^ 2)))"),
        ("a @ b * c", "((a @ b) * c)"),
        ("not a == b and c or d", "(((not (a == b)) and c) or d)"),
        ("a < b + 1", "(a < (b + 1))"),
        ("(a + b) * c", "((a + b) * c)"),
        ("- - a", "(-(-a))"),
        ("a[0][1]^2", "(a[0][1] ^ 2)"),
    ],
)
def test_binding(written, brackets):
    def show(node):
        match node:
            case ast.Binary():
                return f"({show(node.left)} {node.operator} {show(node.right)})"
            case ast.Unary():
                return f"({node.operator}{' ' * (node.operator == 'not')}{show(node.operand)})"
        return print_expr(node)

    assert show(expression(written)) == brackets


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), ("20_000", 20_000), ("0.5", 0.5), (".5", 0.5), ("1.", 1.0), ("1e-3", 1e-3), ("2E+4", 2e4)],
)
def test_numbers(text, value):
    number = expression(text)
    assert isinstance(number, ast.Number)
    assert (number.value, type(number.value), number.text) == (value, type(value), text)


def test_strings_and_names():
    assert expression(r'"a\"b\\c\n"') == ast.String(expression(r'"a\"b\\c\n"').span, 'a"b\\c\n')
    assert isinstance(expression("true"), ast.Name) and isinstance(expression("none"), ast.Name)
    assert expression("nets.small").id == "nets.small"
    assert expression("θ_1").id == "θ_1"
    assert expression("\u00b5").id == "\u03bc", "the micro sign and mu are one name"


def test_slices_and_indices():
    index = expression("a[i, :, 1:, :2, 0:n]")
    assert isinstance(index, ast.Index)
    bounds = [(s.lower is None, s.upper is None) for s in index.items if isinstance(s, ast.Slice)]
    assert bounds == [(True, True), (False, True), (True, False), (False, False)]


def test_reductions_and_comprehensions():
    node = expression("max over i in d : a[i] + 1")
    assert isinstance(node, ast.Comprehension) and node.reducer == "max" and print_expr(node.element) == "a[i] + 1"
    node = expression("[a[i] for i in d]")
    assert isinstance(node, ast.Comprehension) and node.reducer is None
    assert isinstance(expression("sum(a)"), ast.Call)


def test_dims_are_one_declaration_each():
    module, _ = parse(Source("m.bsi", "bsi 1\ndim d = 2, n = 20, k"))
    assert [(dim.name.id, dim.value and print_expr(dim.value)) for dim in module.declarations] == [
        ("d", "2"),
        ("n", "20"),
        ("k", None),
    ]


def test_rows_of_an_observation():
    assert declare("observe o : f = [1]").rows is None
    assert declare("observe o : f[] = [1]").rows == ()
    assert print_expr(declare("observe o : f[2 * n] = [1]").rows[0]) == "2 * n"


def test_types():
    param = declare("param t : real<lower = 0, upper = a + 1>[d, 2 * k]")
    assert print_type(param.type) == "real<lower = 0, upper = a + 1>[d, 2 * k]"
    assert declare("param t : simplex[k]").type.base.id == "simplex"


@pytest.mark.parametrize("power", ["lambda", "0.5", "(1 / 4)", "w", "w[0]", "-1", "f(a)"])
def test_powers(power):
    posterior = declare(f"posterior q(t) = p(t)^{power} * f(o | t)^{power} * g(o2 | t)")
    assert [factor.observation and factor.observation.id for factor in posterior.factors] == [None, "o", "o2"]
    assert print_declaration(posterior) == f"posterior q(t) = p(t)^{power} * f(o | t)^{power} * g(o2 | t)"
    assert posterior.factors[2].power is None


def test_a_power_of_a_factor_is_no_power_of_a_power():
    assert codes("posterior q(t) = p(t)^2^3") == ["E0121"]


@pytest.mark.parametrize("separator", [", ", "\n  ", ",\n  ", ",  # why\n  ", "  # why\n\n  # how\n  "])
def test_options_are_separated_by_commas_or_lines(separator):
    net = declare(
        "net u = mlp { width = 8" + separator + "depth = partial { n_max = 4 }" + separator.rstrip(", ") + "}"
    )
    assert [option.name.id for option in net.options.items] == ["width", "depth"]
    assert isinstance(net.options.items[1].value, ast.Configured)


def test_absent_options_are_an_empty_span_at_the_end():
    net = declare("net u = mlp")
    assert net.options.items == () and net.options.span.start == net.options.span.end == net.span.end


@pytest.mark.parametrize("separator", ["; ", "\n  ", ";\n", "\n# why\n"])
def test_statements_are_separated_by_semicolons_or_lines(separator):
    lines = ["let b = 2", "a ~ normal(0,\n b)", "x = a\n + b"]
    law = declare("likelihood f(x : real | t) = { " + separator.join(lines) + " }").law
    assert isinstance(law, ast.Body)
    assert print_law(law) == "{ let b = 2; a ~ normal(0, b); x = a + b }"
    assert [type(s).__name__ for s in law.statements] == ["Bind", "Draw", "Bind"]
    assert [s.let for s in law.statements if isinstance(s, ast.Bind)] == [True, False]


def test_laws():
    assert isinstance(declare("prior p(t) = normal(0, 1)").law, ast.Call)
    assert isinstance(declare("likelihood f(x : real | t) = implicit s(t)").law, ast.Implicit)
    learned = declare('prior p(t) = learned file("a.npz") { k = 1 }').law
    assert isinstance(learned, ast.Learned) and len(learned.options.items) == 1


def test_declarations_continue_in_brackets_and_indented():
    assert isinstance(declare("prior p(t) =\n  normal(\n0,\n1)\n"), ast.Prior)
    assert isinstance(declare("let a = [\n1,\n2,\n]"), ast.Let)
    assert isinstance(declare("posterior q(t) = p(t)\n* f(o | t)"), ast.Posterior)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends(end):
    module, diagnostics = parse(Source("m.bsi", EVERYTHING.replace("\n", end)))
    assert diagnostics == [] and len(module.declarations) == 27


def test_printed_declarations_parse_to_the_same_text():
    printed = [print_declaration(node) for node in parse(Source("m.bsi", EVERYTHING))[0].declarations]
    again = parse(Source("m.bsi", "bsi 1\n" + "\n".join(printed)))[0]
    assert [print_declaration(node) for node in again.declarations] == printed


# ---------------------------------------------------------------- the traps of Lark


def test_keywords_have_word_boundaries():
    assert codes("priorp = 1") == ["E0105"]
    assert declare("let prior_mean = 1").name.id == "prior_mean"
    assert declare("let order = andy + ornate + iffy").value


@pytest.mark.parametrize("word", sorted(keywords()))
def test_keywords_are_no_names(word):
    assert codes(f"param {word} : real") in (["E0111"], ["E0101"]) and len(errors(f"param {word} : real")) == 1


def test_three_faults_are_three_diagnostics_and_the_rest_is_parsed():
    text = "bsi 1\nparam a real\ndim d = 2\nnet u = mlp { width = }\nlet b = 1 +\nparam c : real[d]\n"
    module, diagnostics = parse(Source("m.bsi", text))
    assert len(diagnostics) == 3
    assert [node.name.id for node in module.declarations if not isinstance(node, ast.Check)] == ["d", "c"]
    assert module.broken == {"a", "u", "b"}


def test_the_end_of_a_declaration_is_after_its_last_token():
    (diagnostic,) = errors("let a = long_name +")
    assert diagnostic.primary and diagnostic.primary.span.start == len("bsi 1\nlet a = long_name +")


def test_expected_words_are_for_people():
    texts = [
        d.message + (d.help or "") for d in errors("let a = [1, 2\nlet b = ,\nlet c = f(x y)\nparam d\nobserve o = 2")
    ]
    assert len(texts) == 5
    assert not [text for text in texts for word in ("ANON", "LPAR", "$END", "NAME", "EQUAL") if word in text.split()]


def test_grammar_has_no_conflicts():
    from lark import Lark

    Lark(GRAMMAR.read_text(), parser="lalr", lexer="basic", strict=True)

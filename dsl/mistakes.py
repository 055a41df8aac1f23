"""Syntax errors as data: what was found where, and what to say about it. The first row that fits is taken.

Each row's `example` is a declaration that the row, and no other, explains: the tests run through the table.
"""

from __future__ import annotations

from dataclasses import dataclass

OPERATORS = "PLUS MINUS STAR SLASH AT CARET AND OR"
COMPARISONS = "LESS LESSEQUAL MORE MOREEQUAL SAME DIFFERENT"
VALUES = "NAME NUMBER STRING LPAR LSQB LBRACE MINUS IMPLICIT LEARNED NOT IF"

# How each declaration is written, shown as the help of last resort.
FORMS = {
    "BSI": "bsi 1",
    "IMPORT": 'import "nets.bsi" as nets',
    "DIM": "dim d = 2, n",
    "PARAM": "param theta : real<lower = 0>[d]",
    "DATA": 'data s : real[school] = file("schools.json", key = "sigma")',
    "LET": "let a = 2 * pi` or `let f(t) = t^2",
    "SIMULATOR": "simulator lv(k) -> real[time] = ode(u) { rhs = -k * u }",
    "PRIOR": "prior p(theta) = normal(0, 1)` or `prior p(theta) = { theta ~ normal(0, 1) }",
    "LIKELIHOOD": "likelihood f(x : real | theta) = normal(theta, 1)",
    "OBSERVE": 'observe obs : f[n] = file("obs.npz")',
    "POSTERIOR": "posterior post(theta) = p(theta) * f(obs | theta)^lambda",
    "SWEEP": "sweep lambda in [0.5, 1, 2]",
    "NET": "net u = mlp { width = 128, depth = 4 }",
    "TRAIN": "train fit = score(p, f) { network = u }",
    "SAMPLE": "sample draws = flow_ode(post, fit) { draws = 1_000 }",
    "CHECK": "check c2st(ode, ref) < 0.58",
}

# Human words for what the grammar calls its terminals; a keyword or an operator not listed is shown as it is written.
WORDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "text in quotes",
    "_NEWLINE": "a new line",
    "$END": "the end of the declaration",
}


@dataclass(frozen=True)
class Mistake:
    """One row. Sets are written as words; an empty one fits everything.

    `found` and `previous` are terminals; `expected` asks that at least one of these could have stood there; `absent`
    that none of these could; `noun` is the declaration. The texts may use `{found}`,
    `{found_word}`, `{previous}`, `{expected}` and `{form}`.
    `replace` is the text of a safe fix for the token found, `insert` one for text before it.
    """

    code: str
    message: str
    help: str
    example: str
    found: str = ""
    previous: str = ""
    expected: str = ""
    absent: str = ""
    noun: str = ""
    replace: str | None = None
    insert: str | None = None

    def fits(self, found: set[str], previous: str, expected: set[str], noun: str) -> bool:
        """Whether the row explains a parser's stop; `found` holds the token's terminal and the classes it is in."""
        return (
            (not self.found or not found.isdisjoint(self.found.split()))
            and (not self.previous or previous in self.previous.split())
            and (not self.expected or not expected.isdisjoint(self.expected.split()))
            and (not self.absent or expected.isdisjoint(self.absent.split()))
            and (not self.noun or noun in self.noun.split())
        )


MISTAKES = (
    # A tilde, and equality.
    Mistake("E0107", "a law is given with `=` here, not with `~`", "write `=`; `~` draws a variable inside `{{ ... }}`",
            "prior p(theta) ~ normal(0, 1)",
            found="TILDE", expected="EQUAL", noun="PRIOR LIKELIHOOD", replace="="),
    Mistake("E0107", "`~` stands only inside the `{{ ... }}` of a prior or a likelihood",
            "give the law of a param in a prior: `prior p(theta) = normal(0, 1)`",
            "param theta ~ normal(0, 1)", found="TILDE"),
    Mistake("E0108", "a check compares with `<`, `<=`, `>` or `>=`",
            "say which values pass: an exact value is never met by a random sample",
            "check c2st(a, b) == 0.5", found="EQUAL SAME DIFFERENT", expected="LESS", noun="CHECK"),
    Mistake("E0108", "`==` compares; a value is given with `=`", "write `=`",
            "let a == 2", found="SAME", expected="EQUAL", replace="="),
    Mistake("E0108", "`=` gives a value; a comparison is written `==`", "write `==`",
            "let a = if 1 = 2 then 3 else 4", found="EQUAL", expected="SAME"),
    Mistake("E0115", "comparisons cannot be chained", "make two checks",
            "check rhat(a) > 0.9 < 1.1", found=COMPARISONS, previous="NAME NUMBER RPAR RSQB", expected="$END",
            noun="CHECK"),
    Mistake("E0104", "a variable is drawn with `~`", "write `~`: `theta ~ normal(0, 1)`",
            "prior p(a, b) = { a normal(0, 1); b ~ normal(a, 1) }",
            found="NAME", previous="NAME", expected="TILDE", insert="~ "),
    Mistake("E0101", "a declaration holds one name, not a block", "write `{form}`, one for each name",
            "data { let n = 2 }", found="LBRACE", expected="NAME", noun="DATA PARAM LET DIM"),
    Mistake("E0101", "`learned` takes draws of a file, or a law by its name",
            'write `learned file("draws.npz")`, or leave out the word: a body is a law already',
            "prior p(theta) = learned { theta ~ normal(0, 1) }", found="LBRACE", previous="LEARNED"),
    # Words in the wrong place.
    Mistake("E0121", "a declaration ends with its line, not with `;`", "remove it",
            "param theta : real;", found="SEMICOLON", expected="$END", replace=""),
    Mistake("E0121", "`if` stands behind a value", "write `if c then a else b`; a loop has no condition",
            "let a = 1 if 2 > 1 else 3", found="IF", previous="NAME NUMBER RPAR RSQB"),
    Mistake("E0111", "a body has no loops", "a law draws all entries of its variable at once: "
            "`theta ~ normal(mu, 1)`; a list of values is `[e for i in d]`",
            "prior p(a) = { for (i in 1:2) a ~ normal(0, 1) }",
            found="FOR", expected="LET RBRACE", noun="PRIOR LIKELIHOOD"),
    Mistake("E0121", "`{found}` starts a declaration, and a declaration starts a line",
            "start a new line before `{found}`",
            "dim d = 2 param theta : real", found="NOUN", expected="$END"),
    Mistake("E0122", "`{found}` needs brackets here", "put brackets around the whole `if ... then ... else ...`",
            "let a = 1 + if 1 < 2 then 3 else 4", found="IF", previous=OPERATORS + " " + COMPARISONS + " NOT"),
    Mistake("E0122", "`{previous} over` needs brackets here",
            "put brackets around the whole `{previous} over ... : ...`",
            "let a = 2 * sum over i in d : i", found="OVER", previous="NAME"),
    Mistake("E0111", "`{found}` is a keyword, so it cannot be a name", "choose another name",
            "param data : real", found="KEYWORD", expected="NAME"),
    # Declarations that are nearly right.
    Mistake("E0101", "the observed variable needs a type", "say what one observation is: `f(x : real[d] | theta)`",
            "likelihood f(x | theta) = normal(theta, 1)",
            found="VBAR RPAR COMMA", expected="COLON", noun="LIKELIHOOD"),
    Mistake("E0101", "a likelihood is given its parameters", "name them after `|`: `f(x : real | theta)`",
            "likelihood f(x : real) = normal(0, 1)",
            found="RPAR", expected="VBAR", noun="LIKELIHOOD"),
    Mistake("E0101", "a prior depends on nothing",
            "list all its params, `p(mu, theta)`, and give each its law in a body",
            "prior p(theta | mu) = normal(mu, 1)", found="VBAR", noun="PRIOR"),
    Mistake("E0101", "the options of a net stand in `{{ ... }}`", "write `{form}`",
            "net u = mlp(width = 8)", found="LPAR", expected="LBRACE", noun="NET"),
    Mistake("E0101", "a bound is given by name", "write `<lower = 0>`, `<upper = 1>` or both",
            "param tau : real<0>", found="NUMBER MINUS PLUS", previous="LESS", expected="NAME"),
    Mistake("E0128", "a posterior is a product of factors, so `{found}` cannot stand here",
            "multiply factors with `*`, and weight one with a power: `f(obs | theta)^0.5`",
            "posterior post(theta) = p(theta) + f(obs | theta)",
            found="PLUS MINUS SLASH AT", expected="STAR", noun="POSTERIOR"),
    Mistake("E0104", "an option is given with `=`, not with `:`", "write `=`",
            "net u = mlp { width : 8 }", found="COLON", previous="NAME", expected="EQUAL", replace=" ="),
    Mistake("E0104", "expected `=` before {found_word}", "write `{form}`",
            "prior p(theta) normal(0, 1)", found=VALUES, expected="EQUAL", insert="= "),
    # Too little, too much.
    Mistake("E0120", "this declaration stops before {expected}", "write `{form}`",
            "prior p(theta) =", found="$END"),
    Mistake("E0123", "expected `,` between two values", "write `,`, or an operator if this is one value",
            "let a = [1 2]", found="NAME NUMBER STRING LPAR LBRACE", previous="NAME NUMBER STRING RPAR RSQB",
            expected="COMMA", absent="$END"),
    Mistake("E0121", "a range of numbers is not written with `:`",
            "write `range(a, b)`: whole numbers from a up to and without b", "let a = 1:5",
            found="COLON", expected="$END"),
    Mistake("E0121", "the declaration is complete before {found_word}", "end it there, or write `{form}`",
            "param theta : real[2] 5", expected="$END"),
    Mistake("E0101", "expected {expected}, found {found_word}", "write `{form}`",
            "param theta real"),
)  # fmt: skip

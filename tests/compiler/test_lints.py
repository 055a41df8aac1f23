"""Lints: what each is for, what it leaves alone, and how comments allow it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bsi.compiler.analyse import analyse
from bsi.compiler.lint_runs import RANGES
from bsi.compiler.options import kinds
from bsi.dsl.fixes import apply
from bsi.dsl.span import Source
from tests.compiler.helpers import codes

ROOT = Path(__file__).parents[2]

MODEL = """bsi 1
param mu : real
param tau : real<lower = 0>
prior p(mu, tau) = { mu ~ normal(0, 1); tau ~ half_normal(1) }
likelihood f(x : real | mu, tau) = normal(mu, tau)
observe obs : f[3] = [0.1, 0.5, 0.2]
posterior post(mu, tau) = p(mu, tau) * f(obs | mu, tau)
sample a = nuts(post)
"""


def changed(old: str, new: str) -> str:
    assert old in MODEL
    return MODEL.replace(old, new)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MODEL, []),
        # a square where a standard deviation stands; elsewhere squares are what they are
        (changed("normal(mu, tau)", "normal(mu, tau * tau)"), ["W0418"]),
        (changed("normal(mu, tau)", "normal(mu, scale = square(tau))"), ["W0418"]),
        (changed("normal(mu, tau)", "student_t(4, mu, tau^2)"), ["W0418"]),
        (changed("normal(mu, tau)", "normal(mu^2, tau)"), []),
        (changed("normal(mu, tau)", "normal(mu, tau^2 + 1)"), []),
        (changed("normal(mu, tau)", "normal(mu, sqrt(tau^2))"), []),
        (changed("half_normal(1)", "inverse_gamma(2, 2^2)"), []),
        # what the law does not use
        (changed("= normal(mu, tau)", "= normal(mu, 1)"), ["W0419"]),
        (changed("= normal(mu, tau)", "= { let s = tau; x ~ normal(mu, s) }"), []),
        (changed("= normal(mu, tau)", "= { e ~ normal(0, tau); x = mu + e }").replace("nuts", "flow_ode"), []),
        # a param behind another one is heard of through it
        (changed("tau ~ half_normal(1) }", "tau ~ half_normal(exp(mu)) }").replace("| mu, tau) =", "| tau) =")
         .replace("obs | mu, tau", "obs | tau").replace("= normal(mu, tau)", "= normal(0, tau)"), []),
        (changed("| mu, tau) =", "| tau) =").replace("obs | mu, tau", "obs | tau")
         .replace("= normal(mu, tau)", "= normal(0, tau)"), ["W0420"]),
        # a power of a hierarchy, whose normaliser has params in it; places have none, and 0 and 1 are no powers
        *((changed("mu ~ normal(0, 1); tau ~ half_normal(1)", f"tau ~ half_normal(1); mu ~ {law}")
           .replace("p(mu, tau) *", f"p(mu, tau)^{power} *"), expected)
          for law, power, expected in (
              ("normal(0, tau)", 0.5, ["W0450"]), ("normal(0, 2 * tau)", 0, ["W0403"]), ("normal(0, tau)", 1, []),
              ("normal(tau, 1)", 2, []), ("lognormal(tau, 1)", 2, ["W0450"]), ("normal(0, 1)", 0.5, []),
              ("mixture([0.5, 0.5], normal(0, 1), normal(0, tau))", 2, ["W0450"]))),
        (changed("mu ~ normal(0, 1); tau ~ half_normal(1)", "tau ~ half_normal(1); mu ~ normal(0, tau)")
         .replace("p(mu, tau) *", "p(mu, tau)^alpha *") + "sweep alpha in [0.5, 1]\n", ["W0450"]),
        # no data at all: the prior is what is asked for
        (changed(" * f(obs | mu, tau)", "").replace("observe", "# bsi: allow W0401\nobserve"), []),
        # params without a prior, once
        (changed("param mu", "param nu : real\nparam mu"), ["W0401"]),
        (changed("observe", "likelihood g(y : real | nu) = normal(nu, 1)\nobserve o : g = 1\nobserve")
         .replace("param mu", "param nu : real\nparam mu"), ["W0412", "W0401"]),
        # checks
        (MODEL + "check rhat(a) < 1.01\ncheck ess(a) > 400\ncheck divergences(a) <= 0\n", []),
        (MODEL + "check rhat(a) < 1\n", ["W0415"]),
        (MODEL + "check divergences(a) < 0\n", ["W0415"]),
        (MODEL + "check ess(a) >= 0\n", ["W0416"]),
        (MODEL + "check rhat(a) > 1.5\n", ["W0415"]),
        (MODEL + "check ess(a) < 100\n", ["W0415"]),
        (MODEL + "sample s = ddim(post)\ncheck sbc(s) > 0.05\ncheck tarp(s) >= 0.01\ncheck lc2st(s) > 0\n", []),
        (MODEL + "sample s = ddim(post)\ncheck sbc(s) < 0.05\n", ["W0415"]),
        (MODEL + "sample s = ddim(post)\ncheck lc2st(s) > 1\n", ["W0415"]),
        (MODEL + "sample s = ddim(post)\ncheck tarp(s) >= 0\n", ["W0416"]),
        # coverage under powers; without a likelihood `sbc` asks for the prior, and there too ranks are uniform
        *((changed(factor, f"{factor}^l") + f"sweep l in {values}\nsample s = ddim(post) {{ correct = langevin }}\n"
           f"check {metric}(s) > 0.05\n", expected)
          for factor, values, metric, expected in (
              ("f(obs | mu, tau)", "[1, 1.0]", "sbc", ["W0417"]), ("f(obs | mu, tau)", "[1, 2]", "sbc", ["W0454"]),
              ("f(obs | mu, tau)", "[0, 1]", "sbc", []), ("f(obs | mu, tau)", "[0, 1]", "tarp", ["W0454"]),
              ("= p(mu, tau)", "[0.5, 1]", "sbc", ["W0454"]))),
        (changed("nuts(post)", "nuts(post) { chains = 1 }") + "check ess(a) > 10\n", []),
        (changed("nuts(post)", "nuts(post) { chains = 1 }") + "check rhat(a) < 1.1\n", ["W0413"]),
        # the same draws: equal in all but the name, with a seed that is given
        (MODEL + "sample b = nuts(post)\ncheck mean_error(a, b) < 0.1\n", []),
        (changed("nuts(post)", "nuts(post) { seed = 1 }") + "sample b = nuts(post) { seed = 1 }\n"
         "check mean_error(a, b) < 0.1\n", ["W0414"]),
        (changed("nuts(post)", "nuts(post) { seed = 1 }") + "sample b = nuts(post) { seed = 1, draws = 999 }\n"
         "check mean_error(a, b) < 0.1\n", []),
        # sweeps and tables
        (changed("f(obs | mu, tau)\n", "f(obs | mu, tau)^l\n") + "sweep l in [1, 2, 0.5]\n", []),
        (changed("f(obs | mu, tau)\n", "f(obs | mu, tau)^l\n") + "sweep l in [1, 2, 1.0]\n", ["W0417"]),
        (MODEL + "train t = score(p, f) { simulations = 199 }\nsample b = flow_ode(post, t)\n", ["W0422"]),
        (MODEL + "train t = score(p, f) { simulations = 200 }\nsample b = flow_ode(post, t)\n", []),
        # names of axes
        ("bsi 1\nparam chain : real\nprior p(chain) = normal(0, 1)\n", ["E0220"]),
        ("bsi 1\ndim chain = 2\nparam a : real[chain]\nprior p(a) = normal(0, 1)  # bsi: allow W0401\n", []),
    ],
)  # fmt: skip
def test_lints(text: str, expected: list[str]) -> None:
    found = codes(text)
    assert ([code for code in found if code.startswith("E")] or found) == expected


ALLOWED = [
    ("let a = 1  # bsi: allow W0401\n", []),
    ("let a = 1  #bsi:allow W0401\n", []),
    ("let a = 1  # bsi: allow W0401 a leftover\n", []),
    ("# bsi: allow W0401, W0418\nlet a = 1\n", ["W0411"]),
    ("# bsi: allow W0401\n\nlet a = 1\n", ["W0411", "W0401"]),
    ("let a = [\n  1,\n  [2, 3][0]\n]  # bsi: allow W0401\n", []),
    ("let a = [\n  1,\n  2  # bsi: allow W0401\n]\n", ["W0401", "W0411"]),
    ("let b = 2  # bsi: allow W0401\nlet a = 1\n", ["W0401"]),
    ("let a = 1  # bsi: allow\n", ["W0401", "W0410"]),
    ("let a = 1  # bsi: allow unused\n", ["W0401", "W0410"]),
    ("let a = 1  # bsi: allow w0401\n", ["W0401", "W0410"]),
    ("let a = 1  # bsi: allow E0201\n", ["W0401", "W0410"]),
    ("let a = 1  # bsi 1 allows W0401\n", ["W0401"]),
    ("let a = b  # bsi: allow W0401\n", ["E0201"]),  # lints are not looked for, so nobody knows
]


@pytest.mark.parametrize(("text", "expected"), ALLOWED)
def test_comments_allow_warnings(text: str, expected: list[str]) -> None:
    assert codes("bsi 1\n" + text) == expected


def test_a_comment_at_the_top_allows_in_the_whole_file() -> None:
    assert codes("# a model\n# bsi: allow W0401\n\nbsi 1\nlet a = 1\nlet b = 2\n") == []
    assert codes("# bsi: allow W0402\nbsi 1\nlet a = 1  # bsi: allow W0401\n") == ["W0411"]


def test_an_idle_allow_can_be_removed() -> None:
    text = "bsi 1\nlet a = 1  # bsi: allow W0401\nlet b = a  # bsi: allow W0401\nlet c = b  # bsi: allow W0402\n"
    source = Source("m.bsi", text)
    mended = apply(source, analyse(source).diagnostics)
    assert mended == "bsi 1\nlet a = 1\nlet b = a\nlet c = b\n"


@pytest.mark.parametrize("path", sorted([*ROOT.glob("examples/*/*.bsi"), *ROOT.glob("tests/golden/good/*.bsi")]),
                         ids=lambda path: path.stem)  # fmt: skip
def test_no_false_alarms(path: Path) -> None:
    found = analyse(Source(str(path), path.read_text(encoding="utf-8"))).diagnostics
    assert [(d.code, d.message) for d in found] == []


def test_ranges_are_of_metrics() -> None:
    assert set(RANGES) <= set(kinds("check"))


def test_the_example_of_the_reference() -> None:
    text = (ROOT / "grammar" / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```bsi\n(.*?)```", text.split("\n## Lints\n")[1].split("\n## ")[0], re.S)
    assert codes(example) == []
    assert codes(re.sub(r" *# bsi: allow.*", "", example)) == ["W0401", "W0402", "W0418"]

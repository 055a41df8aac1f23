"""Which rows the compiler sees to be sets of elements that are alike, and what net their fits get."""

import pytest

from bsi.compiler.analyse import analyse
from bsi.compiler.expand import expand
from bsi.dsl.span import Source

MODEL = """bsi 1
dim n = 5
param mu : real
param tau : real<lower = 0>
prior p(mu, tau) = {{
  mu ~ normal(0, 1)
  tau ~ lognormal(0, 1)
}}
likelihood f({type} | mu, tau) = {law}
observe obs : f = simulate(mu = 0, tau = 1) {{ seed = 1 }}
posterior post(mu, tau) = p(mu, tau) * f(obs | mu, tau)
sample s = dpmpp(post)
"""
ALIKE = {
    "numbers": ("x : real[n]", "normal(mu, tau)"),
    "counts": ("x : int<lower = 0>[n]", "poisson(tau)"),
    "vectors": ("x : real[n, 2]", "mv_normal([mu, 0], tau * eye(2))"),
    "of two means": ("x : real[n, 2]", "normal([mu, 0], tau)"),
    "mixtures": ("x : real[n]", "mixture([0.5, 0.5], normal(mu, tau), normal(0, 1))"),
    "share a nuisance": ("x : real[n]", "{ a ~ normal(mu, 1)\n  x ~ normal(a, tau) }"),
}
APART = {
    "means of their own": ("x : real[n]", "normal([mu + i for i in n], tau)"),
    "one vector": ("x : real[2]", "mv_normal([mu, 0], tau * eye(2))"),
    "mixture of one vector": (
        "x : real[2]",
        "mixture([0.5, 0.5], mv_normal([mu, 0], eye(2)), mv_normal([0, 0], eye(2)))",
    ),
    "in order": ("x : real[n]", "gaussian_random_walk(tau)"),
    "an equation": ("x : real[n]", "{ a ~ normal(mu, 1)\n  x = [a + i * tau for i in n] }"),
    "component of its own": ("x : real[n]", "mixture([0.5, 0.5], normal([mu + i for i in n], tau), normal(0, 1))"),
    "one number": ("x : real", "normal(mu, tau)"),
    "too many": ("x : real[65]", "normal(mu, tau)"),
}


def fit(type, law):
    found = analyse(Source("m.bsi", MODEL.format(type=type, law=law)))
    assert found.program is not None, [(d.code, d.message) for d in found.diagnostics]
    return found.program.trains["fit_f"], found.program


@pytest.mark.parametrize(("type", "law"), ALIKE.values(), ids=ALIKE)
def test_elements_that_are_alike_are_a_set(type, law):
    train, program = fit(type, law)
    assert train.network.kind == "set"
    assert dict(train.network.options)["row"] == program.likelihoods["f"].shape


@pytest.mark.parametrize(("type", "law"), APART.values(), ids=APART)
def test_others_are_seen_in_their_order(type, law):
    assert fit(type, law)[0].network.kind == "resmlp"


def test_what_the_compiler_chose_is_written_out():
    _, program = fit(*ALIKE["vectors"])
    again = analyse(Source("m.bsi", expand(program))).program
    assert again is not None and "network = set {" in expand(program)
    assert again.trains["fit_f"].network == program.trains["fit_f"].network

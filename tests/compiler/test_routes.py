"""Routes by laws, by fits and by option; what each trains, and what `expand` says of them."""

import pytest

from bsi.compiler.analyse import compile_source
from bsi.compiler.emit import Nothing
from bsi.compiler.expand import expand
from bsi.compiler.plan import plan
from bsi.dsl.span import Source

MODEL = """bsi 1
param a : real
prior q(a) = normal(0, 1)
prior p(a) = learned mixture([0.3, 0.7], normal(-1, 0.3), normal(1, 0.5))
likelihood f(y : real | a) = normal(a, 0.5)
likelihood g(y : real | a) = {{ e ~ normal(0, 0.5); y = a + e }}
observe obs : f = 0.2
observe other : g = 0.2
posterior post(a) = p(a) * f(obs | a)
posterior both(a) = p(a) * f(obs | a) * g(other | a)
posterior explicit(a) = q(a) * f(obs | a)
posterior alone(a) = p(a)
train fit = score(p, f)
train prior_fit = score(p)
sample s = {}
"""


def compiled(sample):
    program, _ = compile_source(Source("m.bsi", MODEL.format(sample)))
    assert program is not None
    return program


@pytest.mark.parametrize(
    "sample, route, fits, covariance",
    [
        ("ddim(post)", "guided", ("prior_fit",), "jacobian"),
        ("ddim(post, prior_fit)", "guided", ("prior_fit",), "jacobian"),
        ("ddim(post) { covariance = isotropic }", "guided", ("prior_fit",), "isotropic"),
        ("smc(post)", "guided", ("prior_fit",), "jacobian"),
        ("ddim(post, fit)", "amortised", ("fit",), "moments"),
        ("ddim(post) { route = amortised }", "amortised", ("fit",), "moments"),
        ("ddim(both)", "amortised", ("fit", "fit_g"), "moments"),
        ("ddim(explicit)", "amortised", ("fit_f",), "moments"),
        ("ddim(explicit) { route = guided }", "guided", (), "jacobian"),
        ("ddim(alone)", "amortised", ("prior_fit",), "moments"),
    ],
)
def test_routes(sample, route, fits, covariance):
    found = compiled(sample).samples["s"]
    assert (found.route, found.fits, dict(found.options)["covariance"]) == (route, fits, covariance)


@pytest.mark.parametrize("sample", ["ddim(post)", "smc(post) { ess = 0.3 }", "ddim(explicit) { route = guided }"])
def test_expanded_they_are_the_same(sample):
    """The choice is written out, and means the same jobs."""
    program = compiled(sample)
    text = expand(program)
    assert "route = guided" in text and "covariance = jacobian" in text
    again, diagnostics = compile_source(Source("m.bsi", text))
    assert again is not None and not [d for d in diagnostics if d.severity == "error"]
    keys = [{job.name: job.key for job in plan(p, Nothing())} for p in (program, again)]
    assert keys[0] == keys[1]


def test_a_route_is_part_of_a_key():
    keys = [
        next(job.key for job in plan(compiled(f"ddim(explicit) {{ route = {route} }}"), Nothing()) if job.name == "s")
        for route in ("guided", "amortised")
    ]
    assert keys[0] != keys[1]

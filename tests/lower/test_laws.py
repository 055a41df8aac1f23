"""Every law of the table, by its case in `law_cases.py`: roles and domains of its arguments, density, sampler, and the
map of N(0, I) with its Jacobian."""

import functools
import math

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats as st
from numpyro.distributions import biject_to

from bsi.compiler.analyse import compile_source
from bsi.compiler.laws import LAWS
from bsi.compiler.lower.laws import LAWS as LOWERED
from bsi.compiler.lower.laws import distribution, transport
from bsi.compiler.lower.supports import constraint, free_shape
from bsi.dsl.span import Source
from tests.lower.charts import chart, inside
from tests.lower.law_cases import CASES

N = 2_000  # draws of a sampler; gates are 4 sigma
CONTINUOUS = [name for name, case in CASES.items() if not case.type.startswith("int")]
MAPPED = [name for name in CONTINUOUS if name not in LOWERED or LOWERED[name].transport]
MAPPED.remove("hidden_markov")
MODEL = """bsi 1
param a : real
prior p(a) = normal(0, 1)
likelihood f(x : {type} | a) = {call}
"""


def show(value):
    return f"[{', '.join(map(show, value))}]" if isinstance(value, list) else repr(value)


def call(name, arguments):
    inside = CASES[name].inside
    return f"{name}({', '.join([*inside, *(f'{key} = {show(value)}' for key, value in arguments.items())])})"


def compiled(name, arguments):
    program, diagnostics = compile_source(
        Source("law.bsi", MODEL.format(type=CASES[name].type, call=call(name, arguments)))
    )
    return program, [d for d in diagnostics if d.code.startswith("E")]


@functools.cache
def law(name):
    program, errors = compiled(name, CASES[name].arguments)
    assert program is not None, [d.message for d in errors]
    return program.likelihoods["f"].draws[0].law


@functools.cache
def draws(name):
    return np.asarray(distribution(law(name), {}).sample(jr.key(1), (N,)), float)


def test_every_law_is_lowered_and_has_a_case():
    assert set(CASES) == set(LAWS)
    assert set(LOWERED) == {name for name, row in LAWS.items() if row.components == (0, 0)}
    assert len(LAWS) >= 75


def test_the_checker_knows_which_laws_have_a_distribution_function():
    scalars = [name for name, row in LAWS.items() if not (row.components[0] or row.axes or row.integer)]
    assert {name for name in scalars if LAWS[name].cdf} == {name for name in scalars if LOWERED[name].transport}


@pytest.mark.parametrize("name", CASES)
def test_the_density_is_that_of_the_reference(name):
    case = CASES[name]
    lowered = distribution(law(name), {})
    points = jnp.asarray(np.asarray(case.points, int if case.type.startswith("int") else float))
    got = jax.vmap(lowered.log_prob)(points)
    expected = [case.density(np.asarray(x)) for x in case.points]
    np.testing.assert_allclose(got, expected, rtol=3e-4, atol=3e-4)


@functools.cache
def normals(name):
    """What the map makes of the draws. Arrays of N rows everywhere: JAX compiles its special functions once a shape."""
    return np.asarray(transport(law(name), {}).to_normal(jnp.asarray(draws(name), jnp.float32)), float)


@pytest.mark.parametrize("name", CASES)
def test_draws_follow_the_law(name):
    """Kolmogorov-Smirnov for numbers, the worst cell against its standard error for counts, moments for vectors without
    a map, and for the others that map: it must send the draws to N(0, I)."""
    case, x = CASES[name], draws(name)
    if case.cdf:
        assert st.kstest(x, case.cdf).statistic * np.sqrt(N) < 2.3  # P(D sqrt(n) > 2.3) = 5e-5
    elif case.pmf:
        p = case.pmf(np.arange(12))
        share = np.array([(x == k).mean() for k in range(12)])
        assert np.all(np.abs(share - p) <= 4 * np.sqrt(p * (1 - p) / N) + 4 / N)
    elif case.moment:
        function, expected = case.moment
        found = function(x)
        assert np.all(np.abs(found.mean(0) - expected) < 4 * found.std(0) / np.sqrt(N) + 4 / np.sqrt(2e5))
    else:
        z = normals(name).reshape(N, -1)
        assert max(st.kstest(column, st.norm.cdf).statistic for column in z.T) * np.sqrt(N) < 2.5
        if z.shape[1] > 1:
            assert np.abs(np.corrcoef(z.T) - np.eye(z.shape[1])).max() < 4.5 / np.sqrt(N)


BY_SUPPORT = {LAWS[name].kind or (LAWS[name].lower, LAWS[name].upper): name for name in CONTINUOUS}


@pytest.mark.parametrize("name", [*BY_SUPPORT.values(), "mixture", "truncated", "hidden_markov"])
def test_bijectors_stay_on_the_support_and_know_their_jacobian(name):
    """On the support far out as well, up to 8 working units; the Jacobian against `jacfwd` in free coordinates."""
    support, shape = law(name).support, law(name).shape
    on = constraint(support, {}, len(shape))
    bijector = biject_to(constraint(support, {}))
    far = 8 * jnp.tanh(jr.normal(jr.key(2), (100, *free_shape(support, shape))))
    value = np.asarray(jax.vmap(bijector)(far))
    assert np.all(np.isfinite(value)) and np.all(inside(support, on, value))
    y = 0.5 * far[:3] / 8
    _, free, area = chart(support, shape)
    jacobian = jax.vmap(jax.jacfwd(lambda y: jnp.ravel(free(bijector(y)))))(y)
    size = math.prod(y.shape[1:])
    slope = np.linalg.slogdet(np.asarray(jacobian, float).reshape(3, size, size))[1]
    got = jax.vmap(lambda y: jnp.sum(bijector.log_abs_det_jacobian(y, bijector(y))) - area(free(bijector(y))))(y)
    np.testing.assert_allclose(got, slope, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "name",  # quantile maps of numbers have their own tests (tests/runtime/test_transport.py)
    [pytest.param(name, marks=[pytest.mark.slow] if CASES[name].type == "real" else []) for name in MAPPED],
)
def test_maps_stay_on_the_support_and_invert(name):
    """Half of the points are far out, up to 8 sd; the others must come back."""
    lowered = law(name)
    found = transport(lowered, {})
    z = jr.normal(jr.key(2), (N, *free_shape(lowered.support, lowered.shape)))
    z = jnp.where(jnp.arange(N).reshape(-1, *[1] * (z.ndim - 1)) < N // 2, z, 8 * jnp.tanh(z))
    x = found.from_normal(z)
    assert np.all(np.isfinite(x))
    assert np.all(inside(lowered.support, constraint(lowered.support, {}, len(lowered.shape)), np.asarray(x)))
    again = np.asarray(found.to_normal(x))[: N // 2]
    near = np.abs(z[: N // 2]) < 2.5  # further out a value beside a bound no longer tells z in float32
    assert np.abs(np.where(near, again - z[: N // 2], 0)).max() < 1e-2


@pytest.mark.parametrize("name", [name for name in MAPPED if CASES[name].type != "real"])
def test_the_density_is_the_jacobian_of_the_map(name):
    """`log p(x) + log |dx/dz| = log N(z)`, by central differences: density, sampler and map are three pieces of code
    that must agree."""
    lowered = law(name)
    embed, free, area = chart(lowered.support, lowered.shape)
    size = math.prod(free_shape(lowered.support, lowered.shape))
    typical = np.argsort(np.abs(normals(name)).reshape(N, -1).max(-1))[:4]
    x = jnp.asarray(draws(name)[typical], jnp.float32)
    flat = np.asarray(jax.vmap(free)(x), float).reshape(4, size)
    low, high = np.percentile(draws(name), [25, 75])  # moments may not exist
    step = 2e-3 * np.maximum(np.abs(flat), 0.1 * (high - low))
    shifts = step[:, None, :] * np.concatenate([np.eye(size), -np.eye(size)])  # [4, 2 size, size]
    points = (flat[:, None] + shifts).reshape(-1, size)
    padded = jnp.asarray(np.resize(points, (N, size)), jnp.float32)
    values = jax.vmap(embed)(padded.reshape(N, *np.shape(free(x[0]))))
    z = np.asarray(transport(lowered, {}).to_normal(values), float)[: len(points)].reshape(4, 2, size, -1)
    moved = np.asarray(padded, float)[: len(points)].reshape(4, 2, size, size)
    width = np.einsum("ajj->aj", moved[:, 0] - moved[:, 1])  # as rounded
    slope = np.linalg.slogdet((z[:, 0] - z[:, 1]) / width[..., None])[1]
    expected = st.norm.logpdf(normals(name)[typical]).reshape(4, -1).sum(-1) + slope
    got = jax.vmap(distribution(lowered, {}).log_prob)(x) + jax.vmap(lambda x: area(free(x)))(x)
    np.testing.assert_allclose(got, expected, atol=0.03)


BAD = {
    "positive": lambda value: _filled(value, -1.0),
    "unit": lambda value: 1.5,
    "correlation": lambda value: 1.5,
    "natural": lambda value: -1,
    "whole": lambda value: 0.5,
    "probabilities": lambda value: _filled(value, 0.9),
    "increasing": lambda value: value[::-1],
    "positive_definite": lambda value: [[-x for x in row] for row in value],
    "cholesky": lambda value: [[-x for x in row] for row in value],
    "adjacency": lambda value: _filled(value, 0),
}


def _filled(value, entry):
    return [_filled(item, entry) for item in value] if isinstance(value, list) else entry


ARGUMENTS = [(name, a) for name, row in LAWS.items() for a in row.arguments if a.domain != "real"]


@pytest.mark.parametrize("name, argument", ARGUMENTS, ids=lambda item: getattr(item, "name", item))
def test_a_constant_outside_its_domain_is_refused(name, argument):
    arguments = dict(CASES[name].arguments)
    bad = {**arguments, argument.name: BAD[argument.domain](arguments[argument.name])}
    _, errors = compiled(name, bad)
    assert [d.code for d in errors] == ["E0401"]
    assert f"`{argument.name}` of `{name}` must be" in errors[0].message


@pytest.mark.parametrize("name", [name for name, row in LAWS.items() if row.arguments])
def test_arguments_are_known_by_name(name):
    _, errors = compiled(name, {**CASES[name].arguments, "no_such": 1.0})
    assert [d.code for d in errors] == ["E0208"]
    needed = [argument.name for argument in LAWS[name].arguments if argument.default is None]
    if needed:
        rest = {key: value for key, value in CASES[name].arguments.items() if key != needed[0]}
        _, errors = compiled(name, rest)
        assert [d.code for d in errors] == ["E0209"]


def test_a_scalar_law_fills_its_declared_shape():
    program, _ = compile_source(Source("law.bsi", MODEL.format(type="real[3, 2]", call="normal(1, 2)")))
    lowered = distribution(program.likelihoods["f"].draws[0].law, {})
    x = jnp.arange(6.0).reshape(3, 2)
    assert float(lowered.log_prob(x)) == pytest.approx(st.norm(1, 2).logpdf(np.arange(6)).sum(), rel=1e-5)

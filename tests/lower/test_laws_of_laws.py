"""Laws of laws with batch axes, vectors, and arguments that move: densities against NumPy and SciPy."""

import itertools

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats as st

from bsi.compiler.analyse import compile_source
from bsi.compiler.lower.laws import distribution, transport
from bsi.dsl.span import Source

MODEL = """bsi 1
param a : real
param s : real<lower = 0>
prior p(a, s) = {{ a ~ normal(0, 1); s ~ half_normal(1) }}
likelihood f(x : {type} | a, s) = {call}
"""
COVARIANCE = [[2.0, 0.5], [0.5, 1.0]]


def law(type, call):
    program, diagnostics = compile_source(Source("law.bsi", MODEL.format(type=type, call=call)))
    assert program is not None, [d.message for d in diagnostics]
    return program.likelihoods["f"].draws[0].law


def log_density(type, call, x, **params):
    env = {name: jnp.asarray(value) for name, value in params.items()}
    return float(distribution(law(type, call), env).log_prob(jnp.asarray(x)))


def test_a_mixture_of_vectors():
    x = [0.3, -0.2]
    got = log_density(
        "real[2]", "mixture([0.3, 0.7], mv_normal(a, eye(2)), mv_normal(1, [[2, 0.5], [0.5, 1]]))", x, a=-1.0
    )
    parts = [st.multivariate_normal([-1, -1], np.eye(2)), st.multivariate_normal([1, 1], COVARIANCE)]
    assert got == pytest.approx(np.log(0.3 * parts[0].pdf(x) + 0.7 * parts[1].pdf(x)), rel=1e-4)


def test_a_mixture_with_weights_for_every_entry():
    x = np.array([0.3, -0.2])
    got = log_density("real[2]", "mixture([[0.3, 0.7], [0.9, 0.1]], normal(a, 1), normal([1, 2], s))", x, a=-1.0, s=0.5)
    weights = np.array([[0.3, 0.7], [0.9, 0.1]])
    parts = np.stack([st.norm(-1, 1).pdf(x), st.norm([1, 2], 0.5).pdf(x)], axis=-1)
    assert got == pytest.approx(np.log((weights * parts).sum(-1)).sum(), rel=1e-4)


def test_a_mixture_of_simplexes():
    x = [0.2, 0.3, 0.5]
    got = log_density("simplex[3]", "mixture([0.3, 0.7], dirichlet(1), dirichlet([2, 3, 4]))", x)
    parts = [st.dirichlet([1, 1, 1]).pdf(x), st.dirichlet([2, 3, 4]).pdf(x)]
    assert got == pytest.approx(np.log(0.3 * parts[0] + 0.7 * parts[1]), rel=1e-4)


def test_a_truncation_that_moves_with_params_is_renormalised():
    """Density and map follow the bounds; points beyond them have none."""
    call = "truncated(student_t(3, a, 1), lower = a - s, upper = a + 2 * s)"
    reference = st.t(3, 0.5, 1)
    mass = reference.cdf(2.5) - reference.cdf(-0.5)
    for x, inside in ((0.0, True), (2.4, True), (2.6, False)):
        expected = reference.logpdf(x) - np.log(mass) if inside else -np.inf
        assert log_density("real", call, x, a=0.5, s=1.0) == pytest.approx(expected, rel=1e-4)
    found = transport(law("real", call), {"a": jnp.asarray(0.5), "s": jnp.asarray(1.0)})
    x = np.asarray(found.from_normal(jnp.array([-9.0, 0.0, 9.0])))
    assert x[0] == pytest.approx(-0.5, abs=1e-3) and x[2] == pytest.approx(2.5, abs=1e-3)
    assert (reference.cdf(x[1]) - reference.cdf(-0.5)) / mass == pytest.approx(0.5, abs=1e-4)


def test_a_mixture_inside_a_truncation_inside_an_order():
    call = "ordered(truncated(mixture([0.5, 0.5], normal(-1, 1), normal(2, 1)), lower = 0))"
    x = np.array([0.5, 1.0, 3.0])
    parts = [st.norm(-1, 1), st.norm(2, 1)]
    mass = 0.5 * sum(part.sf(0) for part in parts)
    expected = np.log(6) + np.log(0.5 * sum(part.pdf(x) for part in parts) / mass).sum()
    assert log_density("positive_ordered[3]", call, x) == pytest.approx(expected, rel=1e-4)
    assert log_density("positive_ordered[3]", call, x[::-1]) == -np.inf


def test_order_statistics_with_a_law_for_every_row():
    x = np.array([[-1.0, 0.0, 1.0], [2.0, 2.5, 7.0]])
    got = log_density("ordered[2, 3]", "normal([0, 4], [1, 2])", x)
    expected = 2 * np.log(6) + st.norm(0, 1).logpdf(x[0]).sum() + st.norm(4, 2).logpdf(x[1]).sum()
    assert got == pytest.approx(expected, rel=1e-5)


def by_paths(initial, transition, shown):
    """`shown[t, state]`, summed over all paths of hidden states."""
    time, k = shown.shape
    total = 0.0
    for path in itertools.product(range(k), repeat=time):
        chain = initial[path[0]] * np.prod([transition[a, b] for a, b in itertools.pairwise(path)])
        total += chain * np.prod([shown[t, state] for t, state in enumerate(path)])
    return np.log(total)


def test_a_hidden_markov_model_of_three_states_against_all_its_paths():
    """A left-to-right chain (zeros in the transitions), a mean that moves in time, a state with a law of its own; its
    gradient is finite."""
    call = """hidden_markov([1, 0, 0], [[0.5, 0.5, 0], [0, 0.7, 0.3], [0, 0, 1]],
      normal([0, 1, 2, 3, 4], s), student_t(3, a, 1), normal(2, 1))"""
    x = np.array([0.2, 1.4, -0.5, 2.0, 3.0])
    shown = np.stack([st.norm(range(5), 0.5).pdf(x), st.t(3, -1, 1).pdf(x), st.norm(2, 1).pdf(x)], axis=-1)
    transition = np.array([[0.5, 0.5, 0], [0, 0.7, 0.3], [0, 0, 1]])
    expected = by_paths([1, 0, 0], transition, shown)
    assert log_density("real[5]", call, x, a=-1.0, s=0.5) == pytest.approx(expected, rel=1e-4)
    found = law("real[5]", call)
    slope = jax.grad(lambda a: distribution(found, {"a": a, "s": jnp.asarray(0.5)}).log_prob(jnp.asarray(x)))(-1.0)
    assert np.isfinite(slope) and slope != 0


def test_a_hidden_markov_model_of_vectors_and_of_counts():
    initial, transition = [0.4, 0.6], np.array([[0.9, 0.1], [0.2, 0.8]])
    chain = "hidden_markov([0.4, 0.6], [[0.9, 0.1], [0.2, 0.8]]"
    x = np.array([[0.0, 1.0], [2.0, -1.0], [0.5, 0.5]])
    shown = np.stack([st.norm(0, 1).pdf(x).prod(-1), st.multivariate_normal([1, 1], COVARIANCE).pdf(x)], axis=-1)
    call = f"{chain}, mv_normal(0, eye(2)), mv_normal(1, [[2, 0.5], [0.5, 1]]))"
    assert log_density("real[3, 2]", call, x) == pytest.approx(by_paths(initial, transition, shown), rel=1e-4)
    y = np.array([0, 3, 5, 1])
    shown = np.stack([st.poisson(1).pmf(y), st.poisson(4).pmf(y)], axis=-1)
    call = f"{chain}, poisson(1), poisson(4))"
    assert log_density("int[4]", call, y) == pytest.approx(by_paths(initial, transition, shown), rel=1e-4)
    assert distribution(law("int[4]", call), {}).sample(jr.key(0)).dtype == jnp.int32


def test_hidden_states_stay_as_long_as_the_chain_says():
    """4 000 sequences of a chain that shows its state: lag-one agreement against its probability, 4 sigma."""
    call = "hidden_markov([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], normal(0, 0.01), normal(1, 0.01))"
    states = np.asarray(distribution(law("real[6]", call), {}).sample(jr.key(0), (4_000,))) > 0.5
    left = ~states[:, :-1]
    stays = (~states[:, 1:])[left].mean()
    assert abs(stays - 0.9) < 4 * np.sqrt(0.09 / left.sum())

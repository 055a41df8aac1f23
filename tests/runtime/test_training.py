"""Training recovers what is known, resumes exactly, and reports failures as values."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
import numpy as np
import pytest
from scipy.stats import norm

from bsi.runtime.elbo import DiffusionClock, Elbo
from bsi.runtime.metrics.bits import HeldOut, bits_per_dim
from bsi.runtime.nets import NETWORKS, ResMlpArchitecture, SetArchitecture, UNetArchitecture
from bsi.runtime.samplers import DpmSolverPP
from bsi.runtime.training import (
    LikelihoodBound,
    Simulator,
    Table,
    TrainingOptions,
    abstract_fit,
    held_out,
    parameter_count,
    train,
)

SMALL = TrainingOptions(
    architecture=ResMlpArchitecture(width=32, depth=1),
    steps=60,
    batch=64,
    chunk=20,
    pilot=8192,
    refine=8192,
    moment_width=16,
)


def linear(key, n):
    """z ~ N(0, I₂), x = A z + noise of sd ½ and three columns."""
    first, second = jr.split(key)
    z = jr.normal(first, (n, 2))
    return z, z @ MATRIX.T + 0.5 * jr.normal(second, (n, 3))


def modes(key, n):
    """x = |z| + noise of sd .1: two modes given x."""
    first, second = jr.split(key)
    z = jr.normal(first, (n, 1))
    return z, jnp.abs(z) + 0.1 * jr.normal(second, (n, 1))


MATRIX = jnp.array([[1.0, 0.3], [0.0, 2.0], [-1.0, 0.5]])
LINEAR, MODES = Simulator(linear, 2, 3), Simulator(modes, 1, 1)


class Memory:
    """A checkpoint in memory that can lose what came after its first `keep` saves."""

    def __init__(self, keep=None):
        self.saved, self.keep = [], keep

    def load(self, like):
        if not self.saved:
            return None
        assert jtu.tree_structure(like) == jtu.tree_structure(self.saved[-1])
        return self.saved[-1]

    def save(self, state):
        if self.keep is None or len(self.saved) < self.keep:
            self.saved.append(jtu.tree_map(lambda leaf: jnp.array(leaf, copy=True), state))


def test_linear_gaussian_is_exact_to_monte_carlo_error():
    """The regression is the posterior; the gates keep an idle network out. 2^18 simulations: 4.5 sigma on the mean."""
    options = replace(SMALL, steps=64, batch=1024, chunk=64, refine=2**18)
    fit, info = train(LINEAR, jr.PRNGKey(0), options)
    assert info.failed is None and info.gates == (0.0, 0.0)
    precision = np.eye(2) + np.asarray(MATRIX.T @ MATRIX) / 0.25
    x = jnp.array([0.7, -1.0, 0.2])
    mean = np.linalg.solve(precision, np.asarray(MATRIX.T @ x) / 0.25)
    sd = np.sqrt(np.diag(np.linalg.inv(precision)))
    got_mean, got_precision = fit.moments(x)
    assert np.all(np.abs(np.asarray(got_mean) - mean) / sd < 4.5 * np.sqrt(6 / 2**18))
    np.testing.assert_allclose(np.linalg.inv(got_precision), np.linalg.inv(precision), rtol=0.02, atol=1e-4)
    z, _ = jax.jit(lambda k: DpmSolverPP(20).sample(fit.score.condition(x), k, (20_000, 2)))(jr.PRNGKey(1))
    assert np.all(np.abs(np.asarray(z.mean(0)) - mean) / sd < 4.5 / np.sqrt(20_000) + 0.02)
    assert np.all(np.abs(np.asarray(z.std(0)) / sd - 1) < 4.5 / np.sqrt(40_000) + 0.02)


@pytest.mark.parametrize("kind", [kind for kind, architecture in NETWORKS.items() if not architecture.images])
def test_two_modes_are_learned(kind):
    """|z| given x = 1 is near 1 on both sides: 2 000 steps of a small network."""
    options = TrainingOptions(
        architecture=NETWORKS[kind](width=64, depth=2),
        steps=2000,
        batch=256,
        chunk=500,
        pilot=16_384,
        learning_rate=3e-3,
    )
    fit, info = train(MODES, jr.PRNGKey(0), options)
    assert info.gates == (1.0, 1.0)
    z, _ = jax.jit(lambda k: DpmSolverPP(30).sample(fit.score.condition(jnp.ones(1)), k, (4000, 1)))(jr.PRNGKey(1))
    right = float(jnp.mean(z > 0))
    assert abs(right - 0.5) < 4.5 * 0.5 / np.sqrt(4000) + 0.03
    size = np.abs(np.asarray(z))
    assert abs(np.median(size) - 1 / 1.01) < 0.03
    low, high = np.quantile(size, [0.16, 0.84])
    assert abs((high - low) / 2 - 0.1) < 0.03
    mean, precision = fit.moments(jnp.ones(1))
    assert abs(float(mean[0])) < 0.1 and abs(float(precision[0, 0]) - 1.0) < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("elbo", [Elbo(), Elbo(1e-2, 1e6, DiffusionClock())], ids=["bsi", "vdm"])
def test_a_bound_is_learned(elbo):
    """Two modes by their likelihood: 1 000 steps of a small network come within .1 bits of what the held-out rows have
    by their exact density, and never below it (4 sigma of 33 000 estimates). The loss is the bound, in nats."""
    options = TrainingOptions(
        architecture=ResMlpArchitecture(width=64, depth=2),
        objective=LikelihoodBound(elbo),
        steps=1000,
        batch=256,
        chunk=500,
        pilot=16_384,
        learning_rate=3e-3,
    )
    fit, info = train(MODES, jr.PRNGKey(0), options)
    assert fit is not None and info.gates[0] == 1.0
    z, x = held_out(MODES, jr.PRNGKey(0), options)
    held = HeldOut(z, x, np.zeros(len(z)))
    found = bits_per_dim(fit.score.denoise, elbo, held, jr.PRNGKey(1))
    assert found.standard_error is not None
    edge = np.linspace(-6, 6, 2001)
    row = norm.pdf(x, np.abs(edge), 0.1) @ norm.pdf(edge) * (edge[1] - edge[0])  # p(x), the half line twice
    exact = -np.mean(norm.logpdf(z[:, 0]) + norm.logpdf(x[:, 0], np.abs(z[:, 0]), 0.1) - np.log(row)) / np.log(2)
    assert -4 * found.standard_error < found.value - exact < 0.1 + 4 * found.standard_error
    nats = info.held_out_loss[-1, 0]
    assert nats / np.log(2) + held.nominal(elbo) == pytest.approx(found.value, abs=0.3)


@pytest.mark.slow
def test_a_gaussian_prior_alone_is_exact():
    """A table of N(1, ½²) in three coordinates: the gates keep the network out, and the bits are the entropy's."""
    z = np.asarray(1.0 + 0.5 * jr.normal(jr.PRNGKey(0), (20_000, 3)))
    source, options = Table(z, np.zeros((20_000, 0))), replace(SMALL, objective=LikelihoodBound(Elbo()))
    fit, info = train(source, jr.PRNGKey(1), options, gaussian_prior=False)
    assert fit is not None and fit.moments is None and info.gates == (0.0,)
    rows = held_out(source, jr.PRNGKey(1), options)
    assert len(rows[0]) == 2_000
    found = bits_per_dim(fit.score.denoise, Elbo(), HeldOut(*rows, np.zeros(2_000)), jr.PRNGKey(2))
    assert found.standard_error is not None
    assert abs(found.value - 0.5 * np.log2(2 * np.pi * np.e / 4)) < 4 * found.standard_error + 2e-3


def test_every_chunk_runs_the_same_program():
    traces = []

    def simulate(key, n):
        traces.append(n)
        return linear(key, n)

    train(Simulator(simulate, 2, 3), jr.PRNGKey(0), SMALL)
    assert traces.count(SMALL.batch) == 1


@pytest.mark.parametrize(
    "objective",
    [
        pytest.param(SMALL.objective, id="score", marks=pytest.mark.slow),  # tests/bsi/test_resume.py kills a process
        pytest.param(LikelihoodBound(Elbo()), id="bsi", marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_resumes_to_the_same_weights(objective):
    options = replace(SMALL, objective=objective)
    whole, _ = train(LINEAR, jr.PRNGKey(3), options)
    memory = Memory(keep=1)
    train(LINEAR, jr.PRNGKey(3), options, checkpoint=memory)
    assert int(memory.saved[-1].step) == 20
    resumed, info = train(LINEAR, jr.PRNGKey(3), options, checkpoint=memory)
    assert info.steps == 60
    assert eqx.tree_equal(whole, resumed)


def test_a_table_keeps_its_best_weights():
    """300 rows overfit: each part keeps the weights of its best held-out loss, and the run stops early."""
    z, x = map(np.asarray, modes(jr.PRNGKey(0), 300))
    options = TrainingOptions(
        architecture=ResMlpArchitecture(width=64, depth=2),
        steps=4000,
        batch=128,
        chunk=50,
        patience=500,
        learning_rate=3e-3,
    )
    memory = Memory()
    fit, info = train(Table(z, x), jr.PRNGKey(1), options, checkpoint=memory)
    held = info.held_out_loss[: info.steps // 50]
    assert info.steps < 4000 and info.simulations == 300
    assert info.best_step == tuple(50 * (1 + held.argmin(0)))
    at_best = memory.saved[info.best_step[0] // 50 - 1]
    kept = eqx.filter(fit.score.residual, eqx.is_inexact_array)
    assert eqx.tree_equal(jtu.tree_leaves(at_best.ema[0]), jtu.tree_leaves(kept))


def test_bad_rows_are_counted_and_too_many_fail():
    def sometimes(share):
        def simulate(key, n):
            z, x = linear(key, n)
            return z, jnp.where(jr.uniform(jr.fold_in(key, 1), (n, 1)) < share, jnp.nan, x)

        return Simulator(simulate, 2, 3)

    fit, info = train(sometimes(0.2), jr.PRNGKey(0), SMALL)
    assert fit is not None and abs(info.bad_rows / info.simulations - 0.2) < 0.05
    fit, info = train(sometimes(0.7), jr.PRNGKey(0), SMALL)
    assert fit is None and info.failed is not None and "not finite" in info.failed


def test_a_diverging_loss_is_a_value():
    fit, info = train(LINEAR, jr.PRNGKey(0), replace(SMALL, learning_rate=float("inf")))
    assert fit is None and info.failed is not None and "loss" in info.failed


def test_learned_prior_uses_the_null_condition():
    """z ~ N(1, ½²) is not standard normal: its Gaussian comes from the simulations, and the prior's denoiser obeys."""

    def simulate(key, n):
        first, second = jr.split(key)
        z = 1.0 + 0.5 * jr.normal(first, (n, 1))
        return z, z + 0.2 * jr.normal(second, (n, 1))

    fit, _ = train(Simulator(simulate, 1, 1), jr.PRNGKey(0), SMALL, gaussian_prior=False)
    z, _ = jax.jit(lambda k: DpmSolverPP(20).sample(fit.score.denoise_prior, k, (4000, 1)))(jr.PRNGKey(1))
    assert abs(float(z.mean()) - 1.0) < 0.1 and abs(float(z.std()) - 0.5) < 0.05


def test_a_set_has_no_order():
    """The embedding of 5 pairs, with and without holes, is the same in any order; with labels it is not."""
    x, seen = jr.normal(jr.PRNGKey(0), (7, 5, 2)), jr.bernoulli(jr.PRNGKey(1), 0.7, (7, 5, 2))
    other = jnp.array([3, 1, 4, 0, 2])

    def embedded(labels, *parts):
        rows = jnp.concatenate([part.reshape(7, -1) for part in parts], axis=-1)
        architecture = SetArchitecture(width=8, depth=1, embed=16, labels=labels, row=(5, 2))
        return architecture.build(1, rows.shape[-1], jr.PRNGKey(2)).embed(rows)

    for parts in [(x,), (x, seen)]:
        moved = [part[:, other] for part in parts]
        np.testing.assert_allclose(embedded(False, *parts), embedded(False, *moved), atol=1e-5)
        assert np.abs(embedded(True, *parts) - embedded(True, *moved)).max() > 1e-2


def test_a_narrow_set_far_away_has_a_spread():
    """Two sets of one mean, 3, and spreads of .02 and .04 are told apart about as well as means .02 apart; sums over
    elements alone differ by the square of the spread."""
    embed = SetArchitecture(width=8, depth=1, embed=16, row=(5, 1)).build(1, 5, jr.PRNGKey(2)).embed
    spread = 0.02 * jnp.array([-1.0, 1.5, 0.5, -0.5, -0.5])
    near, wide, moved = (embed(3.0 + row) for row in (spread, 2.0 * spread, spread + jnp.std(spread)))
    assert jnp.linalg.norm(wide - near) > 0.2 * jnp.linalg.norm(moved - near)


def test_a_fit_of_sets_is_the_same_in_any_order():
    """Of a row of three numbers: its scores and moments, and the regression below both."""
    net = SetArchitecture(width=8, depth=1, embed=4, row=(3,))

    def simulate(key, n):
        first, second = jr.split(key)
        z = jr.normal(first, (n, 1))
        return z, z + jnp.exp(z) * jr.normal(second, (n, 3))

    fit, _ = train(Simulator(simulate, 1, 3), jr.PRNGKey(0), replace(SMALL, architecture=net))
    fit = eqx.tree_at(lambda f: tuple(head.gate for head in f.heads), fit, (jnp.ones(()), jnp.ones(())))
    x, u = jnp.array([0.3, -1.0, 2.0]), jnp.array([[0.5]])
    told = [(fit.score.denoise(u, jnp.asarray(0.0), row), *fit.moments(row)) for row in (x, x[::-1], x + 0.1)]
    for own, other, moved in zip(*told, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-5)
        assert jnp.abs(own - moved).max() > 1e-4


def test_shapes_and_sizes_are_known_before_anything_runs():
    fit, _ = train(LINEAR, jr.PRNGKey(0), SMALL)
    like = abstract_fit(2, 3, SMALL)
    assert jtu.tree_structure(like) == jtu.tree_structure(fit)
    assert [leaf.shape for leaf in jtu.tree_leaves(like)] == [leaf.shape for leaf in jtu.tree_leaves(fit)]
    trained = jtu.tree_leaves(eqx.filter((fit.score.residual, fit.moments.network), eqx.is_array))
    assert parameter_count(2, 3, SMALL) == sum(leaf.size for leaf in trained)


@pytest.mark.slow
def test_an_image_is_learned_without_a_matrix():
    """Stripes that lie anywhere: after 300 steps of a small U-Net every draw is one, though no pixel knows which; and
    nothing that is kept grows with the square of the image."""
    at = jnp.arange(4)

    def stripes(key, n):
        rows = jr.randint(key, (n, 1, 1), 0, 4) == at[:, None]
        return (jnp.broadcast_to(rows, (n, 4, 4)) * 2.0 - 1.0).reshape(n, 16), jnp.zeros((n, 0))

    net = UNetArchitecture((4, 4, 1), width=16, levels=2, depth=1)
    z, x = map(np.asarray, stripes(jr.PRNGKey(0), 2048))
    options = TrainingOptions(architecture=net, steps=400, batch=64, chunk=100, learning_rate=3e-3, ema=0.99)
    fit, info = train(Table(z, x), jr.PRNGKey(1), options, gaussian_prior=False)
    assert info.gates == (1.0,) and info.held_out_loss.shape == (4, 1) and fit.moments is None
    assert fit.score.posterior.basis is None
    draws, _ = jax.jit(lambda k: DpmSolverPP(30).sample(fit.score.condition(jnp.zeros(0)), k, (200, 16)))(jr.PRNGKey(2))
    rows = np.asarray(draws).reshape(200, 4, 4).mean(-1)
    stripe = (rows > 0.5).sum(-1) == 1
    assert stripe.mean() > 0.8
    like = abstract_fit(3072, 0, replace(options, architecture=UNetArchitecture((32, 32, 3), width=16)), False)
    assert max(leaf.size for leaf in jtu.tree_leaves(like)) < 2**18

"""Samplers on exact denoisers: laws, orders of convergence, failures as values."""

import diffrax  # noqa: F401  imported before the clock of any test starts
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from bsi.runtime.samplers import (
    BeliefUpdates,
    Ddim,
    DpmSolverPP,
    FlowOde,
    Heun,
    Langevin,
    PredictorCorrector,
    ReverseSde,
)
from bsi.runtime.schedule import Karras, LogLinear, LogPrecision
from tests.runtime.models import TWO_MODES, gaussian_denoiser, mixture_denoiser

DRAWS = 20_000
SAMPLERS = {
    "ddim": Ddim(200),
    "ancestral": Ddim(200, eta=1.0),
    "dpmpp": DpmSolverPP(40),
    "flow_heun": FlowOde("heun", steps=40),
    "tsit5": FlowOde(),
    "belief": BeliefUpdates(400),
    "belief_flow": BeliefUpdates(400, gamma=0.0),
    "heun": Heun(80),
    "churn": Heun(80, churn=20.0),
    "predictor_corrector": PredictorCorrector(100, corrections=2),
    "langevin": Langevin(100, corrections=20, delta=0.1),
    "reverse_sde": ReverseSde(),
    "half_noise": ReverseSde(noise=0.5),
}


# Allowed besides Monte-Carlo error: .2 %. A frozen θ̂ loses its own variance in an ancestral step: 200 of them over 25
# units of ln η, up to 12 % (400 belief updates: half of it). Langevin steps widen the spread by O(δ).
DISCRETISATION = dict.fromkeys(SAMPLERS, 0.002) | {
    "ancestral": 0.025,
    "belief": 0.01,
    "belief_flow": 0.006,
    "heun": 0.003,
    "churn": 0.004,
    "langevin": 0.02,
}


def moments_agree(z, mean, covariance, discretisation, sigmas=4.5):
    """Mean, variances and covariances within k standard errors (and as many discretisation errors)."""
    z, mean, covariance = np.asarray(z, np.float64), np.asarray(mean), np.asarray(covariance)
    sd = np.sqrt(np.diag(covariance))
    gap = np.abs(z.mean(0) - mean) / (sd / np.sqrt(len(z)))
    centred = z - z.mean(0)
    product = centred[:, :, None] * centred[:, None, :]
    error = product.std(0) / np.sqrt(len(z)) + discretisation * np.outer(sd, sd)
    assert gap.max() < sigmas, gap
    assert (np.abs(product.mean(0) - covariance) / error).max() < sigmas


@pytest.mark.parametrize("name", SAMPLERS)
def test_gaussian(name):
    mean, covariance = jnp.array([0.4, -1.0]), jnp.array([[0.01, 0.002], [0.002, 0.0009]])
    denoiser = gaussian_denoiser(mean, covariance)
    z, stats = jax.jit(lambda k: SAMPLERS[name].sample(denoiser, k, (DRAWS, 2)))(jr.PRNGKey(1))
    moments_agree(z, mean, covariance, DISCRETISATION[name])
    assert not stats["failed"] and stats["non_finite"] == 0 and stats["evaluations"] > 30


@pytest.mark.parametrize("name", SAMPLERS)
def test_two_modes(name):
    weights, means, covariances = map(np.asarray, TWO_MODES)
    denoiser = mixture_denoiser(*TWO_MODES)
    z, _ = jax.jit(lambda k: SAMPLERS[name].sample(denoiser, k, (DRAWS, 2)))(jr.PRNGKey(2))
    mean = weights @ means
    second = covariances + means[:, :, None] * means[:, None, :]
    moments_agree(z, mean, np.einsum("k,kij->ij", weights, second) - np.outer(mean, mean), DISCRETISATION[name])
    left = float(jnp.mean(z[:, 0] < -0.6))
    assert abs(left - 0.3) < 4.5 * np.sqrt(0.21 / DRAWS)


@pytest.mark.parametrize(
    ("make", "order"),
    [
        (lambda n: Ddim(n, schedule=LogLinear(-10.0, 4.0)), 1),
        (lambda n: DpmSolverPP(n, schedule=LogLinear(-10.0, 4.0)), 2),
        (lambda n: FlowOde("heun", steps=n, schedule=Karras(lower=-10.0, upper=4.0)), 2),
        (lambda n: FlowOde("euler", steps=n, schedule=Karras(lower=-10.0, upper=4.0)), 1),
        (lambda n: Heun(n, schedule=Karras(lower=-10.0, upper=4.0)), 2),
        (lambda n: BeliefUpdates(n, gamma=0.0, schedule=LogPrecision(1e-4, 50.0)), 1),
    ],
    ids=["ddim", "dpmpp", "flow_heun", "flow_euler", "heun", "belief_flow"],
)
def test_order(make, order):
    """Halving the step divides the median error by 2^order: 80 and 160 steps against 1 280."""
    with jax.enable_x64(True):
        denoiser = mixture_denoiser(*(jnp.asarray(np.asarray(v), jnp.float64) for v in TWO_MODES))

        def run(n):
            return make(n).sample(denoiser, jr.PRNGKey(3), (64, 2), jnp.float64)[0]

        truth = run(1281)
        errors = [float(jnp.median(jnp.abs(run(n) - truth))) for n in (81, 161)]
    assert abs(np.log2(errors[0] / errors[1]) - order) < 0.3, errors


@pytest.mark.parametrize(
    ("solver", "order"),
    [
        ("euler", 1.0),
        ("shark", 1.5),
        pytest.param("sea", 1.0, marks=pytest.mark.slow),
        pytest.param("sra1", 1.5, marks=pytest.mark.slow),
    ],
)
def test_strong_order(solver, order):
    """The same Brownian path on 50 and 100 steps against 800: the median error falls by at least 2^order.

    Where the error of the drift still outweighs that of the noise, it falls by up to 4."""
    with jax.enable_x64(True):
        denoiser = mixture_denoiser(*(jnp.asarray(np.asarray(v), jnp.float64) for v in TWO_MODES))

        @jax.jit
        def run():
            def one(n, solver):
                sde = ReverseSde(solver, n, path="tree", tolerance=5e-3, lower=-8.0, upper=4.0)
                return sde.sample(denoiser, jr.key(4), (64, 2), jnp.float64)[0]

            # a tree of increments alone is another path than one with Lévy areas
            return one(800, "euler" if solver == "euler" else "shark"), one(50, solver), one(100, solver)

        truth, coarse, fine = run()
        errors = [float(jnp.median(jnp.abs(z - truth))) for z in (coarse, fine)]
    assert order - 0.2 < np.log2(errors[0] / errors[1]) < 2.5, errors


def test_running_out_of_steps_is_a_value():
    denoiser = mixture_denoiser(*TWO_MODES)
    _, stats = FlowOde(max_steps=3).sample(denoiser, jr.PRNGKey(0), (16, 2))
    assert bool(stats["failed"])


def test_non_finite_draws_are_counted():
    def broken(u, log_snr):
        return jnp.where(jnp.arange(len(u))[:, None] < 3, jnp.nan, 0.9 * u)

    _, stats = DpmSolverPP(5).sample(broken, jr.PRNGKey(0), (10, 2))
    assert int(stats["non_finite"]) == 3


@pytest.mark.parametrize("name", SAMPLERS)
def test_compiles_once(name):
    traces = []

    @jax.jit
    def draw(key, mean):
        traces.append(1)
        return SAMPLERS[name].sample(gaussian_denoiser(mean, jnp.eye(2)), key, (8, 2))[0]

    for seed in range(3):
        draw(jr.PRNGKey(seed), jnp.full(2, float(seed)))
    assert len(traces) == 1

"""Simulators against closed forms: matrix exponentials, moments of linear stochastic equations, finite differences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jax.scipy.linalg import expm

from bsi.compiler.analyse import compile_source
from bsi.compiler.ir import Program
from bsi.compiler.lower import equations
from bsi.compiler.lower.equations import ODE_SOLVERS, SDE_SOLVERS, step_times
from bsi.compiler.lower.forward import data_env, draw_row, log_likelihood, observed_rows
from bsi.compiler.lower.model import LoweredModel
from bsi.compiler.lower.python_host import HOST, Host
from bsi.compiler.options import BLOCKS
from bsi.compiler.simulator_calls import SimulatorFailure
from bsi.dsl.span import Source
from tests.compiler.helpers import compiled

LINEAR = """bsi 1
dim time = 4
param a : real[2, 2]
simulator linear(m, start) -> real[time, 2] = ode(u) {{ init = start, rhs = m @ u, saveat = [0, 0.5, 1, 3] {options} }}
prior p(a) = normal(0, 1)
likelihood f(x : real[time, 2] | a) = normal(linear(a, [1, -1]), 0.5)
observe obs : f = [[1, -1], [0, 1], [1, 2], [0, 1]]
posterior post(a) = p(a) * f(obs | a)
sample ode = nuts(post)
"""
A = jnp.array([[-0.4, 1.3], [-0.9, 0.2]])


def model(text: str) -> tuple[Program, dict[str, Any]]:
    program = compiled(text)
    return program, dict(data_env(program))


def mean_of(text: str, params: dict[str, jax.Array]) -> jax.Array:
    """The location of a normal likelihood `f`."""
    from bsi.compiler.lower.laws import arguments

    program, env = model(text)
    return arguments(program.likelihoods["f"].draws[0].law, {**env, **params})["loc"]


@pytest.mark.parametrize("solver", ["tsit5", "heun", "kvaerno5"])
def test_a_linear_equation_is_a_matrix_exponential(solver: str) -> None:
    low = solver == "heun"
    options = f", solver = {solver}, rtol = {1e-5 if low else 1e-8}, atol = 1e-9"
    with jax.enable_x64(True):
        a = A.astype(float)
        found = mean_of(LINEAR.format(options=options), {"a": a})
        exact = jnp.stack([expm(a * t) @ jnp.array([1.0, -1.0]) for t in (0, 0.5, 1, 3)])
    np.testing.assert_allclose(found, exact, rtol=0, atol=3e-4 if low else 1e-6)


def test_every_solver_of_the_options_exists() -> None:
    for kind, table in (("ode", ODE_SOLVERS), ("sde", SDE_SOLVERS)):
        assert BLOCKS["simulator", kind].option("solver").words.keys() == table.keys()


@pytest.mark.parametrize("sensitivities", [32, 0], ids=["sensitivities", "checkpoints"])
def test_gradients_are_those_of_finite_differences(monkeypatch: pytest.MonkeyPatch, sensitivities: int) -> None:
    monkeypatch.setattr(equations, "_SENSITIVITIES", sensitivities)
    with jax.enable_x64(True):
        program, env = model(LINEAR.format(options=", rtol = 1e-9, atol = 1e-10"))
        rows = jnp.asarray(observed_rows(program, program.observations["obs"], env), float)

        def density(a: jax.Array) -> jax.Array:
            return log_likelihood(program.likelihoods["f"], {"a": a}, rows, env)[0]

        a, step = A.astype(float), 1e-5
        value = jax.jit(density)
        found = jax.jit(jax.grad(density))(a)
        for i in np.ndindex(2, 2):
            slope = (value(a.at[i].add(step)) - value(a.at[i].add(-step))) / (2 * step)
            np.testing.assert_allclose(found[i], slope, rtol=1e-5)
        if sensitivities:
            np.testing.assert_allclose(jax.jit(jax.jacfwd(density))(a), found, rtol=1e-12)


def test_time_data_and_observed_quantities_enter() -> None:
    text = """bsi 1
data dose : real = 3
param k : real<lower = 0>
simulator s(a) -> real[2] = ode(u) {
  init = [1, 0], rhs = [a, dose * t], saveat = [1, 2], t0 = 0.5, output = sum(u) * a + t
}
prior p(k) = lognormal(0, 1)
likelihood f(x : real[2] | k) = normal(s(k), 0.5)
observe obs : f = [0, 1]
posterior post(k) = p(k) * f(obs | k)
sample ode = nuts(post)
"""
    t = np.array([1.0, 2.0])
    exact = (1 + 2 * (t - 0.5) + 1.5 * (t**2 - 0.25)) * 2 + t
    np.testing.assert_allclose(mean_of(text, {"k": jnp.array(2.0)}), exact, rtol=1e-5)


FAILING = """bsi 1
param k : real<lower = 0>
simulator stiff(a) -> real = ode(u) {{ init = 1, rhs = -1e6 * a * u, saveat = 5, max_steps = 20 }}
simulator falling(a) -> real<lower = 0> = ode(u) {{ init = 1, rhs = -a, saveat = 1 }}
prior p(k) = lognormal(0, 1)
likelihood f(x : real | k) = normal({called}(k), 0.5)
observe obs : f[2] = [0, 1]
observe drawn : f[3] = simulate(k = 2) {{ seed = 1 }}
posterior post(k) = p(k) * f(obs | k) * f(drawn | k)
sample ode = nuts(post)
"""


@pytest.mark.parametrize(("called", "why"), [("stiff", "max_steps"), ("falling", "declared bounds")])
def test_a_failed_solve_has_no_density_and_spoils_no_set_in_silence(called: str, why: str) -> None:
    program, env = model(FAILING.format(called=called))
    law = program.likelihoods["f"]
    assert jnp.isnan(jax.jit(lambda k: draw_row(law, jr.key(0), {"k": k}, env))(2.0))
    density = jax.jit(lambda k: log_likelihood(law, {"k": k}, jnp.zeros(2), env))
    assert (density(2.0) == -jnp.inf).all()
    assert jnp.isfinite(density(0.0)).all() if called == "falling" else True
    with pytest.raises(SimulatorFailure, match="3 of 3 simulated rows of `drawn`") as caught:
        observed_rows(program, program.observations["drawn"], env)
    assert caught.value.code == "R108" and why in caught.value.help


# ---------------------------------------------------------------- stochastic

OU = """bsi 1
param rate : real<lower = 0>
param noise : real<lower = 0>
simulator ou(k, s) -> real[2] = sde(u) {{
  init = 1, drift = -k * u, diffusion = {diffusion}, saveat = [0.5, 2], dt = 0.01, solver = {solver}
}}
prior p(rate, noise) = {{ rate ~ lognormal(0, 1); noise ~ lognormal(0, 1) }}
likelihood f(x : real[2] | rate, noise) = implicit ou(rate, noise)
observe obs : f = [0, 1]
posterior post(rate, noise) = p(rate, noise) * f(obs | rate, noise)
sample ode = flow_ode(post)
"""
PATHS, SIGMAS = 20_000, 4.5


def paths(text: str) -> np.ndarray:
    program, env = model(text)
    params = {"rate": jnp.array(0.7), "noise": jnp.array(0.5)}
    keys = jr.split(jr.key(3), PATHS)
    return np.asarray(jax.jit(jax.vmap(lambda key: draw_row(program.likelihoods["f"], key, params, env)))(keys), float)


@pytest.mark.parametrize(("solver", "diffusion"), [("euler", "s"), ("heun", "s"), ("euler", "[s * 0.6, s * 0.8]")])
def test_an_ornstein_uhlenbeck_process_has_its_moments(solver: str, diffusion: str) -> None:
    """20 000 paths, 4.5 sigma; the bias of a step of 0.01 is a tenth of that."""
    found = paths(OU.format(solver=solver, diffusion=diffusion))
    times = np.array([0.5, 2.0])
    mean, variance = np.exp(-0.7 * times), 0.25 * -np.expm1(-1.4 * times) / 1.4
    assert (abs(found.mean(0) - mean) < SIGMAS * np.sqrt(variance / PATHS) + 2e-3).all()
    assert (abs(found.var(0) / variance - 1) < SIGMAS * np.sqrt(2 / PATHS) + 8e-3).all()
    covariance = variance[0] * np.exp(-0.7 * 1.5)
    spread = np.sqrt((variance.prod() + covariance**2) / PATHS)
    assert abs(np.cov(found.T)[0, 1] - covariance) < SIGMAS * spread + 2e-3


@pytest.mark.parametrize(
    ("solver", "growth"),
    [("euler", 0.0), ("milstein", 0.0), ("euler_heun", 0.5), ("heun", 0.5), ("stratonovich_milstein", 0.5)],
)
def test_solvers_are_of_their_calculus(solver: str, growth: float) -> None:
    """`du = s u dW` is a martingale by Itô, and grows by `exp(s² t / 2)` by Stratonovich (20 000 paths, 4.5 sigma)."""
    text = OU.format(solver=solver, diffusion="s * u").replace("drift = -k * u", "drift = 0 * k")
    mean = np.exp(growth * 0.25 * np.array([0.5, 2.0]))
    found = paths(text)
    assert (abs(found.mean(0) / mean - 1) < SIGMAS * found.std(0) / mean / np.sqrt(PATHS) + 2e-3).all()


def test_calls_are_independent_and_a_value_is_one() -> None:
    text = """bsi 1
param k : real
simulator walk(a) -> real = sde(u) { init = a, drift = 0, diffusion = 1, saveat = 1, dt = 0.5 }
prior p(k) = normal(0, 1)
likelihood f(x : real[6] | k) = {
  let once = walk(k)
  x = concat([once, once, walk(k), walk(k)], [walk(k) + 0 * i for i in 2])
}
observe obs : f = [0, 1, 2, 3, 4, 5]
posterior post(k) = p(k) * f(obs | k)
sample ode = flow_ode(post)
"""
    program, env = model(text)
    keys = jr.split(jr.key(0), 4_000)
    draw = jax.jit(jax.vmap(lambda key: draw_row(program.likelihoods["f"], key, {"k": jnp.zeros(())}, env)))
    found = np.asarray(draw(keys))
    correlation = np.corrcoef(found.T)
    assert (found[:, 0] == found[:, 1]).all()
    assert (abs((correlation - np.eye(6))[1:, 1:]) < 4.5 / np.sqrt(4_000)).all()


def test_steps_end_at_saved_times() -> None:
    np.testing.assert_allclose(step_times(0.0, np.array([0.0, 1.0, 1.25]), 0.5), [0, 0.5, 1, 1.25])
    assert len(step_times(0.0, np.array([2.0]), "auto")) == 1_001


# ---------------------------------------------------------------- user code

CODE = """import numpy as np

def draw(theta, rng):
    return theta + 0.5 * rng.normal(size=theta.shape)

def one(theta, rng):
    assert theta.shape == (2,) and theta.dtype == np.float64
    return theta + 0.5 * rng.normal(size=2)

def shifted(theta):
    return 2 * theta + 1

def traced(theta, key):
    import jax
    return theta + 0.5 * jax.random.normal(key, (2,))

def fails(theta, rng):
    raise ValueError("no luck")

def flat(theta, rng):
    return theta[:, 0]
"""
USER = """bsi 1
param theta : real[2]
simulator sim(a) -> real[2] = python("code_of_test:{function}") {{ {options} }}
prior p(theta) = normal(0, 1)
likelihood f(x : real[2] | theta) = {law}
observe obs : f[3] = simulate(theta = [0.5, -1]) {{ seed = 7 }}
posterior post(theta) = p(theta) * f(obs | theta)
sample ode = flow_ode(post)
"""


def user(folder: Path, function: str, options: str = "", law: str = "implicit sim(theta)") -> LoweredModel:
    (folder / "code_of_test.py").write_text(CODE)
    text = USER.format(function=function, options=options, law=law)
    program, diagnostics = compile_source(Source(str(folder / "model.bsi"), text))
    assert program, diagnostics
    return LoweredModel(program, Host())


@pytest.mark.parametrize(("function", "options"), [("draw", ""), ("one", "batch = false"), ("traced", "jax = true")])
def test_user_code_draws_what_it_says(tmp_path: Path, function: str, options: str) -> None:
    """5 000 rows of normal(theta, 0.5), 4.5 sigma; the same key gives the same rows."""
    lowered = user(tmp_path, function, options)
    (train,) = lowered.program.trains.values()
    simulate = jax.jit(lowered.forward(train).simulate, static_argnums=1)
    z, x = map(np.asarray, simulate(jr.key(1), 5_000))
    residual = x - z
    assert (abs(residual.mean(0)) < 4.5 * 0.5 / np.sqrt(5_000)).all()
    assert (abs(residual.std(0) / 0.5 - 1) < 4.5 / np.sqrt(10_000)).all()
    assert abs(np.corrcoef(residual[1:, 0], residual[:-1, 1])[0, 1]) < 4.5 / np.sqrt(5_000)
    np.testing.assert_array_equal(simulate(jr.key(1), 5_000)[1], x)
    assert lowered.host and lowered.host.take() is None


@pytest.mark.parametrize("options", ["stochastic = false", "stochastic = false, jax = true"])
def test_user_code_equals_the_language(tmp_path: Path, options: str) -> None:
    called = user(tmp_path, "shifted", options, "normal(sim(theta), 0.5)")
    written = user(tmp_path, "shifted", options, "normal(2 * theta + 1, 0.5)")
    np.testing.assert_array_equal(called.rows("obs"), written.rows("obs"))
    rows, theta = jnp.asarray(called.rows("obs")), jnp.array([0.2, 0.3])

    def density(lowered: LoweredModel, theta: jax.Array) -> jax.Array:
        return log_likelihood(lowered.program.likelihoods["f"], {"theta": theta}, rows, lowered.data).sum()

    np.testing.assert_allclose(density(called, theta), density(written, theta), rtol=1e-6)
    if "jax" in options:
        gradients = [jax.grad(lambda theta, m=m: density(m, theta))(theta) for m in (called, written)]
        np.testing.assert_allclose(*gradients, rtol=1e-6)


@pytest.mark.parametrize(("function", "code", "says"), [("fails", "R109", "no luck"), ("flat", "R110", r"shape \[3\]")])
def test_failures_of_user_code_are_kept(tmp_path: Path, function: str, code: str, says: str) -> None:
    lowered = user(tmp_path, function)
    with pytest.raises(SimulatorFailure, match="not finite"):
        lowered.rows("obs")
    failure = lowered.host.take() if lowered.host else None
    assert failure and failure.code == code and failure.name == "sim"
    with pytest.raises(SimulatorFailure, match=says):
        raise failure
    assert code != "R109" or (isinstance(failure.__cause__, ValueError) and "line 18" in failure.help)


def test_a_changed_file_is_not_run(tmp_path: Path) -> None:
    lowered = user(tmp_path, "draw")
    (tmp_path / "code_of_test.py").write_text(CODE + "\n")
    with pytest.raises(SimulatorFailure):
        lowered.rows("obs")
    failure = lowered.host.take() if lowered.host else None
    assert failure and failure.code == "R111" and "changed" in failure.message


def test_without_a_host_nothing_is_imported(tmp_path: Path) -> None:
    lowered = user(tmp_path, "fails", "jax = true")
    bare = LoweredModel(lowered.program)
    assert HOST not in bare.data and (bare.rows("obs") == 0).all()

"""Observation sets with holes, from the file to the draws, against the closed form of a linear-Gaussian model."""

import numpy as np
import pytest

import bsi
from tests.bsi.helpers import write

MODEL = """bsi 1

param theta : real[2]

prior p(theta) = normal(0, 1)
let C = [[1.0, 0.4, 0.2], [0.4, 0.8, 0.3], [0.2, 0.3, 0.5]]
likelihood f(x : real[3] | theta) = mv_normal([theta[0], theta[0] + theta[1], 2 * theta[1]], C)

observe obs : f[4] = file("holes.csv") { missing = "nan" }
let w = [1.0, 0.5, 3.0, 1.5]
posterior post(theta) = p(theta) * f(obs | theta)^w

train fit = score(p, f) { network = mlp { width = 8, depth = 1 }, steps = 128, batch = 1024, seed = 1 }
sample ode = dpmpp(post, fit) { draws = 20_000, steps = 30, seed = 2 }
sample ref = nuts(post) { chains = 2, warmup = 300, draws = 2_000, seed = 3 }
"""
ROWS = "a,b,c\n0.5,NA,1.0\n,,-0.4\nnan,,null\n1.2,0.3,-0.8\n"


def closed_form() -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the posterior: every row adds `w Aᵀ C⁻¹ A` of the entries that it has."""
    design = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    noise = np.array([[1.0, 0.4, 0.2], [0.4, 0.8, 0.3], [0.2, 0.3, 0.5]])
    rows = np.array([[0.5, np.nan, 1.0], [np.nan, np.nan, -0.4], [np.nan] * 3, [1.2, 0.3, -0.8]])
    precision, shift = np.eye(2), np.zeros(2)
    for x, power in zip(rows, [1.0, 0.5, 3.0, 1.5], strict=True):
        seen = np.isfinite(x)
        if seen.any():
            gain = power * design[seen].T @ np.linalg.inv(noise[np.ix_(seen, seen)])
            precision, shift = precision + gain @ design[seen], shift + gain @ x[seen]
    covariance = np.linalg.inv(precision)
    return covariance @ shift, covariance


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("missing")
    (folder / "holes.csv").write_text(ROWS)
    (folder / "holes.bsi").write_text(MODEL)
    from bsi.runtime.store import Store

    return bsi.load(folder / "holes.bsi").run(folder / "out", store=Store(folder / "store"))


@pytest.mark.parametrize("name, size", [("ode", 20_000), ("ref", 1_000)])
def test_missing_entries_are_left_out_exactly(run, name, size):
    """Powers by row, a row with nothing left. ESS of the reference above 1 000; five sigma, and .02 sd for the
    regression from 2^17 simulations."""
    mean, covariance = closed_form()
    draws = run[name].posterior.theta.values.reshape(-1, 2)
    sd = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(draws.mean(0) - mean) / sd < 5 / size**0.5 + 0.02)
    ratio = np.linalg.solve(covariance, np.cov(draws.T))
    assert np.allclose(ratio, np.eye(2), atol=5 * (2 / size) ** 0.5 + 0.03)


def test_results_say_what_was_observed(run):
    data = run["ode"].observed_data
    assert data.obs.dims == ("obs_row", "obs_dim_1") and data.obs.shape == (4, 3)
    assert data.obs_observed.values.tolist() == [[1, 0, 1], [0, 0, 1], [0, 0, 0], [1, 1, 1]]
    assert np.array_equal(np.isfinite(data.obs.values), data.obs_observed.values)


def test_other_data_never_train_again(folder):
    (folder / "holes.csv").write_text(ROWS)
    keys = []
    for rows in (ROWS, ROWS.replace("NA", "0.7")):
        (folder / "holes.csv").write_text(rows)
        keys.append({job.name: job.key for job in bsi.load(write("holes.bsi", MODEL)).plan()})
    assert keys[0]["fit"] == keys[1]["fit"] and keys[0]["ode"] != keys[1]["ode"] and keys[0]["ref"] != keys[1]["ref"]

"""Ranks at simulated data: the test of uniformity against enumeration, and samplers that are right or wrong in a known
way by `sbc` and `tarp`."""

import itertools

import numpy as np
import pytest

from bsi.runtime.metrics.ranks import Uniform, covered, lean, ranks
from bsi.runtime.metrics.sbc import sbc
from bsi.runtime.metrics.tarp import references, tarp


def model(seed: int, n: int = 1_000, count: int = 50, *, shift: float = 0.0, width: float = 1.0, m: int = 1):
    """Params N(0, I), data with noise of sd 1, and draws of N(x/2, I/2), off by `shift` and too wide by `width`."""
    rng = np.random.default_rng(seed)
    params = rng.standard_normal((n, m))
    data = params + rng.standard_normal((n, m))
    noise = shift + width * rng.standard_normal((n, count, m))
    return params, data, 0.5 * data[:, None] + np.sqrt(0.5) * noise


def by_tarp(params, data, draws, at=None, seed=1):
    return tarp(params[1:], draws[1:], references(params, data) if at is None else at[1:], seed=seed).value


def uniform_gap(values) -> float:
    """Kolmogorov's distance, in its standard deviation ½/√n."""
    n = len(values)
    return float(np.abs(np.sort(values) - (np.arange(n) + 0.5) / n).max() / (0.5 / np.sqrt(n)))


@pytest.mark.parametrize(("n", "k"), [(5, 3), (3, 6), (7, 2)])
def test_the_law_of_the_statistic_is_that_of_all_ranks(n, k):
    uniform = Uniform(n, k)
    tables = [np.bincount(each, minlength=k) for each in itertools.product(range(k), repeat=n)]
    values = np.array([uniform.p_value(counts) for counts in tables])
    assert np.allclose(values, [np.mean(values <= value + 1e-9) for value in values], atol=1e-9)


def test_p_values_are_uniform_and_agree_with_the_band():
    """1 000 sets of 300 ranks among 51: within 4 σ of uniform, and outside the band of 90 % where p is below 0.1."""
    rng = np.random.default_rng(0)
    uniform = Uniform(300, 51)
    low, high = uniform.band(0.9)
    values, outside = [], []
    for _ in range(1_000):
        counts = np.bincount(rng.integers(0, 51, 300), minlength=51)
        below = np.cumsum(counts)[:-1]
        values.append(uniform.p_value(counts))
        outside.append(bool(((below < low) | (below > high)).any()))
    assert uniform_gap(values) < 4
    assert np.array_equal(np.array(values) <= 0.1, outside)
    assert abs(np.mean(outside) - 0.1) < 4 * np.sqrt(0.09 / 1_000)


def test_what_never_happens_by_chance_has_a_p_value_still():
    assert Uniform(1_000, 51).p_value(np.bincount([0] * 1_000, minlength=51)) == 1e-12


@pytest.mark.parametrize(
    ("wrong", "said", "seen"),
    [
        ({}, "", ("", "")),
        ({"shift": 0.2}, "too high", ("sbc", "")),
        ({"shift": -0.2}, "too low", ("sbc", "")),
        ({"width": 0.8}, "too narrow", ("sbc", "tarp")),
        ({"width": 1.2}, "too wide", ("sbc", "tarp")),
    ],
)
def test_what_is_wrong_is_caught(wrong, said, seen):
    """12 seeds of 1 000 simulations of 50 draws. Right draws fall below 0.05 one time in twenty: four times or more in
    2 of 1 000. `tarp` hardly sees shifts: its points lie on all sides."""
    low = {"sbc": 0, "tarp": 0}
    told = []
    for seed in range(12):
        params, data, draws = model(seed, **wrong)
        found = sbc(params, draws, seed=seed)
        told.append(lean(found.counts[0]))
        low["sbc"] += found.value < 0.05
        low["tarp"] += by_tarp(params, data, draws, seed=seed) < 0.05
    for name in low:
        assert low[name] >= 11 if name in seen else low[name] < 4, low
    assert told.count(said) >= 10


@pytest.mark.parametrize("test", ["sbc", "tarp"])
def test_right_samplers_have_uniform_p_values(test):
    """200 sets of 100 simulations of 19 draws: 4 σ. References of earlier simulations leave ranks independent."""
    values = []
    for seed in range(200):
        params, data, draws = model(seed, 100, 19)
        values.append(sbc(params, draws, seed=seed).value if test == "sbc" else by_tarp(params, data, draws, seed=seed))
    assert uniform_gap(values) < 4


def test_several_params_are_judged_together():
    """Of 200 right samplers of ten params no more fall below 0.05 than should, by 4 σ; one wrong param is enough."""
    low = 0
    for seed in range(200):
        params, _, draws = model(seed, 100, 19, m=10)
        low += sbc(params, draws, seed=seed).value < 0.05
    assert low / 200 < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 200)
    params, _, draws = model(1, m=10)
    draws[:, :, 7] += 0.2
    found = sbc(params, draws)
    assert found.value < 0.01 and np.argmin(found.p_values) == 7 and lean(found.counts[7]) == "too high"


@pytest.mark.parametrize("link", [lambda x: x, np.square], ids=["linear", "square"])
def test_only_tarp_with_points_that_know_the_data_catches_a_sampler_that_ignores_them(link):
    """Draws of the prior: their ranks are uniform, and so are distances to other draws of the prior."""
    rng = np.random.default_rng(3)
    params, other = rng.standard_normal((2, 1_000, 2))
    data = link(params) + 0.5 * rng.standard_normal((1_000, 2))
    draws = rng.standard_normal((1_000, 50, 2))
    assert sbc(params, draws).value > 0.05
    assert by_tarp(params, data, draws, other) > 0.05
    assert by_tarp(params, data, draws) < 1e-6


def test_a_reference_is_the_nearest_of_those_before():
    """Whatever the units and tails of data, and constants say nothing."""
    params = np.arange(5.0)[:, None]
    data = np.array([[0.0, 1e9, 7], [10, 0, 7], [1, 9e8, 7], [9, 1, 7], [2, 8e8, 7]])
    assert references(params, data).ravel().tolist() == [0, 0, 1, 2]


def test_ties_are_broken_by_chance():
    """Bernoulli numbers, exchangeable with their draws: 1 000 of them, ranks uniform; a constant too."""
    rng = np.random.default_rng(4)
    params, draws = rng.integers(0, 2, (1_000, 1)).astype(float), rng.integers(0, 2, (1_000, 20, 1)).astype(float)
    assert sbc(params, draws).value > 0.01 and sbc(0 * params, 0 * draws).value > 0.01
    assert set(np.unique(ranks(params, draws, rng))) == set(range(21))


def test_coverage_is_read_between_ranks():
    assert covered([1, 1, 1, 1], 0.5) == 0.5 and covered([4, 0, 0, 0], 0.125) == 0.5
    assert covered([0, 0, 0, 3], 0.75) == 0


def test_what_cannot_be_judged():
    params, data, draws = model(0, 30, 10)
    draws[[2, 7], 0] = np.nan
    with pytest.raises(ValueError, match="not finite at 2 of 30"):
        sbc(params, draws)
    with pytest.raises(ValueError, match="not finite at 2 of 29"):
        by_tarp(params, data, draws)
    with pytest.raises(ValueError, match="19 sound simulations are too few"):
        sbc(params[:19], draws[:19])

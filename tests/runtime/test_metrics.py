"""Metrics on Gaussians, where the answers are known. Gates are 4 or 5 standard errors at the stated sizes."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from bsi.runtime.metrics import METRICS
from bsi.runtime.reference import assess

C2ST, SW, MMD = (METRICS[name].function for name in ("c2st", "sliced_wasserstein", "mmd"))
LC2ST = METRICS["lc2st"].function
MEAN, SD = METRICS["mean_error"].function, METRICS["sd_error"].function


def gaussian(seed, n=4_000, m=2, mean=0.0, sd=1.0):
    return mean + sd * np.random.default_rng(seed).normal(size=(n, m))


def test_every_metric_has_a_sentence():
    assert all(metric.doc.endswith(".") for metric in METRICS.values())


@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_c2st_reaches_the_best_possible_accuracy(shift):
    """Of N(0, I) and N(shift e_0, I) it is Phi(shift / 2); 2 x 1 000 draws, 5 sd of a binomial proportion, and
    .03 for what a trained network misses."""
    b = gaussian(1, n=1_000) + np.array([shift, 0.0])
    estimate = C2ST(gaussian(0, n=1_000), b)
    best = norm.cdf(shift / 2)
    assert abs(estimate.value - best) < 5 * math.sqrt(best * (1 - best) / 2_000) + 0.03
    assert 0 < estimate.standard_error < 0.05


@pytest.mark.slow
def test_the_classifier_is_scikit_learns():
    """Accuracy on 4 000 fresh rows after training on 400, paired over 8 data sets: 4 standard errors of the mean."""
    import jax.random as jr
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    from bsi.runtime.metrics.classifier import accuracy

    def labelled(seed, n):
        rows = np.concatenate([gaussian(seed, n, m=3), gaussian(seed + 1, n, m=3, mean=0.3, sd=1.2)])
        return rows.astype(np.float32), np.repeat(np.array([0, 1], np.float32), n)

    differences = []
    for seed in range(0, 800, 100):
        train, test = labelled(seed, 200), labelled(seed + 50, 2_000)
        with threadpool_limits(1):  # its matrices are too small for threads
            theirs = MLPClassifier((30, 30), max_iter=10_000, random_state=seed).fit(*train).score(*test)
        differences.append(float(accuracy(jr.key(seed), train, test, 30)) - theirs)
    assert abs(np.mean(differences)) < 4 * np.std(differences, ddof=1) / math.sqrt(8)
    assert np.std(differences) < 0.05


def test_c2st_is_blind_to_units_and_repeats_itself():
    a, b = gaussian(0, n=400), gaussian(1, n=300, mean=0.5)
    scale = np.array([1e-3, 1e3])
    assert C2ST(a, b) == C2ST(a, b)
    assert C2ST(a * scale, b * scale).value == pytest.approx(C2ST(a, b).value, abs=0.02)


@pytest.mark.parametrize("m", [1, 5])
def test_sliced_wasserstein_of_a_shift_in_units_of_sd(m):
    """SW2 of N(0, s²I) and N(d, s²I) is |d| / (s √m), up to the draw of 300 directions."""
    shift = np.linspace(0.5, 1.0, m)
    estimate = SW(gaussian(0, m=m, sd=1e-2), gaussian(1, m=m, sd=1e-2) + 1e-2 * shift, projections=300)
    expected = np.linalg.norm(shift) / math.sqrt(m)
    assert abs(estimate.value - expected) < 5 * estimate.standard_error + 5 * expected / math.sqrt(300)
    assert estimate.standard_error < 0.05


def test_sliced_wasserstein_of_a_scale():
    estimate = SW(gaussian(0, sd=1.5), gaussian(1))
    assert abs(estimate.value - 0.5) < 5 * estimate.standard_error


def test_sliced_wasserstein_of_one_law_is_its_floor():
    assert SW(gaussian(0), gaussian(1)).value < 5 / math.sqrt(4_000)


@pytest.mark.parametrize("shift", [0.0, 0.2, 1.0])
def test_mmd_against_its_closed_form(shift):
    """2 (h²/(h²+2))^(m/2) (1 - exp(-|d|²/2(h²+2))) with h = 1.5; 4 000 draws, 4 standard errors."""
    estimate = MMD(gaussian(0), gaussian(1, mean=shift), bandwidth=1.5)
    expected = 2 * (2.25 / 4.25) * (1 - math.exp(-2 * shift**2 / (2 * 4.25)))
    assert abs(estimate.value - expected) < 4 * estimate.standard_error + 0.02 * expected  # z-scored by a sample


def test_mmd_standard_error_is_the_spread_over_repetitions():
    """Under one law, where only the second order counts, and two; 60 repetitions of 300 draws, 4 sd of a spread."""
    for shift in (0.0, 0.7):
        runs = [MMD(gaussian(i, n=300), gaussian(1_000 + i, n=300, mean=shift), bandwidth=1.5) for i in range(60)]
        spread = np.std([run.value for run in runs], ddof=1)
        stated = np.mean([run.standard_error for run in runs])
        assert abs(math.log(stated / spread)) < 4 / math.sqrt(2 * 59)


def test_sliced_wasserstein_standard_error_is_the_spread_over_repetitions():
    """100 repetitions of 300 draws in 3 dimensions, one set of directions; 5 sd of an estimated spread."""
    runs = [SW(gaussian(i, n=300, m=3), gaussian(500 + i, n=300, m=3, mean=0.5), projections=30) for i in range(100)]
    spread = np.std([run.value for run in runs], ddof=1)
    stated = np.mean([run.standard_error for run in runs])
    assert abs(math.log(stated / spread)) < 5 / math.sqrt(2 * 99)


def test_the_median_heuristic_is_a_distance():
    """Median distance of z-scored pairs in 2 dimensions is √(4 ln 2): chi with 2 degrees of freedom, times √2."""
    from bsi.runtime.metrics.mmd import _median_distance

    assert _median_distance(gaussian(0, n=1_000)) == pytest.approx(math.sqrt(4 * math.log(2)), rel=0.05)


def test_moment_errors():
    draws = gaussian(0) * np.array([1.0, 1.3]) * 7 + np.array([0.7, 0.0])
    mean, sd = MEAN(draws, gaussian(1, sd=7.0)), SD(draws, gaussian(1, sd=7.0))
    assert mean.coordinate == 0 and abs(mean.value - 0.1) < 4 * mean.standard_error
    assert sd.coordinate == 1 and abs(sd.value - math.log(1.3)) < 4 * sd.standard_error


def test_moment_standard_errors_are_spreads_and_know_effective_sizes():
    """200 repetitions of 200 draws in one dimension; 5 sd of an estimated spread."""
    for metric, signed in (
        (MEAN, lambda a, b: (a.mean() - b.mean()) / b.std()),
        (SD, lambda a, b: np.log(a.std() / b.std())),
    ):
        pairs = [(gaussian(i, n=200, m=1), gaussian(9_000 + i, n=200, m=1)) for i in range(200)]
        spread = np.std([signed(a, b) for a, b in pairs], ddof=1)
        stated = np.mean([metric(a, b).standard_error for a, b in pairs])
        assert abs(math.log(stated / spread)) < 5 / math.sqrt(2 * 199)
        a, b = pairs[0]
        quarter = metric(a, b, ess=50, reference_ess=np.array([50.0]))
        assert quarter.standard_error == pytest.approx(2 * metric(a, b).standard_error, rel=0.01)


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.needs == "samples"])
def test_useless_samples_are_errors(name):
    good, bad = gaussian(0, n=50), gaussian(1, n=50)
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        METRICS[name].function(bad, good)
    with pytest.raises(ValueError, match="does not vary"):
        METRICS[name].function(good, np.ones((50, 2)))


def test_metrics_of_a_reference_take_the_worst():
    draws = np.random.default_rng(0).normal(size=(4, 500, 2))
    draws[:, :, 1] += 3 * np.arange(4)[:, None]
    diverging = np.zeros((4, 500), bool)
    diverging[0, :3] = True
    reference = assess({"a": draws, "b": draws[:, :, 0]}, {"diverging": diverging})
    values = {name: metric.function(reference).value for name, metric in METRICS.items() if metric.needs == "reference"}
    assert values == {"rhat": reference.rhat["a"][1], "ess": reference.ess_bulk["a"][1], "divergences": 3.0}
    assert values["rhat"] > 1.5 and values["ess"] < 20


@pytest.mark.parametrize(("shift", "low", "high"), [(0.0, 0.05, 1.0), (0.6, 0.0, 0.03)])
def test_lc2st_tells_right_draws_from_shifted_ones(shift, low, high):
    """A linear-Gaussian model of two params, 600 simulations; draws that are off by `shift` posterior sds."""
    rng = np.random.default_rng(1)
    params = rng.standard_normal((600, 2))
    data = params + 0.5 * rng.standard_normal((600, 2))

    def sampler(x):
        return 0.8 * x + np.sqrt(0.2) * (shift + rng.standard_normal(x.shape))

    observed = np.array([0.7, -0.3])
    draws = sampler(np.tile(observed, (500, 1)))
    found = LC2ST(params, sampler(data), data, draws, observed, permutations=39, seed=2)
    assert low < found.value <= high and found.standard_error is not None


@pytest.mark.slow
def test_lc2st_is_uniform_for_right_draws():
    """40 sets of simulations: the p-values' distribution function within Kolmogorov's 4 σ, .5 / √40 each."""
    values = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        params = rng.standard_normal((200, 1))
        data = params + 0.5 * rng.standard_normal((200, 1))
        drawn, draws = (0.8 * x + np.sqrt(0.2) * rng.standard_normal(x.shape) for x in (data, np.full((200, 1), 0.5)))
        values.append(LC2ST(params, drawn, data, draws, np.array([0.5]), permutations=39, seed=seed).value)
    gap = np.abs(np.sort(values) - (np.arange(40) + 0.5) / 40).max()
    assert gap < 4 * 0.5 / np.sqrt(40)


def test_lc2st_refuses_what_is_not_finite():
    x = np.zeros((30, 1))
    with pytest.raises(ValueError, match="not finite"):
        LC2ST(x, x * np.nan, x, x, np.zeros(1))

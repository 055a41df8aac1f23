"""Groups of chains that lie apart, and laws of one group, however odd."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from bsi.jobs.correct import APART
from bsi.runtime.correctors import Mala
from bsi.runtime.correctors.modes import separation

N = 1_000
DRAW = {
    "normal": lambda rng, m: rng.standard_normal((N, m)),
    "uniform": lambda rng, m: rng.uniform(-1, 1, (N, m)),
    "exponential": lambda rng, m: rng.exponential(size=(N, m)),
    "student": lambda rng, m: rng.standard_t(3, (N, m)),
    "sphere": lambda rng, m: (v := rng.standard_normal((N, m + 1))) / np.linalg.norm(v, axis=1, keepdims=True),
}


once = jax.jit(separation)  # compiled for every shape


def found(y):
    return float(once(jnp.asarray(y, jnp.float32), jr.key(0)))


@pytest.mark.parametrize("m", [1, 5])
@pytest.mark.parametrize("law", DRAW)
def test_one_group_is_not_two(law, m):
    assert 0.5 < found(DRAW[law](np.random.default_rng(1), m)) < 2.2


@pytest.mark.parametrize("share", [0.5, 0.05])
@pytest.mark.parametrize("m", [1, 10])
def test_groups_ten_sds_apart_are_found(m, share):
    """Two modes of 1 000 draws; ten sds make a separation of 5, up to its error."""
    rng = np.random.default_rng(2)
    y = rng.standard_normal((N, m))
    y[rng.random(N) < share] += 10 / np.sqrt(m)
    assert 4.3 < found(y) < 5.7


def test_four_modes_and_outliers():
    """Five draws far away are no mode, and hide none."""
    rng = np.random.default_rng(3)
    four = rng.standard_normal((N, 3)) + 8 * rng.choice([-1, 1], (N, 3)) * np.array([1, 1, 0])
    assert found(four) > APART
    outliers = rng.standard_normal((N, 3))
    outliers[:5] += 100
    assert found(outliers) < APART
    outliers[500:] += 10
    assert found(outliers) > APART


@pytest.mark.parametrize(
    ("m", "apart", "stay"),
    [pytest.param(1, 2.0, False, marks=pytest.mark.slow), (4, 12.0, False), (40, 12.0, True)],
)
def test_chains_that_stay_in_modes_are_told_from_chains_that_move(m, apart, stay):
    """400 chains with nine in ten starts at one of two equal modes, `2 apart` sds apart in one of m coordinates. At 4
    all move by small steps; at 24 by those of others, and shares are right (4 σ of 400 draws). In 40 coordinates no
    step of others is near enough, and shares stay as they were."""

    def log_density(z):
        both = jax.scipy.special.logsumexp(-0.5 * (z[:, :1] + jnp.array([-apart, apart])) ** 2, axis=-1)
        return both - 0.5 * jnp.sum(z[:, 1:] ** 2, -1)

    at = jnp.where(jnp.arange(400) < 360, -apart, apart)
    start = jr.normal(jr.key(0), (400, m)).at[:, 0].add(at)
    z, stats = jax.jit(lambda key: Mala(400)(log_density, start, key))(jr.key(1))
    assert (float(stats["separation"]) > APART) == stay, stats
    share = float(jnp.mean(z[:, 0] < 0))
    assert share > 0.8 if stay else abs(share - 0.5) < 4 * 0.5 / 20, share

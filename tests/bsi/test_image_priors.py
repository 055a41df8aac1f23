"""Learned priors of images from end to end: a run on levels, and what does not fit into memory."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.bsi.helpers import cli, write

MODEL = """bsi 1
param img : real<lower = 0, upper = 2>[4, 4]
net u = dit { width = 8, depth = 1, heads = 2 }
prior p(img) = learned file("stripes.npz") { levels = 3, network = u }
posterior any(img) = p(img)^POWER
train fit = score(p) { steps = 10, batch = 16 }
sample s = ddim(any, fit) { steps = 3, draws = 8 }
"""


@pytest.fixture
def stripes(folder):
    """600 images in 0, 1, 2, whose last column is always 2."""
    values = np.random.default_rng(0).integers(0, 3, (600, 4, 4)).astype(np.uint8)
    values[:, :, 3] = 2
    np.savez("stripes.npz", x=values)


@pytest.mark.parametrize("power", ["1", pytest.param("0.5", marks=pytest.mark.slow)])
def test_draws_keep_to_the_bounds(stripes, power):
    """A pixel that never varies, and values at the bounds, take no care; a power has no matrix to learn first."""
    done = cli("run", write("m.bsi", MODEL.replace("POWER", power)), "--out", "out")
    assert done.status == 0, done.err
    with xr.open_datatree("out/s.nc") as tree:
        img = np.asarray(tree["posterior/img"])
    assert img.shape == (1, 8, 4, 4) and img.min() >= 0 and img.max() <= 2


def test_a_network_too_large_is_told_before_training(stripes):
    large = MODEL.replace("POWER", "1").replace("width = 8", "width = 65536")
    done = cli("plan", write("m.bsi", large))
    assert done.status == 2 and "E0514" in done.err and "size of the net" in done.err
    assert not Path("out").exists()

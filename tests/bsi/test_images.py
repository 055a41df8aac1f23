"""The images of the examples: what scikit-learn ships, and what is found of one that is half hidden, or blurred."""

import runpy
import shutil

import numpy as np
import pytest

import bsi
from tests.bsi.helpers import ROOT


# JPEG decoders differ by a level or so
@pytest.mark.parametrize(("name", "levels"), [("digits", 0), ("photos", 2)])
def test_data_are_what_their_script_makes(tmp_path, name, levels):
    folder = ROOT / "examples" / name
    script = shutil.copy(folder / "make_data.py", tmp_path)
    runpy.run_path(script)
    with np.load(folder / f"{name}.npz") as kept, np.load(tmp_path / f"{name}.npz") as made:
        assert set(kept) == set(made)
        for key in kept:
            assert kept[key].shape == made[key].shape and kept[key].dtype == made[key].dtype == np.uint8
            assert np.abs(kept[key].astype(int) - made[key]).max() <= levels, key
        train, test = (kept[key].reshape(len(kept[key]), -1) for key in ("train", "test"))
        assert not {row.tobytes() for row in train} & {row.tobytes() for row in test}


@pytest.mark.slow
def test_digits_find_their_digit(folder):
    """The posterior's mean is nearer to the digit than the prior's, pixel by pixel, and 95 % intervals hold it."""
    shutil.copytree(ROOT / "examples/digits", folder / "digits")
    with np.load(folder / "digits/digits.npz") as file:
        truth = file["test"][3].astype(float)
    run = bsi.load(folder / "digits/digits.bsi").run(folder / "out")
    draws = {name: np.asarray(run[name].posterior["img"], float)[0] for name in ("digits", "filled", "sharp")}
    for name, pixels in (("filled", np.s_[3:]), ("sharp", np.s_[:])):
        error, prior = (np.sqrt(np.mean((d.mean(0) - truth)[pixels] ** 2)) for d in (draws[name], draws["digits"]))
        low, high = np.quantile(draws[name], [0.025, 0.975], axis=0)
        held = ((low <= truth) & (truth <= high))[pixels].mean()
        assert error < 0.85 * prior and held > 0.85, (name, error, prior, held)

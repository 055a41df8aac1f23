"""The images of the examples are what their scripts make of what scikit-learn ships."""

import runpy
import shutil

import numpy as np
import pytest

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

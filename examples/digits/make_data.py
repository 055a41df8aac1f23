"""Writes digits.npz: the 1797 handwritten digits of scikit-learn, 8 x 8 pixels of 0 to 16; needs scikit-learn.

`train` (1437, 8, 8) and `test` (360, 8, 8), uint8, split at random; the digit that each shows in `train_label` and
`test_label`. Both parts hold the same thirteen writers: the split measures new digits, not new hands.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

found = load_digits()
order = np.random.default_rng(20).permutation(len(found.images))
train, test = np.split(order, [1437])
images, labels = found.images.astype("u1"), found.target.astype("u1")
np.savez_compressed(
    Path(__file__).with_name("digits.npz"),
    train=images[train],
    test=images[test],
    train_label=labels[train],
    test_label=labels[test],
)

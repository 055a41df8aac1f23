"""Writes draws.npz: 10 000 draws of a banana, as an earlier analysis might have left them."""

from pathlib import Path

import numpy as np

rng = np.random.default_rng(20)
a = rng.normal(0.0, 1.0, 10_000)
b = rng.normal(0.5 * a**2, 0.4)
np.savez_compressed(Path(__file__).with_name("draws.npz"), a=a.astype("<f4"), b=b.astype("<f4"))

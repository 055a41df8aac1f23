"""Writes photos.npz: patches of two photographs, 32 x 32 pixels in red, green and blue; needs scikit-learn and Pillow.

`train` (702, 32, 32, 3) and `test` (154, 32, 32, 3), uint8, in random order. The test patches come from a band that no
training patch touches. Both hold two scales: the photograph as it is, cut into tiles, and at half its size, where
training patches overlap by half.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_sample_images

SIZE = 32
BAND = slice(256, 416)  # columns kept for testing


def tiles(image: np.ndarray, stride: int) -> list[np.ndarray]:
    height, width, _ = image.shape
    corners = [(i, j) for i in range(0, height - SIZE + 1, stride) for j in range(0, width - SIZE + 1, stride)]
    return [image[i : i + SIZE, j : j + SIZE] for i, j in corners]


def half(image: np.ndarray) -> np.ndarray:
    """The mean of every 2 x 2 pixels."""
    height, width = (n // 2 for n in image.shape[:2])
    blocks = image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return np.round(blocks.mean((1, 3))).astype("u1")


train, test = [], []
for photo in load_sample_images().images:
    for part in (photo[:, : BAND.start], photo[:, BAND.stop :]):
        train += tiles(part, SIZE) + tiles(half(part), SIZE // 2)
    test += tiles(photo[:, BAND], SIZE) + tiles(half(photo[:, BAND]), SIZE)

rng = np.random.default_rng(20)
np.savez_compressed(
    Path(__file__).with_name("photos.npz"), train=rng.permutation(np.stack(train)), test=rng.permutation(np.stack(test))
)

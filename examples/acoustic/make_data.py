"""Writes sections.npz: `velocity`, 2 000 sections of dipping, faulted layers in km/s, and `truth`, one more.
`python make_data.py 64` makes them of 64 cells a side."""

import sys
from pathlib import Path

import numpy as np

LOWER, UPPER, UNIT = 1.5, 4.5, 0.02  # km/s: bounds, and the distance of two levels
SECTIONS = 2_000


def section(rng, size):
    """Two to four interfaces with a dip, broken by a fault; velocities that mostly grow with depth."""
    depth, across = np.mgrid[:size, :size] / size
    tops = np.sort(rng.uniform(0.1, 0.9, rng.integers(2, 5)))
    rises = rng.normal(0.35, 0.3, len(tops))
    values = np.clip(1.8 + np.cumsum([rng.normal(0, 0.05), *rises]), LOWER, UPPER)
    line = depth + rng.normal(0, 0.15) * (across - 0.5)
    line = line + rng.normal(0, 0.1) * (across > rng.uniform(0.25, 0.75))
    steps = 1 / (1 + np.exp(-16 * (line[..., None] - tops) / 0.35))  # an interface has some thickness
    return values[0] + steps @ np.diff(values)


def main():
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    rng = np.random.default_rng(0)
    velocity = np.stack([section(rng, size) for _ in range(SECTIONS + 1)])
    velocity = (LOWER + UNIT * np.round((velocity - LOWER) / UNIT)).astype(np.float32)
    np.savez_compressed(Path(__file__).with_name("sections.npz"), velocity=velocity[:-1], truth=velocity[-1])


if __name__ == "__main__":
    main()

"""Writes path.csv, a path of the process at rate 1.2 and noise 0.4, and reference.csv, draws from the exact posterior.

The process is Gaussian, so its posterior is known on a grid, from which draws are taken (and spread over its cells).
"""

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
times = np.linspace(0.25, 5, 20)
rng = np.random.default_rng(2)


def steps(rate, noise, x):
    """Means and variances of the values of a path, each given the one before."""
    gap = np.diff(np.concatenate([[0.0], times]))
    before = np.concatenate([[2.0], x[:-1]])
    return before * np.exp(-rate * gap), noise**2 * -np.expm1(-2 * rate * gap) / (2 * rate)


path = np.zeros(len(times))
for i in range(len(times)):
    mean, variance = steps(1.2, 0.4, path)
    path[i] = rng.normal(mean[i], np.sqrt(variance[i]))
path = path.round(4)
rows = "".join(f"{t:g},{x:.4f}\n" for t, x in zip(times, path, strict=True))
(FOLDER / "path.csv").write_text("t,x\n" + rows)

log_rate, log_noise = np.linspace(-2.5, 2.5, 801), np.linspace(-2.5, 0.5, 801)
mean, variance = steps(np.exp(log_rate)[:, None, None], np.exp(log_noise)[:, None], path)
density = -0.5 * ((path - mean) ** 2 / variance + np.log(variance)).sum(-1)
density += -0.5 * (log_rate[:, None] / 0.5) ** 2 - 0.5 * ((log_noise + 1) / 0.5) ** 2
mass = np.exp(density - density.max()).ravel()
cell = rng.choice(mass.size, 4_000, p=mass / mass.sum())
i, j = np.unravel_index(cell, density.shape)
width = [grid[1] - grid[0] for grid in (log_rate, log_noise)]
draws = np.stack([log_rate[i], log_noise[j]], 1) + rng.uniform(-0.5, 0.5, (4_000, 2)) * width
rows = "".join(f"{rate:.5g},{noise:.5g}\n" for rate, noise in np.exp(draws))
(FOLDER / "reference.csv").write_text("rate,noise\n" + rows)

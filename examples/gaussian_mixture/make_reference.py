"""A row of gaussian_mixture.bsi, and draws of its posterior by the closed form of a conditional Gaussian mixture."""

from pathlib import Path

import numpy as np

DRAWS, DIMENSIONS, NOISE = 10_000, 10, 1.0
WEIGHTS, LEVELS, SDS = np.array([0.5, 0.3, 0.2]), np.array([-2.0, 0.0, 2.0]), np.array([0.5, 0.7, 0.9])
DIFFERENCE = np.roll(np.eye(DIMENSIONS), 1, axis=1) - np.eye(DIMENSIONS)


def conditional(row: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights (3,), means (3, d) and covariances (3, d, d) of the mixture that the posterior of a row is."""
    log_weights, means, covariances = [], [], []
    for weight, level, sd in zip(WEIGHTS, LEVELS, SDS, strict=True):
        gap = row - DIFFERENCE @ np.full(DIMENSIONS, level)
        spread = sd**2 * DIFFERENCE @ DIFFERENCE.T + NOISE**2 * np.eye(DIMENSIONS)
        covariance = np.linalg.inv(np.eye(DIMENSIONS) / sd**2 + DIFFERENCE.T @ DIFFERENCE / NOISE**2)
        means.append(level + covariance @ DIFFERENCE.T @ gap / NOISE**2)
        covariances.append(covariance)
        log_weights.append(np.log(weight) - 0.5 * (gap @ np.linalg.solve(spread, gap) + np.linalg.slogdet(spread)[1]))
    weights = np.exp(np.array(log_weights) - max(log_weights))
    return weights / weights.sum(), np.array(means), np.array(covariances)


def draws(row: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n draws of the posterior of a row, (n, d)."""
    weights, means, covariances = conditional(row)
    which = rng.choice(3, n, p=weights)
    noise = np.einsum("nij,nj->ni", np.linalg.cholesky(covariances)[which], rng.normal(size=(n, DIMENSIONS)))
    return means[which] + noise


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    theta = SDS[1] * rng.normal(size=DIMENSIONS)
    row = (DIFFERENCE @ theta + NOISE * rng.normal(size=DIMENSIONS)).round(3)
    file = Path(__file__).with_name("reference.npz")
    np.savez_compressed(file, row=row, draws=draws(row, DRAWS, rng).astype(np.float32))

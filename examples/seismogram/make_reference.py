"""Writes trace.csv, a seismogram of the second scenario, and reference.npz: draws of p^alpha f^lambda at two points.

Independent draws, by rejection: the sum of the powers of a mixture's components is a mixture, which is drawn from.
The power of the sum is no more than max(1, k^(alpha - 1)) times as large (power means), and accepts the draws.
"""

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
NOISE, SEED = 0.5, 4
WEIGHTS = np.array([0.4, 0.3, 0.2, 0.1])
LAYERS = ((7, 13), (7, 20), (12, 20), (12, 26))
time = np.arange(32)


def ricker(t):
    return (1 - 2 * (np.pi * t / 6) ** 2) * np.exp(-((np.pi * t / 6) ** 2))


def bump(centre):
    return np.exp(-0.5 * (time - centre) ** 2)


wavelet = ricker(time[:, None] - time)
means = np.array([0.5 * (bump(top) - bump(base)) for top, base in LAYERS])
variances = np.array([0.15**2 + 0.3**2 * (bump(top) + bump(base)) for top, base in LAYERS])


def log_components(x):
    """ln w_k N(x; m_k, v_k) without the constant, (draws, k)."""
    gap = (x[:, None] - means) ** 2 / variances
    return np.log(WEIGHTS) - 0.5 * np.log(variances).sum(-1) - 0.5 * gap.sum(-1)


def draws(rng, trace, alpha, power, count):
    """Exact draws of p^alpha f^power."""
    log_weights, moments = [], []
    for weight, mean, variance in zip(WEIGHTS, means, variances, strict=True):
        precision = np.diag(alpha / variance) + power * wavelet.T @ wavelet / NOISE**2
        shift = alpha * mean / variance + power * wavelet.T @ trace / NOISE**2
        covariance = np.linalg.inv(precision)
        moments.append((covariance @ shift, np.linalg.cholesky(covariance)))
        prior = np.log(weight) - 0.5 * np.log(variance).sum() - 0.5 * (mean**2 / variance).sum()
        evidence = 0.5 * shift @ covariance @ shift + 0.5 * np.linalg.slogdet(covariance)[1]
        log_weights.append(alpha * prior + evidence)
    weights = np.exp(np.array(log_weights) - max(log_weights))
    kept = []
    while sum(map(len, kept)) < count:
        chosen = rng.choice(len(WEIGHTS), 4 * count, p=weights / weights.sum())
        noise = rng.standard_normal((4 * count, len(time)))
        x = np.stack([moments[k][0] + moments[k][1] @ e for k, e in zip(chosen, noise, strict=True)])
        parts = log_components(x)
        log_accept = alpha * np.logaddexp.reduce(parts, 1) - np.logaddexp.reduce(alpha * parts, 1)
        log_accept -= max(0.0, (alpha - 1) * np.log(len(WEIGHTS)))
        kept.append(x[np.log(rng.random(len(x))) < log_accept])
    return np.concatenate(kept)[:count]


def simulate(rng):
    """The ground, of the second scenario, and its trace."""
    ground = means[1] + np.sqrt(variances[1]) * rng.standard_normal(len(time))
    return ground, (wavelet @ ground + NOISE * rng.standard_normal(len(time))).round(3)


if __name__ == "__main__":
    rng = np.random.default_rng(SEED)
    _, trace = simulate(rng)
    (FOLDER / "trace.csv").write_text("trace\n" + "".join(f"{x:g}\n" for x in trace))
    found = {"plain": draws(rng, trace, 1.0, 1.0, 2_000), "scaled": draws(rng, trace, 0.5, 4.0, 2_000)}
    np.savez_compressed(FOLDER / "reference.npz", **{name: x.astype(np.float32) for name, x in found.items()})

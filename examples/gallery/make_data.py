"""Writes the simulated data of this folder: `python examples/gallery/make_data.py`. Sizes are those of posteriordb."""

import json
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

HERE = Path(__file__).parent


def save(name: str, **columns: np.ndarray) -> None:
    """A csv with one column an array."""
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(f"{x:.6g}" for x in row) for row in rows)]
    (HERE / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def series(random: np.random.Generator) -> None:
    errors = random.normal(0, 0.15, 220)
    y = np.zeros(220)
    for t in range(5, 220):
        y[t] = y[t - 5 : t][::-1] @ [0.7, 0.4, 0.1, 0.0, -0.3] + errors[t]
    save("ar.csv", y=y[20:])
    for t in range(1, 220):
        y[t] = 0.9 * y[t - 1] + errors[t] + 0.2 * errors[t - 1]
    save("arma.csv", y=y[20:])


def regression(random: np.random.Generator) -> None:
    X = random.normal(0, 100, (100, 5)).round(3)
    y = (X @ np.ones(5) + random.normal(0, 1, 100)).round(4)
    (HERE / "regression.json").write_text(json.dumps({"X": X.tolist(), "y": y.tolist()}) + "\n", encoding="utf-8")


def gaussian_process(random: np.random.Generator) -> None:
    x = np.linspace(-10, 10, 11)
    covariance = 4 * np.exp(-0.5 * (x[:, None] - x) ** 2 / 5.5**2) + 1e-10 * np.eye(11)
    f = np.linalg.cholesky(covariance) @ random.normal(size=11)
    save("gp.csv", x=x, y=f + random.normal(0, 0.5, 11), k=random.poisson(np.exp(f)))


def mixtures(random: np.random.Generator) -> None:
    first = random.random(1_000) < 0.4
    save("gauss_mix.csv", y=np.where(first, random.normal(-2.75, 1, 1_000), random.normal(2.75, 1, 1_000)))
    state, states = 0, []
    for _ in range(100):
        state = state if random.random() < (0.7, 0.8)[state] else 1 - state
        states.append(state)
    save("hmm.csv", y=random.normal(np.array([3, 9])[states], 1))


def concentrations(random: np.random.Generator) -> None:
    times = np.arange(1, 21) * 0.5
    solution = solve_ivp(
        lambda t, c: np.exp(-0.75 * t) * 30 * 0.75 / 2 - 1.0 / 2 * c / (0.25 + c),
        (0, 10),
        [0.0],
        t_eval=times,
        rtol=1e-9,
    )
    measured = random.lognormal(np.log(solution.y[0]), 0.1)
    values = {"times": times.tolist(), "C_hat": measured.round(5).tolist()}
    (HERE / "michaelis_menten.json").write_text(json.dumps(values) + "\n", encoding="utf-8")


def choices(random: np.random.Generator) -> None:
    distance, arsenic = random.gamma(1.5, 0.3, 300).round(3), random.lognormal(0.3, 0.6, 300).round(3)
    logits = -0.1 - 0.9 * distance + 0.5 * arsenic - 0.1 * distance * arsenic
    save("logistic.csv", distance=distance, arsenic=arsenic, switched=random.random(300) < 1 / (1 + np.exp(-logits)))
    captures = random.binomial(3, 0.5, 100)
    save("capture.csv", captures=np.concatenate([captures[captures > 0], np.zeros(150, int)]))


if __name__ == "__main__":
    for number, make in enumerate((series, regression, gaussian_process, mixtures, concentrations, choices)):
        make(np.random.default_rng(number))

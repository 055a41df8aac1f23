"""Which models `exact_gaussian` takes: those that are linear-Gaussian, and no others."""

import pytest

from tests.compiler.helpers import codes

MODEL = """bsi 1
param theta : real[3]
param phi : real
data a : real[2, 3] = [[1, 2, 3], [4, 5, 6]]
data y : real[3] = [0.1, 0.2, 0.3]
let step(s, v) = 0.5 * s + v
let grow(s, v) = s * v
prior p(theta, phi) = {{ phi ~ normal(0, 2); theta ~ {prior} }}
likelihood f(x : real[{size}] | theta, phi) = {{ x ~ {law} }}
observe obs : f[1] = [{row}]
posterior post(theta, phi) = p(theta, phi) * f(obs | theta, phi)^2
sample ref = exact_gaussian(post)
"""


def model(law: str, prior: str = "normal(phi, 1)", size: int = 2) -> str:
    return MODEL.format(law=law, prior=prior, size=size, row=str([0.5] * size))


def errors(text: str) -> list[str]:
    return [code for code in codes(text) if code.startswith("E")]


AFFINE = {
    "matrix times vector": ("normal(a @ theta + phi, 0.5)", 2),
    "known scale": ("mv_normal(a @ (2 * theta - 1) / 4, 0.5 * eye(2))", 2),
    "comprehension": ("normal([a[i, 0] * theta[0] - phi for i in 2], 1)", 2),
    "slices and sums": ("normal(concat(theta[0:1], stack(sum(theta))), 1)", 2),
    "known condition": ("normal([if y[i] > 0.15 then theta[i] else phi for i in 3], y)", 3),
    "solve": ("normal(solve(eye(3) * 2, theta), 1)", 3),
    "recurrence": ("normal(scan(step, phi, theta), 1)", 3),
    "no params": ("normal(0, 1)", 2),
}
OTHER = {
    "square": "normal(theta[0:2] ^ 2, 1)",
    "product of params": "normal(phi * theta[0:2], 1)",
    "unknown scale": "normal(0, exp(phi))",
    "ratio": "normal(1 / theta[0:2], 1)",
    "unknown condition": "normal(if phi > 0 then theta[0:2] else -theta[0:2], 1)",
    "growing recurrence": "normal(fold(grow, phi, theta), 1)",
    "heavy tails": "student_t(4, theta[0:2], 1)",
    "mixture": "mixture([0.5, 0.5], normal(theta[0], 1), normal(phi, 1))",
}


@pytest.mark.parametrize("name", AFFINE)
def test_linear_gaussian_models_are_taken(name: str) -> None:
    law, size = AFFINE[name]
    assert errors(model(law, size=size)) == []


@pytest.mark.parametrize("name", OTHER)
def test_others_are_refused(name: str) -> None:
    assert errors(model(OTHER[name])) == ["E0417"]


def test_priors_count_too() -> None:
    assert errors(model("normal(a @ theta, 1)", prior="normal(0, exp(phi))")) == ["E0417"]
    assert errors(model("normal(a @ theta, 1)", prior="laplace(phi, 1)")) == ["E0417"]

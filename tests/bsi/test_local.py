"""`check lc2st` through the language: a fit that is right, one that is not, and sets of several rows."""

import pytest

from tests.bsi.helpers import cli, results

MODEL = """bsi 1
param theta : real[2]
param scale : real<lower = 0>
prior p(theta, scale) = {{ theta ~ normal(0, 1); scale ~ lognormal(-1, 0.3) }}
likelihood f(x : real[2] | theta, scale) = {{
  e ~ normal(zeros(2), 1)
  x = theta + scale * e
}}
observe one : f = [0.4, -1.2]
observe four : f[4] = [[0.4, -1.2], [0.1, -0.8], [0.6, -1.1], [0.2, -1]]
posterior post(theta, scale) = p(theta, scale) * f({data} | theta, scale)
net small = resmlp {{ width = 32, depth = 1 }}
train fit = score(p, f) {{ network = small, steps = {steps}, batch = 256, seed = 1 }}
sample s = {method}(post, fit) {{ draws = 500, seed = 1{options} }}
check lc2st(s, simulations = 400, permutations = 19, seed = 3) > 0.05
"""


@pytest.mark.parametrize(
    ("data", "steps", "method", "options", "good"),
    [
        pytest.param("one", 800, "dpmpp", "", True, marks=pytest.mark.slow),
        ("one", 800, "dpmpp", ", steps = 2", False),  # too wide by far
        pytest.param("four", 800, "ddim", ", correct = langevin, steps = 50", True, marks=pytest.mark.slow),
        pytest.param("four", 800, "dpmpp", ", compose = sum", False, marks=pytest.mark.slow),
    ],
)
def test_a_sampler_is_judged(folder, data, steps, method, options, good):
    (folder / "m.bsi").write_text(MODEL.format(data=data, steps=steps, method=method, options=options))
    run = cli("run", "m.bsi", "--out", "out")
    (check,) = results("out")["checks"]
    assert check["passed"] == good and run.status == (0 if good else 1), (check, run.err)
    assert 0.0 < check["value"] <= 1.0

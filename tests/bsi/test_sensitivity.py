"""Sensitivity to powers and evidence along them, in whole runs: against closed forms, against arviz-stats, and what is
shown of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import bsi
from benchmarks.scaled_normal import ROWS, distances
from bsi.check_tables import lines
from bsi.runtime.sensitivity import CONFLICT, slope
from tests.bsi.helpers import cli, edit, results, reused, write

CONJUGATE = """bsi 1
param mu : real
prior p(mu) = normal(10, 1)
likelihood f(x : real | mu) = normal(mu, 0.5)
observe obs : f[3] = [0.1, 0.4, 0.2]
posterior post(mu) = p(mu) * f(obs | mu)
sample ref = exact_gaussian(post) { draws = 4_000, seed = 1 }
check sensitivity(ref)
"""


def detail(folder: str, check: int = 0) -> dict:
    return results(folder)["checks"][check]["detail"]


def theirs(folder: str, sample: str, params: list[str]) -> np.ndarray:
    """Sensitivities by `arviz_stats.psense_summary` of the file that a run wrote, (params, prior and likelihood)."""
    from arviz_stats import psense_summary

    from bsi.runtime.results import read

    table = psense_summary(read(Path(folder) / f"{sample}.nc"), var_names=params, round_to=6)
    return table[["prior", "likelihood"]].to_numpy(float)


@pytest.mark.parametrize("prior_mean", [0, 5, 10])
def test_a_conjugate_normal(folder, prior_mean):
    """4 000 exact draws: five standard errors from quadrature, and what ArviZ makes of the same file. Prior and data
    that agree have no conflict; the further the prior, the more of it."""
    text = edit(CONJUGATE, ("normal(10, 1)", f"normal({prior_mean}, 1)"))
    done = cli("run", write("m.bsi", text), "--out", "out")
    assert done.status == 0 and "told  sensitivity(ref)" in done.err, done.err
    (point,) = detail("out")["points"]
    x = bsi.load("m.bsi").run(out="out")["ref"].posterior.mu.values.ravel()
    found = []
    for component, name in zip(point["components"], ("prior_power", "likelihood_power"), strict=True):
        (way,) = component["ways"].values()
        (value,), (error,) = way["sensitivity"], way["standard_error"]
        expected = slope(
            np.array([0.99, 1.01]), distances(prior_mean, name, [0.99, 1.01], (x.min(), x.max()))[:, None]
        )[0]
        assert abs(value - expected) < 5 * error, (name, value, expected)
        assert way["pareto_k"] < 0.7 and way["powers"] == [0.5, 0.8, 1.25, 2.0]
        found.append(value)
    assert np.allclose(theirs("out", "ref", ["mu"])[0], found, rtol=0.03, atol=2e-3)
    assert point["diagnosis"] == ["" if prior_mean == 0 else CONFLICT]
    assert results("out")["checks"][0]["value"] == found[0], "held against a bound is the sensitivity to the prior"


def test_at_every_point_of_a_sweep(folder):
    """A factor with the power 0 is not there; the worst point is told."""
    text = edit(
        CONJUGATE, ("posterior post", "sweep kappa in [0, 1]\nposterior post"), ("| mu)\nsample", "| mu)^kappa\nsample")
    )
    done = cli("run", write("m.bsi", text), "--out", "out")
    assert done.status == 0 and "at kappa = 1" in done.err, done.err
    check = results("out")["checks"][0]
    dropped, kept = check["detail"]["points"]
    assert (dropped["at"], kept["at"], check["at"]) == ("kappa = 0", "kappa = 1", "mu by p, kappa = 1")
    assert dropped["components"][1]["ways"]["psis"]["sensitivity"][0] < 1e-6 and dropped["diagnosis"] != [CONFLICT]


AGAIN = """bsi 1
param mu : real
prior p(mu) = normal(2, 1)
likelihood f(x : real | mu) = normal(mu, 0.5)
observe obs : f[3] = [0.1, 0.4, 0.2]
posterior post(mu) = p(mu) * f(obs | mu)
sample ode = ddim(post) { route = guided, draws = 2_000, steps = 60, seed = 1 }
check sensitivity(ode, powers = [0.25, 4])
check sensitivity(ode, components = [mu, obs], method = psis) < 0.05
"""


def test_weights_and_new_draws_agree(folder):
    """No network is trained here: the score is exact but for its steps. Near 1 both ways agree within five standard
    errors and 5 %, far from 1 new draws have the distance of quadrature."""
    plan = json.loads(cli("plan", write("m.bsi", AGAIN), "--format", "json").out)["jobs"]
    sampled, again, weighted = ((job["draws"], job["evaluations"]) for job in plan)
    assert sampled == (2_000, 2_000 * 3 * 60) and weighted == (None, None)
    assert again == (9 * 2_000, 9 * 2_000 * 3 * 60), "two components at four powers, and as they are"
    assert "`ode` drawn again at 9 combinations of powers" in cli("plan", "m.bsi").out
    done = cli("run", "m.bsi", "--out", "out")
    assert done.status == 1, done.err
    told, failed = results("out")["checks"]
    assert told["passed"] is None and told["bound"] is None and failed["passed"] is False
    assert failed["at"] == "mu by obs" and failed["value"] > 0.05
    x = bsi.load("m.bsi").run(out="out")["ode"].posterior.mu.values.ravel()
    (point,) = told["detail"]["points"]
    for component, name in zip(point["components"], ("prior_power", "likelihood_power"), strict=True):
        weights, draws = component["ways"]["psis"], component["ways"]["resample"]
        noise = np.hypot(weights["standard_error"], draws["standard_error"])
        assert abs(weights["sensitivity"][0] - draws["sensitivity"][0]) < 5 * noise + 0.05 * draws["sensitivity"][0]
        assert draws["powers"] == [0.25, 0.8, 1.25, 4.0]
        expected = distances(2, name, draws["powers"], (x.min(), x.max()))
        assert np.allclose(np.ravel(draws["distance"]), expected, rtol=0.12)  # 2 000 draws: a standard error of 3 %
    assert "ln Z" not in done.err and "prior-data conflict" in done.err and "by weights, k̂:" in done.err
    page = (Path("out") / "report.html").read_text()
    assert "Sensitivity" in page and 'aria-label="distances at other powers: sensitivity(ode' in page
    assert "told</span>" in page
    # nothing is computed again, and the report is written again from the files alone
    assert cli("run", "m.bsi", "--out", "out").status == 1 and all(reused("out").values())
    assert cli("report", "out").status == 0 and "Sensitivity" in (Path("out") / "report.html").read_text()


HIERARCHY = """bsi 1
dim group = 4
param tau : real<lower = 0>
param theta : real[group]
prior p(tau, theta) = {
  tau ~ half_cauchy(2)
  theta ~ normal(0, tau)
}
likelihood f(y : real[group] | theta) = normal(theta, 1)
observe obs : f = [3, -1, 0.5, 2]
posterior post(tau, theta) = p(tau, theta) * f(obs | theta)
sample ode = ddim(post) { route = guided, draws = 200, steps = 10, seed = 1 }
check sensitivity(ode)
check sensitivity(ode, method = resample)
"""


def test_why_a_hierarchy_is_not_drawn_at_other_powers(folder):
    """`p^s` has no normaliser: `τ^(4 - 4s)` beside a tail of `τ^(-2s)` at infinity for s < 1, alone at 0 for s > 1."""
    done = cli("run", write("m.bsi", HIERARCHY), "--out", "out")
    assert done.status == 1, "a check without a value does not pass"
    weighted, drawn = (detail("out", k)["points"][0]["components"][0] for k in (0, 1))
    assert weighted["best"] == "psis" and drawn["best"] is None
    assert "not drawn at every power of p: the prior to the power" in done.err
    assert "W0452" in done.err and "next to 1: the prior to the power 0.5 is improper in" in done.err


def test_tables_of_any_width():
    way = {"sensitivity": [0.2, 0.01], "pareto_k": 0.1}
    components = [
        {"name": name, "of": of, "ways": {"psis": way}, "best": "psis"}
        for name, of in (("p", "prior"), ("observations", "likelihood"))
    ]
    point = {"at": "", "labels": ["mu", "a_longer_name"], "components": components, "diagnosis": [CONFLICT, ""]}
    found = {"kind": "sensitivity", "points": [point] * 6}
    whole, narrow = list(lines(found, None)), list(lines(found, 34))
    assert any("mu" in line and CONFLICT in line for line in whole) and "2 more points" in whole[-1]
    assert max(map(len, narrow)) <= 34 < max(map(len, whole))
    many = {**point, "labels": [f"theta[{k}]" for k in range(40)], "diagnosis": [""] * 40}
    for component in components:
        component["ways"] = {"psis": {"sensitivity": list(np.linspace(0, 1, 40)), "pareto_k": 0.1}}
    table = list(lines({"kind": "sensitivity", "points": [many]}, None))
    assert any("28 more params" in line for line in table) and any("theta[39]" in line for line in table)
    assert not any("theta[3]" in line for line in table)


IMPLICIT = """bsi 1
param mu : real
prior p(mu) = normal(2, 1)
likelihood f(x : real | mu) = {
  a ~ normal(0, 0.5)
  x = mu + a
}
observe obs : f[3] = [0.1, 0.4, 0.2]
posterior post(mu) = p(mu) * f(obs | mu)
net small = mlp { width = 64, depth = 2 }
train fit = score(p, f) { network = small, steps = 4_000, batch = 512, seed = 1 }
sample ode = ddim(post, fit) { draws = 4_000, steps = 100, seed = 1 }
check sensitivity(ode) < 1
"""


def test_an_implicit_likelihood_is_drawn_again(folder):
    """Only that it is: the network is hardly trained. A list of one is as good as a name."""
    short = edit(
        IMPLICIT, ("4_000, batch = 512", "30, batch = 64"), ("draws = 4_000, steps = 100", "draws = 200, steps = 9")
    )
    done = cli("run", write("m.bsi", edit(short, ("(ode) <", "(ode, components = obs) <"))), "--out", "out")
    assert done.status in (0, 1), done.err
    (component,) = detail("out")["points"][0]["components"]
    assert component["best"] == "resample" and list(component["ways"]) == ["resample"]
    assert component["ways"]["resample"]["sensitivity"][0] > 0 and "by new draws: obs" in done.err


@pytest.mark.slow
def test_an_implicit_likelihood_has_the_sensitivity_of_its_law(folder):
    """A network of 4 000 steps: 20 % of quadrature."""
    assert cli("run", write("m.bsi", IMPLICIT), "--out", "out").status == 0
    (point,) = detail("out")["points"]
    x = bsi.load("m.bsi").run(out="out")["ode"].posterior.mu.values.ravel()
    for component, name in zip(point["components"], ("prior_power", "likelihood_power"), strict=True):
        way = component["ways"]["resample"]
        expected = distances(2, name, way["powers"], (x.min(), x.max()))
        assert np.allclose(np.ravel(way["distance"]), expected, rtol=0.2)


@pytest.mark.slow
def test_eight_schools_as_arviz_has_it(folder):
    """NUTS draws of ten params: the same sensitivities as ArviZ's to 3 % and 0.002, for the whole prior."""
    import shutil

    from tests.bsi.helpers import ROOT

    shutil.copytree(ROOT / "examples" / "eight_schools", "schools")
    text = Path("schools/eight_schools.bsi").read_text().partition("sample ode")[0]
    text += "sample ref = nuts(post) { draws = 2_500, target_accept = 0.95, seed = 2 }\n"
    text += "check sensitivity(ref)\ncheck sensitivity(ref, components = [mu, tau, theta])\n"
    write("schools/eight_schools.bsi", text)
    assert cli("run", "schools/eight_schools.bsi", "--out", "out").status == 0
    (point,) = detail("out")["points"]
    ours = np.array([c["ways"]["psis"]["sensitivity"] for c in point["components"]]).T
    assert np.allclose(ours, theirs("out", "ref", ["mu", "tau", "theta"]), rtol=0.03, atol=2e-3)
    assert len(detail("out", 1)["points"][0]["components"]) == 3


# ---------------------------------------------------------------- evidence

EVIDENCE = """bsi 1
param mu : real
prior p(mu) = normal(0, 1)
likelihood f(x : real | mu) = normal(mu, 0.5)
observe obs : f[3] = [0.1, 0.4, 0.2]
sweep lambda in [(i / 10)^3 for i in 11]
posterior warm(mu) = p(mu) * f(obs | mu)^lambda
sample ref = exact_gaussian(warm) { draws = 4_000, seed = 1 }
check evidence(ref) > -4
"""


def test_the_evidence_of_a_normal_mean(folder):
    """11 powers of 4 000 exact draws: four standard errors from the closed form; a coarse grid says so."""
    done = cli("run", write("m.bsi", EVIDENCE), "--out", "out")
    assert done.status == 0 and "corrects the trapezoid rule on 11 values of lambda" in done.err, done.err
    check = results("out")["checks"][0]
    expected = np.log(quad(lambda mu: norm.pdf(mu) * np.prod(norm.pdf(ROWS, mu, 0.5)), -6, 6)[0])
    assert abs(check["value"] - expected) < 4 * check["standard_error"] < 0.2
    assert "mean log likelihood" in (Path("out") / "report.html").read_text()
    write("m.bsi", edit(EVIDENCE, ("[(i / 10)^3 for i in 11]", "[1, 0, 2]"), ("normal(0, 1)", "normal(0, 3)")))
    done = cli("run", "m.bsi", "--out", "out")
    assert "W0451" in done.err and "`[(i / 4)^5 for i in 5]`" in done.err, done.err


@pytest.mark.slow
def test_the_evidence_of_counts(folder):
    """NUTS on 13 powers of a likelihood that is no Gaussian, and counts half: four standard errors and 0.01
    from quadrature."""
    text = """bsi 1
param rate : real<lower = 0>
prior p(rate) = gamma(2, 0.5)
likelihood f(x : int | rate) = poisson(rate)
observe obs : f[3] = [4, 7, 2]
sweep lambda in [(i / 12)^3 for i in 13]
posterior warm(rate) = p(rate) * f(obs | rate)^(lambda / 2)
sample ref = nuts(warm) { draws = 2_000, seed = 1 }
check evidence(ref)
"""
    from scipy.stats import gamma, poisson

    assert cli("run", write("m.bsi", text), "--out", "out").status == 0
    check = results("out")["checks"][0]
    law = gamma(2, scale=2)
    expected = np.log(quad(lambda r: law.pdf(r) * np.prod(poisson.pmf([4, 7, 2], r)) ** 0.5, 0, 60)[0])
    assert abs(check["value"] - expected) < 4 * check["standard_error"] + 0.01

"""A run writes its results, a second one computes nothing, and what is asked later never retrains."""

import json

import numpy as np
import pytest

import bsi
from tests.bsi.helpers import TINY, cli, edit, results, reused, write

# what a user changes -> the jobs that must run again; the fit only when a law or the training itself changes
CHANGES = {
    "comment": (("# A mean", "# The mean"), set()),
    "layout": (("{ draws = 200, steps = 10, seed = 2 }", "{ seed = 2\n  steps = 10\n  draws = 200 }"), set()),
    "bound": (("< 0.5\n", "< 0.4\n"), set()),
    "power": (("f(obs | mu)\n", "f(obs | mu)^0.5\n"), {"ref", "ode", "mean_error(ode, ref) < 0.5"}),
    "observation": (("[0.1, 0.4, 0.2]", "[0.1, 0.4, 0.3]"), {"ref", "ode", "mean_error(ode, ref) < 0.5"}),
    "more rows": (("f[3] = [0.1, 0.4, 0.2]", "f[2] = [0.1, 0.4]"), {"ref", "ode", "mean_error(ode, ref) < 0.5"}),
    "sampler": (("ode = ddim", "ode = dpmpp"), {"ode", "mean_error(ode, ref) < 0.5"}),
    "reference": (("draws = 500", "draws = 400"), {"ref", "mean_error(ode, ref) < 0.5"}),
    "prior": (("p(mu) = normal(0, 1)", "p(mu) = normal(0, 2)"), {"fit", "ref", "ode", "mean_error(ode, ref) < 0.5"}),
    "net": (("width = 8", "width = 9"), {"fit", "ode", "mean_error(ode, ref) < 0.5"}),
    "training": (("batch = 32", "batch = 64"), {"fit", "ode", "mean_error(ode, ref) < 0.5"}),
}


def test_a_run_writes_its_results(ran):
    content = results("runs/tiny")
    assert content["schema"] == 1 and content["enforced"]
    (check,) = content["checks"]
    assert check["passed"] and check["value"] < check["bound"] == 0.5 and check["standard_error"] > 0
    assert [job["kind"] for job in content["jobs"]] == ["train", "reference", "sample", "check"]
    for job in content["jobs"][:3]:
        assert job["seconds"] > 0 and not job["reused"] and len(job["key"]) == 64
    lock = json.loads((ran / "runs/tiny/bsi.lock").read_text())
    assert lock["jobs"] == {job["name"]: job["key"] for job in content["jobs"]}
    assert lock["packages"].keys() >= {"bsi-lang", "jax", "numpyro"} and lock["device"]["platform"] == "cpu"


def test_samples_are_trees_in_arviz_groups(ran):
    from bsi.runtime.results import read

    ode, ref = read(ran / "runs/tiny/ode.nc"), read(ran / "runs/tiny/ref.nc")
    assert ode.posterior.mu.dims == ("chain", "draw") and ode.posterior.mu.shape == (1, 200)
    assert ref.posterior.mu.shape == ref.sample_stats.diverging.shape == (2, 500)
    assert np.allclose(ode.observed_data.obs, [0.1, 0.4, 0.2])
    # conjugate: precision 1 + 3/0.25 = 13, mean 4·0.7/13; 1 000 draws, ESS above 200 -> 5 sigma
    assert abs(float(ref.posterior.mu.mean()) - 2.8 / 13) < 5 * 13**-0.5 / 200**0.5


def test_a_second_run_computes_nothing(ran):
    before = (ran / "runs/tiny/ode.nc").stat().st_mtime_ns
    assert cli("run", "tiny.bsi").status == 0
    assert all(reused("runs/tiny").values())
    assert (ran / "runs/tiny/ode.nc").stat().st_mtime_ns >= before
    plan = cli("plan", "tiny.bsi")
    assert plan.status == 0 and plan.out.count("up to date") == 4 and "\n+" not in plan.out


@pytest.mark.parametrize("change", CHANGES)
def test_only_what_depends_on_a_change_runs_again(ran, change):
    changed, again = CHANGES[change]
    model = bsi.load(write("tiny.bsi", edit(TINY, changed)))
    jobs = {job.name.replace("0.4", "0.5"): job for job in model.plan()}
    assert {name for name, job in jobs.items() if not job.reused} == again
    for name in again:
        assert "changed" in jobs[name].reason, jobs[name].reason


def test_a_new_sampler_leaves_others_as_they_were(ran):
    more = edit(TINY, ("check", "sample more = ddim(post, fit) { draws = 50 }\n\ncheck"))
    plan = {job.name: job for job in bsi.load(write("tiny.bsi", more)).plan()}
    assert [name for name, job in plan.items() if not job.reused] == ["more"]
    assert plan["more"].reason == "new"


def test_seeds_come_from_the_root_seed_and_the_name(ran):
    unseeded = edit(TINY, (", seed = 2", ""))
    model = bsi.load(write("tiny.bsi", unseeded))
    keys = [{job.name: job.key for job in model.plan(seed=seed)} for seed in (0, 0, 1)]
    assert keys[0] == keys[1]
    assert keys[0]["ode"] != keys[2]["ode"] and keys[0]["fit"] == keys[2]["fit"]


def test_a_damaged_result_is_computed_again(ran):
    key = next(job["key"] for job in results("runs/tiny")["jobs"] if job["name"] == "ode")
    (ran / "store/entries" / key[:2] / key / "draws.npz").write_bytes(b"")
    again = cli("run", "tiny.bsi")
    assert again.status == 0 and "W0605" in again.err and "`ode`" in again.err
    assert reused("runs/tiny") == {"fit": True, "ref": True, "ode": False, "mean_error(ode, ref) < 0.5": True}


def test_a_reference_that_fails_its_own_checks_is_never_compared_against(folder):
    short = edit(TINY, ("warmup = 300, draws = 500", "warmup = 10, draws = 20"))
    write("tiny.bsi", short + "check c2st(ode, ref) < 0.9\ncheck rhat(ref) < 100\n")
    assert cli("run", "tiny.bsi").status == 1
    for check in results("runs/tiny")["checks"][:2]:
        assert check["value"] is None and not check["passed"] and "`ref` fails its own checks" in check["note"]
    assert results("runs/tiny")["checks"][2]["passed"]  # judging the reference itself stays possible


def test_more_checks_compute_nothing_else(ran):
    """A bound may be an expression, params may be named, and mmd is zero within its error."""
    more = "let tol = 0.25\ncheck mmd(ode, ref, draws = 200, seed = 1) < 0.1\n"
    more += "check mean_error(ode, ref, params = [mu]) < 2 * tol\ncheck rhat(ref, params = [mu]) < 1.05\n"
    write("tiny.bsi", TINY + more)
    assert cli("run", "tiny.bsi").status == 0
    found = {check["text"]: check for check in results("runs/tiny")["checks"]}
    mmd = found["mmd(ode, ref, draws = 200, seed = 1) < 0.1"]
    assert abs(mmd["value"]) < 5 * mmd["standard_error"] and found["rhat(ref, params = [mu]) < 1.05"]["passed"]
    named = found["mean_error(ode, ref, params = [mu]) < 0.5"]
    assert named["value"] == found["mean_error(ode, ref) < 0.5"]["value"]
    assert {name for name, was in reused("runs/tiny").items() if was} >= {"fit", "ode", "ref"}


def test_a_sweep_is_an_axis_of_the_results(folder):
    swept = edit(TINY, ("posterior", "sweep power in [0.5, 2]\nposterior"), ("f(obs | mu)\n", "f(obs | mu)^power\n"))
    run = bsi.load(write("tiny.bsi", swept)).run()
    assert run["ode"].posterior.mu.dims == ("power", "chain", "draw")
    assert run["ode"].posterior.power.values.tolist() == [0.5, 2]
    spread = run["ref"].posterior.mu.std(("chain", "draw"))
    # sd 1/√(1 + 12·power): .378 and .2, each from ESS above 200 -> 5 sigma is 25 %
    assert np.allclose(spread, [7**-0.5, 25**-0.5], rtol=0.25)
    assert run.checks[0].at.startswith("power = ")

"""A report from a run's own files: which params are pictures, and runs of versions that wrote less."""

import json

import numpy as np
import pytest

from bsi.reporting import write_report
from bsi.runtime.results import Variable, build, write

RNG = np.random.default_rng(0)
JOB = {"key": "ab" * 32, "reused": False, "seconds": 1.0, "compile_seconds": 0.5, "reason": "new", "status": "done"}


def draws(*shape, **attributes):
    return Variable(RNG.normal(size=(2, 1, 40, *shape)), attributes=attributes)


@pytest.fixture
def folder(tmp_path):
    """A run that is whole but for its samples."""
    lock = {"model": "m", "seed": 0, "device": {"platform": "cpu", "kind": "cpu"}, "python": "3.11"}
    lock["packages"] = dict.fromkeys(("bsi-lang", "jax", "numpyro"), "1")
    losses = {"training": {"steps": [1, 2], "values": [3.0, 2.0]}}
    jobs = [
        {"name": "fit", "kind": "train", "info": {"losses": losses}},
        {"name": "s", "kind": "sample", "info": {}},
    ]
    summary = {"schema": 1, "enforced": True, "checks": [], "jobs": [job | JOB for job in jobs]}
    (tmp_path / "checks.json").write_text(json.dumps(summary))
    (tmp_path / "bsi.lock").write_text(json.dumps(lock))
    return tmp_path


def page(folder, groups, **attributes):
    told = {"posterior": "post", "sweeps": ["lambda"], "method": "ddim", "reference": False, "info": {}}
    write(build(groups, sweeps={"lambda": (0.5, 1.0)}, attributes=told | attributes), folder / "s.nc")
    return write_report(folder).read_text()


def test_images_are_told_from_matrices(folder):
    params = {
        "img": draws(8, 6, support="interval", lower=0.0, upper=16.0),
        "photo": draws(6, 6, 3, support="real"),
        "cov": draws(6, 6, support="covariance"),
        "small": draws(5, 9),
        "mu": draws(),
    }
    observed = {
        "blurred": Variable(RNG.normal(size=(3, 7, 6))),
        "vector": Variable(RNG.normal(size=(3, 7))),
        "blurred_observed": Variable(np.ones((3, 7, 6), bool)),
    }
    observed["strip"] = Variable(RNG.normal(size=(1, 2, 6)))
    data = {"truth": Variable(RNG.normal(size=(8, 6))), "design": Variable(RNG.normal(size=(20, 6)))}
    stats = {"lp": draws()}
    groups = {"posterior": params, "observed_data": observed, "constant_data": data, "sample_stats": stats}
    text = page(folder, groups, route="guided", fits=["fit"], info={"evaluations": 1201.0})
    for name in ("img", "photo"):
        assert text.count(f'alt="draws of {name} by s"') == 2 and f"{name}[0, 0]" not in text
    for name in ("cov", "small"):
        assert f"draws of {name}" not in text and f"{name}[0, 0]" in text
    for told in ("observed blurred", "observed strip", "data truth"):
        assert text.count(f'alt="{told}"') == 2
    for quiet in ("blurred_observed", "observed vector", "data design"):
        assert quiet not in text
    assert 'Values 0 <i class="ramp grey"></i> 16' in text  # the bounds of the type, not of the draws
    assert "guided" in text and "1,201" in text and text.count("log density of the draws of post at") == 2


def test_a_run_of_an_older_version(folder):
    """Without routes, supports, units and log densities."""
    text = page(folder, {"posterior": {"mu": draws(), "img": draws(6, 7)}})
    assert "mu" in text and 'alt="mean of img by s"' in text and "log density" not in text


def test_figures_of_a_sampler_are_told(folder):
    told = {"posterior": "post", "sweeps": [], "method": "smc", "reference": False}
    told["info"] = {"log_evidence": -2.737, "effective_share": 0.9, "repaired": 0.0, "steps": 30.0}
    tree = build({"posterior": {"mu": Variable(RNG.normal(size=(1, 40)))}}, attributes=told)
    write(tree, folder / "s.nc")
    text = write_report(folder).read_text()
    assert "<small>effective share 0.9, log evidence −2.74</small>" in text


def test_a_bound_is_read_from_the_fit(folder):
    summary = json.loads((folder / "checks.json").read_text())
    summary["jobs"][0]["info"] |= {
        "unit": "bits/dim",
        "bound": {
            "unit": "bits/dim",
            "value": 2.5,
            "standard_error": 0.25,
            "rows": 36,
            "terms": {"measurement": 2.5},
            "integrand": {"log_precision": [0.0, 1.0], "log_snr": [0.0, 1.0], "values": [1.0, 1.0]},
            "finite": {"steps": [25, 50], "values": [3.0, 2.75], "standard_errors": [0.25, 0.25]},
        },
    }
    (folder / "checks.json").write_text(json.dumps(summary))
    text = page(folder, {"posterior": {"mu": draws()}})
    assert "2.5 ± 0.25 bits/dim on 36 held-out rows: measurement 2.5." in text and 'aria-label="bound of fit"' in text

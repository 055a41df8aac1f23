"""Exit statuses, diagnostics with the `.bsi` line, and nothing computed is lost."""

from pathlib import Path

import pytest

from bsi.runtime.store import Store
from tests.bsi.helpers import TINY, cli, edit, results, reused, write

NAN = edit(
    TINY,
    ("f(x : real | mu) = normal(mu, 0.5)", "f(x : real | mu) = {\n  e ~ normal(0, 1)\n  x = log(-1 - mu^2) + e\n}"),
    ("sample ref = nuts(post) { chains = 2, warmup = 300, draws = 500, seed = 3 }\n", ""),
    ("check mean_error(ode, ref) < 0.5\n", ""),
)
TOO_FEW_STEPS = edit(TINY, ("ddim(post, fit) { draws = 200, steps = 10", "flow_ode(post, fit) { max_steps = 2"))


def test_a_failed_check_is_status_1(ran):
    write("tiny.bsi", edit(TINY, ("< 0.5\n", "< 1e-9\n")))
    failed = cli("run", "tiny.bsi")
    assert failed.status == 1 and "FAIL  mean_error(ode, ref) < 1e-09" in failed.err.replace("1e-9", "1e-09")
    assert all(reused("runs/tiny").values()), "another bound computes nothing"


def test_a_failed_check_of_a_smoke_run_is_reported_only(folder):
    write("tiny.bsi", edit(TINY, ("< 0.5\n", "< 1e-9\n")))
    smoke = cli("run", "tiny.bsi", "--profile", "smoke")
    assert smoke.status == 0 and "FAIL" in smoke.err and "not enforced" in smoke.err


@pytest.mark.parametrize("command", ["run", "check", "plan", "expand"])
def test_a_wrong_model_is_status_2(folder, command):
    write("wrong.bsi", edit(TINY, ("ddim(post, fit)", "ddim(post, fitt)"), ("normal(0, 1)", "normal(0, -1)")))
    wrong = cli(command, "wrong.bsi")
    assert wrong.status == 2 and wrong.out == ""
    assert wrong.err.count("error[E0") == 2 and "wrong.bsi:" in wrong.err and "did you mean `fit`" in wrong.err
    assert not Path("runs").exists()


def test_a_simulator_that_makes_nan_is_status_3(folder):
    write("nan.bsi", NAN)
    failed = cli("run", "nan.bsi")
    assert failed.status == 3
    assert "error[R102]" in failed.err and "nan.bsi:8:1" in failed.err and "likelihood f(x" in failed.err
    assert "= help:" in failed.err
    assert [(job["name"], job["status"]) for job in results("runs/nan")["jobs"]] == [
        ("fit", "failed"),
        ("ode", "skipped"),
    ]
    assert Path("runs/nan/bsi.lock").exists() and Path("runs/nan/report.html").exists()


def test_simulations_that_were_left_out_are_a_warning(folder):
    some = edit(NAN, ("log(-1 - mu^2)", "log(mu + 1)"))  # P(mu < -1) = 16 %
    write("some.bsi", edit(some, ("seed = 2", "seed = 2, compose = sum"), ("f[3] = [0.1, 0.4, 0.2]", "f = 0.4")))
    run = cli("run", "some.bsi")
    assert run.status == 0, run.err
    assert "warning[W0606]" in run.err and "of 2" in run.err and "some.bsi:8:1" in run.err
    info = results("runs/some")["jobs"][0]["info"]
    assert 0.14 < info["non_finite"] / info["simulations"] < 0.18  # about 20 000 simulations: sd .003


def test_a_solver_that_gives_up_is_status_3_and_loses_nothing(folder):
    write("tiny.bsi", TOO_FEW_STEPS)
    failed = cli("run", "tiny.bsi")
    assert failed.status == 3 and "error[R103]" in failed.err and "sample ode = flow_ode" in failed.err
    assert Path("runs/tiny/ref.nc").exists() and not Path("runs/tiny/ode.nc").exists()
    jobs = {job["name"]: job for job in results("runs/tiny")["jobs"]}
    assert {name: job["status"] for name, job in jobs.items()} == {
        "fit": "done",
        "ref": "done",
        "ode": "failed",
        "mean_error(ode, ref) < 0.5": "skipped",
    }
    assert jobs["ode"]["diagnostic"]["code"] == "R103" and jobs["ode"]["diagnostic"]["primary"]["line"] == 18
    (check,) = results("runs/tiny")["checks"]
    assert not check["passed"] and check["value"] is None and check["note"] == "not evaluated: `ode` failed"
    write("tiny.bsi", TINY)
    assert cli("run", "tiny.bsi").status == 0
    assert reused("runs/tiny") == {"fit": True, "ref": True, "ode": False, "mean_error(ode, ref) < 0.5": False}


def test_jobs_that_do_not_need_a_failed_one_still_run(folder):
    more = edit(TOO_FEW_STEPS, ("sample ref", "sample other = ddim(post, fit) { draws = 100, steps = 5 }\nsample ref"))
    order = more.splitlines()
    order.insert(0, order.pop(next(i for i, line in enumerate(order) if line.startswith("sample ode"))))
    text = "bsi 1\n" + "\n".join(line for line in order if line != "bsi 1") + "\ncheck sd_error(other, ref) < 9\n"
    write("tiny.bsi", text)
    failed = cli("run", "tiny.bsi")
    assert failed.status == 3 and failed.err.count("error[") == 1
    status = {job["name"]: job["status"] for job in results("runs/tiny")["jobs"]}
    assert [name for name, word in status.items() if word != "done"] == ["ode", "mean_error(ode, ref) < 0.5"]
    passed = {check["text"]: check["passed"] for check in results("runs/tiny")["checks"]}
    assert passed == {"mean_error(ode, ref) < 0.5": False, "sd_error(other, ref) < 9": True}


@pytest.mark.parametrize("command", ["run", "plan"])
def test_what_cannot_fit_in_memory_never_starts(folder, command):
    write("tiny.bsi", edit(TINY, ("batch = 32", "batch = 50_000_000_000")))
    refused = cli(command, "tiny.bsi")
    assert refused.status == 2 and "error[E0514]" in refused.err and "train fit = score" in refused.err
    assert not Path("runs/tiny/checks.json").exists()


@pytest.mark.parametrize("command", ["run", "plan"])
def test_what_does_not_fit_together_is_seen_on_shapes(folder, monkeypatch, command):
    from bsi.runtime.score import ScoreNetwork

    def broken(self, u, log_snr, x):
        return u.reshape(7, 11)  # 200 draws of one number

    monkeypatch.setattr(ScoreNetwork, "denoise", broken)
    write("tiny.bsi", TINY)
    refused = cli(command, "tiny.bsi")
    assert refused.status == 2 and refused.err.count("error[E0901]") == 1 and "sample ode = ddim" in refused.err
    assert not Path("runs/tiny/checks.json").exists()


@pytest.mark.parametrize("error, code", [(ZeroDivisionError("no"), "E0901"), (MemoryError(), "R115")])
def test_an_exception_in_a_job_is_a_diagnostic_at_its_declaration(folder, monkeypatch, error, code):
    from bsi.jobs import sample

    def broken(*_):
        raise error

    monkeypatch.setattr(sample, "compute", broken)
    write("tiny.bsi", TINY)
    failed = cli("run", "tiny.bsi")
    assert failed.status == 3 and f"error[{code}]" in failed.err and "sample ode = ddim" in failed.err
    assert "Traceback" not in failed.err and Path("runs/tiny/ref.nc").exists()


COMMANDS = [("run", "tiny.bsi"), ("plan", "tiny.bsi"), ("store", "ls"), ("store", "gc"), ("info",)]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_store_of_another_release_is_left_alone(folder, command):
    write("tiny.bsi", TINY)
    label = Store().root / "store.json"
    label.write_text('{"schema": 99}')
    refused = cli(*command)
    assert refused.status == 2 and "error[E0610]" in refused.err and "99" in refused.err and "BSI_STORE" in refused.err
    assert label.read_text() == '{"schema": 99}'


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_folder_with_other_things_is_no_store(folder, command, monkeypatch):
    write("tiny.bsi", TINY)
    monkeypatch.setenv("BSI_STORE", str(folder))
    refused = cli(*command)
    assert refused.status == 2 and "error[E0611]" in refused.err
    assert not Path("store.json").exists()


def test_results_that_cannot_be_written(ran):
    refused = cli("run", "tiny.bsi", "--out", "tiny.bsi")
    assert refused.status == 2 and "error[E0612]" in refused.err and "`tiny.bsi`" in refused.err


def test_a_store_that_cannot_be_written(folder, monkeypatch):
    write("tiny.bsi", TINY)
    monkeypatch.setenv("BSI_STORE", "tiny.bsi/store")
    refused = cli("plan", "tiny.bsi")
    assert refused.status == 2 and "error[E0612]" in refused.err and "BSI_STORE" in refused.err


def test_our_own_mistakes_say_so(monkeypatch, capsys):
    from bsi import cli as front

    monkeypatch.setattr(front, "app", lambda: [][0])
    with pytest.raises(SystemExit) as exit:
        front.main()
    assert exit.value.code == 3
    assert "error[E0901]: internal error: IndexError" in capsys.readouterr().err

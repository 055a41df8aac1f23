"""Killed or interrupted runs go on where they were, to the same weights; two runs may share a store."""

import signal
import time
from pathlib import Path

import pytest

import bsi
from bsi.runtime.progress import NullProgress
from bsi.runtime.store import Store
from tests.bsi.helpers import TINY, edit, results, reused, start, write

# long enough to be hit while they train: sixteen checkpoints, a tenth of a second or so apart
MODELS = {
    "score": edit(TINY, ("steps = 20, batch = 32", "steps = 4_000, batch = 256")),
    "distill": """bsi 1
param theta : real
prior p(theta) = normal(0, 1)
likelihood f(x : real | theta) = normal(theta^2, 0.3)
observe obs : f = 1.0
posterior post(theta) = p(theta) * f(obs | theta)
net tiny = mlp { width = 32, depth = 1 }
train est = exact(p, f) { simulations = 1_000, neighbours = 64, seed = 1 }
train fit = distill(est) { network = tiny, steps = 4_000, batch = 256, pairs = 512, flow_steps = 4, seed = 2 }
sample draws = one_step(post, fit) { draws = 200, seed = 3 }
""",
}


class FirstSteps(NullProgress):
    """How far a training was when it said so for the first time."""

    def __init__(self):
        self.job = ""
        self.steps: list[int] = []

    def start(self, job: str, total: int, unit: str) -> None:
        self.job = job

    def advance(self, n: int, **live: float) -> None:
        if self.job == "train fit":
            self.steps.append(n)


def weights(store: Store) -> bytes:
    (row,) = [row for row in store.ls() if row.name == "fit"]
    return (store.read(row.key).path / "fit.eqx").read_bytes()


def wait_for_a_checkpoint(run) -> None:
    deadline = time.monotonic() + 120
    while not list(Path("store/checkpoints").glob("[!.]*")):
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("uninterrupted", "sent", "status"),
    [
        ("score", signal.SIGKILL, -signal.SIGKILL),
        ("score", signal.SIGINT, 130),
        ("distill", signal.SIGKILL, -signal.SIGKILL),
    ],
    indirect=["uninterrupted"],
)
def test_a_run_that_was_stopped_resumes_to_the_same_weights(folder, uninterrupted, sent, status):
    text, truth = uninterrupted
    path = write("long.bsi", text)
    run = start("run", "long.bsi")
    wait_for_a_checkpoint(run)
    run.send_signal(sent)
    _, err = run.communicate()
    assert run.returncode == status, err
    assert "Traceback" not in err
    if sent == signal.SIGINT:
        assert "run it again, it resumes" in err
        assert results("runs/long")["jobs"] == []
    progress = FirstSteps()
    store = Store()
    assert "fit" not in [row.name for row in store.ls()]
    bsi.load(path).run(progress=progress)
    assert progress.steps[0] > progress.steps[1], "it began again instead of resuming"
    assert weights(store) == truth
    assert not list((store.root / "checkpoints").glob("[!.]*"))


@pytest.fixture(scope="module")
def uninterrupted(request, tmp_path_factory, new_store):
    """A model, and its weights of a run that nothing stopped."""
    text = MODELS[request.param]
    folder = tmp_path_factory.mktemp("uninterrupted")
    path = folder / "long.bsi"
    path.write_text(text)
    store = new_store(folder / "store")
    bsi.load(path).run(folder / "out", store=store)
    return text, weights(store)


def test_two_runs_share_a_store(folder):
    write("tiny.bsi", TINY)
    runs = [start("run", "tiny.bsi", "--out", name) for name in ("a", "b")]
    for run in runs:
        _, err = run.communicate(timeout=300)
        assert run.returncode == 0, err
    a, b = reused("a"), reused("b")
    assert [a[name] + b[name] for name in a] == [1] * 4, "every job is computed by one of the two"
    assert results("a")["checks"] == results("b")["checks"]

"""What changes which key, and the reasons that a plan gives."""

from __future__ import annotations

from typing import Any

import pytest

from bsi.compiler.passes import with_seeds
from bsi.compiler.plan import Job, plan
from tests.compiler.helpers import MODEL, changed, compiled


class Memory:
    """A store that holds the results of the given jobs."""

    def __init__(self, jobs: list[Job] | None = None, keep: bool = True):
        self.keys = {job.key for job in jobs or []} if keep else set()
        self.inputs = {job.name: job.inputs for job in jobs or []}

    def has(self, key: str) -> bool:
        return key in self.keys

    def resumes(self, key: str) -> bool:
        return False

    def previous(self, model: str, name: str) -> dict[str, Any] | None:
        return self.inputs.get(name)


def jobs(text: str, known: Memory | None = None) -> dict[str, Job]:
    return {job.name: job for job in plan(with_seeds(compiled(text), 0), known or Memory())}


def train_key(text: str) -> str:
    return jobs(text)["fit"].key


NEUTRAL = {
    "formatting": changed("normal(0, 1)", "normal( 0.0,1 )"),
    "a comment": MODEL + "# nothing\n",
    "a renamed local": MODEL.replace("let m = ", "let centre = ").replace("mv_normal(m", "mv_normal(centre"),
    "a renamed observed row": MODEL.replace("f(x :", "f(y :").replace("x ~", "y ~"),
    "a renamed dim": MODEL.replace("dim d", "dim size2").replace("[d]", "[size2]").replace("eye(d)", "eye(size2)"),
    "a renamed net": MODEL.replace("net n =", "net big =").replace("network = n,", "network = big,"),
    "reordered declarations": "bsi 1\n" + "\n".join(reversed(MODEL.splitlines()[2:])) + "\n",
    "a function instead of a formula": changed("let m = 2 * theta", "let m = twice(theta)") + "let twice(t) = 2 * t\n",
    "a named argument": changed("normal(0, 1)", "normal(scale = 1, loc = 0)"),
    "a power": changed("^lambda", "^(2 * lambda)"),
    "another power": changed("p(theta) * f", "p(theta)^0.5 * f"),
    "a sweep": changed("[0.5, 1]", "[0.5, 1, 2]"),
    "the observations": changed("0.1, 0.2", "0.1, 0.9"),
    "more observations": MODEL.replace("f[3]", "f[1]").replace("[[0.5, 1.0], [0.1, 0.2], [0.3, 0.4]]", "[[1, 2]]"),
    "a sampler's options": changed("{ seed = 2 }", "{ seed = 2, draws = 10 }").replace("check", "# check"),
    "another sampler": MODEL + "sample more = ddim(post, fit)\n",
    "a check": changed("< 0.6", "< 0.55"),
    "a default written out": changed("width = 64", "width = 64, depth = 3"),
}
LOUD = {
    "the prior": changed("normal(0, 1)", "normal(0, 2)"),
    "the likelihood": changed("0.5 * eye", "0.6 * eye"),
    "the size of the net": changed("width = 64", "width = 65"),
    "the kind of net": changed("mlp", "resmlp"),
    "a training option": changed("1e-3", "2e-3"),
    "the simulations": changed("1_000", "2_000"),
    "the seed": changed("seed = 1 }", "seed = 4 }"),
    "the shape": MODEL.replace("d = 2", "d = 1").replace("[[0.5, 1.0], [0.1, 0.2], [0.3, 0.4]]", "[[1], [2], [3]]"),
}


@pytest.mark.parametrize("text", NEUTRAL.values(), ids=NEUTRAL.keys())
def test_what_never_retrains(text: str) -> None:
    assert text != MODEL and train_key(text) == train_key(MODEL)


@pytest.mark.parametrize("text", LOUD.values(), ids=LOUD.keys())
def test_what_retrains(text: str) -> None:
    assert train_key(text) != train_key(MODEL)


def test_data_that_a_law_uses_are_part_of_its_key() -> None:
    text = MODEL.replace("0.5 * eye(d)", "s[0] * eye(d)") + "data s : real<lower = 0>[1] = [{}]\n"
    assert train_key(text.replace("{}", "1")) != train_key(text.replace("{}", "2"))


def test_order_of_jobs() -> None:
    made = jobs(MODEL)
    assert [(job.kind, job.name) for job in made.values()] == [
        ("simulate", "fit.simulations"),
        ("train", "fit"),
        ("sample", "ode"),
        ("reference", "ref"),
        ("check", "c2st(ode, ref) < 0.6"),
    ]
    assert made["fit"].needs == ("fit.simulations",)
    assert made["ode"].needs == ("fit",)
    assert made["ref"].needs == ()
    assert made["c2st(ode, ref) < 0.6"].needs == ("ode", "ref")


def test_a_second_plan_reuses_everything() -> None:
    first = jobs(MODEL)
    again = jobs(MODEL, Memory(list(first.values())))
    assert all(job.reused and job.reason == "up to date" for job in again.values())


REASONS = {
    "learning_rate changed from 0.001 to 0.002": ("fit", changed("1e-3", "2e-3")),
    "network width changed from 64 to 65": ("fit", changed("width = 64", "width = 65")),
    "prior p changed": ("fit", changed("normal(0, 1)", "normal(0, 2)")),
    "draws changed from 4000 to 2000": ("ode", changed("{ seed = 2 }", "{ seed = 2, draws = 2_000 }")),
    "power of p changed from 1.0 to 0.5": ("ref", changed("p(theta) * f", "p(theta)^0.5 * f")),
    "sweep lambda changed": ("ode", changed("[0.5, 1]", "[0.5, 1, 2]")),
    "observations obs changed": ("ref", changed("0.1, 0.2", "0.1, 0.9")),
    "new": ("fast", MODEL + "sample fast = ddim(post, fit)\n"),
}


@pytest.mark.parametrize("reason", REASONS)
def test_reasons(reason: str) -> None:
    name, text = REASONS[reason]
    job = jobs(text, Memory(list(jobs(MODEL).values())))[name]
    assert not job.reused and job.reason == reason


def test_a_result_that_was_deleted() -> None:
    memory = Memory(list(jobs(MODEL).values()), keep=False)
    assert jobs(MODEL, memory)["fit"].reason == "its result is no longer in the store"


def test_samplers_of_the_same_laws_share_an_implied_fit() -> None:
    text = MODEL.split("net n")[0] + "sample a = flow_ode(post)\nsample b = ddim(post)\n"
    program = compiled(text)
    assert list(program.trains) == ["fit_f"] and program.trains["fit_f"].implied
    assert program.samples["a"].fits == program.samples["b"].fits == ("fit_f",)

"""What a fit of images is told by its prior, and which keys that changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bsi.compiler.analyse import compile_source
from bsi.compiler.emit import Nothing
from bsi.compiler.expand import expand
from bsi.compiler.images import fitted, wrong_size, wrong_width
from bsi.compiler.ir import Program, Table
from bsi.compiler.options import BLOCKS
from bsi.compiler.plan import plan
from bsi.compiler.tables_markdown import README
from bsi.dsl.span import Source

MODEL = """bsi 1
param img : real<lower = 0, upper = 4>[4, 4]
net u = unet { width = 16, depth = 1 }
prior p(img) = learned file("images.json") { levels = 5, network = u }
likelihood f(x : real[4, 4] | img) = normal(img, 1)
observe obs : f = simulate(img = ones(4, 4)) { seed = 1 }
posterior alone(img) = p(img)
posterior given(img) = p(img) * f(obs | img)
train own = score(p, f) { network = mlp }
sample s = ddim(alone)
sample t = ddim(given, own)
"""


@pytest.fixture
def read(tmp_path: Path):
    """A model with 600 images beside it."""
    values = [[[(7 * i + 3 * j + k) % 5 for k in range(4)] for j in range(4)] for i in range(600)]
    (tmp_path / "images.json").write_text(json.dumps(values))

    def compile(text: str) -> Program:
        program, diagnostics = compile_source(Source(str(tmp_path / "m.bsi"), text))
        assert program is not None, diagnostics
        return program

    return compile


def keys(program: Program) -> dict[str, str]:
    return {job.name: job.key for job in plan(program, Nothing())}


def test_fits_that_name_no_net_take_the_prior_s(read) -> None:
    trains = read(MODEL).trains
    assert trains["own"].network.kind == "mlp" and trains["fit_p"].network.kind == "unet"
    assert dict(trains["fit_p"].network.options)["image"] == (4, 4, 1)
    before, after = keys(read(MODEL)), keys(read(MODEL.replace("width = 16", "width = 8")))
    assert {name for name in before if before[name] != after[name]} == {"fit_p", "s"}


def test_levels_change_the_coordinates_of_all_fits(read) -> None:
    wider = MODEL.replace("upper = 4", "upper = 8").replace("levels = 5", "levels = 9")
    assert keys(read(MODEL)).keys() == keys(read(wider)).keys()
    assert not keys(read(MODEL)).items() & keys(read(wider)).items()


def test_expanded_it_means_the_same(read) -> None:
    program = read(MODEL)
    again = read(expand(program))
    assert keys(again) == keys(program)
    assert expand(again) == expand(program)


def test_the_reference_shows_images(read) -> None:
    text = README.read_text(encoding="utf-8").split("## Images\n")[1].split("```bsi\n")[1].split("```")[0]

    def digits(path: Path, *, key: str) -> Table:
        assert path.name == "digits.npz" and key == "train"
        return Table((600, 8, 8), [i * 7 % 17 for i in range(600 * 64)], True)

    program, diagnostics = compile_source(Source("model.bsi", text), read_table=digits)
    assert program is not None and not diagnostics
    assert dict(program.trains["fit"].network.options)["finest"] == 4
    assert {name: sample.route for name, sample in program.samples.items()} == {"new": "amortised", "whole": "guided"}


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (32, 32, 3), (28, 28)])
@pytest.mark.parametrize("kind", ["unet", "dit"])
def test_defaults_work_on_common_images(kind: str, shape: tuple[int, ...]) -> None:
    options = tuple(sorted((option.name, option.default) for option in BLOCKS["net", kind].options))
    assert wrong_width(kind, options) is None and wrong_size(kind, options, shape) is None
    full = dict(fitted(kind, options, shape, None))
    assert full["image"] == (*shape[:2], shape[2] if len(shape) == 3 else 1) and full.get("fourier", 0) == 0


@pytest.mark.parametrize("levels, finest", [(2, 0), (17, 4), (256, 8)])
def test_the_finest_feature_repeats_every_two_levels(levels: int, finest: int) -> None:
    """For 8 bits these are the exponents 7 and 8 of VDM."""
    options = (("fourier", "auto"),)
    assert dict(fitted("unet", options, (8, 8), levels)) == {"fourier": 2, "finest": finest, "image": (8, 8, 1)}

"""Diagnostics whose looks are kept at several widths: `python -m tests.dsl.renderings`, then read the diff."""

from __future__ import annotations

from pathlib import Path

from bsi.dsl.diagnostic import Diagnostic, Label
from bsi.dsl.render import render_text
from bsi.dsl.span import Source, Span

FOLDER = Path(__file__).parent
WIDTHS = (40, 80, 120)


def at(source: Source, text: str, label: str = "") -> Label:
    """A label under the first `text` of a source."""
    start = source.text.index(text)
    return Label(Span(start, start + len(text), source.file), label)


MODEL = Source(
    "model.bsi",
    "bsi 1\n\ndim d = 2\nparam theta : real[d]\nprior p(theta) = {\n  let scale = 2\n  theta ~ normal(0, scale)\n}\n"
    "posterior post(theta) = p(theta) * first(observations | theta)^lambda * second(others | theta)^0.5 * third(r | t)\n",  # noqa: E501
)
ODD = Source(
    "odd.bsi",
    'bsi 1\r\n\tlet größe = 漢字 + e\u0301 + "naïve 👩\u200d🔬 👍🏽" + b\r\n'
    + f"let long = [{', '.join(str(n) for n in range(100, 200))}]\r\n",
)
NETS = Source("nets.bsi", "bsi 1\nnet small = mlp { width = 64, activation = gelu }\n")
SOURCES = {source.file: source for source in (MODEL, ODD, NETS)}

CASES = (
    Diagnostic(
        "E0302",
        "`theta` needs shape [d] = [2], but this value has shape [3], which nothing in this file can be made to fit",
        at(MODEL, "real[d]", "of two entries, because `d` is 2 and nothing overrides it"),
        (at(MODEL, "dim d = 2", "declared here"),),
        notes=("shapes are static: they are checked before anything is simulated or trained",),
        help="drop one value, or change line 3 to `dim d = 3`, or override it with `--set d=3` when the model is run",
    ),
    Diagnostic(
        "E0404",
        "three factors speak of different params",
        at(MODEL, "second(others | theta)^0.5", "this factor is of `theta`"),
        (
            at(MODEL, "p(theta) *", "the prior of everything that follows"),
            at(MODEL, "first(observations | theta)", "and so is this"),
            at(MODEL, "third(r | t)", "but this one is of `t`"),
        ),
    ),
    Diagnostic(
        "W0402",
        "this body says little",
        at(MODEL, MODEL.text[MODEL.text.index("{") : MODEL.text.index("}") + 1], "from here to there"),
        help="write a call",
    ),
    Diagnostic("E0201", "no value is called `b`", at(ODD, "b\r", "after tabs, wide and combined characters")),
    Diagnostic("E0301", "an entry in the middle of a long line", at(ODD, "150", "this one")),
    Diagnostic("E0301", "an entry at the end of a long line", at(ODD, "199]", "here"), (at(ODD, "100", "not here"),)),
    Diagnostic(
        "E0203",
        "`nets.smal` is not declared",
        at(MODEL, "scale = 2", "in this file"),
        (at(NETS, "small", "a similar name in that file"), at(NETS, "gelu")),
        notes=("imports are namespaced", "an_unbroken_word_that_is_longer_than_any_narrow_terminal_could_ever_show"),
    ),
    Diagnostic("E0001", "there is no file `a/path/that/is/rather/long/model.bsi`", help="check the path"),
)


def rendered(width: int) -> str:
    return render_text(CASES, SOURCES, width=width)


def golden(width: int) -> Path:
    return FOLDER / f"{width}.txt"

"""The report: complete, escaped, and whole without a network, whatever the draws look like."""

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.image import imread

from bsi.runtime.report import Bound, Check, Draws, Images, Job, Loss, Posterior, Report, render
from bsi.runtime.report.corner import MOST, chosen
from bsi.runtime.report.figure import colours
from bsi.runtime.report.pictures import MISSING, shade, sheet

VOID = {"meta", "path", "use", "rect", "br", "img"}


class Outline(HTMLParser):
    """Tags with their attributes, the visible text, and whether every element was closed in order."""

    def __init__(self, page):
        super().__init__()
        self.stack, self.tags, self.text, self.attributes = [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attr) for attr in attrs]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attr) for attr in attrs]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.stack.pop() == tag

    def handle_data(self, data):
        if "style" not in self.stack:
            self.text.append(data)


def draws(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def posterior(m=2, sweeps=None, reference=True, name="post"):
    grid = tuple(len(values) for values in (sweeps or {}).values())
    samples = [Draws("ode", "flow_ode", draws(*grid, 1, 400, m))]
    if reference:
        samples.append(Draws("ref", "nuts", draws(*grid, 4, 100, m, seed=1), reference=True))
    return Posterior(name, tuple(f"theta[{k}]" for k in range(m)), tuple(samples), sweeps or {})


def with_images(name="post", channels=1, sweeps=None):
    """A sampler and a reference of one image-shaped param, and a log density; one pixel never moves."""
    grid = tuple(len(values) for values in (sweeps or {}).values())
    drawn = {n: draws(*grid, *shape, 8, 6, channels) for n, shape in ((name, (1, 100)), ("ref", (2, 50)))}
    drawn["ref"][..., 0, 0, :] = 1.0
    samples = (
        Draws(name, "ddim", np.empty((*grid, 1, 100, 0)), False, (), "guided", (name,), 101.0, draws(*grid, 1, 100)),
        Draws("ref", "nuts", np.empty((*grid, 2, 50, 0)), True),
    )
    rows = draws(3, 8, 6, channels)
    rows[0, 2, 3] = np.nan
    return Posterior(name, (), samples, sweeps or {}, (Images(name, drawn, (-2.0, 2.0)),), {name: rows})


BOUND = Bound(
    2.34,
    0.021,
    360,
    terms={"measurement": 2.3, "log_jacobian": 0.04},
    integrand=(np.arange(4.0), np.ones(4)),
    finite=(np.array([25, 50]), np.array([2.6, 2.4]), np.array([0.1, 0.1])),
)

EVIL = '<script>alert("1")</script>&$x$'


def whole():
    steps = np.arange(0.0, 300.0)
    return Report(
        model=EVIL,
        source=f"bsi 1 # {EVIL}",
        checks=(
            Check(EVIL, 0.53, 0.004, 0.58, True, note="worst at lambda = 4"),
            Check("rhat(ref) < 1.01", 1.02, None, 1.01, False),
            Check("c2st(ode, bad) < 0.6", None, None, 0.6, None, note="no reference"),
        ),
        jobs=(
            Job(EVIL, "train", "9f3c" * 16, False, 61.2, 3.1, "lr changed"),
            Job("s", "sample", "ab" * 32, True, None),
        ),
        posteriors=(
            Posterior(EVIL, (EVIL, "mu"), (Draws(EVIL, "nuts", draws(2, 50, 2), True, (EVIL,)),)),
            posterior(sweeps={"lambda": (0.5, 1.0)}, name="tall"),
            with_images(EVIL),
        ),
        losses=(
            Loss(EVIL, {EVIL: (steps, 1 / (1 + steps)), "held out": (steps[::9], np.full(34, np.nan))}, EVIL, BOUND),
        ),
        facts={"seed": EVIL},
        notices=(EVIL,),
    )


def test_nothing_is_fetched_and_no_text_of_a_user_is_markup():
    page = render(whole())
    outline = Outline(page)
    assert outline.stack == [] and not {"link", "iframe", "object"} & set(outline.tags)
    assert outline.tags.count("script") == 1 and page.count("<script>") == 1, "its own"
    links = [value for _, name, value in outline.attributes if name in ("href", "xlink:href", "src")]
    assert links and all(value.startswith(("#", "data:image/png;base64,")) for value in links)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))
    assert "@import" not in page and "@font-face" not in page
    assert "".join(outline.text).count('alert("1")</script>') >= 10


def test_every_id_is_unique_and_every_link_has_its_target():
    attributes = Outline(render(whole())).attributes
    ids = [value for _, name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for _, name, value in attributes if name == "xlink:href"} <= set(ids)


def test_figures_take_their_colours_from_the_page():
    page = render(whole())
    style = page[page.index("<style>") : page.index("</style>")]
    rest = page[page.index("</style>") :]
    light, dark = style.split("prefers-color-scheme: dark")
    for name in set(re.findall(r"var\(--([\w-]+)\)", page)):
        assert f"--{name}:" in light and f"--{name}:" in dark
    assert re.findall(r"(?:fill|stroke): (#\w+)", rest) == []


def test_verdicts_values_and_jobs_are_told():
    text = " ".join(Outline(render(whole())).text)
    for told in (
        "1 failed",
        "1 passed",
        "1 not evaluated",
        "0.53",
        "0.004",
        "worst at lambda = 4",
        "1.02",
        "no reference",
    ):
        assert told in text
    for told in ("9f3c9f3c9f3c", "61.2", "lr changed", "reused", "lambda = 0.5", "lambda = 1", "failed its own checks"):
        assert told in text


def swept(lost=False, **changes):
    sweeps = {"lambda": (0.5, 1.0, 2.0), EVIL: (1.0, 2.0)}
    found = posterior(sweeps=sweeps)
    one, ref = found.samples
    if lost:
        one.values[2, 1] = np.nan
    stats = {"pareto_k": np.arange(6.0).reshape(3, 2) / 8}
    one = replace(one, stats=stats, residuals={EVIL: np.arange(6.0).reshape(3, 2)})
    return replace(found, samples=(one, ref), **changes)


@pytest.mark.parametrize("lost", [False, True])
def test_a_sweep_has_a_panel_and_a_corner_plot_a_point_and_curves_along_every_axis(lost):
    page = render(Report("m", "", posteriors=(swept(lost),)))
    outline = Outline(page)
    assert outline.stack == [] and outline.tags.count("script") == 1
    assert page.count('aria-label="corner plot') == 6 and page.count('class="cell"') == 6
    assert page.count('class="point"') == 6 and page.count('class="point" open') == 1
    assert 'aria-label="post along lambda"' in page and page.count('aria-label="post along ') == 2
    assert "mean of theta[0]" in page and "sd of theta[1]" in page and "rms residual" in page
    (axes,) = [json.loads(value) for _, name, value in outline.attributes if name == "data-axes"]
    assert axes == [["lambda", ["0.5", "1", "2"]], [EVIL, ["1", "2"]]], "quoted, whatever a sweep is called"
    (start,) = [value for _, name, value in outline.attributes if name == "data-start"]
    assert start == "2", "where all powers are one"
    assert "".join(outline.text).count("pareto k") == 6 and "0.625" in "".join(outline.text)


def test_of_large_grids_some_points_are_drawn_and_all_are_told():
    page = render(Report("m", "", posteriors=(posterior(m=1, sweeps={"k": tuple(np.arange(1.0, 101.0))}),)))
    assert page.count('class="cell"') == 9 and page.count('class="point"') == 100
    assert page.count('aria-label="corner plot') == 60 and 'title="k = 100"' in page


def test_pictures_over_a_grid():
    page = render(Report("m", "", posteriors=(with_images(sweeps={"alpha": (0.5, 1.0)}),)))
    assert page.count('class="cell"') == 2 and page.count('alt="sd of post by post at alpha = ') == 2
    assert "sd of post, mean over entries" in page and 'aria-label="post along alpha"' in page


def test_few_coordinates_are_all_shown():
    assert chosen(posterior(m=3)) == [0, 1, 2]


def test_of_many_coordinates_those_that_differ_most_are_shown():
    many = posterior(m=14)
    many.samples[0].values[..., [12, 3]] += 3.0
    many.samples[0].values[..., 7] *= 9.0
    picked = chosen(many)
    assert len(picked) == MOST and picked == sorted(picked) and {3, 7, 12} <= set(picked)
    assert f"{MOST} of 14 coordinates, those where samplers and reference differ most" in render(
        Report("m", "", posteriors=(many,))
    )
    alone = posterior(m=14, reference=False)
    assert chosen(alone) == list(range(MOST))
    assert "declared first" in render(Report("m", "", posteriors=(alone,)))


@pytest.mark.parametrize(
    "values",
    [
        draws(1, 300, 2) * np.nan,
        np.where(draws(1, 300, 2) > 1, np.inf, draws(1, 300, 2)),
        np.full((1, 300, 2), 3.5),
        np.tan(3 * draws(1, 300, 2)) * 1e8,
        draws(1, 3, 2),
        draws(1, 300, 2) * 1e-12 + 1.0,
    ],
    ids=["nan", "inf", "constant", "heavy", "few", "tiny"],
)
def test_ugly_draws_still_make_a_page(values):
    samples = (Draws("bad", "ddim", values), Draws("ref", "nuts", draws(2, 50, 2), reference=True))
    page = render(Report("m", "", posteriors=(Posterior("post", ("a", "b"), samples),)))
    assert Outline(page).stack == [] and page.count("<svg") == 2


def test_one_coordinate_and_nothing_at_all():
    assert render(Report("m", "", posteriors=(posterior(m=1),))).count("<svg") == 2
    assert "<h1>m</h1>" in render(Report("m", "bsi 1"))


def test_the_same_run_gives_the_same_page():
    assert render(whole()) == render(whole())


def test_references_are_neutral_and_samplers_keep_their_colours():
    samples = tuple(
        Draws(n, "x", draws(1, 2, 1), r) for n, r in (("ref", True), ("a", False), ("b", False), ("ref2", True))
    )
    colour = colours(samples)
    assert colour["ref"] == colour["ref2"] and len(set(colour.values())) == 3
    assert colour["a"] == colours(samples[1:])["a"]


def test_images_are_pictures_and_no_rows_of_tables():
    page = render(Report("m", "", posteriors=(with_images(),)))
    outline = Outline(page)
    assert outline.stack == [] and "corner plot" not in page and page.count("<svg") == 1  # the log density
    text = " ".join(outline.text)
    for told in ("64 of 100 draws", "post: mean", "ref: sd", "observed", "missing", "worst R-hat", "guided", "101"):
        assert told in text, told
    sources = [value for tag, name, value in outline.attributes if (tag, name) == ("img", "src")]
    assert len(sources) == 7  # what was observed; mean, sd and draws of two samples
    alts = [value for tag, name, value in outline.attributes if (tag, name) == ("img", "alt")]
    assert len(set(alts)) == 7
    drawn = sources[alts.index("draws of post by post")]
    picture = imread(io.BytesIO(base64.b64decode(drawn.partition(",")[2])), format="png")
    assert picture.shape == (8 * 8 + 7, 8 * 6 + 7, 4)


def test_data_in_other_units_have_shades_of_their_own():
    """Bounds of the param are for data like it; others would be black all over."""
    shown = with_images()
    other = replace(shown, observed={name: 100 * rows for name, rows in shown.observed.items()})
    same, own = (render(Report("m", "", posteriors=(one,))) for one in (shown, other))
    assert own.count('class="ramp grey"') == same.count('class="ramp grey"') + 1


def test_a_page_of_64_colour_images_is_small():
    photos = with_images(channels=3)
    big = np.random.default_rng(0).integers(0, 255, (1, 64, 32, 32, 3)).astype(float)
    photos = Posterior("p", (), photos.samples[:1], {}, (Images("img", {"post": big}, (0.0, 255.0)),))
    assert len(render(Report("m", "", posteriors=(photos,)))) < 400_000  # noise, which no format makes smaller


def test_every_point_of_a_sweep_has_its_images():
    page = render(Report("m", "", posteriors=(with_images(sweeps={"lambda": (0.5, 1.0)}),)))
    assert page.count('alt="mean of post by post"') == 2 and page.count("16 of 100 draws") == 4


def test_shades():
    """Black, white and what lies outside the bounds; a missing value in its own colour."""
    values = np.array([[0.0, 10.0, 5.0], [-3.0, 30.0, np.nan]])[..., None]
    found = shade(values, 0.0, 10.0)
    assert found[..., 0].tolist() == [[0, 255, 128], [0, 255, MISSING[0]]] and tuple(found[1, 2]) == MISSING
    whole = sheet([found] * 5, across=3)
    assert whole.shape == (2 * 2 + 1, 3 * 3 + 2, 4)
    assert not whole[2].any() and not whole[:, 3].any() and not whole[3:, 8:].any()  # seams, and the empty place
    assert (whole[3:, 4:7] == found).all()


def test_a_bound_tells_its_value_and_its_parts():
    page = render(Report("m", "", losses=(Loss("fit", {"training": (np.arange(9.0), np.ones(9))}, "bits/dim", BOUND),)))
    text = " ".join(Outline(page).text)
    assert "2.34 ± 0.021 bits/dim on 360 held-out rows: measurement 2.3, log jacobian 0.04." in text
    assert "loss, bits/dim" in text and "∞ steps" in text and page.count("<svg") == 2

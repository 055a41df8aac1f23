"""The page: sections in the order of their use, the verdict first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import numpy as np

from bsi.runtime.report import tables
from bsi.runtime.report.bound import bound
from bsi.runtime.report.corner import MOST, chosen, corner
from bsi.runtime.report.curves import curves, held
from bsi.runtime.report.data import Draws, Loss, Posterior, Report
from bsi.runtime.report.grid import multiples, shown
from bsi.runtime.report.lines import chains, log_densities, losses
from bsi.runtime.report.pictures import pictures
from bsi.runtime.report.ranks import calibration
from bsi.runtime.report.sensitivity import evidence, sensitivity

POINTS, PANELS = 60, 300  # of a grid that get a corner plot of their own, and panels in all of these


def render(report: Report) -> str:
    """A whole HTML document: style, figures and, where there is a sweep, one script inside; nothing is fetched."""
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    script = ""
    if any(posterior.sweeps for posterior in report.posteriors):
        script = f"<script>{Path(__file__).with_name('report.js').read_text(encoding='utf-8')}</script>"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(report.model)} · bsi report</title><style>{style}</style></head>"
        f"<body><main>{''.join(_sections(report))}</main>{script}</body></html>\n"
    )


def _sections(report: Report) -> Iterator[str]:
    yield f"<header><h1>{escape(report.model)}</h1>{_verdict(report)}"
    facts = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in report.facts.items())
    yield f"<dl>{facts}</dl></header>"
    yield from (_notice(text) for text in report.notices)
    if report.checks:
        yield _section("Checks", tables.checks(report.checks))
    if report.calibrations:
        yield _section("Calibration", "".join(part for found in report.calibrations for part in calibration(found)))
    if report.sensitivities:
        yield _section("Sensitivity", "".join(part for found in report.sensitivities for part in sensitivity(found)))
    if report.evidences:
        yield _section("Evidence", "".join(part for found in report.evidences for part in evidence(found)))
    for posterior in report.posteriors:
        yield _section(f"Posterior {posterior.name}", "".join(_posterior(posterior)))
    if report.losses:
        yield _section("Training", "".join(part for loss in report.losses for part in _training(loss)))
    if report.jobs:
        yield _section("Jobs", tables.jobs(report.jobs))
    yield _section("Model", f"<pre><code>{escape(report.source)}</code></pre>")


def _verdict(report: Report) -> str:
    failed, passed = (sum(c.passed is verdict for c in report.checks) for verdict in (False, True))
    told = sum(c.passed is None and c.bound is None for c in report.checks)
    skipped = len(report.checks) - failed - passed - told
    parts = [
        (failed, "fail", "failed"),
        (passed, "pass", "passed"),
        (skipped, "skip", "not evaluated"),
        (told, "skip", "told"),
    ]
    marks = [f'<span class="mark {style}">{count} {text}</span>' for count, style, text in parts if count]
    return f"<p>{' '.join(marks)}</p>" if marks else ""


def _posterior(posterior: Posterior) -> Iterator[str]:
    for s in posterior.samples:
        if s.failures:
            yield _notice(f"{s.name} failed its own checks and is not compared against: {'; '.join(s.failures)}")
    yield tables.samples(posterior)
    m = len(posterior.labels)
    if m > MOST:
        furthest = any(s.reference for s in posterior.samples) and not all(s.reference for s in posterior.samples)
        which = "where samplers and reference differ most" if furthest else "that were declared first"
        names = ", ".join(f"<code>{escape(posterior.labels[k])}</code>" for k in chosen(posterior))
        yield f"<p>Plots show {MOST} of {m} coordinates, those {which}: {names}. The tables show all.</p>"
    if not posterior.sweeps:
        yield from _point(posterior, (), "", plots=True, first=True)
        return
    if posterior.labels or posterior.images:
        yield from _along(posterior)
    yield from _grid(posterior)


def _along(posterior: Posterior) -> Iterator[str]:
    """Curves along every sweep that has more than one value."""
    at = held(posterior)
    for name, values in posterior.sweeps.items():
        if len(values) > 1:
            others = [f"{escape(n)} = {v[at[n]]:g}" for n, v in posterior.sweeps.items() if n != name and len(v) > 1]
            where = f" Bold at {', '.join(others)}, faint elsewhere." if others else ""
            band = " Bands reach an sd from the mean." if posterior.labels else ""
            yield _figure(curves(posterior, name), f"{_legend(posterior)}{band}{where}")


def _grid(posterior: Posterior) -> Iterator[str]:
    """All points: panels of the whole grid, sliders over it, and everything of the point that they choose."""
    axes = json.dumps([[name, [f"{v:g}" for v in values]] for name, values in posterior.sweeps.items()])
    start = np.ravel_multi_index(tuple(held(posterior).values()), [len(v) for v in posterior.sweeps.values()])
    yield f'<div class="sweep" data-axes="{escape(axes)}" data-start="{start}">'
    if posterior.labels or posterior.images:
        yield f"<figure>{multiples(posterior)}<figcaption>{_legend(posterior)} {shown(posterior)}</figcaption></figure>"
    yield '<div class="sliders"></div>'
    points, m = posterior.points(), min(len(posterior.labels), MOST)
    most = min(POINTS, max(1, PANELS // max(m * (m + 1) // 2, 1)))
    plotted = set(np.linspace(0, len(points) - 1, min(most, len(points))).astype(int).tolist())
    for number, (index, text) in enumerate(points):
        content = "".join(_point(posterior, index, text, plots=number in plotted, first=number == 0))
        yield _details(text, content, opened=number == 0, style="point")
    yield "</div>"


def _point(posterior: Posterior, index: tuple[int, ...], text: str, *, plots: bool, first: bool) -> Iterator[str]:
    """Everything at one point of the sweeps; chains of references at the `first` only."""
    title = f"{posterior.name} at {text}" if text else posterior.name
    for images in posterior.images:
        yield f"<h3><code>{escape(images.name)}</code></h3>"
        yield pictures(posterior, images, index) if plots else ""
        yield tables.pixels(posterior, images, index)
    if posterior.labels and plots:
        figure = corner(posterior, index, f"corner plot of {title}")
        yield _figure(figure, f"{_legend(posterior)} Contours hold 50 % and 90 % of the draws.")
    if posterior.labels:
        yield tables.marginals(posterior, index)
    yield tables.statistics(posterior, index)
    dense = [s for s in posterior.samples if s.log_density is not None]
    if dense and plots:
        yield _figure(log_densities(posterior, index, title), f"{_legend(posterior, dense)} Log density of the draws.")
    for s in posterior.samples:
        if posterior.labels and s.reference and s.values.shape[-3] > 1 and first:
            yield _details(f"Chains of {s.name}: traces and ranks", _figure(chains(posterior, s, index)))


def _legend(posterior: Posterior, samples: Sequence[Draws] | None = None) -> str:
    names = tables.keys(posterior)
    return " ".join(f"<span>{names[s.name]}</span>" for s in samples or posterior.samples)


def _training(loss: Loss) -> Iterator[str]:
    yield f"<h3>{escape(loss.name)}</h3>{_figure(losses(loss)) if loss.curves else ''}"
    if loss.summary:
        yield f"<p>{escape(loss.summary[0].upper() + loss.summary[1:])}.</p>"
    if (found := loss.bound) is not None:
        terms = ", ".join(
            f"{escape(name.replace('_', ' '))} {tables.number(value, 3)}" for name, value in found.terms.items()
        )
        yield (
            f"<p>{tables.number(found.value)} ± {tables.number(found.standard_error, 2)} {escape(found.unit)} on "
            f"{found.rows:,} held-out rows{f': {terms}' if terms else ''}.</p>"
        )
        if found.integrand is not None or found.finite is not None:
            yield _figure(bound(found, f"bound of {loss.name}"))


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _details(title: str, content: str, opened: bool = False, style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f"<details{kind}{' open' if opened else ''}><summary>{escape(title)}</summary>{content}</details>"


def _figure(svg: str, caption: str = "") -> str:
    caption = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f'<figure><div class="scroll">{svg}</div>{caption}</figure>'


def _notice(text: str) -> str:
    return f'<p class="notice">{escape(text)}</p>'

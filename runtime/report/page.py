"""The page: sections in the order of their use, the verdict first."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from bsi.runtime.report import tables
from bsi.runtime.report.corner import MOST, chosen, corner
from bsi.runtime.report.data import Posterior, Report
from bsi.runtime.report.lines import chains, losses, sweep

POINTS = 12  # points of a sweep that get a corner plot of their own


def render(report: Report) -> str:
    """A whole HTML document: style and figures inside, no script, nothing fetched."""
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(report.model)} · bsi report</title><style>{style}</style></head>"
        f"<body><main>{''.join(_sections(report))}</main></body></html>\n"
    )


def _sections(report: Report) -> Iterator[str]:
    yield f"<header><h1>{escape(report.model)}</h1>{_verdict(report)}"
    facts = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in report.facts.items())
    yield f"<dl>{facts}</dl></header>"
    yield from (_notice(text) for text in report.notices)
    if report.checks:
        yield _section("Checks", tables.checks(report.checks))
    for posterior in report.posteriors:
        yield _section(f"Posterior {posterior.name}", "".join(_posterior(posterior)))
    if report.losses:
        yield _section("Training", "".join(f"<h3>{escape(x.name)}</h3>{_figure(losses(x))}" for x in report.losses))
    if report.jobs:
        yield _section("Jobs", tables.jobs(report.jobs))
    yield _section("Model", f"<pre><code>{escape(report.source)}</code></pre>")


def _verdict(report: Report) -> str:
    failed, passed = (sum(c.passed is verdict for c in report.checks) for verdict in (False, True))
    skipped = len(report.checks) - failed - passed
    parts = [
        (failed, "fail", "failed"),
        (passed, "pass", "passed"),
        (skipped, "skip", "not evaluated"),
    ]
    marks = [f'<span class="mark {style}">{count} {text}</span>' for count, style, text in parts if count]
    return f"<p>{' '.join(marks)}</p>" if marks else ""


def _posterior(posterior: Posterior) -> Iterator[str]:
    for s in posterior.samples:
        yield from (_notice(f"{s.name} failed its own checks and is not compared against: {f}") for f in s.failures)
    m = len(posterior.labels)
    if m > MOST:
        furthest = any(s.reference for s in posterior.samples) and not all(s.reference for s in posterior.samples)
        which = "where samplers and reference differ most" if furthest else "that were declared first"
        names = ", ".join(f"<code>{escape(posterior.labels[k])}</code>" for k in chosen(posterior))
        yield f"<p>Plots show {MOST} of {m} coordinates, those {which}: {names}. The tables show all.</p>"
    points, names = posterior.points(), tables.keys(posterior)
    legend = " ".join(f"<span>{names[s.name]} ({escape(s.method)})</span>" for s in posterior.samples)
    if posterior.sweeps:
        yield _figure(sweep(posterior), f"{legend} Median, 50 % and 90 % intervals.")
    for number, (index, text) in enumerate(points):
        title = f"{posterior.name} at {text}" if text else posterior.name
        content = ""
        if number < POINTS:
            content += _figure(
                corner(posterior, index, f"corner plot of {title}"),
                f"{legend} Contours hold 50 % and 90 % of the draws.",
            )
        content += tables.marginals(posterior, index)
        for s in posterior.samples:
            if s.reference and s.values.shape[-3] > 1 and number == 0:
                content += _details(f"Chains of {s.name}: traces and ranks", _figure(chains(posterior, s, index)))
        yield _details(text, content, opened=number == 0) if text else content


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _details(title: str, content: str, opened: bool = False) -> str:
    return f"<details{' open' if opened else ''}><summary>{escape(title)}</summary>{content}</details>"


def _figure(svg: str, caption: str = "") -> str:
    caption = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f'<figure><div class="scroll">{svg}</div>{caption}</figure>'


def _notice(text: str) -> str:
    return f'<p class="notice">{escape(text)}</p>'

"""HTML tables. Every text that comes from a user passes through `escape`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from bsi.runtime.reference.diagnostics import ess_bulk, rhat
from bsi.runtime.report.data import Check, Draws, Images, Job, Posterior
from bsi.runtime.report.figure import VARIABLES, colours

CHECKED_PIXELS = 256  # of an image, for R-hat and ESS
MARKS = {True: ("pass", "✓ passed"), False: ("fail", "✗ failed"), None: ("skip", "– not evaluated")}

TOLD = ("skip", "– told")  # of a check without a bound


def number(value: float | None, digits: int = 4) -> str:
    """Short, for a table cell; an en dash for nothing."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}g}".replace("-", "−")


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numeric: int) -> str:
    """`rows` hold HTML; columns from `numeric` on are set flush right."""

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}{' class=n' if i >= numeric else ''}>{cell}</{tag}>" for i, cell in enumerate(row))

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{cells(header, "th")}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def checks(rows: Iterable[Check]) -> str:
    """Value, standard error and bound of every check, and whether it holds."""
    return table(
        ("check", "result", "value", "standard error", "bound"),
        [
            (
                f"<code>{escape(c.text)}</code>{f'<small>{escape(c.note)}</small>' if c.note else ''}",
                '<span class="mark {}">{}</span>'.format(*_mark(c)),
                number(c.value),
                number(c.standard_error, 2),
                number(c.bound),
            )
            for c in rows
        ],
        numeric=2,
    )


def _mark(check: Check) -> tuple[str, str]:
    return TOLD if check.bound is None and check.passed is None else MARKS[check.passed]


def jobs(rows: Iterable[Job]) -> str:
    """What ran, what was reused, and for how long."""
    return table(
        ("job", "kind", "", "key", "seconds", "of these compiling"),
        [
            (
                f"{escape(j.name)}{f'<small>{escape(j.reason)}</small>' if j.reason else ''}",
                escape(j.kind),
                j.status or ("reused" if j.reused else "ran"),
                f"<code>{escape(j.key[:12])}</code>",
                number(j.seconds, 3),
                number(j.compile_seconds, 3),
            )
            for j in rows
        ],
        numeric=4,
    )


def samples(posterior: Posterior) -> str:
    """Every sample with its method, the route by which its score came, and what it took."""
    names = keys(posterior)
    return table(
        ("sample", "method", "route", "draws", "evaluations a draw"),
        [
            (
                names[s.name] + _notes(s),
                escape(s.method),
                escape(s.route or "–") + (f"<small>{escape(', '.join(s.fits))}</small>" if s.fits else ""),
                f"{s.values.shape[-3]} × {s.values.shape[-2]:,}"
                if s.values.shape[-3] > 1
                else f"{s.values.shape[-2]:,}",
                "–" if s.evaluations is None else f"{s.evaluations:,.0f}",
            )
            for s in posterior.samples
        ],
        numeric=3,
    )


def _notes(s: Draws) -> str:
    told = ", ".join(f"{escape(name.replace('_', ' '))} {number(value, 3)}" for name, value in s.notes.items())
    return f"<small>{told}</small>" if told else ""


def pixels(posterior: Posterior, images: Images, index: tuple[int, ...]) -> str:
    """What there is to say of all pixels of an image-shaped param at once, one row a sample."""
    rows = []
    for s in posterior.samples:
        drawn = images.values[s.name][index]
        table_of = drawn.reshape(*drawn.shape[:2], -1)
        some = np.unique(np.linspace(0, table_of.shape[-1] - 1, CHECKED_PIXELS).astype(int))
        several = table_of.shape[0] > 1 and bool(np.isfinite(table_of).all())
        moving = [k for k in some if np.ptp(table_of[..., k]) > 0] if several else []
        rows.append(
            (
                keys(posterior)[s.name],
                f"{table_of.shape[-1]:,}",
                number(float(np.nanmean(table_of)), 3),
                number(float(np.nanmean(np.nanstd(table_of, axis=(0, 1)))), 3),
                f"{max(rhat(table_of[..., k]) for k in moving):.3f}" if moving else "–",
                f"{min(ess_bulk(table_of[..., k]) for k in moving):.0f}" if moving else "–",
            )
        )
    return table(("sample", "entries", "mean", "sd of an entry", "worst R-hat", "smallest bulk ESS"), rows, numeric=1)


def statistics(posterior: Posterior, index: tuple[int, ...]) -> str:
    """How the draws of one point were made, one row a sample; nothing where nothing is known."""
    names = list(dict.fromkeys(name for s in posterior.samples for name in s.stats))
    rows = [
        (keys(posterior)[s.name], *(number(float(s.stats[n][index]) if n in s.stats else None) for n in names))
        for s in posterior.samples
        if s.stats
    ]
    header = ("sample", *(escape(name.replace("_", " ")) for name in names))
    return table(header, rows, numeric=1) if rows else ""


def marginals(posterior: Posterior, index: tuple[int, ...]) -> str:
    """Mean, sd and quantiles of every coordinate, one row a sample; R-hat and ESS where there are several chains."""
    names = keys(posterior)
    rows = []
    for k, label in enumerate(posterior.labels):
        for place, s in enumerate(posterior.samples):
            rows.append(("" if place else f"<code>{escape(label)}</code>", names[s.name], *_summary(s, index, k)))
    return table(("parameter", "sample", "mean", "sd", "5 %", "50 %", "95 %", "R-hat", "bulk ESS"), rows, numeric=2)


def keys(posterior: Posterior) -> dict[str, str]:
    """Name of a sample -> its colour's patch and the name, as HTML: the legend of every figure."""
    return {
        name: f'<i class="key" style="background: var(--{VARIABLES[colour]})"></i>{escape(name)}'
        for name, colour in colours(posterior.samples).items()
    }


def _summary(s: Draws, index: tuple[int, ...], k: int) -> list[str]:
    x = np.asarray(s.values[index][..., k], dtype=float)
    finite = x[np.isfinite(x)]
    if not len(finite):
        return ["–"] * 7
    cells = [number(v, 3) for v in (finite.mean(), finite.std(), *np.quantile(finite, [0.05, 0.5, 0.95]))]
    if x.shape[0] < 2 or len(finite) < x.size:
        return [*cells, "–", "–"]
    return [*cells, f"{rhat(x):.3f}", f"{ess_bulk(x):.0f}"]

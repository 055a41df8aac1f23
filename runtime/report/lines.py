"""The other figures: ranks and traces of chains, log densities, training losses."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from bsi.runtime.report.corner import chosen
from bsi.runtime.report.data import Draws, Loss, Posterior
from bsi.runtime.report.figure import FAINT, INK, REFERENCE, SERIES, colours, grid, plain, style, svg

RANK_BINS = 20
TRACE_POINTS = 200  # a chain
DENSITY_BINS = 50


def chains(posterior: Posterior, draws: Draws, index: tuple[int, ...]) -> str:
    """SVG of thinned traces and of rank plots (Vehtari et al. 2021, section 5): chains that agree have flat ranks."""
    columns = chosen(posterior)
    with style():
        figure, axes = grid(len(columns), 2, (3.6, 1.15))
        for (trace, ranks), k in zip(axes, columns, strict=True):
            x = draws.values[index][..., k]
            order = np.argsort(np.argsort(x, axis=None)).reshape(x.shape)
            every = max(1, x.shape[1] // TRACE_POINTS)
            for chain in range(x.shape[0]):
                colour = SERIES[chain % len(SERIES)]
                trace.plot(np.arange(x.shape[1])[::every], x[chain, ::every], color=colour, lw=0.6)
                heights, edges = np.histogram(order[chain], bins=RANK_BINS, range=(0, x.size))
                ranks.stairs(heights, edges, baseline=None, color=colour, lw=1.1)
            expected = x.shape[1] / RANK_BINS
            ranks.axhline(expected, color=INK, lw=0.6, ls="--")
            ranks.set_ylim(0, None)
            ranks.set_yticks([])
            trace.set_ylabel(plain(posterior.labels[k]))
            trace.yaxis.set_major_locator(MaxNLocator(3))
            last = k == columns[-1]
            for ax in (trace, ranks):
                ax.tick_params(labelbottom=last)
        axes[-1][0].set_xlabel("draw")
        axes[-1][1].set_xlabel("rank among all chains")
        return svg(figure, f"traces and ranks of {draws.name}")


def log_densities(posterior: Posterior, index: tuple[int, ...], title: str) -> str:
    """SVG of a histogram of `ln p` of the draws of every sample that has it."""
    colour = colours(posterior.samples)
    known = {s.name: s.log_density[index].ravel() for s in posterior.samples if s.log_density is not None}
    tables = {name: values[np.isfinite(values)] for name, values in known.items()}
    everything = np.concatenate(list(tables.values()))
    limits = (float(np.quantile(everything, 0.002)), float(everything.max())) if len(everything) else (0.0, 1.0)
    with style():
        figure, ((ax,),) = grid(1, 1, (4.2, 1.9))
        for name, values in tables.items():
            heights, edges = np.histogram(values, bins=DENSITY_BINS, range=limits)
            ax.stairs(heights / max(len(values), 1), edges, color=colour[name], lw=1.3)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.set_xlabel("ln p of a draw")
        return svg(figure, f"log density of the draws of {title}")


def losses(loss: Loss) -> str:
    """SVG of training curves; the first is drawn in full, the others in colour over it."""
    with style():
        figure, ((ax,),) = grid(1, 1, (5.6, 2.3))
        for (name, (steps, values)), colour in zip(loss.curves.items(), (REFERENCE, *SERIES), strict=False):
            ax.plot(steps, values, color=colour, lw=1.3, label=plain(name))
        finite = np.concatenate([np.asarray(v)[np.isfinite(v)] for _, v in loss.curves.values()])
        if len(finite) > 20:  # the first steps would flatten all that follows
            low, high = np.quantile(finite, [0.0, 0.97])
            ax.set_ylim(low - 0.05 * (high - low), high + 0.1 * (high - low) or None)
        ax.set_xlabel("step")
        ax.set_ylabel(f"loss, {loss.unit}" if loss.unit else "loss")
        ax.grid(color=FAINT, lw=0.5)
        ax.legend()
        return svg(figure, f"training loss of {loss.name}")

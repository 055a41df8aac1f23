"""How far draws are from a reference, and how well a reference mixed. A metric is one file and one row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from bsi.runtime.metrics.base import Estimate
from bsi.runtime.metrics.bits import bits_per_dim
from bsi.runtime.metrics.c2st import c2st
from bsi.runtime.metrics.chains import divergences, ess, rhat
from bsi.runtime.metrics.lc2st import lc2st
from bsi.runtime.metrics.mmd import mmd2
from bsi.runtime.metrics.moments import mean_error, sd_error
from bsi.runtime.metrics.sliced_wasserstein import sliced_wasserstein


@dataclass(frozen=True)
class Metric:
    """Needs `samples`: `function(draws, reference, **options)`, arrays [draw, m]; or a `reference`: `function(it)`; or
    a `fit`: `function(denoiser, elbo, held-out rows, key, **options)`; or `simulations`: `function(params, drawn, data,
    draws, observed, **options)`."""

    function: Callable[..., Estimate]
    needs: Literal["samples", "reference", "fit", "simulations"]

    @property
    def doc(self) -> str:
        """One line for people."""
        return (self.function.__doc__ or "").partition("\n")[0]


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "c2st": Metric(c2st, "samples"),
        "sliced_wasserstein": Metric(sliced_wasserstein, "samples"),
        "mmd": Metric(mmd2, "samples"),
        "mean_error": Metric(mean_error, "samples"),
        "sd_error": Metric(sd_error, "samples"),
        "rhat": Metric(rhat, "reference"),
        "ess": Metric(ess, "reference"),
        "divergences": Metric(divergences, "reference"),
        "bits_per_dim": Metric(bits_per_dim, "fit"),
        "lc2st": Metric(lc2st, "simulations"),
    }
)

__all__ = ["METRICS", "Estimate", "Metric"]

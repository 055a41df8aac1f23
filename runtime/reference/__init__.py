"""References: posteriors computed without any code of the samplers they judge."""

from bsi.runtime.reference.diagnostics import ess_bulk, ess_mean, ess_tail, rhat
from bsi.runtime.reference.nuts import NoStartError, nuts
from bsi.runtime.reference.result import Reference, Thresholds, assess

__all__ = ["NoStartError", "Reference", "Thresholds", "assess", "ess_bulk", "ess_mean", "ess_tail", "nuts", "rhat"]

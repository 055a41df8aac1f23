"""One HTML file that shows a whole run and needs no network."""

from bsi.runtime.report.data import Bound, Check, Draws, Images, Job, Loss, Posterior, Report
from bsi.runtime.report.page import render

__all__ = ["Bound", "Check", "Draws", "Images", "Job", "Loss", "Posterior", "Report", "render"]

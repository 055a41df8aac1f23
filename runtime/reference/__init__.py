"""References: posteriors computed without any code of the samplers they judge."""

from bsi.runtime.reference.diagnostics import ess_bulk as ess_bulk
from bsi.runtime.reference.diagnostics import ess_mean as ess_mean
from bsi.runtime.reference.diagnostics import ess_tail as ess_tail
from bsi.runtime.reference.diagnostics import rhat as rhat
from bsi.runtime.reference.exact_gaussian import ExactGaussian as ExactGaussian
from bsi.runtime.reference.exact_gaussian import ImproperError as ImproperError
from bsi.runtime.reference.exact_gaussian import NotQuadraticError as NotQuadraticError
from bsi.runtime.reference.exact_gaussian import exact_gaussian as exact_gaussian
from bsi.runtime.reference.mcmc import NoStartError as NoStartError
from bsi.runtime.reference.mcmc import mcmc as mcmc
from bsi.runtime.reference.result import Reference as Reference
from bsi.runtime.reference.result import Thresholds as Thresholds
from bsi.runtime.reference.result import assess as assess

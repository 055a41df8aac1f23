"""Correctors: draws of nearly the right law to draws of the right one, where its density is known up to a constant."""

from bsi.runtime.correctors.mala import LogDensity as LogDensity
from bsi.runtime.correctors.mala import Mala as Mala
from bsi.runtime.correctors.pareto import pareto_smooth as pareto_smooth

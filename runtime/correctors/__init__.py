"""Correctors: draws of nearly the right law to draws of the right one, by its density or its score."""

from bsi.runtime.correctors.mala import LogDensity as LogDensity
from bsi.runtime.correctors.mala import Mala as Mala
from bsi.runtime.correctors.mala import Score as Score
from bsi.runtime.correctors.pareto import pareto_smooth as pareto_smooth

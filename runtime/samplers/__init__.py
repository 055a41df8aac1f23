"""Samplers behind one interface. Adding one: a file, an export here, a case in `tests/runtime/test_samplers.py`."""

from bsi.runtime.samplers.base import AbstractSampler as AbstractSampler
from bsi.runtime.samplers.belief import BeliefUpdates as BeliefUpdates
from bsi.runtime.samplers.ddim import Ddim as Ddim
from bsi.runtime.samplers.dpmpp import DpmSolverPP as DpmSolverPP
from bsi.runtime.samplers.feynman_kac import FeynmanKac as FeynmanKac
from bsi.runtime.samplers.flow_ode import FlowOde as FlowOde
from bsi.runtime.samplers.heun import Heun as Heun
from bsi.runtime.samplers.langevin import Langevin as Langevin
from bsi.runtime.samplers.langevin import PredictorCorrector as PredictorCorrector
from bsi.runtime.samplers.reverse_sde import ReverseSde as ReverseSde
from bsi.runtime.samplers.smc import TwistedSmc as TwistedSmc

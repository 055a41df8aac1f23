"""Samplers behind one interface. Adding one: a file, an export here, a case in `tests/runtime/test_samplers.py`."""

from bsi.runtime.samplers.base import AbstractSampler as AbstractSampler
from bsi.runtime.samplers.ddim import Ddim as Ddim
from bsi.runtime.samplers.dpmpp import DpmSolverPP as DpmSolverPP
from bsi.runtime.samplers.flow_ode import FlowOde as FlowOde

"""Distillation: a teacher that samples by many steps of a flow -> a network that makes a draw in one."""

from bsi.runtime.distill.flow_map import AbstractFrame as AbstractFrame
from bsi.runtime.distill.flow_map import AbstractVelocity as AbstractVelocity
from bsi.runtime.distill.flow_map import FlowMap as FlowMap
from bsi.runtime.distill.flow_map import RowFrame as RowFrame
from bsi.runtime.distill.measure import Asked as Asked
from bsi.runtime.distill.measure import Measure as Measure
from bsi.runtime.distill.measure import measure_frame as measure_frame
from bsi.runtime.distill.measure import measure_teacher as measure_teacher
from bsi.runtime.distill.teacher import Teacher as Teacher
from bsi.runtime.distill.teacher import exact_teacher as exact_teacher
from bsi.runtime.distill.teacher import rows_of as rows_of
from bsi.runtime.distill.teacher import score_teacher as score_teacher
from bsi.runtime.distill.train import STUDENT as STUDENT
from bsi.runtime.distill.train import DistillInfo as DistillInfo
from bsi.runtime.distill.train import DistillOptions as DistillOptions
from bsi.runtime.distill.train import abstract_velocity as abstract_velocity
from bsi.runtime.distill.train import distill as distill

"""Training: simulations in, a `Fit` out."""

from bsi.runtime.training.fit import Fit as Fit
from bsi.runtime.training.fit import abstract_fit as abstract_fit
from bsi.runtime.training.fit import held_out as held_out
from bsi.runtime.training.fit import parameter_count as parameter_count
from bsi.runtime.training.fit import train as train
from bsi.runtime.training.objective import SCORE as SCORE
from bsi.runtime.training.objective import AbstractObjective as AbstractObjective
from bsi.runtime.training.objective import LikelihoodBound as LikelihoodBound
from bsi.runtime.training.objective import ScoreMatching as ScoreMatching
from bsi.runtime.training.options import Checkpoint as Checkpoint
from bsi.runtime.training.options import Simulator as Simulator
from bsi.runtime.training.options import Table as Table
from bsi.runtime.training.options import TrainingInfo as TrainingInfo
from bsi.runtime.training.options import TrainingOptions as TrainingOptions

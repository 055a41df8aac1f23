"""Networks behind one interface. Adding one: a file, a row here."""

from bsi.runtime.nets.base import AbstractNetwork as AbstractNetwork
from bsi.runtime.nets.base import Architecture as Architecture
from bsi.runtime.nets.mlp import Mlp as Mlp
from bsi.runtime.nets.resmlp import ResMlp as ResMlp
from bsi.runtime.nets.sets import SetNet as SetNet

NETWORKS = {"mlp": Mlp, "resmlp": ResMlp, "set": SetNet}  # the names an `Architecture.kind` may have

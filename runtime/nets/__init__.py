"""Networks behind one interface. Adding one: a file, a row here."""

from bsi.runtime.nets.base import AbstractArchitecture as AbstractArchitecture
from bsi.runtime.nets.base import AbstractNetwork as AbstractNetwork
from bsi.runtime.nets.dit import DiTArchitecture as DiTArchitecture
from bsi.runtime.nets.mlp import MlpArchitecture as MlpArchitecture
from bsi.runtime.nets.resmlp import ResMlpArchitecture as ResMlpArchitecture
from bsi.runtime.nets.sets import SetArchitecture as SetArchitecture
from bsi.runtime.nets.unet import UNetArchitecture as UNetArchitecture

NETWORKS = {  # by the names that the language has for them
    "mlp": MlpArchitecture,
    "resmlp": ResMlpArchitecture,
    "set": SetArchitecture,
    "unet": UNetArchitecture,
    "dit": DiTArchitecture,
}

"""Exact scores without training: simulations as the components of a mixture whose denoiser has a closed form."""

from bsi.runtime.exact.build import ExactInfo as ExactInfo
from bsi.runtime.exact.build import ExactOptions as ExactOptions
from bsi.runtime.exact.build import abstract_exact as abstract_exact
from bsi.runtime.exact.build import build as build
from bsi.runtime.exact.fit import Conditioned as Conditioned
from bsi.runtime.exact.fit import ExactFit as ExactFit
from bsi.runtime.exact.fit import Given as Given

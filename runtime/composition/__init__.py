"""Composition: denoisers of single factors to the denoiser of their product, powers included."""

from bsi.runtime.composition.base import Composed as Composed
from bsi.runtime.composition.bridges import fnpse as fnpse
from bsi.runtime.composition.bridges import plain_sum as plain_sum
from bsi.runtime.composition.bridges import temperature as temperature
from bsi.runtime.composition.bridges import tempered_sum as tempered_sum
from bsi.runtime.composition.clean import Clean as Clean
from bsi.runtime.composition.gauss import Gauss as Gauss
from bsi.runtime.composition.gauss import gauss as gauss
from bsi.runtime.composition.jac import jac as jac
from bsi.runtime.composition.partial import grouped as grouped
from bsi.runtime.composition.rows import Rows as Rows
from bsi.runtime.composition.rows import make_rows as make_rows
from bsi.runtime.composition.spread import spread as spread
from bsi.runtime.composition.tempered import AbstractPrior as AbstractPrior
from bsi.runtime.composition.tempered import NormalPrior as NormalPrior
from bsi.runtime.composition.tempered import SeparablePrior as SeparablePrior
from bsi.runtime.composition.tempered import is_separable as is_separable
from bsi.runtime.composition.tempered import temper as temper
from bsi.runtime.composition.tilted import TiltedPrior as TiltedPrior
from bsi.runtime.composition.tilted import tilt as tilt

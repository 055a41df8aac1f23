"""The front door of `.bsi`: `check` a text, `load` a model, `run` it.

>>> import bsi
>>> model = bsi.load("examples/eight_schools/eight_schools.bsi")
>>> run = model.run()
>>> run["ode"].posterior
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bsi.api import Model as Model
    from bsi.api import check as check
    from bsi.api import load as load
    from bsi.dsl.diagnostic import BsiError as BsiError
    from bsi.dsl.diagnostic import Diagnostic as Diagnostic
    from bsi.magic import load_ipython_extension as load_ipython_extension

__version__ = "0.1.0"

_HOMES = {
    "Model": "bsi.api",
    "check": "bsi.api",
    "load": "bsi.api",
    "BsiError": "bsi.dsl.diagnostic",
    "Diagnostic": "bsi.dsl.diagnostic",
    "load_ipython_extension": "bsi.magic",  # `%load_ext bsi`
}
__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    """Names are imported when used: `import bsi.runtime` alone loads no compiler."""
    if name not in _HOMES:
        raise AttributeError(f"module 'bsi' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)

"""What `bsi info` says of the machine and of what is installed."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

from bsi.lock import PACKAGES

Row = tuple[str, str]


def system() -> list[Row]:
    """Python, the operating system, and the packages that results depend on."""
    rows = [("python", platform.python_version()), ("system", f"{platform.platform()}, {os.cpu_count()} cores")]
    return rows + [(name, version(name)) for name in PACKAGES]


def devices() -> list[Row]:
    """What JAX computes on; where it finds nothing (`JAX_PLATFORMS=cuda` without a GPU), why."""
    import jax

    try:
        return [("device", f"{device.platform} ({device.device_kind})") for device in jax.devices()]
    except (RuntimeError, AssertionError) as error:  # an assertion, where the plugin of a platform is not installed
        asked = os.environ.get("JAX_PLATFORMS", "any")
        return [("device", f"none: JAX_PLATFORMS={asked}: {str(error).splitlines()[0] if str(error) else 'not there'}")]

"""The imports that a program's text needs."""

from __future__ import annotations

import re

STANDARD = ("csv", "json", "math", "pathlib")
MODULES = {  # name in the text, which a dot follows -> import
    "csv": "import csv",
    "diffrax": "import diffrax",
    "dist": "import numpyro.distributions as dist",
    "jax": "import jax",
    "jnp": "import jax.numpy as jnp",
    "jr": "import jax.random as jr",
    "json": "import json",
    "math": "import math",
    "np": "import numpy as np",
    "numpyro": "import numpyro",
}
MANY = 4  # names that make a line long enough to need brackets
NAMES = {  # module -> names that are imported from it
    "jax.scipy": ("special",),
    "jax.scipy.special": ("gammaln", "log_ndtr", "logsumexp", "ndtr"),
    "numpyro.distributions": ("biject_to", "constraints", "transforms"),
    "numpyro.distributions.transforms": (
        *("AffineTransform", "ComposeTransform", "ExpTransform", "OrderedTransform", "SigmoidTransform"),
    ),
    "numpyro.handlers": ("reparam",),
    "numpyro.infer": ("HMC", "MCMC", "NUTS"),
    "numpyro.infer.reparam": ("LocScaleReparam", "ProjectedNormalReparam"),
    "pathlib": ("Path",),
}


def imports(text: str) -> str:
    """Import lines for every name in `text`, in two groups, each in the usual order."""
    lines = {line for name, line in MODULES.items() if re.search(rf"(?<![.\w]){name}\.", text)}
    for module, names in NAMES.items():
        used = [name for name in names if re.search(rf"(?<![.\w]){name}\b", text)]
        if module == "pathlib" and "HERE" in text:
            used = ["Path"]
        apart = "".join(f"    {name},\n" for name in used)
        listed = f"(\n{apart})" if len(used) > MANY else ", ".join(used)
        lines |= {f"from {module} import {listed}"} if used else set()
    groups = [[line for line in lines if (line.split()[1] in STANDARD) == standard] for standard in (True, False)]
    return "\n\n".join("\n".join(sorted(group, key=_order)) for group in groups if group)


def _order(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line.split()[1]

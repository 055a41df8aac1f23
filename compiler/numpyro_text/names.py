"""Python names for the user's names."""

from __future__ import annotations

import builtins
import keyword

from bsi.compiler.numpyro_text.definitions import DEFINITIONS

MODULES = (
    "HERE",
    "LocScaleReparam",
    "MCMC",
    "NUTS",
    "Path",
    "constraints",
    "csv",
    "dist",
    "jax",
    "jnp",
    "json",
    "main",
)
RESERVED = frozenset(
    [*keyword.kwlist, *dir(builtins), *DEFINITIONS, *MODULES, "keys", "mcmc", "np", "numpyro", "reparam", "special"]
)


def python(name: str) -> str:
    """`name`, with an underscore where Python or the program's own imports have it already."""
    name = name.replace(".", "_")
    return f"{name}_" if name in RESERVED else name


def fresh(name: str, taken: set[str]) -> str:
    """`name`, or the first of `name_2`, `name_3`, ... that is not taken; it is taken afterwards."""
    candidate, count = python(name), 1
    while candidate in taken:
        count += 1
        candidate = f"{python(name)}_{count}"
    taken.add(candidate)
    return candidate

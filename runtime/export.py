"""A sampler of one pass as a file that needs only JAX and its flatbuffers.

The file is a zip of `sampler.jax` (StableHLO with the weights, by `jax.export`, for any number of draws), `about.json`
(names, shapes, versions) and `README.txt`, the lines of Python that load it:

    with zipfile.ZipFile("fast.zip") as file:
        sampler = jax.export.deserialize(bytearray(file.read("sampler.jax")))
    params = sampler.call(noise=noise, row=row)
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
from jax import export
from jaxtyping import Array

PROGRAM, ABOUT, README = "sampler.jax", "about.json", "README.txt"
PLATFORMS = ("cpu", "cuda")

_LOADER = """\
# The draws of a posterior in one call. Needs jax, flatbuffers and numpy, `pip install jax flatbuffers`.
import zipfile
import jax.export
import numpy as np

with zipfile.ZipFile({name}) as file:
    sampler = jax.export.deserialize(bytearray(file.read("sampler.jax")))

n = 1000  # draws, as many as wanted, and for each of them noise of N(0, 1) and what was observed
{inputs}
params = sampler.call({call})  # a dict of {outputs}
"""


def portable(
    sample: Callable[..., Mapping[str, Array]],
    inputs: Mapping[str, tuple[int, ...]],
    platforms: Sequence[str] = PLATFORMS,
) -> tuple[bytes, dict[str, Any]]:
    """A batched function of arrays by name as bytes that `jax.export.deserialize` reads, and its inputs and outputs.

    **Arguments:** `sample(**arrays)` gives params by name, and holds its weights; `inputs` are shapes without the axis
    of draws, which comes first and is left free. `platforms` need not be here.
    """
    (n,) = export.symbolic_shape("n")
    arguments = {name: jax.ShapeDtypeStruct((n, *shape), jnp.float32) for name, shape in inputs.items()}
    with _no_places():
        exported = export.export(jax.jit(lambda **arrays: dict(sample(**arrays))), platforms=platforms)(**arguments)
    given = jax.tree.unflatten(exported.out_tree, exported.out_avals)
    about = {
        "inputs": {name: _signature(value) for name, value in arguments.items()},
        "outputs": {name: _signature(value) for name, value in given.items()},
        "platforms": list(exported.platforms),
        "calling_convention": exported.calling_convention_version,
    }
    return bytes(exported.serialize()), about


def archive(program: bytes, about: Mapping[str, Any], name: str) -> bytes:
    """The zip, the same bytes for the same content; `name` is that of the file, for its README."""
    parts = {
        ABOUT: json.dumps(about, indent=2, ensure_ascii=False).encode(),
        README: _loader(about, name).encode(),
        PROGRAM: program,
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for part, data in parts.items():
            file.writestr(zipfile.ZipInfo(part), data, zipfile.ZIP_DEFLATED)  # which is dated 1980
    return content.getvalue()


@contextmanager
def _no_places() -> Iterator[None]:
    """A program says from which line of which file each operation is: folders of a machine, in which no bytes should
    differ."""
    name = "jax_traceback_in_locations_limit"
    before = getattr(jax.config, name)
    jax.config.update(name, 0)
    try:
        yield
    finally:
        jax.config.update(name, before)


def _signature(value: Any) -> dict[str, Any]:
    return {"shape": ["n", *value.shape[1:]], "dtype": str(value.dtype)}


def _loader(about: Mapping[str, Any], name: str) -> str:
    """Lines that load the file and call it."""
    lines = []
    for key, value in about["inputs"].items():
        shape = _tuple(value["shape"])
        make = {"noise": "np.random.default_rng(0).normal(size=", "row": "np.zeros("}.get(key, "np.ones(")
        array = f"{make}{shape})"
        lines.append(f'{key} = {array}.astype("{value["dtype"]}")')
    call = ", ".join(f"{key}={key}" for key in about["inputs"])
    outputs = ", ".join(f"{key} {_tuple(value['shape'])}" for key, value in about["outputs"].items())
    return _LOADER.format(name=json.dumps(name), inputs="\n".join(lines), call=call, outputs=outputs)


def _tuple(shape: Sequence[Any]) -> str:
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"

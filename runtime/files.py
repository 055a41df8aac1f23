"""Files that are whole or not there: atomic writes, and arrays and pytrees without pickle."""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content`: a reader, or a crash at any moment, sees the old file or the new one.

    The temporary file lies in the same folder (a rename across file systems is a copy) and starts with a dot.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex[:12]}"
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names created in `folder` survive a power cut (Windows cannot open a folder, and needs no such call)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write named arrays as `.npz`.

    Raises:
        ValueError: an array holds Python objects, which only pickle could store.
    """
    import numpy as np

    np.savez(path, allow_pickle=False, **{name: np.asarray(array) for name, array in arrays.items()})


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays that `save_arrays` wrote."""
    import numpy as np

    with np.load(path, allow_pickle=False) as content:
        return {name: content[name] for name in content.files}


def tree_to_bytes(tree: Any) -> bytes:
    """Leaves of a pytree (arrays, typed random keys, Python numbers); its structure is supplied again when loading."""
    import equinox as eqx

    content = io.BytesIO()
    eqx.tree_serialise_leaves(content, _keys_to_data(tree))
    return content.getvalue()


def tree_from_bytes(content: bytes, like: Any) -> Any:
    """A pytree with the structure, shapes and dtypes of `like` (its values are not used).

    Raises:
        RuntimeError: the content was written for another structure, shape or dtype.
    """
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    data = eqx.tree_deserialise_leaves(io.BytesIO(content), _keys_to_data(like))

    def wrap(leaf: Any, wanted: Any) -> Any:
        return (
            jax.random.wrap_key_data(jnp.asarray(leaf), impl=jax.random.key_impl(wanted)) if _is_key(wanted) else leaf
        )

    return jax.tree.map(wrap, data, like)


def save_tree(path: Path, tree: Any) -> None:
    """Write the leaves of a pytree, for example a network with its weights."""
    path.write_bytes(tree_to_bytes(tree))


def load_tree(path: Path, like: Any) -> Any:
    """The pytree that `save_tree` wrote, with the structure of `like`."""
    return tree_from_bytes(path.read_bytes(), like)


def _is_key(leaf: Any) -> bool:
    import jax

    return isinstance(leaf, jax.Array) and jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _keys_to_data(tree: Any) -> Any:
    """Equinox cannot write typed random keys; their 32-bit words it can."""
    import jax

    return jax.tree.map(lambda leaf: jax.random.key_data(leaf) if _is_key(leaf) else leaf, tree)

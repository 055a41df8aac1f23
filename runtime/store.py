"""A content-addressed store of what jobs computed: weights, draws, references.

    <root>/store.json            the version of this layout
           entries/ab/<key>/     meta.json and the job's own files; appears whole, by one rename
           checkpoints/<key>     the latest state of an unfinished job
           names/<model>/<job>   inputs of the job's last run, so that a plan can say what changed
           tmp/, locks/, xla/    unfinished writes, one lock a key, JAX's compiled programs

Entries are never modified. Two processes may share a store, and a process may be killed at any moment: an unfinished
write stays in `tmp/` where nothing reads it, and `Store.gc` sweeps it up.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import BaseFileLock, FileLock, Timeout

from bsi.runtime.files import sync_folder, tree_from_bytes, tree_to_bytes, write_atomically

STORE_VERSION = 1
META = "meta.json"


class StoreError(Exception):
    """A store that cannot be used as it is. `path` is the offending file or folder."""

    def __init__(self, message: str, path: Path):
        self.path = path
        super().__init__(message)


class StoreVersionError(StoreError):
    """Something written by a release with another layout: `found` is its version, `expected` ours."""

    def __init__(self, path: Path, found: Any):
        self.found, self.expected = found, STORE_VERSION
        super().__init__(f"{path} has store version {found}, this release reads {STORE_VERSION}", path)


class NotAStoreError(StoreError):
    """A folder with other things in it; using it as a store could delete them."""

    def __init__(self, path: Path):
        super().__init__(f"{path} is not empty and is no store", path)


@dataclass(frozen=True)
class Entry:
    """A whole entry: `meta` as given to `Store.write` with `key`, `kind`, `created` (Unix seconds), `size` (bytes)."""

    meta: dict[str, Any]
    path: Path


@dataclass(frozen=True)
class Damaged:
    """An entry that is there but not what was written: a warning for the user. The job runs again and replaces it."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Row:
    """One line of `bsi store ls`. `created` in Unix seconds, `size` in bytes."""

    key: str
    kind: str
    name: str
    model: str
    created: float
    size: int


@dataclass(frozen=True)
class Collected:
    """What `Store.gc` removed: keys of entries and checkpoints, and bytes (leftovers of killed writers included)."""

    keys: tuple[str, ...]
    size: int


class Store:
    """Arguments:
        root: a folder that is created, is empty, or is a store; by default `$BSI_STORE`, else `.bsi-store`.

    Raises:
        NotAStoreError: `root` holds other things.
        StoreVersionError: `root` was made by a release with another layout.
    """

    def __init__(self, root: Path | str | None = None):
        self.root = Path(root or os.environ.get("BSI_STORE") or ".bsi-store").absolute()
        label = self.root / "store.json"
        if not label.exists():
            if self.root.exists() and any(not item.name.startswith(".") for item in self.root.iterdir()):
                raise NotAStoreError(self.root)
            write_atomically(label, _to_json({"schema": STORE_VERSION}))
            write_atomically(self.root / ".gitignore", b"*\n")
        found = _from_json(label)
        if found is None or found.get("schema") != STORE_VERSION:
            raise StoreVersionError(label, None if found is None else found.get("schema"))

    def look(self, key: str) -> Entry | Damaged | None:
        """The entry `key` if every file in it is as it was written, what is wrong with it, or None.

        Raises:
            StoreVersionError: the entry comes from a release with another layout.
        """
        folder = self._folder(key)
        if not folder.exists():
            return None
        meta = _from_json(folder / META)
        if meta is None:
            return Damaged(folder, f"{META} is missing or is not JSON")
        if meta.get("schema") != STORE_VERSION:
            raise StoreVersionError(folder, meta.get("schema"))
        if meta.get("key") != key:
            return Damaged(folder, f"its {META} belongs to the key {meta.get('key')}")
        for name, digest in meta["files"].items():
            if not (folder / name).is_file():
                return Damaged(folder, f"{name} is missing")
            if _digest(folder / name) != digest:
                return Damaged(folder, f"{name} was changed")
        return Entry(meta, folder)

    def has(self, key: str) -> bool:
        """Whether `read(key)` would give an entry."""
        return isinstance(self.look(key), Entry)

    def read(self, key: str) -> Entry:
        """The entry `key`.

        Raises:
            KeyError: there is none, or it is damaged (`look` tells which).
            StoreVersionError: the entry comes from a release with another layout.
        """
        entry = self.look(key)
        if not isinstance(entry, Entry):
            raise KeyError(key)
        return entry

    def write(self, key: str, kind: str, meta: dict[str, Any], fill: Callable[[Path], object]) -> Entry:
        """Let `fill` put files into an empty folder, then publish that folder as the entry `key` by one rename.

        A whole entry that is already there wins (same key, same content); a damaged one is replaced.

        Arguments:
            key: a file name, usually a sha256 in hexadecimal.
            kind: what the job is: `train`, `sample`, ...
            meta: JSON values. `name`, `model` and `inputs`, when there, are remembered for `previous`.
        """
        with self.lock(key):
            entry = self.look(key)
            if not isinstance(entry, Entry):
                self._publish(key, kind, meta, fill)
                entry = self.read(key)
        if {"name", "model", "inputs"} <= meta.keys():
            self.remember(meta["model"], meta["name"], key, meta["inputs"])
        return entry

    def lock(self, key: str) -> BaseFileLock:
        """A lock between processes and threads, re-entrant within a thread: `with store.lock(key): ...`"""
        folder = self.root / "locks"
        folder.mkdir(exist_ok=True)
        return FileLock(folder / f"{key}.lock", is_singleton=True)

    def remember(self, model: str, name: str, key: str, inputs: dict[str, Any]) -> None:
        """Note that the job `name` of `model` last had this key and these inputs."""
        write_atomically(self._index(model, name), _to_json({"key": key, "inputs": inputs}))

    def previous(self, model: str, name: str) -> dict[str, Any] | None:
        """The inputs of the job's last run, or None when it never ran here."""
        note = _from_json(self._index(model, name))
        return None if note is None else note["inputs"]

    def resumes(self, key: str) -> bool:
        """Whether an unfinished job left a checkpoint."""
        return Checkpoint(self, key).path.exists()

    def seconds(self, model: str, name: str) -> float | None:
        """How long the job took when it was last computed, if that result is still here."""
        note = _from_json(self._index(model, name))
        meta = _from_json(self._folder(note["key"]) / META) if note else None
        return meta.get("seconds") if meta else None

    def ls(self) -> list[Row]:
        """Whole or damaged, every entry with readable metadata, oldest first."""
        rows = []
        for folder in self._folders():
            meta = _from_json(folder / META)
            if meta is not None and meta.get("schema") == STORE_VERSION:
                names = {"name": str(meta.get("name", "")), "model": str(meta.get("model", ""))}
                rows.append(Row(folder.name, meta["kind"], **names, created=meta["created"], size=meta["size"]))
        return sorted(rows, key=lambda row: (row.created, row.key))

    def gc(self, keep: Set[str] | None = None, older_than: float | None = None) -> Collected:
        """Remove leftovers of killed writers, and entries and checkpoints that are outside `keep` and older than
        `older_than` seconds. A rule that is not given does not hold anything back; without any rule, no entry goes.
        Keys that another process has locked stay.
        """
        keys, size = [], self._sweep()
        if keep is None and older_than is None:
            return Collected((), size)
        now = time.time()
        for path in [*self._folders(), *(self.root / "checkpoints").glob("[!.]*")]:
            dated = path / META if (path / META).exists() else path
            if (keep is not None and path.name in keep) or now - dated.stat().st_mtime < (older_than or 0):
                continue
            try:
                with self.lock(path.name).acquire(blocking=False):
                    size += self._discard(path)
                    keys.append(path.name)
            except Timeout:
                continue
        return Collected(tuple(dict.fromkeys(keys)), size)

    def _folder(self, key: str) -> Path:
        return self.root / "entries" / key[:2] / key

    def _folders(self) -> list[Path]:
        return sorted((self.root / "entries").glob("*/*"))

    def _index(self, model: str, name: str) -> Path:
        return self.root / "names" / quote(model, safe="") / f"{quote(name, safe='')}.json"

    def _publish(self, key: str, kind: str, meta: dict[str, Any], fill: Callable[[Path], object]) -> None:
        temporary = self.root / "tmp" / uuid.uuid4().hex
        temporary.mkdir(parents=True)
        with FileLock(f"{temporary}.lock"):  # the system drops the lock of a killed process, which tells `gc`
            try:
                fill(temporary)
                files = sorted(path for path in temporary.rglob("*") if path.is_file())
                own = {
                    "schema": STORE_VERSION,
                    "key": key,
                    "kind": kind,
                    "created": time.time(),
                    "size": sum(path.stat().st_size for path in files),
                    "files": {path.relative_to(temporary).as_posix(): _digest(path) for path in files},
                }
                for path in files:
                    with open(path, "rb+") as file:
                        os.fsync(file.fileno())
                write_atomically(temporary / META, _to_json({**meta, **own}))
                target = self._folder(key)
                target.parent.mkdir(parents=True, exist_ok=True)
                if target.exists():
                    self._discard(target)
                os.rename(temporary, target)
                sync_folder(target.parent)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        Path(f"{temporary}.lock").unlink(missing_ok=True)

    def _discard(self, path: Path) -> int:
        """Move out of sight in one step, then delete. Returns bytes."""
        out = self.root / "tmp" / uuid.uuid4().hex
        out.parent.mkdir(exist_ok=True)
        os.rename(path, out)
        return _remove(out)

    def _sweep(self) -> int:
        size = 0
        for path in [p for p in (self.root / "tmp").glob("*") if p.suffix != ".lock"]:
            lock = Path(f"{path}.lock")
            try:
                with FileLock(lock).acquire(blocking=False):
                    size += _remove(path)
            except Timeout:
                continue
            lock.unlink(missing_ok=True)
        return size


@dataclass(frozen=True)
class Checkpoint:
    """The latest state of an unfinished job, so that it resumes where it was after `kill -9`."""

    store: Store
    key: str

    @property
    def path(self) -> Path:
        return self.store.root / "checkpoints" / self.key

    def save(self, state: Any) -> None:
        """Replace the stored state by the pytree `state`, atomically."""
        content = tree_to_bytes(state)
        header = _to_json({"schema": STORE_VERSION, "digest": hashlib.sha256(content).hexdigest()})
        write_atomically(self.path, header + b"\n" + content)

    def load(self, like: Any) -> Any:
        """The stored pytree, with the structure of `like`; None when there is none or it is damaged.

        Raises:
            StoreVersionError: written by a release with another layout.
            RuntimeError: written for another structure, shape or dtype.
        """
        if not self.path.exists():
            return None
        header, _, content = self.path.read_bytes().partition(b"\n")
        try:
            fields = json.loads(header)
        except ValueError:
            return None
        if fields.get("schema") != STORE_VERSION:
            raise StoreVersionError(self.path, fields.get("schema"))
        return tree_from_bytes(content, like) if hashlib.sha256(content).hexdigest() == fields["digest"] else None

    def clear(self) -> None:
        """Forget the state: the job is done."""
        self.path.unlink(missing_ok=True)


def enable_compilation_cache(store: Store) -> None:
    """Keep JAX's compiled programs in the store: a second process loads them instead of compiling again."""
    import jax

    jax.config.update("jax_compilation_cache_dir", str(store.root / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)  # below, reading costs as much as compiling
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    # XLA's own caches would put the store's path into every key: a store that was moved would compile again
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(path: Path) -> int:
    """Delete a file or a folder. Returns bytes."""
    if path.is_file():
        size = path.stat().st_size
        path.unlink()
        return size
    size = sum(item.stat().st_size for item in path.rglob("*") if item.is_file())
    shutil.rmtree(path)
    return size


def _to_json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()


def _from_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None when the file is not there or holds something else."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return value if isinstance(value, dict) else None

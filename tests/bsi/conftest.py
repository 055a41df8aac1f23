"""Every test of the front door works in a folder of its own with a store of its own."""

import shutil
from pathlib import Path

import pytest

import bsi
from bsi.runtime.store import Store
from tests.bsi.helpers import TINY


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """JAX's compiled programs, shared by the stores of all tests: they are what takes the time."""
    return tmp_path_factory.mktemp("xla")


def _store(root: Path, compiled: Path) -> Store:
    store = Store(root)
    (root / "xla").symlink_to(compiled)
    return store


@pytest.fixture
def folder(tmp_path, monkeypatch, compiled):
    """An empty working folder; `$BSI_STORE` names its store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BSI_STORE", str(tmp_path / "store"))
    _store(tmp_path / "store", compiled)
    return tmp_path


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, compiled):
    """The tiny model, run once: `tiny.bsi`, `store/`, `runs/tiny/`. Copy it before changing it."""
    folder = tmp_path_factory.mktemp("ran")
    path = folder / "tiny.bsi"
    path.write_text(TINY)
    bsi.load(path).run(folder / "runs/tiny", store=_store(folder / "store", compiled))
    return folder


@pytest.fixture
def ran(tiny_run, tmp_path, monkeypatch):
    """A working folder in which the tiny model has been run."""
    folder = tmp_path / "ran"
    shutil.copytree(tiny_run, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("BSI_STORE", str(folder / "store"))
    return folder

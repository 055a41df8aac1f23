"""Every test of the front door works in a folder of its own with a store of its own."""

import shutil
from pathlib import Path

import pytest

import bsi
from bsi.runtime.store import Store
from tests.bsi.helpers import TINY


@pytest.fixture(scope="session")
def new_store(tmp_path_factory):
    """A function that makes a store. All share JAX's compiled programs: they are what takes the time."""
    compiled = tmp_path_factory.mktemp("xla")

    def make(root: Path) -> Store:
        store = Store(root)
        (root / "xla").symlink_to(compiled)
        return store

    return make


@pytest.fixture(scope="session", autouse=True)
def _store_of_wider_fixtures(new_store, tmp_path_factory):
    """What a module's fixture runs must neither fill nor find a store in the folder that tests are started from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BSI_STORE", str(new_store(tmp_path_factory.mktemp("shared") / "store").root))
        yield


@pytest.fixture
def folder(tmp_path, monkeypatch, new_store):
    """An empty working folder; `$BSI_STORE` names its store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BSI_STORE", str(tmp_path / "store"))
    new_store(tmp_path / "store")
    return tmp_path


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, new_store):
    """The tiny model, run once: `tiny.bsi`, `store/`, `runs/tiny/`. Copy it before changing it."""
    folder = tmp_path_factory.mktemp("ran")
    path = folder / "tiny.bsi"
    path.write_text(TINY)
    bsi.load(path).run(folder / "runs/tiny", store=new_store(folder / "store"))
    return folder


@pytest.fixture
def ran(tiny_run, tmp_path, monkeypatch):
    """A working folder in which the tiny model has been run."""
    folder = tmp_path / "ran"
    shutil.copytree(tiny_run, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("BSI_STORE", str(folder / "store"))
    return folder

"""The store: whole entries or none, whatever happens to the process that writes them."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from bsi.runtime.files import load_arrays, load_tree, save_arrays, save_tree
from bsi.runtime.store import (
    STORE_VERSION,
    Checkpoint,
    Damaged,
    NotAStoreError,
    Store,
    StoreVersionError,
    enable_compilation_cache,
)

KEY = "ab" + "0" * 62
OTHER = "cd" + "1" * 62


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def fill_text(text="content"):
    return lambda folder: (folder / "result.txt").write_text(text)


def test_write_then_read(store):
    assert not store.has(KEY)
    store.write(KEY, "train", {"name": "fit", "steps": 3}, fill_text())
    entry = Store(store.root).read(KEY)
    assert (entry.path / "result.txt").read_text() == "content"
    assert entry.meta["kind"] == "train" and entry.meta["steps"] == 3 and entry.meta["size"] == 7


def test_a_missing_key_is_a_key_error(store):
    with pytest.raises(KeyError):
        store.read(KEY)


def test_the_first_writer_wins(store):
    store.write(KEY, "train", {}, fill_text("first"))
    entry = store.write(KEY, "train", {}, fill_text("second"))
    assert (entry.path / "result.txt").read_text() == "first"


def test_a_fill_that_raises_leaves_nothing(store):
    def fill(folder):
        (folder / "half").write_text("half")
        raise RuntimeError("no more disk")

    with pytest.raises(RuntimeError, match="no more disk"):
        store.write(KEY, "train", {}, fill)
    assert not store.has(KEY)
    assert not [path for path in (store.root / "tmp").iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda folder: (folder / "result.txt").write_text("tampered"), "was changed"),
        (lambda folder: (folder / "result.txt").unlink(), "is missing"),
        (lambda folder: (folder / "meta.json").write_text("{"), "not JSON"),
        (lambda folder: (folder / "meta.json").unlink(), "not JSON"),
    ],
)
def test_a_damaged_entry_counts_as_absent_and_is_replaced(store, break_it, reason):
    break_it(store.write(KEY, "train", {}, fill_text()).path)
    damage = store.look(KEY)
    assert isinstance(damage, Damaged) and reason in damage.reason
    assert not store.has(KEY)
    store.write(KEY, "train", {}, fill_text("again"))
    assert (store.read(KEY).path / "result.txt").read_text() == "again"


def test_an_entry_of_another_version_is_an_error(store):
    path = store.write(KEY, "train", {}, fill_text()).path / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": STORE_VERSION + 1}))
    with pytest.raises(StoreVersionError) as error:
        store.has(KEY)
    assert (error.value.found, error.value.expected) == (STORE_VERSION + 1, STORE_VERSION)


def test_a_store_of_another_version_is_an_error(store):
    (store.root / "store.json").write_text('{"schema": 99}')
    with pytest.raises(StoreVersionError, match="99"):
        Store(store.root)


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("irreplaceable")
    with pytest.raises(NotAStoreError):
        Store(tmp_path)


def test_the_environment_names_the_store(tmp_path, monkeypatch):
    monkeypatch.setenv("BSI_STORE", str(tmp_path / "elsewhere"))
    assert Store().root == tmp_path / "elsewhere"


def test_many_writers_of_one_key(store):
    def write(number):
        return Store(store.root).write(KEY, "train", {}, fill_text(str(number))).path.joinpath("result.txt").read_text()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(write, range(16)))) == 1


WRITER = """
import sys, time
from pathlib import Path
from bsi.runtime.store import Store

def fill(folder):
    (folder / "half").write_text("half")
    Path(sys.argv[2]).touch()
    time.sleep(60)

Store(sys.argv[1]).write(sys.argv[3], "train", {}, fill)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_writer_leaves_no_entry_and_gc_sweeps_up(store, tmp_path):
    began = tmp_path / "began"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(store.root), str(began), KEY])
    deadline = time.monotonic() + 30
    while not began.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert began.exists()
    store.gc()  # the writer lives: its folder stays
    folders = [path for path in (store.root / "tmp").iterdir() if path.is_dir()]
    assert len(folders) == 1
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert not store.has(KEY)
    assert store.gc().size == len("half")
    assert list((store.root / "tmp").iterdir()) == []
    store.write(KEY, "train", {}, fill_text())  # the dead writer's lock does not block
    assert store.has(KEY)


def test_ls_and_gc_rules(store):
    for key, name in ((KEY, "fit"), (OTHER, "ode")):
        store.write(key, "train", {"name": name, "model": "m"}, fill_text())
    assert {(row.key, row.name, row.model, row.size) for row in store.ls()} == {
        (KEY, "fit", "m", 7),
        (OTHER, "ode", "m", 7),
    }
    assert store.gc().keys == ()
    assert store.gc(older_than=3600.0).keys == ()
    assert store.gc(keep={KEY}).keys == (OTHER,)
    assert store.has(KEY) and not store.has(OTHER)
    assert store.gc(older_than=0.0).keys == (KEY,)


def test_gc_leaves_what_another_process_works_on(store):
    store.write(KEY, "train", {}, fill_text())
    with store.lock(KEY), ThreadPoolExecutor(1) as other:
        assert other.submit(lambda: Store(store.root).gc(keep=set()).keys).result() == ()


def test_previous_inputs_by_name(store):
    assert store.previous("m", "fit") is None
    store.write(KEY, "train", {"name": "fit", "model": "a/b", "inputs": {"lr": 0.1}}, fill_text())
    assert store.previous("a/b", "fit") == {"lr": 0.1}
    store.remember("a/b", "fit", OTHER, {"lr": 0.2})
    assert store.previous("a/b", "fit") == {"lr": 0.2}


def state(seed):
    network = eqx.nn.Linear(2, 3, key=jr.key(seed))
    return {
        "network": network,
        "key": jr.key(seed),
        "step": jnp.asarray(seed),
        "best": float(seed),
        "half": jnp.ones(2, jnp.bfloat16),
    }


def same(a, b):
    data = lambda leaf: jr.key_data(leaf) if jnp.issubdtype(getattr(leaf, "dtype", None), jax.dtypes.prng_key) else leaf  # noqa: E731
    pairs = zip(*(jax.tree.leaves(eqx.filter(tree, eqx.is_array_like)) for tree in (a, b)), strict=True)
    return all(np.array_equal(np.asarray(data(x)), np.asarray(data(y))) for x, y in pairs)


def test_checkpoint_round_trip(store):
    checkpoint = Checkpoint(store, KEY)
    assert checkpoint.load(state(0)) is None
    checkpoint.save(state(1))
    checkpoint.save(state(2))
    loaded = Checkpoint(Store(store.root), KEY).load(state(0))
    assert same(loaded, state(2)) and not same(loaded, state(1))
    checkpoint.clear()
    assert checkpoint.load(state(0)) is None


def test_a_damaged_checkpoint_counts_as_absent(store):
    checkpoint = Checkpoint(store, KEY)
    checkpoint.save(state(1))
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:-20])
    assert checkpoint.load(state(0)) is None
    checkpoint.path.write_bytes(b"not ours")
    assert checkpoint.load(state(0)) is None


def test_a_checkpoint_of_another_shape_is_an_error(store):
    Checkpoint(store, KEY).save({"a": jnp.ones(3)})
    with pytest.raises(RuntimeError):
        Checkpoint(store, KEY).load({"a": jnp.ones(4)})


def test_arrays_and_trees_without_pickle(tmp_path):
    save_arrays(tmp_path / "x.npz", {"a": jnp.arange(3), "b": np.zeros((2, 0))})
    assert load_arrays(tmp_path / "x.npz")["a"].tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="pickle"):
        save_arrays(tmp_path / "y.npz", {"a": np.array([object()])})
    save_tree(tmp_path / "net", state(1))
    assert same(load_tree(tmp_path / "net", state(0)), state(1))


COMPILER = """
import sys, jax
from bsi.runtime.store import Store, enable_compilation_cache
enable_compilation_cache(Store(sys.argv[1]))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.jit(lambda x: x * 2 + 1)(3.0)
"""


def test_compiled_programs_are_kept(store):
    subprocess.run([sys.executable, "-c", COMPILER, str(store.root)], check=True)
    assert any(Path(store.root, "xla").iterdir())


def test_the_store_opens_without_jax(store):
    code = "import sys; from bsi.runtime.store import Store; Store(sys.argv[1]); assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, str(store.root)], check=True)
    assert enable_compilation_cache.__module__ == "bsi.runtime.store"

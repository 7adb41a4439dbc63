"""zarr's own conformance tests and state machines, over the ledger."""

from __future__ import annotations

import functools
import inspect
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from zarr.core.buffer import Buffer, cpu, default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import MemoryStore
from zarr.testing.stateful import ZarrHierarchyStateMachine, ZarrStoreStateMachine
from zarr.testing.store import StoreTests

from src_core.errors import NotFoundError, StoreError
from src_core.store import Change, Ledger, LedgerStore
from src_core.store.zarr_store import Overlay

if TYPE_CHECKING:
    from pathlib import Path


def run_in_zarrs_loop(cls: type) -> type:
    """Let pytest run zarr's ``async`` tests without a plugin."""
    for name in dir(cls):
        function = inspect.getattr_static(cls, name)
        if name.startswith("test_") and inspect.iscoroutinefunction(function):
            setattr(cls, name, _synchronous(function))
    return cls


def _synchronous(function: Any) -> Any:
    @functools.wraps(function)
    def test(*args: Any, **kwargs: Any) -> None:
        sync(function(*args, **kwargs))

    return test


class _Conformance(StoreTests[Any, cpu.Buffer]):
    buffer_cls = cpu.Buffer

    @pytest.fixture
    def store(self, open_kwargs: dict[str, Any]) -> Any:
        return sync(self.store_cls.open(**open_kwargs))

    @pytest.fixture
    def store_not_open(self, store_kwargs: dict[str, Any]) -> Any:
        return self.store_cls(**store_kwargs)

    def test_store_supports_writes(self, store: Any) -> None:
        assert store.supports_writes
        assert store.supports_deletes

    def test_store_supports_listing(self, store: Any) -> None:
        assert store.supports_listing


@run_in_zarrs_loop
class TestLedgerStore(_Conformance):
    store_cls = LedgerStore

    @pytest.fixture
    def store_kwargs(self, tmp_path: Path) -> dict[str, Any]:
        path = tmp_path / "ledger.sqlite"
        Ledger(path, mode="rw", create=True).close()
        return {"path": path}

    async def set(self, store: LedgerStore, key: str, value: Buffer) -> None:
        with Ledger(store.path, mode="rw") as ledger:
            ledger.commit(Change("test", "set"), {key: value.to_bytes()})

    async def get(self, store: LedgerStore, key: str) -> Buffer:
        with Ledger(store.path) as ledger:
            value = ledger.read(key)
        assert value is not None
        return self.buffer_cls.from_bytes(value)

    def test_store_repr(self, store: LedgerStore) -> None:
        assert str(store) == f"ledger://{store.path}"
        assert repr(store) == f"LedgerStore('ledger://{store.path}')"


class _OpenOverlay(Overlay):
    """An overlay over nothing, with the constructor that the tests call."""

    def __init__(self, base: Any, *, read_only: bool = False) -> None:
        super().__init__(base)
        self._read_only = read_only
        self._is_open = False


@run_in_zarrs_loop
class TestOverlay(_Conformance):
    store_cls = _OpenOverlay

    @pytest.fixture
    def store_kwargs(self, tmp_path: Path) -> dict[str, Any]:
        base = LedgerStore(tmp_path / "ledger.sqlite")
        sync(base.set("gone", cpu.Buffer.from_bytes(b"x")))
        sync(base.delete("gone"))
        return {"base": base}

    async def set(self, store: Overlay, key: str, value: Buffer) -> None:
        store.changes[key] = value.to_bytes()

    async def get(self, store: Overlay, key: str) -> Buffer:
        value = store.changes[key]
        assert value is not None
        return self.buffer_cls.from_bytes(value)

    def test_store_repr(self, store: Overlay) -> None:
        assert "Overlay" in repr(store)

    test_store_eq = None  # an overlay is one transaction: it equals only itself
    test_serializable_store = None  # and does not leave its process


# ---------------------------------------------------------------- state machines
QUICK = settings(
    max_examples=30,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(QUICK, max_examples=150, stateful_step_count=40)
EFFORTS = [
    pytest.param(QUICK, id="quick"),
    pytest.param(LONG, id="long", marks=pytest.mark.slow),
]
MACHINES = [ZarrStoreStateMachine, ZarrHierarchyStateMachine]


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
def test_zarrs_state_machines_over_the_ledger(tmp_path, machine, effort):
    # synchronous=OFF: what is tested is what stands, not whether it survives a cut
    ledger = Ledger(tmp_path / "l.sqlite", mode="rw", create=True, synchronous="OFF")
    with ledger:
        store = LedgerStore.over(ledger)
        run_state_machine_as_test(lambda: machine(store), settings=effort)
        assert ledger.head > 0


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
def test_zarrs_state_machines_over_a_transaction(tmp_path, machine):
    with Ledger(tmp_path / "l.sqlite", mode="rw", create=True) as ledger:
        store = Overlay(LedgerStore.over(ledger))
        run_state_machine_as_test(lambda: machine(store), settings=QUICK)
        assert ledger.head == 0


# ------------------------------------------------------------------ beyond zarr
@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def test_a_group_opens_at_every_revision(path):
    root = zarr.open_group(LedgerStore(path, who="ada"), mode="w")
    array = root.create_array("a", shape=(4,), dtype="i4", chunks=(4,))
    seen = {}
    with Ledger(path) as ledger:
        for value in range(1, 4):
            array[...] = value
            seen[ledger.head] = value
        assert ledger.history()[0].who == "ada"
    for revision, value in seen.items():
        frozen = zarr.open_group(LedgerStore(path, at=revision), mode="r")
        np.testing.assert_array_equal(frozen["a"][...], np.full(4, value))


def test_a_transaction_is_one_revision(path):
    store = LedgerStore(path)
    with store.transaction(who="ada", what="import", note="two arrays") as overlay:
        root = zarr.open_group(overlay, mode="w")
        root.create_array("a", data=np.arange(10), chunks=(3,))
        root.create_array("b", data=np.arange(20), chunks=(3,))
        np.testing.assert_array_equal(root["a"][...], np.arange(10))
        assert store.ledger.head == 0
    (row,) = store.ledger.history()
    assert row == overlay.revision
    assert (row.who, row.what, row.note) == ("ada", "import", "two arrays")
    assert len(store.ledger.entries(1)) == 3 + 4 + 7
    np.testing.assert_array_equal(zarr.open_group(store)["b"][...], np.arange(20))


def test_a_transaction_that_fails_leaves_nothing(path):
    store = LedgerStore(path)

    def write_and_fail() -> None:
        with store.transaction() as overlay:
            zarr.open_group(overlay, mode="w")
            store.ledger.revision(7)

    with pytest.raises(NotFoundError, match="no revision 7"):
        write_and_fail()
    assert store.ledger.head == 0
    assert store.ledger.keys() == []


def test_a_snapshot_is_read_only(path):
    with LedgerStore(path).transaction() as overlay:
        zarr.open_group(overlay, mode="w")
    with pytest.raises(ValueError, match="read-only"):
        LedgerStore(path, at=1, read_only=False)
    frozen = LedgerStore(path, at=1)
    with pytest.raises(ValueError, match="read-only"):
        zarr.open_group(frozen, mode="w")
    with pytest.raises(ValueError, match="read-only"), frozen.transaction():
        pass


def test_a_snapshot_travels_to_another_process(path):
    store = LedgerStore(path)
    sync(store.set("k", cpu.Buffer.from_bytes(b"one")))
    frozen = pickle.loads(pickle.dumps(LedgerStore(path, at=1)))
    sync(store.set("k", cpu.Buffer.from_bytes(b"two")))
    assert frozen == LedgerStore(path, at=1)
    assert frozen != store
    assert hash(frozen) != hash(store)
    assert frozen.get_sync("k").to_bytes() == b"one"
    assert str(frozen).endswith("@1")


def test_a_store_over_an_open_ledger_does_not_close_it(path):
    with Ledger(path, mode="rw", create=True) as ledger:
        with LedgerStore.over(ledger) as store:
            store.set_sync("k", cpu.Buffer.from_bytes(b"v"))
        assert ledger.read("k") == b"v"
        travelled = pickle.loads(pickle.dumps(store))
    assert travelled.get_sync("k").to_bytes() == b"v"
    travelled.close()


def test_a_missing_ledger_is_not_made_by_reading(path):
    store = sync(LedgerStore.open(path, read_only=True))
    with pytest.raises(NotFoundError, match="no ledger"):
        store.get_sync("k")
    assert not path.exists()


def test_a_closed_store_opens_again(path):
    store = LedgerStore(path)
    store.set_sync("k", cpu.Buffer.from_bytes(b"v"))
    ledger = store.ledger
    store.close()
    with pytest.raises(StoreError, match="closed"):
        ledger.read("k")
    assert store.get_sync("k", prototype=default_buffer_prototype()).to_bytes() == b"v"


def test_what_stands_is_not_written_again(path):
    store = LedgerStore(path)
    array = zarr.create_array(store, name="a", data=np.arange(8), chunks=(4,))
    with store.transaction() as overlay:
        zarr.open_array(overlay, path="a")[...] = np.array([0, 1, 2, 3, 9, 9, 9, 9])
    keys = [entry.key for entry in store.ledger.entries(overlay.revision.number)]
    assert keys == ["a/c/1"]
    assert array[4] == 9


def test_only_zarr_buffers_are_kept(path):
    with pytest.raises(TypeError, match="not bytes"):
        LedgerStore(path).set_sync("k", b"v")


def test_the_overlay_lists_like_a_plain_store(path):
    base, plain = LedgerStore(path), MemoryStore()
    for store in (base, plain):
        for key in ("a", "a/b", "a!x", "b/c/d", "zz"):
            sync(store.set(key, cpu.Buffer.from_bytes(b"1")))
    overlay = Overlay(base)
    for store in (overlay, plain):
        sync(store.delete("b/c/d"))
        sync(store.set("b/e", cpu.Buffer.from_bytes(b"2")))

    async def listed(store: Any, prefix: str) -> tuple[list[str], list[str]]:
        names = [name async for name in store.list_dir(prefix)]
        return sorted(names), sorted([key async for key in store.list_prefix(prefix)])

    for prefix in ("", "a", "b", "b/c", "nothing"):
        assert sync(listed(overlay, prefix)) == sync(listed(plain, prefix))
    sync(base.delete("b/c/d"))
    sync(base.set("b/e", cpu.Buffer.from_bytes(b"2")))
    for prefix in ("", "a", "b", "b/c", "nothing"):
        assert sync(listed(base, prefix)) == sync(listed(plain, prefix))

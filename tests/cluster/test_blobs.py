"""Contents by hash: pieces in any order, bounds, rot."""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src_core.cluster.blobs import BlobStore
from src_core.errors import BadInputError, CorruptError, NotFoundError, StoreError

DATA = bytes(range(256)) * 40


def name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def put(store, data, used=None):
    sha256 = name(data)
    store.append(sha256, len(data), 0, data)
    if used is not None:
        os.utime(store.path(sha256), (used, used))
    return sha256


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "blobs")


@settings(max_examples=50, deadline=None)
@given(
    data=st.binary(max_size=200),
    pieces=st.lists(st.tuples(st.integers(0, 220), st.integers(1, 80)), max_size=12),
)
def test_pieces_lost_doubled_or_out_of_order_give_the_content_or_nothing(
    tmp_path_factory, data, pieces
):
    store = BlobStore(tmp_path_factory.mktemp("blobs"))
    sha256 = name(data)
    for offset, length in pieces:
        start = min(offset, len(data))
        have = store.append(sha256, len(data), start, data[start : start + length])
        whole = store.has(sha256)
        assert have == (len(data) if whole else store.begun(sha256))
    have = 0 if store.has(sha256) else store.begun(sha256)
    assert store.append(sha256, len(data), have, data[have:]) == len(data)
    assert store.content(sha256) == data


def test_what_is_unfinished_is_gone_on_with_by_another_process(store):
    sha256 = name(DATA)
    assert store.append(sha256, len(DATA), 0, DATA[:1000]) == 1000
    again = BlobStore(store.root)
    assert again.missing({sha256: len(DATA)}) == {sha256: len(DATA)}
    assert again.begun(sha256) == 1000
    again.append(sha256, len(DATA), 1000, DATA[1000:])
    assert again.missing({sha256: len(DATA)}) == {}
    assert again.read(sha256, 5, 3) == DATA[5:8]


def test_another_content_than_its_hash_says_is_dropped(store):
    sha256 = name(DATA)
    with pytest.raises(CorruptError, match="another content"):
        store.append(sha256, len(DATA), 0, DATA[:-1] + b"x")
    assert not store.has(sha256)
    assert store.begun(sha256) == 0


@pytest.mark.parametrize(
    ("sha256", "offset", "data"),
    [
        (name(DATA), -1, b"x"),
        (name(DATA), 0, DATA + b"x"),
        (name(DATA), len(DATA), b"x"),
        ("../../etc/passwd", 0, b"x"),
        ("A" * 64, 0, b"x"),
        ("a" * 63, 0, b"x"),
    ],
)
def test_a_piece_that_leads_out_is_refused(store, sha256, offset, data):
    with pytest.raises(BadInputError):
        store.append(sha256, len(DATA), offset, data)


def test_rot_is_seen_before_a_content_is_used(store, tmp_path):
    sha256 = put(store, DATA)
    store.path(sha256).write_bytes(DATA[::-1])
    with pytest.raises(CorruptError, match="has changed on the server's disk"):
        store.place(sha256, tmp_path / "placed")
    assert not (tmp_path / "placed").exists()
    with pytest.raises(NotFoundError, match="sent again"):
        store.place(sha256, tmp_path / "placed")


def test_a_content_is_placed_without_a_second_copy(store, tmp_path):
    sha256 = put(store, DATA)
    store.place(sha256, tmp_path / "placed")
    assert (tmp_path / "placed").read_bytes() == DATA
    assert (tmp_path / "placed").stat().st_ino == store.path(sha256).stat().st_ino
    store.drop(sha256)
    assert (tmp_path / "placed").read_bytes() == DATA


def test_the_longest_unused_make_room(tmp_path):
    store = BlobStore(tmp_path, bound=1000)
    old, kept, new = (put(store, bytes([n]) * 300, used=n) for n in (1, 2, 3))
    store.make_room(90, lambda: {kept})
    assert store.has(old)
    store.make_room(350, lambda: {kept})
    assert [store.has(h) for h in (old, kept, new)] == [False, True, True]
    store.missing({kept: 300})  # used just now
    store.make_room(650, lambda: set())
    assert [store.has(h) for h in (kept, new)] == [True, False]


def test_what_is_in_use_is_never_dropped(tmp_path):
    store = BlobStore(tmp_path, bound=1000)
    kept = put(store, b"k" * 800)
    with pytest.raises(StoreError, match="--cache-gb"):
        store.make_room(300, lambda: {kept})
    assert store.has(kept)


def test_what_nobody_went_on_with_is_forgotten(store):
    sha256 = name(DATA)
    store.append(sha256, len(DATA), 0, DATA[:10])
    store.forget_unfinished(older_than=0.0)
    assert store.begun(sha256) == 10
    store.forget_unfinished(older_than=2e10)
    assert store.begun(sha256) == 0


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_nobody_else_reads_it(store):
    put(store, DATA)
    store.append(name(b"abc"), 3, 0, b"a")
    for path in (store.root, *store.root.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0

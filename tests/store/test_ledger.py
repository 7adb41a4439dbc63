"""The ledger: keys through time, the chain, and what the file refuses."""

from __future__ import annotations

import sqlite3
import threading
from unittest import mock

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src_core.errors import (
    BadInputError,
    ConflictError,
    CorruptError,
    LockedError,
    NotFoundError,
    ReadOnlyError,
    StoreError,
)
from src_core.store import Change, Ledger, queries
from src_core.store import ledger as ledger_module
from src_core.store.ledger import HEAD
from src_core.types import MaskStatus

ADA = Change("ada", "set")


def mask_change(parent: int | None = None, image: str = "i", target: str = "t"):
    return Change(
        "ada",
        "mask",
        image=image,
        target=target,
        status=MaskStatus.DONE,
        parent=parent,
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path):
    with Ledger(path, mode="rw", create=True) as ledger:
        yield ledger


# --------------------------------------------------------------------- reading
def test_a_key_is_read_as_of_any_revision(ledger):
    ledger.commit(ADA, {"a": b"1", "b": b"1"})
    ledger.commit(ADA, {"a": b"2"})
    ledger.commit(ADA, {"a": None})
    ledger.commit(ADA, {"a": b""})
    seen = [ledger.read("a", at) for at in range(5)]
    assert seen == [None, b"1", b"2", None, b""]
    assert [ledger.keys(at=at) for at in range(5)] == [
        [],
        ["a", "b"],
        ["a", "b"],
        ["b"],
        ["a", "b"],
    ]
    assert ledger.read("a") == b""
    assert ledger.newest("a", 3) is None
    assert ledger.newest("a", 2).size == 1


KEYS = st.text(
    st.characters(exclude_categories=("Cs",)) | st.sampled_from("/!0a\0\U0010ffff"),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(
    commits=st.lists(
        st.dictionaries(KEYS, st.none() | st.binary(max_size=3), max_size=5),
        max_size=6,
    ),
    prefixes=st.lists(KEYS, max_size=4),
)
def test_it_is_a_dictionary_at_every_revision(tmp_path_factory, commits, prefixes):
    path = tmp_path_factory.mktemp("l") / "l.sqlite"
    states: list[dict[str, bytes]] = [{}]
    with Ledger(path, mode="rw", create=True, synchronous="OFF") as ledger:
        for entries in commits:
            ledger.commit(ADA, entries)
            state = {**states[-1], **entries}
            states.append({k: v for k, v in state.items() if v is not None})
        for at, state in enumerate(states):
            for prefix in ("", *prefixes):
                inside = sorted(k for k in state if k.startswith(prefix))
                assert ledger.keys(prefix, at) == inside
                assert ledger.any_key(prefix, at) == bool(inside)
                folder = f"{prefix}/" if prefix else ""
                names = {
                    k.removeprefix(folder).split("/")[0]
                    for k in state
                    if k.startswith(folder)
                }
                children = ledger.children(folder, at)
                assert len(children) == len(set(children))
                assert set(children) == names
                # Two a page, so that most are read in several.
                with mock.patch.object(ledger_module, "_PAGE", 2):
                    values = list(ledger.values(prefix, at=at))
                assert values == [(key, state[key]) for key in inside]
            for since in range(1, at):
                changed = dict(ledger.values("", since=since, at=at))
                assert changed.keys() <= {k for c in commits[since:at] for k in c}
                new = {**states[since], **changed}
                assert {k: v for k, v in new.items() if v is not None} == state


def test_revision_and_history_by_number_and_key(ledger):
    rows = [ledger.commit(ADA, {"a": bytes([n])}) for n in range(3)]
    ledger.commit(ADA, {"b": b"1"})
    assert ledger.revision(2) == rows[1]
    assert ledger.history(key="a") == rows[::-1]
    assert ledger.history(key="a", at=2, limit=1) == [rows[1]]
    with pytest.raises(NotFoundError, match="newest is 4"):
        ledger.revision(5)


def test_the_queries_that_must_be_fast_use_an_index(ledger):
    expected = {
        queries.READ: "entry_key",
        queries.NEWEST: "entry_key",
        queries.LIVE: "entry_key",
        queries.VALUES: "entry_key",
        queries.CHANGED: "entry_revision",
        queries.MASK_HEAD: "revision_mask",
        queries.MASK_AUTHOR: "revision_mask",
        queries.MASKS: "revision_mask",
        "SELECT * FROM revision WHERE number <= 9 AND image = 'a' "
        "ORDER BY number DESC": "revision_mask",
        "SELECT * FROM revision WHERE number <= 9 AND target = 'a' "
        "ORDER BY number DESC": "revision_target",
        "SELECT * FROM entry WHERE revision = 3 ORDER BY key": "entry_revision",
    }
    for sql, index in expected.items():
        values = (None,) * sql.count("?")
        plan = " ".join(
            str(row[3]) for row in ledger.rows(f"EXPLAIN QUERY PLAN {sql}", values)
        )
        assert index in plan, (sql, plan)
        assert "SCAN revision" not in plan.replace("SCAN revision USING COVERING", "")


# --------------------------------------------------------------------- writing
def test_a_parent_is_checked_inside_the_transaction(ledger):
    first = ledger.commit(mask_change())
    with pytest.raises(ConflictError) as caught:
        ledger.commit(mask_change(), {"k": b"lost"})
    assert (caught.value.expected, caught.value.found) == (None, first.number)
    assert ledger.read("k") is None
    second = ledger.commit(mask_change(first.number))
    assert second.parent == first.number
    third = ledger.commit(mask_change(HEAD))
    assert third.parent == second.number
    # another mask, and the image's own record, are not in its way
    assert ledger.commit(mask_change(None, target="u")).parent is None
    assert ledger.commit(Change("ada", "image", image="i")).parent is None


def test_what_stands_is_not_written_again(ledger):
    ledger.commit(ADA, {"a": b"1", "b": None})
    row = ledger.commit(ADA, {"a": b"1", "b": None, "c": b"2"})
    assert [entry.key for entry in ledger.entries(row.number)] == ["c"]


def test_a_reader_does_not_write(path, ledger):
    with Ledger(path) as reader, pytest.raises(ReadOnlyError, match="reading only"):
        reader.commit(ADA, {"a": b"1"})


def test_threads_share_one_ledger(ledger):
    def work(name: str) -> None:
        for n in range(20):
            ledger.commit(ADA, {f"{name}/{n}": name.encode()})
            assert ledger.read(f"{name}/{n}") == name.encode()

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.head == 80
    assert len(ledger.keys()) == 80


def test_a_writer_that_never_ends_is_an_error_in_a_sentence(path, ledger, monkeypatch):
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    ledger.database.connection.set_busy_timeout(10)
    with pytest.raises(LockedError, match="Another process has been writing"):
        ledger.commit(ADA, {"a": b"1"})
    other.execute("ROLLBACK")
    ledger.commit(ADA, {"a": b"1"})
    other.close()


def test_a_full_disk_is_an_error_and_the_next_commit_works(ledger):
    """SQLite's own page limit stands for the disk: no root needed."""
    first = ledger.commit(ADA, {"a": b"x" * 1000})
    pages = ledger.database.connection.pragma("page_count")
    ledger.database.connection.pragma("max_page_count", pages)
    with pytest.raises(StoreError, match=r"is full: nothing of this change was kept"):
        ledger.commit(ADA, {"a": b"y" * 100_000})
    assert ledger.head == first.number
    assert ledger.read("a") == b"x" * 1000
    ledger.database.connection.pragma("max_page_count", pages + 1000)
    ledger.commit(ADA, {"a": b"y" * 100_000})
    assert ledger.read("a") == b"y" * 100_000


@pytest.mark.parametrize("field", ["who", "what", "note", "reviewer"])
def test_texts_have_limits(field):
    with pytest.raises(BadInputError, match="characters"):
        Change(**{"who": "a", "what": "b", field: "x" * 20_000})
    with pytest.raises(BadInputError, match="NUL"):
        Change(**{"who": "a", "what": "b", field: "\0"})


# --------------------------------------------------- history is never rewritten
REWRITES = [
    "UPDATE revision SET who = 'eve' WHERE number = 1",
    "UPDATE entry SET value = x'00' WHERE id = 1",
    "DELETE FROM revision WHERE number = 2",
    "DELETE FROM entry",
    "INSERT OR REPLACE INTO revision SELECT number, \"when\", 'eve', what, image, "
    "target, status, source, model, prompt, parent, seconds_spent, reviewer, note, "
    "sha256, prev_hash FROM revision WHERE number = 1",
    "INSERT OR REPLACE INTO entry VALUES (1, 2, 'a', 1, x'00', x'00')",
    "INSERT INTO entry VALUES (9, 1, 'late', 1, x'00', x'00')",
    "INSERT INTO entry VALUES (3, 1, 'late', 1, x'00', x'00')",
    "INSERT INTO revision SELECT number + 5, \"when\", 'eve', what, image, target, "
    "status, source, model, prompt, parent, seconds_spent, reviewer, note, sha256, "
    "prev_hash FROM revision WHERE number = 1",
]


@pytest.mark.parametrize("sql", REWRITES)
@pytest.mark.parametrize("driver", ["apsw", "sqlite3"])
def test_history_is_never_rewritten(path, ledger, sql, driver):
    """Not even by another program that has the file open."""
    ledger.commit(ADA, {"a": b"1"})
    ledger.commit(ADA, {"a": b"2"})
    dump = "SELECT * FROM revision UNION ALL SELECT *, {} FROM entry".format(
        ", ".join(["NULL"] * 10)
    )
    before = list(ledger.rows(dump))
    if driver == "apsw":
        connection, error = apsw.Connection(str(path)), apsw.ConstraintError
    else:
        connection, error = sqlite3.connect(path), sqlite3.IntegrityError
    with pytest.raises(error, match="history is never rewritten"):
        connection.execute(sql)
    connection.close()
    assert list(ledger.rows(dump)) == before


# ------------------------------------------------------------ files from elsewhere
def make(path, *statements: str) -> None:
    connection = apsw.Connection(str(path))
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_no_ledger_at_all(tmp_path):
    with pytest.raises(NotFoundError, match="no ledger"):
        Ledger(tmp_path / "none.sqlite")


def test_a_link_is_not_followed(path, ledger, tmp_path):
    link = tmp_path / "link.sqlite"
    link.symlink_to(path)
    with pytest.raises(NotFoundError, match="no ledger"):
        Ledger(link)


@pytest.mark.parametrize(
    "content", [b"", b"not a database" * 100, b"SQLite format 3\0"]
)
def test_a_file_that_is_no_database(path, content):
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"not a ledger|damaged"):
        Ledger(path)


def test_another_programs_database(path):
    make(path, "CREATE TABLE revision (x)")
    with pytest.raises(StoreError, match="not a ledger of this program"):
        Ledger(path)
    with pytest.raises(StoreError, match="not a ledger of this program"):
        Ledger(path, mode="rw", create=True)


def test_a_later_layout_asks_for_an_update(path, ledger):
    ledger.close()
    make(path, "PRAGMA user_version = 2")
    with pytest.raises(StoreError, match="update lgssl-napari"):
        Ledger(path)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("DROP TRIGGER entry_no_delete", "entry_no_delete"),
        ("DROP INDEX revision_mask", "revision_mask"),
        ("CREATE VIEW more AS SELECT 1", "more"),
        (
            "CREATE TRIGGER evil AFTER INSERT ON revision BEGIN SELECT 1; END",
            "evil",
        ),
    ],
)
def test_an_altered_layout_is_refused(path, ledger, statement, name):
    ledger.close()
    make(path, statement)
    with pytest.raises(CorruptError, match=f"'{name}' is not what layout 1 has"):
        Ledger(path)


def test_a_blank_file_left_by_a_killed_creation_is_laid_out(path):
    path.touch()
    with Ledger(path, mode="rw", create=True) as ledger:
        assert ledger.head == 0


def test_a_closed_ledger_says_so(ledger):
    ledger.close()
    ledger.close()
    with pytest.raises(StoreError, match="is closed"):
        ledger.read("a")
